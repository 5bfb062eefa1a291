# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The distribution's fence_pve against the lab's API: the guest it stops is a host, and that host is dead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.hosts import Host, Hosts, Lan, wait_until, why_not
from lab.pve.lab import Lab

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"hosts in containers cannot run here: {why_not()}")

CONTROL = "198.19.61.254"
VICTIM, OTHER = 101, 102


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    with Hosts("a", "b", image="ha") as running:
        lan = Lan(running)
        lan.join("a", "198.19.61.1/24")
        lan.join("b", "198.19.61.2/24")
        lan.plug_in(f"{CONTROL}/24")
        yield running


@pytest.fixture(scope="module")
def running_lab(hosts: Hosts) -> Iterator[Lab]:
    with Lab(["pve1"], host=CONTROL) as lab:
        hosts["b"].write("/usr/local/share/ca-certificates/pve.crt", Path(lab.ca).read_text())
        hosts["b"].run("update-ca-certificates")
        yield lab


@pytest.fixture(params=["qemu", "lxc"])
def lab(request: pytest.FixtureRequest, running_lab: Lab, hosts: Hosts) -> Lab:
    running_lab.reset()
    running_lab.add_guests(2, first_vmid=VICTIM, running=True, kind=request.param)
    running_lab.real_guests({VICTIM: hosts["a"]})
    if not hosts["a"].powered:
        hosts["a"].power_on()
    return running_lab


def fence(hosts: Hosts, lab: Lab, action: str, *options: str) -> tuple[int, str]:
    """fence_pve on b as Pacemaker calls it, but for options as words; its exit code and what it said."""
    words = [f"--ip={lab.host}", f"--ipport={lab.port}", f"--username={lab.user}", f"--password={lab.password}"]
    guest = lab.cluster.guest(VICTIM)
    words += [f"--plug={VICTIM}", f"--vmtype={guest.kind}", "--pve-node-auto", f"--action={action}", *options]
    done = hosts["b"].run("fence_pve", *words, check=False, timeout=90)
    return done.returncode, done.stdout + done.stderr


def alive(host: Host) -> bool:
    return host.powered and host.run("true", check=False).returncode == 0


def test_a_fenced_guest_is_a_dead_host(lab: Lab, hosts: Hosts) -> None:
    assert fence(hosts, lab, "status")[0] == 0
    assert alive(hosts["a"])
    assert fence(hosts, lab, "off") == (0, "Success: Powered OFF\n")
    assert not alive(hosts["a"])
    assert fence(hosts, lab, "status")[0] == 2, "off, in the words of fence agents"
    assert fence(hosts, lab, "on")[0] == 0
    wait_until(lambda: alive(hosts["a"]), "a runs again")


def test_a_reboot_is_another_life_of_the_host(lab: Lab, hosts: Hosts) -> None:
    hosts["a"].write("/run/this-life", "")
    assert fence(hosts, lab, "reboot") == (0, "Success: Rebooted\n")
    wait_until(lambda: alive(hosts["a"]), "a runs again")
    assert hosts["a"].run("test", "-e", "/run/this-life", check=False).returncode == 1


def test_a_host_that_lost_its_power_is_off_for_the_api(lab: Lab, hosts: Hosts) -> None:
    hosts["a"].power_off()
    assert fence(hosts, lab, "off") == (0, "Success: Already OFF\n")


def test_another_certificate_authority_is_not_believed(lab: Lab, hosts: Hosts) -> None:
    """The agent sends root's password: it must know to whom. The host survives."""
    with Lab(["pve1"], host=CONTROL, password=lab.password) as impostor:
        impostor.add_guests(1, first_vmid=VICTIM, running=True)
        impostor.real_guests({VICTIM: hosts["a"]})
        code, said = fence(hosts, impostor, "off")
        assert code == 1 and "Connection failed" in said
        assert not impostor.requests
    assert alive(hosts["a"])


def test_the_lock_of_a_backup_keeps_the_agent_from_fencing(lab: Lab, hosts: Hosts) -> None:
    """The agent means to override it and leaves its parameter out of the request: who relies on this agent alone is
    not fenced while a backup runs."""
    lab.lock_guest(VICTIM)
    try:
        assert fence(hosts, lab, "off", "--power-timeout=2")[0] != 0
        assert alive(hosts["a"])
        assert not any("skiplock" in write.params for write in lab.writes)
    finally:
        lab.unlock_guest(VICTIM)
