# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Bonds of a kernel's Open vSwitch, made by ifupdown2 as on a Proxmox VE node, with LACP to another machine's bond."""

from __future__ import annotations

import pytest

from tests.machine.plays import play, until

FILE = "/etc/network/interfaces.d/node"
PARTNER = "10.30.0.2"


def stanzas(*members: str) -> str:
    """The node's interfaces with a bond of those members, as Proxmox VE writes them."""
    cards = "".join(f"auto {card}\niface {card} inet manual\n    ovs_mtu 9000\n\n" for card in ("eno1", "eno2", "eno3"))
    return f"""\
{cards}auto bond0
iface bond0 inet manual
    ovs_bonds {" ".join(members)}
    ovs_type OVSBond
    ovs_bridge vmbr0
    ovs_mtu 9000
    ovs_options bond_mode=balance-tcp lacp=active other_config:lacp-time=fast

auto vmbr0
iface vmbr0 inet manual
    ovs_type OVSBridge
    ovs_ports bond0 storage
    ovs_mtu 9000

auto storage
iface storage inet static
    address 10.30.0.1/24
    ovs_type OVSIntPort
    ovs_bridge vmbr0
    ovs_mtu 9000
    ovs_options tag=30
"""


SWITCH = """
ip link add bond0 type bond mode 802.3ad miimon 100 lacp_rate fast
for card in eno1 eno2 eno3; do
    ip link set $card down
    ip link set $card master bond0
done
ip link set bond0 mtu 9000 up
ip link add link bond0 name bond0.30 type vlan id 30
ip addr add 10.30.0.2/24 dev bond0.30
ip link set bond0.30 up
cat /sys/class/net/bond0/address
"""


class Node:
    """The machine whose network is configured, and the one whose kernel plays the switch."""

    def __init__(self, machine, switch, folder):
        self.machine = machine
        self.switch = switch
        self.folder = folder
        self.partner = switch.sh(SWITCH).strip()

    def reload(self, *members):
        self.machine.put(FILE, stanzas(*members))
        return self.machine.ssh("ifreload", "-a", check=False)

    def members(self):
        return set(
            self.machine.sh(
                "ovs-vsctl --bare --columns=interfaces list Port bond0 | tr ' ' '\\n' | "
                "while read id; do ovs-vsctl get Interface $id name; done"
            ).split()
        )

    def lacp(self):
        return self.machine.ssh("ovs-appctl", "lacp/show", "bond0", check=False).stdout

    def attached(self, *members):
        """Whether exactly these are attached, all to the machine that plays the switch."""
        said = self.lacp()
        lines = [line.strip() for line in said.splitlines()]
        return {line for line in lines if line.startswith("member: ")} == {
            f"member: {member}: current attached" for member in members
        } and lines.count(f"partner sys_id: {self.partner}") == len(members)

    def reaches_the_partner(self):
        """With frames of 9000 bytes, which nobody may cut in pieces."""
        ping = ("ping", "-c", "3", "-i", "0.2", "-W", "2", "-M", "do", "-s", "8972", PARTNER)
        return ", 0% packet loss" in self.machine.ssh(*ping, check=False).stdout

    def bond(self, **config):
        arguments = {"config": [{"name": "bond0", "lacp": "active", "mode": "balance-tcp", "mtu": 9000, **config}]}
        (result,) = play(self.folder, {self.machine: {}}, {"ovs_bond": arguments})
        return result


@pytest.fixture(scope="module")
def node(pair, tmp_path_factory):
    return Node(*pair, tmp_path_factory.mktemp("node"))


def test_the_interfaces_file_brings_up_a_bond(node):
    said = node.reload("eno1", "eno2")
    until(lambda: node.attached("eno1", "eno2"), 120, lambda: f"{said}\n{node.lacp()}")
    assert node.reaches_the_partner()
    assert "system@ovs-system" in node.machine.sh("ovs-dpctl show")  # the kernel's datapath
    assert node.machine.sh("cat /sys/class/net/eno1/mtu").strip() == "9000"


def test_the_module_has_nothing_to_add_to_it(node):
    found = node.bond(bridge="vmbr0", members=["eno1", "eno2"], lacp_time="fast")
    assert (found["changed"], found["steps"], found["unmet"]) == (False, [], [])


def test_ifupdown2_alone_does_not_change_members(node):
    node.reload("eno1", "eno3")
    assert node.members() == {"eno1", "eno2"}
    node.reload("eno1", "eno2")


def test_members_change_live_first_and_in_the_file_afterwards(node):
    changed = node.bond(members=["eno1", "eno3"])
    assert changed["changed"]
    assert changed["unmet"] == []
    said = node.reload("eno1", "eno3")
    assert node.members() == {"eno1", "eno3"}, said
    until(lambda: node.attached("eno1", "eno3"), 120, node.lacp)
    assert node.reaches_the_partner()


def test_a_link_that_is_lost_costs_no_reachability_and_is_told(node):
    ends = (node.machine, node.switch)
    try:
        for end in ends:
            end.carrier("eno3", up=False)
        until(lambda: "member: eno3: current" not in node.lacp(), 10, node.lacp)
        until(node.reaches_the_partner, 10, node.lacp)
        (told,) = node.bond()["unmet"]
        assert "eno3" in told
    finally:
        for end in ends:
            end.carrier("eno3", up=True)
    until(lambda: node.attached("eno1", "eno3"), 60, node.lacp)


def test_a_reset_boots_into_the_same_network(node):
    node.machine.reset()
    node.machine.settle()
    until(lambda: node.attached("eno1", "eno3"), 120, node.lacp)
    until(node.reaches_the_partner, 60, node.lacp)
    found = node.bond(bridge="vmbr0", members=["eno1", "eno3"], lacp_time="fast")
    assert (found["changed"], found["steps"], found["unmet"]) == (False, [], [])
