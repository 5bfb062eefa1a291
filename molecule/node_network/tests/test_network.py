# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What somebody would look at who does not trust the role: the switch's answers, traffic, the size of frames."""

from __future__ import annotations

import json
import re
import time

import pytest

BONDS = {"bond0": ("eno1", "eno2"), "bond1": ("eno3", "eno4")}
VLANS = {"mgmt": "198.19.10", "clinical": "198.19.20", "storage2": "198.19.30", "iscsi": "198.19.200"}


def ordinal(host) -> str:
    return host.check_output("hostname")[-1]


@pytest.mark.parametrize("bond", sorted(BONDS))
def test_every_member_is_attached_to_the_same_partner(host, bond):
    text = host.check_output(f"ovs-appctl lacp/show {bond}")
    members = re.split(r"\n(?:member|slave): ", text)[1:]
    assert sorted(member.partition(":")[0] for member in members) == sorted(BONDS[bond])
    assert all(member.splitlines()[0].endswith("current attached") for member in members)
    partners = {re.search(r"partner sys_id: (\S+)", member)[1] for member in members}
    assert len(partners) == 1
    assert partners != {"00:00:00:00:00:00"}


@pytest.mark.parametrize("interface", sorted(VLANS))
def test_the_switch_answers_in_each_vlan(host, interface):
    host.run_test(f"ping -c 3 -i 0.2 -w 5 -I {interface} {VLANS[interface]}.1")


@pytest.mark.parametrize("interface", sorted(VLANS))
def test_the_other_node_answers_in_each_vlan(host, interface):
    other = "2" if ordinal(host) == "1" else "1"
    host.run_test(f"ping -c 3 -i 0.2 -w 5 -I {interface} {VLANS[interface]}.1{other}")


def test_a_vlan_ends_where_it_is_described_to_end(host):
    """In one VLAN nobody answers for an address of another."""
    for other in ("198.19.10.1", "198.19.30.1", "198.19.200.1"):
        assert host.run(f"ping -c 1 -w 1 -I clinical {other}").rc != 0


def test_large_frames_pass_where_they_were_asked_for_and_nowhere_else(host):
    host.run_test("ping -c 3 -i 0.2 -w 5 -M do -s 8972 -I iscsi 198.19.200.1")
    assert host.run("ping -c 1 -w 2 -M do -s 1973 -I mgmt 198.19.10.1").rc != 0
    links = {link["ifname"]: link for link in json.loads(host.check_output("ip -j link show"))}
    assert {name: links[name]["mtu"] for name in ("eno3", "eno4", "iscsi", "vmbr1", "mgmt")} == {
        "eno3": 9000,
        "eno4": 9000,
        "iscsi": 9000,
        "vmbr1": 9000,
        "mgmt": 1500,
    }


def test_the_bond_carries_the_described_vlans_only(host):
    text = host.check_output("ovs-vsctl --format=json --columns=trunks,vlan_mode list Port bond0")
    trunks, mode = json.loads(text)["data"][0]
    assert (sorted(trunks[1]), mode) == ([10, 20, 30], "trunk")


def test_a_lost_link_is_survived(host):
    """The bond goes on with one member, and takes the other back."""
    host.run_test("ip link set eno1 down")
    try:
        time.sleep(1)
        host.run_test("ping -c 5 -i 0.2 -w 5 198.19.10.1")
    finally:
        host.run_test("ip link set eno1 up")


def test_the_way_back_is_not_armed_any_more(host):
    state = json.loads(host.check_output("cat /var/lib/hospital.continuity/network-checkpoint/state.json"))
    assert state["state"] == "confirmed"
    assert host.run("systemctl list-timers --all").stdout.count("network-checkpoint") == 0


def test_the_network_comes_back_after_a_boot(host):
    """What a boot reads: Open vSwitch's own database, and the file with the addresses."""
    host.run_test("systemctl restart networking")
    host.run_test("ping -c 3 -i 0.2 -w 10 198.19.10.1")
    host.run_test("ping -c 3 -i 0.2 -w 10 198.19.200.1")
