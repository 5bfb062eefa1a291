# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""One description of a node's network, for Proxmox VE and for a plain Open vSwitch host."""

from __future__ import annotations

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.network import description

LAN = {"name": "vmbr0", "comment": "LAN trunk"}
ISCSI = {"name": "vmbr1", "mtu": 9000}
BOND0 = {
    "name": "bond0",
    "bridge": "vmbr0",
    "members": ["eno1", "eno2"],
    "mode": "balance-tcp",
    "lacp": "active",
    "lacp_time": "fast",
    "lacp_fallback_ab": True,
    "trunks": [20, 10],
}
BOND1 = {"name": "bond1", "bridge": "vmbr1", "members": ["eno3", "eno4"], "mtu": 9000}
MGMT = {"name": "mgmt", "bridge": "vmbr0", "tag": 10, "address": "10.10.10.11/24", "gateway": "10.10.10.1"}


def test_proxmox_ve_gets_bridges_before_bonds_before_interfaces():
    items = description.pve_items("pve1", [LAN, ISCSI], [BOND0, BOND1], [MGMT])
    assert [(item["node"], item["type"], item["iface"]) for item in items] == [
        ("pve1", "OVSBridge", "vmbr0"),
        ("pve1", "OVSBridge", "vmbr1"),
        ("pve1", "OVSBond", "bond0"),
        ("pve1", "OVSBond", "bond1"),
        ("pve1", "OVSIntPort", "mgmt"),
    ]
    assert items[0]["comments"] == "LAN trunk"
    assert items[0]["reset"] == ["cidr", "cidr6", "gateway", "gateway6"], "the installer put the node's address there"
    assert items[2]["bond_mode"] == "lacp-balance-tcp"
    assert items[2]["ovs_options"] == {
        "other_config:lacp-time": "fast",
        "other_config:lacp-fallback-ab": "true",
        "trunks": "10,20",
    }
    assert (items[3]["bond_mode"], items[3]["mtu"]) == ("active-backup", 9000)
    assert "ovs_options" not in items[3]
    assert (items[4]["cidr"], items[4]["gateway"], items[4]["ovs_tag"]) == ("10.10.10.11/24", "10.10.10.1", 10)


@pytest.mark.parametrize(
    ("bond", "text"),
    [
        ({**BOND0, "lacp": "off"}, r"bond0: Proxmox VE has no bond with mode balance-tcp and lacp off.*lacp: active"),
        ({**BOND0, "lacp": "passive"}, "lacp passive"),
        ({**BOND0, "cvlans": [5]}, "bond0: Proxmox VE's network files have nothing for cvlans"),
        ({**BOND0, "name": ""}, "has no name"),
    ],
)
def test_what_proxmox_ve_cannot_say_is_refused(bond, text):
    with pytest.raises(InvalidInput, match=text):
        description.pve_items("pve1", [LAN], [bond])


def test_open_vswitch_gets_no_addresses_and_each_mtu_where_it_belongs():
    assert description.ovs_items([LAN, ISCSI]) == [
        {"name": "vmbr0", "external_ids": {"comment": "LAN trunk"}},
        {"name": "vmbr1", "mtu_request": 9000},
    ]
    assert description.ovs_items([BOND1]) == [BOND1]
    assert description.ovs_items([MGMT], "internal") == [
        {"name": "mgmt", "bridge": "vmbr0", "tag": 10, "type": "internal"}
    ]


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ([], []),
        (["bond1"], ["bond1", "eno3", "eno4", "vmbr1"]),
        (["pve1/eno3"], ["bond1", "eno3", "eno4", "vmbr1"]),
        (["pve1/mgmt"], ["mgmt"]),
        (["vmbr0"], ["bond0", "mgmt", "vmbr0"]),
    ],
)
def test_what_a_plan_touches_and_what_hangs_on_it(keys, names):
    assert description.touched(keys, [BOND0, BOND1], [MGMT]) == names


def test_storage_paths_are_sorted_by_what_is_touched():
    paths = [{"portal": "10.9.1.1", "through": "bond1"}, {"portal": "10.9.2.1", "through": "eno5"}]
    names = description.touched(["bond1"], [BOND0, BOND1])
    assert description.paths_beside(paths, names) == {"through": paths[:1], "beside": paths[1:]}
    assert description.paths_beside(paths, []) == {"through": [], "beside": paths}
