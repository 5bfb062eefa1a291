# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A node that nothing can switch off resets itself, and only then is the other one active."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from lab.machine import Machine
from tests.watchdog.cluster import NODES, WAIT, WATCHDOG, Cluster

WATCHDOGS = True
AGENT = "/usr/lib/ocf/resource.d/heartbeat/IPaddr2"
HANGS = f"""\
mv {AGENT} {AGENT}.real
printf '#!/bin/sh\\n[ "$1" != stop ] || sleep 1000\\nexec {AGENT}.real "$@"\\n' >{AGENT}
chmod 755 {AGENT}
"""


def test_the_role_is_done_the_second_time(cluster: Cluster) -> None:
    cluster.role(WATCHDOG)
    again = cluster.role(WATCHDOG)
    for name in cluster.machines:
        assert f"{name} : ok=" in " ".join(again.output.split())
    assert again.output.count("changed=0 ") == 3, again.output
    for name in NODES:
        assert cluster.on(name, "systemctl", "is-active", "sbd").strip() == "active"
        opened = cluster.machines[name].sh("ls -l /proc/$(cat /run/sbd.pid)/fd; lsmod")
        assert "/dev/watchdog" in opened, opened
        assert "\ni6300esb " in opened, opened
    configured = cluster.on("a", "cibadmin", "--query")
    assert f'name="stonith-watchdog-timeout" value="{WAIT}s"' in configured
    assert 'name="have-watchdog" value="true"' in configured
    levels = cluster.on("a", "cibadmin", "--query", "--xpath", "//fencing-level")
    for name in NODES:
        assert f'target="{name}" index="1" devices="fence-{name}"' in levels
        assert f'target="{name}" index="2" devices="watchdog"' in levels


class Fault:
    """The active node, in this life of it, and the one that waits."""

    def __init__(self, cluster: Cluster, *, broken: bool) -> None:
        cluster.settle()
        self.cluster = cluster
        self.active = cluster.holder()
        (self.other,) = {*NODES} - {self.active}
        self.boot = cluster.boot(self.active)
        self.began = time.time()
        if broken:
            for name in NODES:
                cluster.machines[name].sh("touch /run/fence-broken")

    @property
    def machine(self) -> Machine:
        return self.cluster.machines[self.active]

    def moved(self) -> None:
        self.cluster.until(lambda: self.cluster.has(self.other), 240, f"{self.other} has the address")

    def never_both(self) -> tuple[float, float]:
        """Seconds from the fault until the address was gone on the one, and until it was on the other."""
        gone = self.cluster.held(self.active, self.boot)
        came = self.cluster.since(self.other, self.began)
        assert gone and came
        assert gone.last < came.first, f"both had the address for {gone.last - came.first:.1f} s"
        return gone.last - self.began, came.first - self.began

    def asked(self) -> str:
        return self.cluster.on(self.other, "cat", "/run/fence-asked")

    def waited_for_the_watchdog(self) -> bool:
        argv = ("journalctl", "--no-pager", f"--since=@{self.began + self.cluster.ahead[self.other]:.0f}")
        return f"for {self.active} to self-fence" in self.cluster.on(self.other, *argv)


@pytest.fixture
def unbroken(cluster: Cluster) -> Iterator[Cluster]:
    """Whatever was done to the nodes is undone afterwards."""
    yield cluster
    for name in NODES:
        machine = cluster.machines[name]
        machine.carrier("eno1", up=True)
        machine.monitor("cont")
        machine.returns()
        machine.sh(f"! [ -e {AGENT}.real ] || mv {AGENT}.real {AGENT}")


@pytest.mark.parametrize("services", ["stop by themselves", "hang"])
def test_a_node_that_is_cut_off_and_cannot_be_switched_off(unbroken: Cluster, services: str) -> None:
    fault = Fault(unbroken, broken=True)
    if services == "hang":
        fault.machine.sh(HANGS)
    fault.machine.carrier("eno1", up=False)
    fault.moved()
    fault.machine.returns()
    gone, came = fault.never_both()
    print(f"services that {services}: gone after {gone:.1f} s, there after {came:.1f} s")
    assert unbroken.boot(fault.active) != fault.boot, "its watchdog has reset it"
    assert f"off {fault.active}" in fault.asked(), "the first level was tried"
    assert fault.waited_for_the_watchdog()
    assert not unbroken.has(fault.active)


def test_a_node_whose_sbd_stands_still(unbroken: Cluster) -> None:
    """Nobody tells the watchdog that the node is well, and nobody else resets it."""
    fault = Fault(unbroken, broken=True)
    fault.machine.sh("pkill -STOP sbd")
    fault.moved()
    fault.machine.returns()
    gone, came = fault.never_both()
    print(f"SBD that stands still: gone after {gone:.1f} s, there after {came:.1f} s")
    assert unbroken.boot(fault.active) != fault.boot
    assert fault.waited_for_the_watchdog()


def test_where_the_first_level_works_nobody_waits_for_the_second(unbroken: Cluster) -> None:
    fault = Fault(unbroken, broken=False)
    fault.machine.carrier("eno1", up=False)
    unbroken.until(lambda: f"off {fault.active}" in fault.asked(), 60, "the fence agent was asked")
    fault.machine.monitor("stop")
    unbroken.machines[fault.other].sh(f"touch /run/fence-done-{fault.active}")
    fault.moved()
    assert not fault.waited_for_the_watchdog()
    fault.machine.monitor("system_reset")
    fault.machine.monitor("cont")
    fault.machine.returns()
    gone, came = fault.never_both()
    print(f"the first level works: gone after {gone:.1f} s, there after {came:.1f} s")
