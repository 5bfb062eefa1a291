# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A network change that nobody confirmed, on a machine whose kernel, systemd and ifupdown2 are real."""

from __future__ import annotations

import time

import pytest

from lab.machine import CannotRun
from tests.machine.plays import play, until

FILE = "/etc/network/interfaces.d/node"
INTERFACES = "/etc/network/interfaces"
OLD = """\
auto vmbr0
iface vmbr0 inet static
    address 10.40.0.1/24
    ovs_type OVSBridge
    ovs_ports eno1

auto eno1
iface eno1 inet manual
    ovs_type OVSPort
    ovs_bridge vmbr0
    ovs_options tag=10
"""
NEW = OLD.replace("10.40.0.1", "10.40.0.99").replace("tag=10", "tag=20")


class Node:
    def __init__(self, machine, folder):
        self.machine, self.folder = machine, folder

    def checkpoint(self, action, *, fails=False, **options):
        (result,) = play(
            self.folder, {self.machine: {}}, {"network_checkpoint": {"action": action, **options}}, fails=fails
        )
        return result

    def apply(self, file):
        self.machine.put(FILE, file)
        # Debian 13's ifupdown2 does all and ends with 1, as it misses a folder of its own: the outcome is looked at.
        return self.machine.ssh("ifreload", "-a", check=False)

    def state(self):
        return self.checkpoint("status")["checkpoint"]["state"]

    def network(self):
        """The file, the address that is in use, the VLAN that Open vSwitch has."""
        file = self.machine.ssh("cat", FILE).stdout
        address = self.machine.sh("ip -4 -o addr show dev vmbr0 | awk '{print $4}'").strip()
        return file, address, self.machine.ssh("ovs-vsctl", "get", "Port", "eno1", "tag").stdout.strip()


@pytest.fixture(scope="module")
def node(machine, tmp_path_factory):
    machine.plug(1, {"type": "hubport", "hubid": 1})  # into a hub with nothing else on it
    return Node(machine, tmp_path_factory.mktemp("node"))


@pytest.fixture(autouse=True)
def as_it_was(node):
    node.apply(OLD)
    assert node.network() == (OLD, "10.40.0.1/24", "10")


def change(node):
    node.apply(NEW)
    assert node.network() == (NEW, "10.40.0.99/24", "20")


def test_a_change_that_is_confirmed_stays(node):
    node.checkpoint("arm", timeout=60)
    change(node)
    assert node.checkpoint("confirm")["checkpoint"]["state"] == "confirmed"
    time.sleep(2)
    assert node.network() == (NEW, "10.40.0.99/24", "20")


def test_a_change_that_cuts_the_host_off_is_undone_by_itself(node):
    old = node.machine.ssh("cat", INTERFACES).stdout
    node.checkpoint("arm", timeout=20)
    node.machine.put(INTERFACES, old.replace("10.0.2.15/24", "192.0.2.15/24").replace("gateway 10.0.2.2", ""))
    node.machine.put(FILE, NEW)
    # By itself, because this session is one of those it cuts.
    node.machine.sh("systemd-run --quiet --collect ifreload -a")
    until(lambda: not reachable(node.machine), 20, lambda: "the machine still answers after its address was taken")
    until(lambda: reachable(node.machine), 90, lambda: "the machine did not come back by itself")
    until(lambda: node.state() == "rolled_back", 60, lambda: node.checkpoint("status"))
    assert node.machine.ssh("cat", INTERFACES).stdout == old
    assert node.network() == (OLD, "10.40.0.1/24", "10")


def test_a_reset_before_confirming_boots_with_the_old_network(node):
    node.checkpoint("arm", timeout=600)
    change(node)
    node.machine.sh("sync")  # else the reset alone would undo what is not on the disk yet
    node.machine.reset()
    node.machine.settle()
    assert node.network() == (OLD, "10.40.0.1/24", "10")
    told = node.checkpoint("confirm", fails=True)
    assert "reset before anybody confirmed" in told["msg"]
    assert "old configuration" in told["msg"]
    assert told["checkpoint"]["notes"] == []


def reachable(machine):
    try:
        return machine.ssh("true", check=False, timeout=6).returncode == 0
    except CannotRun:
        return False
