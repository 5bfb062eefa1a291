# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan
from ansible_collections.hospital.continuity.plugins.module_utils.pve import network_path
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network import NETWORK
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_checks import problems
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_requests import Staging
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_types import TYPES
from ansible_collections.hospital.continuity.plugins.module_utils.pve.network_bonds import Change, LiveBond, difference
from ansible_collections.hospital.continuity.plugins.module_utils.pve.network_pending import changed_interfaces
from ansible_collections.hospital.continuity.plugins.module_utils.pve.network_states import (
    Listing,
    after_steps,
    lost,
    states_of,
    things_of,
)

Raw = Mapping[str, Any]
NODE = "pve1"
NETWORK_PATH = f"/nodes/{NODE}/network"

# As GET showed them (tests/data/pve/transcripts).
ROWS: dict[str, dict[str, Any]] = {
    row["iface"]: {"method": "manual", "method6": "manual", **row, "node": NODE}
    for row in (
        {"iface": "eno1", "type": "eth", "active": 1},
        {"iface": "eno2", "type": "eth"},
        {"iface": "eno3", "type": "eth", "autostart": 1, "active": 1},
        {"iface": "eno4", "type": "eth", "autostart": 1, "active": 1},
        {
            "iface": "vmbr0", "type": "bridge", "method": "static", "netmask": "24", "active": 1,
            "bridge_ports": "eno1", "cidr": "10.99.0.11/24", "autostart": 1, "address": "10.99.0.11",
            "bridge_stp": "off", "bridge_fd": "0", "gateway": "10.99.0.1",
        },
        {"iface": "vmbr2", "type": "OVSBridge", "autostart": 1, "active": 1, "ovs_ports": "bond0 vlan50"},
        {
            "iface": "bond0", "type": "OVSBond", "autostart": 1, "ovs_bonds": "eno3 eno4", "ovs_bridge": "vmbr2",
            "bond_mode": "lacp-balance-slb", "ovs_tag": "7", "ovs_options": "other_config:lacp-time=fast",
        },
        {
            "iface": "vlan50", "type": "OVSIntPort", "autostart": 1, "active": 1, "ovs_bridge": "vmbr2",
            "ovs_tag": "50", "method": "static", "cidr": "10.60.0.1/24", "address": "10.60.0.1", "netmask": "24",
            "comments": "iscsi\n",
        },
    )
}  # fmt: skip


def rows(**changes: Raw | None) -> dict[str, Raw]:
    """The node's list with some interfaces otherwise, or not there."""
    found: dict[str, Raw] = dict(ROWS)
    for name, change in changes.items():
        name = name.replace("__", ".")
        if change is None:
            del found[name]
        else:
            found[name] = {**found.get(name, {"iface": name, "node": NODE, "method": "manual"}), **change}
    return found


def planned(*config: Raw, there: Mapping[str, Raw] | None = None, **params: Any) -> Plan:
    declared = NETWORK.declare({"config": [{"node": NODE, **item} for item in config], **params})
    plan: Plan = NETWORK.plan(things_of(NETWORK, NODE, Listing(rows() if there is None else there)), declared)
    return plan


def sent(*config: Raw, there: Mapping[str, Raw] | None = None, **params: Any) -> list[tuple[str, str, dict[str, Any]]]:
    staging = Staging(NETWORK.option_rows, rows() if there is None else there)
    return [
        (request.method, request.path.removeprefix(NETWORK_PATH).lstrip("/"), dict(request.parameters))
        for step in planned(*config, there=there, **params)
        for request in staging.requests(step)
    ]


def problems_of(*config: Raw, there: Mapping[str, Raw] | None = None, **params: Any) -> list[str]:
    steps = tuple(planned(*config, there=there, **params))
    states = states_of(NETWORK, NODE, Listing(rows() if there is None else there))
    return problems(states, after_steps(states, steps), {str(step.key[1]) for step in steps})


# --- what is read


def test_the_recorded_bond_reads_as_config_takes_it() -> None:
    thing = NETWORK.decode(ROWS["bond0"])
    assert NETWORK.visible((NODE, "bond0"), thing.state) == {
        "node": NODE,
        "iface": "bond0",
        "type": "OVSBond",
        "autostart": True,
        "ovs_bridge": "vmbr2",
        "ovs_bonds": ["eno3", "eno4"],
        "bond_mode": "lacp-balance-slb",
        "ovs_tag": 7,
        "ovs_options": {"other_config:lacp-time": "fast"},
    }


def test_an_address_that_stands_in_the_file_and_is_not_in_force_is_none() -> None:
    """Recorded: a PUT without it leaves the line and turns the method to manual; GET then still shows it."""
    thing = NETWORK.decode({**ROWS["vmbr0"], "method": "manual"})
    assert "cidr" not in thing.state and "gateway" not in thing.state
    there = rows(vmbr0={"method": "manual"})
    ((_method, _path, parameters),) = sent({"iface": "vmbr0", "cidr": "10.99.0.11/24"}, there=there)
    assert parameters == {"type": "bridge", "cidr": "10.99.0.11/24"}


@pytest.mark.parametrize(
    ("option", "written", "shown"),
    [
        ("cidr6", "FD00:92::0:5/64", "fd00:92::5/64"),
        ("bridge_vids", ["30", "2-10", "11", "20"], "2-11 20 30"),
        ("bridge_vids", ["2-10,20;30"], "2-10 20 30"),
        ("bridge_ports", ["eno3", "eno2"], "eno2 eno3"),
        ("comments", "two\nlines", "two\nlines\n"),
        ("mtu", 1400, "1400"),
    ],
)
def test_what_means_the_same_is_no_change(option: str, written: Any, shown: str) -> None:
    row = {"type": "bridge", "method6": "static", "bridge_vlan_aware": 1, option: shown}
    assert not planned({"iface": "vmbr5", option: written}, there=rows(vmbr5=row))


def test_the_words_of_ovs_options_have_no_order_and_keep_what_is_not_listed() -> None:
    text = "vmlan other_config:lacp-time=fast vlan_mode=trunk trunks=[20,10]".removeprefix("vmlan ")
    there = rows(bond0={"ovs_options": text})
    for same in (
        {"trunks": [10, 20]},
        {"trunks": "20,10", "vlan_mode": "trunk"},
        "trunks=10,20 vlan_mode=trunk other_config:lacp-time=fast",
    ):
        assert not planned({"iface": "bond0", "ovs_options": same}, there=there)
    ((_m, _p, parameters),) = sent(
        {"iface": "bond0", "ovs_options": {"trunks": "", "vlan_mode": "access"}}, there=there
    )
    assert parameters["ovs_options"] == "other_config:lacp-time=fast vlan_mode=access"


def test_ovs_options_that_are_no_words_are_kept_and_not_merged() -> None:
    there = rows(vmbr2={"ovs_options": "-- set Bridge vmbr2 stp_enable=true"})
    shown = NETWORK.visible((NODE, "vmbr2"), NETWORK.decode(there["vmbr2"]).state)
    assert not planned(shown, there=there, unlisted_options="reset")
    with pytest.raises(InvalidInput, match="cannot be merged with"):
        planned({"iface": "vmbr2", "ovs_options": {"vlan_mode": "trunk"}}, there=there)


# --- what is sent


def test_every_put_repeats_the_type_and_all_addresses() -> None:
    assert sent({"iface": "vmbr0", "comments": "x", "mtu": 1400}) == [
        (
            "PUT",
            "vmbr0",
            {"type": "bridge", "cidr": "10.99.0.11/24", "gateway": "10.99.0.1", "mtu": 1400, "comments": "x"},
        )
    ]
    assert sent({"iface": "vmbr0", "cidr6": "fd00::1/64"})[0][2]["cidr"] == "10.99.0.11/24"


def test_a_bridge_update_says_nothing_of_its_open_vswitch_ports() -> None:
    assert sent({"iface": "vmbr2", "mtu": 9000}) == [("PUT", "vmbr2", {"type": "OVSBridge", "mtu": 9000})]


def test_vlan_awareness_is_switched_off_by_deleting_it() -> None:
    there = rows(vmbr5={"type": "bridge", "bridge_vlan_aware": 1, "bridge_vids": "10"})
    ((_method, _path, parameters),) = sent({"iface": "vmbr5", "bridge_vlan_aware": False}, there=there)
    assert parameters == {"type": "bridge", "delete": "bridge_vids,bridge_vlan_aware"}


def test_lists_are_separated_by_blanks_and_options_unset_by_deleting() -> None:
    ((_method, _path, parameters),) = sent({"iface": "bond0", "ovs_bonds": ["eno2", "eno4"], "reset": ["ovs_tag"]})
    assert parameters == {"type": "OVSBond", "ovs_bridge": "vmbr2", "ovs_bonds": "eno2 eno4", "delete": "ovs_tag"}


def test_a_port_moves_to_another_bridge_by_being_made_again() -> None:
    there = rows(vmbr3={"type": "OVSBridge"})
    steps = sent({"iface": "vlan50", "ovs_bridge": "vmbr3"}, there=there, allow=["cut_port:vlan50"])
    assert [(method, path) for method, path, _parameters in steps] == [("DELETE", "vlan50"), ("POST", "")]
    assert steps[1][2] == {
        "iface": "vlan50", "type": "OVSIntPort", "autostart": 1, "ovs_bridge": "vmbr3", "ovs_tag": 50,
        "cidr": "10.60.0.1/24", "comments": "iscsi",
    }  # fmt: skip


def test_a_card_becomes_a_port_by_its_bridges_whole_list() -> None:
    steps = sent({"iface": "eno2", "type": "OVSPort", "ovs_bridge": "vmbr2", "ovs_tag": 5})
    assert steps == [
        ("PUT", "vmbr2", {"type": "OVSBridge", "ovs_ports": "bond0 vlan50 eno2"}),
        ("PUT", "eno2", {"type": "OVSPort", "ovs_bridge": "vmbr2", "ovs_tag": 5}),
    ]


def test_a_port_that_goes_is_taken_out_of_the_list_and_the_others_stay() -> None:
    there = rows(vmbr2={"ovs_ports": "bond0 vlan50 eno2"}, eno2={"type": "OVSPort", "ovs_bridge": "vmbr2"})
    assert sent({"iface": "eno2"}, there=there, state="absent") == [
        ("PUT", "vmbr2", {"type": "OVSBridge", "ovs_ports": "bond0 vlan50"})
    ]


def test_everything_goes_from_the_top_and_comes_from_the_bottom() -> None:
    new: list[Raw] = [
        {"iface": "bond5.30", "type": "vlan"},
        {"iface": "vmbr6", "type": "bridge", "bridge_ports": ["bond5.30"]},
        {"iface": "vmbr6:1", "type": "alias", "cidr": "10.6.0.1/24"},
        {"iface": "bond5", "type": "bond", "slaves": ["eno2"]},
        {"iface": "images", "type": "OVSIntPort", "ovs_bridge": "vmbr5"},
        {"iface": "vmbr5", "type": "OVSBridge"},
    ]
    steps = planned(*new)
    names = [step.key[1] for step in steps]
    assert names == ["vmbr5", "bond5", "bond5.30", "images", "vmbr6", "vmbr6:1"]
    there = {
        **rows(),
        **{str(step.key[1]): {**(step.after or {}), "iface": step.key[1], "node": NODE} for step in steps},
    }
    gone = planned(*({"iface": item["iface"]} for item in new), there=there, state="absent")
    assert [step.key[1] for step in gone] == ["vmbr6:1", "vmbr6", "bond5.30", "images", "bond5", "vmbr5"]


@pytest.mark.parametrize(
    ("before", "after", "order"), [(1500, 9000, ["vmbr2", "bond0"]), (9000, 1500, ["bond0", "vmbr2"])]
)
def test_what_carries_grows_first_and_shrinks_last(before: int, after: int, order: list[str]) -> None:
    there = rows(vmbr2={"mtu": before}, bond0={"mtu": before})
    steps = planned({"iface": "bond0", "mtu": after}, {"iface": "vmbr2", "mtu": after}, there=there)
    assert [step.key[1] for step in steps] == order


def test_a_card_goes_from_one_bond_to_another_in_one_task_but_two_do_not_change_places() -> None:
    there = rows(bond1={"type": "bond", "slaves": "eno2"}, bond2={"type": "bond", "slaves": ""})
    steps = planned({"iface": "bond2", "slaves": ["eno2"]}, {"iface": "bond1", "slaves": []}, there=there)
    assert [step.key[1] for step in steps] == ["bond1", "bond2"]
    there = rows(bond1={"type": "bond", "slaves": "eno2"}, bond2={"type": "bond", "slaves": "eno1"})
    with pytest.raises(InvalidInput, match="bond1, bond2 each need another one"):
        planned({"iface": "bond1", "slaves": ["eno1"]}, {"iface": "bond2", "slaves": ["eno2"]}, there=there)


@pytest.mark.parametrize("option", ["gateway", "gateway6"])
def test_the_default_gateway_goes_from_one_interface_to_another_in_one_task(option: str) -> None:
    """PVE refuses a second one, even for a moment."""
    cidr, address, gateway = ("cidr", "10.9.0.1/24", "10.9.0.254")
    if option == "gateway6":
        cidr, address, gateway = ("cidr6", "fd00:9::1/64", "fd00:9::fe")
    there = rows(vmbr0={"method": "static", "method6": "static", cidr: address, option: gateway})
    new = {"iface": "mgmt", "type": "OVSIntPort", "ovs_bridge": "vmbr2", cidr: address, option: gateway}
    steps = planned({"iface": "vmbr0", "reset": [cidr, option]}, new, there=there)
    assert [step.key[1] for step in steps] == ["vmbr0", "mgmt"]


def test_a_card_without_a_configuration_is_as_absent_as_it_gets() -> None:
    assert not planned({"iface": "eno2"}, state="absent")
    assert not planned({"iface": "eno3"}, state="absent"), "started with its bond"
    assert sent({"iface": "eno2"}, there=rows(eno2={"mtu": "9000"}), state="absent") == [("DELETE", "eno2", {})]


# --- what is refused


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"iface": "vmbr5"}, "cannot be created without type"),
        ({"iface": "verylongifacename1", "type": "OVSBridge"}, "18 characters"),
        ({"iface": "foo bar", "type": "bridge"}, "iface: 'foo bar' is no name"),
        ({"iface": "mybond", "type": "bond"}, "iface: 'mybond' is no name of a bond"),
        ({"iface": "engine", "type": "OVSIntPort", "ovs_bridge": "vmbr2"}, "takes 'engine' for a network card"),
        ({"iface": "vmbr7", "type": "OVSIntPort", "ovs_bridge": "vmbr2"}, "takes 'vmbr7' for a bridge"),
        ({"iface": "vmbr7:1", "type": "bridge"}, "iface: 'vmbr7:1' is no name of a bridge"),
        ({"iface": "vmbr5", "type": "bridge", "slaves": ["eno2"]}, "slaves is no option of an interface"),
        ({"iface": "vmbr5", "type": "OVSBridge", "bridge_ports": ["eno2"]}, "bridge_ports is no option"),
        ({"iface": "lan", "type": "OVSIntPort"}, "needs ovs_bridge"),
        ({"iface": "storage", "type": "vlan", "vlan_id": 5}, "needs vlan_raw_device"),
        ({"iface": "storage", "type": "vlan", "vlan_raw_device": "eno2"}, "needs vlan_id"),
        ({"iface": "eno2.30", "type": "vlan", "vlan_id": 31}, "vlan_id: the name eno2.30 already says 30"),
        ({"iface": "vlan30", "type": "vlan", "vlan_raw_device": "eno2", "vlan_id": 31}, "already says 30"),
        ({"iface": "bond5", "type": "OVSBond", "ovs_bridge": "vmbr2", "bond_mode": "802.3ad"}, "has no mode 802.3ad"),
        ({"iface": "bond5", "type": "bond", "bond_mode": "lacp-balance-tcp"}, "has no mode lacp-balance-tcp"),
        (
            {"iface": "bond5", "type": "OVSBond", "ovs_bridge": "vmbr2", "bond_mode": "lacp-balance-tcp"},
            "ovs_bonds: a bond in mode lacp-balance-tcp without members",
        ),
        ({"iface": "bond5", "type": "bond", "bond_primary": "eno2"}, "bond_primary means nothing in bond_mode"),
        (
            {"iface": "bond5", "type": "bond", "bond_mode": "active-backup", "bond_primary": "eno2"},
            "bond_primary: eno2 is none of slaves",
        ),
        ({"iface": "bond5", "type": "bond", "bond_xmit_hash_policy": "layer3+4"}, "means nothing in bond_mode"),
        ({"iface": "vmbr5", "type": "bridge", "bridge_vids": ["10"]}, "bridge_vids: the bridge does not know VLANs"),
        ({"iface": "vmbr5", "type": "bridge", "gateway": "10.0.0.1"}, "gateway: an interface without cidr"),
        ({"iface": "vmbr5", "type": "bridge", "cidr": "10.0.0.255/24"}, "no address of a host in 10.0.0.0/24"),
        ({"iface": "vmbr5", "type": "bridge", "cidr": "10.0.0.1"}, "cidr: '10.0.0.1' is not an IPv4 address with"),
        ({"iface": "vmbr5", "type": "bridge", "cidr": "fd00::1/64"}, "is not an IPv4 address"),
        ({"iface": "vmbr5", "type": "bridge", "cidr": "10.0.0.1/255.255.255.0"}, "is not an IPv4 address"),
        ({"iface": "vmbr5", "type": "bridge", "mtu": 100}, "mtu: 100 is not from 1280 to 65520"),
        ({"iface": "vmbr5", "type": "bridge", "bridge_vlan_aware": True, "bridge_vids": ["5000"]}, "within 1 to 4094"),
        ({"iface": "vmbr5", "type": "bridge", "bridge_ports": ["vmbr5"]}, "cannot be a part of itself"),
        ({"iface": "vlan50", "autostart": False}, "autostart: ports of an Open vSwitch bridge are always started"),
        ({"iface": "vlan50", "ovs_options": {"tag": 5}}, "ovs_options: Proxmox VE keeps tag as ovs_tag"),
        ({"iface": "bond0", "ovs_options": {"lacp": "active"}}, "keeps lacp as bond_mode"),
        ({"iface": "vlan50", "ovs_options": {"vlan mode": "trunk"}}, "'vlan mode' is no key"),
        ({"iface": "vlan50", "ovs_options": {"trunks": "10, 20"}}, "blanks separate the options"),
        ({"iface": "vlan50", "mtu": 1400, "reset": ["slaves"]}, "slaves is no option"),
    ],
)  # fmt: skip
def test_what_pve_would_refuse_or_drop_is_refused_beforehand(item: Raw, message: str) -> None:
    with pytest.raises(InvalidInput, match=message.replace("(", r"\(").replace("+", r"\+")):
        planned(item)


def test_a_vlan_that_exists_keeps_its_number() -> None:
    there = rows(storage={"type": "vlan", "vlan-id": "5", "vlan-raw-device": "eno2"})
    with pytest.raises(InvalidInput, match="vlan_id is 5 and cannot become 6"):
        planned({"iface": "storage", "vlan_id": 6}, there=there)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ([{"iface": "vmbr5", "type": "bridge", "bridge_ports": ["eno9"]}],
         "vmbr5: bridge_ports: there is no interface eno9 on the node"),
        ([{"iface": "vmbr5", "type": "bridge", "bridge_ports": ["eno1"]}],
         "vmbr5: bridge_ports: eno1 is already a part of vmbr0"),
        ([{"iface": "bond5", "type": "bond", "slaves": ["eno3"]}], "bond5: slaves: eno3 is already a part of bond0"),
        ([{"iface": "bond5", "type": "OVSBond", "ovs_bridge": "vmbr0"}],
         "bond5: ovs_bridge: vmbr0 is of type bridge, not OVSBridge"),
        ([{"iface": "lan", "type": "OVSIntPort", "ovs_bridge": "vmbr9"}],
         "lan: ovs_bridge: there is no bridge vmbr9 on the node"),
        ([{"iface": "bond5", "type": "OVSBond", "ovs_bridge": "vmbr2", "ovs_bonds": ["vmbr0"]}],
         "bond5: ovs_bonds: vmbr0 is of type bridge, and an OVSBond is made of network cards"),
        ([{"iface": "vmbr5", "type": "bridge", "cidr": "10.5.0.1/24", "gateway": "10.5.0.254"}],
         "gateway: a node has one default gateway for IPv4; there would be one on vmbr0 and vmbr5"),
        ([{"iface": "lan", "type": "OVSIntPort", "ovs_bridge": "vmbr2", "cidr": "10.5.0.1/24"},
          {"iface": "vmbr5", "type": "bridge", "cidr": "10.5.0.1/16"}],
         "vmbr5: cidr: lan has the address 10.5.0.1 already"),
        ([{"iface": "vmbr5", "type": "bridge", "bridge_ports": ["eno2"], "mtu": 9000}],
         "vmbr5: mtu: 9000 is more than the 1500 of eno2, which has to be as large"),
        ([{"iface": "bond0", "mtu": 9000}],
         "bond0: mtu: 9000 is more than the 1500 of vmbr2, which has to be as large"),
        ([{"iface": "eno3", "mtu": 9000}], "eno3: mtu: 9000 is more than the 1500 of bond0, which has to be as large"),
        ([{"iface": "eno9.30", "type": "vlan"}], "eno9.30: vlan_raw_device: there is no interface eno9 on the node"),
        ([{"iface": "eno2", "cidr": "10.5.0.1/24"}, {"iface": "vmbr5", "type": "bridge", "bridge_ports": ["eno2"]}],
         "vmbr5: bridge_ports: eno2 has an address, which a port of a bridge cannot have"),
        ([{"iface": "eno3", "autostart": False}],
         "eno3: autostart: Proxmox VE starts a member with its bond, and it is one of bond0"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_named(config: list[Raw], problem: str) -> None:
    assert problems_of(*config) == [problem]


def test_what_something_else_stands_on_does_not_go() -> None:
    assert problems_of(
        {"iface": "vmbr0"}, there=rows(vmbr0__30={"type": "vlan", "vlan-raw-device": "vmbr0"}), state="absent"
    ) == ["vmbr0.30: vlan_raw_device: there is no interface vmbr0 on the node"]


def test_what_was_odd_before_is_not_held_against_a_change() -> None:
    there = rows(vmbr7={"type": "bridge", "bridge_ports": "eno9"})
    assert problems_of({"iface": "vmbr7", "comments": "x"}, there=there) == []


# --- what is asked


@pytest.mark.parametrize(
    ("config", "state", "words"),
    [
        ([{"iface": "vmbr0"}], "absent", ["cut_bridge:vmbr0"]),
        ([{"iface": "vmbr2"}], "absent", ["cut_bridge:vmbr2"]),
        ([{"iface": "vmbr2", "type": "bridge"}], "present", ["cut_bridge:vmbr2"]),
        ([{"iface": "bond0"}], "absent", ["cut_port:bond0"]),
        ([{"iface": "vlan50"}], "absent", ["cut_port:vlan50"]),
        ([{"iface": "vmbr0", "bridge_ports": ["eno2"]}], "present", ["cut_port:eno1"]),
        ([{"iface": "bond0", "type": "bond"}], "present", ["bond_flap"]),
        ([{"iface": "bond0", "bond_mode": "lacp-balance-tcp", "ovs_tag": 8}], "present", []),
        ([{"iface": "bond0", "bond_mode": "balance-slb"}], "present", ["bond_flap"]),
        ([{"iface": "bond0", "ovs_bonds": ["eno2", "eno4"]}], "present", []),
        ([{"iface": "bond0", "ovs_bonds": ["eno1", "eno2"]}], "present", ["bond_flap"]),
        ([{"iface": "vlan50", "ovs_tag": 51}], "present", []),
        ([{"iface": "eno2", "type": "OVSPort", "ovs_bridge": "vmbr2"}], "present", []),
        ([{"iface": "eno1", "type": "OVSPort", "ovs_bridge": "vmbr2"}], "present", ["cut_port:eno1"]),
        ([{"iface": "vmbr0", "comments": "x", "mtu": 1400}], "present", []),
    ],
)
def test_what_interrupts_asks_for_its_word(config: list[Raw], state: str, words: list[str]) -> None:
    steps = planned(*config, state=state)
    assert [consent.word for step in steps for consent in step.consent] == words


# --- the path to the node

PATHS = states_of(NETWORK, NODE, Listing(rows(
    vmbr0={"cidr": "", "gateway": "", "method": "manual"},
    vmbr2={"ovs_ports": "bond0 vlan50 mgmt"},
    mgmt={"type": "OVSIntPort", "ovs_bridge": "vmbr2", "method": "static", "cidr": "10.99.0.11/24"},
    vmbr5={"type": "bridge", "bridge_ports": "bond5"}, bond5={"type": "bond", "slaves": "eno2"},
    vmbr5__9={"type": "vlan", "vlan-raw-device": "vmbr5", "cidr": "10.9.0.1/24", "gateway": "10.9.0.254",
              "method": "static"},
)))  # fmt: skip


@pytest.mark.parametrize(
    ("addresses", "stated", "interfaces"),
    [
        ({"10.99.0.11"}, "10.99.0.11", {"mgmt", "vmbr2", "bond0", "eno3", "eno4"}),
        ({"10.1.1.1"}, "", {"vmbr5.9", "vmbr5", "bond5", "eno2"}),
        ({"10.99.0.11"}, "", {"mgmt", "vmbr2", "bond0", "eno3", "eno4", "vmbr5.9", "vmbr5", "bond5", "eno2"}),
    ],
)
def test_the_path_is_walked_down_to_the_cards(addresses: set[str], stated: str, interfaces: set[str]) -> None:
    path = network_path.find(PATHS, addresses, stated=stated)
    assert path.interfaces == interfaces


def test_a_vlan_that_is_a_port_without_a_stanza_of_its_own_is_on_the_path_with_its_bond() -> None:
    states = {
        "eno1": {"type": "eth"},
        "bond0": {"type": "bond", "slaves": ("eno1",)},
        "vmbr0": {"type": "bridge", "bridge_ports": ("bond0.10",), "cidr": "10.99.0.11/24"},
    }
    assert network_path.find(states, {"10.99.0.11"}).interfaces == {"vmbr0", "bond0.10", "bond0", "eno1"}


def test_where_nobody_says_how_the_node_is_reached_every_address_counts() -> None:
    """A token without rights on the cluster's status, and no default gateway."""
    states = {
        "eno1": {"type": "eth"},
        "vmbr0": {"type": "bridge", "bridge_ports": ("eno1",), "cidr": "10.99.0.11/24"},
        "vmbr1": {"type": "bridge"},
    }
    assert network_path.find(states, {"10.1.1.1"}).interfaces == {"vmbr0", "eno1"}
    assert network_path.find({"vmbr0": {"type": "bridge"}}, ()).interfaces == {"vmbr0"}


@pytest.mark.parametrize(
    ("cidr", "touched"),
    [("10.99.0.200/24", {"lan", "mgmt"}), ("10.99.7.1/16", {"lan", "mgmt"}), ("10.98.0.1/24", {"lan"})],
)
def test_an_address_in_the_network_of_another_touches_that(cidr: str, touched: set[str]) -> None:
    steps = planned({"iface": "lan", "type": "OVSIntPort", "ovs_bridge": "vmbr2", "cidr": cidr})
    assert network_path.touched(steps, PATHS)[(NODE, "lan")] == touched


def test_an_address_that_the_node_does_not_have_is_no_way_to_it() -> None:
    with pytest.raises(InvalidInput, match=r"management_address: '10\.1\.1\.1' is on no interface"):
        network_path.find(PATHS, (), stated="10.1.1.1")


@pytest.mark.parametrize(
    ("config", "touched"),
    [
        ([{"iface": "vmbr0", "comments": "x"}], set()),
        # Not up any more after the next start of the node.
        ([{"iface": "vmbr0", "autostart": False}], {"vmbr0"}),
        ([{"iface": "vmbr0", "mtu": 1400}], {"vmbr0"}),
        ([{"iface": "vmbr0", "bridge_ports": ["eno1", "eno2"]}], {"vmbr0", "eno2"}),
        ([{"iface": "lan", "type": "OVSIntPort", "ovs_bridge": "vmbr2"}], {"lan"}),
        (
            [{"iface": "bond5", "type": "OVSBond", "ovs_bridge": "vmbr2", "ovs_bonds": ["eno2"]}],
            {"bond5", "vmbr2", "eno2"},
        ),
        ([{"iface": "vmbr0.5", "type": "vlan"}], {"vmbr0.5"}),
    ],
)
def test_a_change_touches_what_it_may_interrupt(config: list[Raw], touched: set[str]) -> None:
    assert set().union(*network_path.touched(planned(*config)).values()) == touched


# --- what others have staged

HEADING = """\
--- /etc/network/interfaces
+++ /etc/network/interfaces.new
@@ -1,3 +1,5 @@
+# network interface settings; autogenerated
+#
 auto lo
 iface lo inet loopback
"""


@pytest.mark.parametrize(
    ("hunk", "names"),
    [
        ("@@ -17,3 +28,6 @@\n \tbridge-fd 0\n \n+auto vmbr9\n+iface vmbr9 inet manual\n+\tbridge-ports eno2 eno3\n",
         {"vmbr9", "eno2", "eno3"}),
        ("@@ -9,6 +20,7 @@\n auto vmbr0\n iface vmbr0 inet static\n \taddress 10.99.0.11/24\n+\tmtu 1400\n", {"vmbr0"}),
        ("@@ -9,4 +20,3 @@\n auto vmbr0\n iface vmbr0 inet static\n-auto vmbr9\n-iface vmbr9 inet manual\n", {"vmbr9"}),
        ("@@ -9,6 +20,7 @@\n \tbridge-ports eno1\n \tbridge-stp off\n \tbridge-fd 0\n+\tmtu 1400\n", None),
        ("", set()),
    ],
)  # fmt: skip
def test_a_diff_tells_whom_it_changes_or_that_it_does_not_tell(hunk: str, names: set[str] | None) -> None:
    assert changed_interfaces(HEADING + hunk) == names


# --- bonds that run


def test_who_comes_to_a_bond_comes_before_anybody_goes() -> None:
    change = Change("bond1", ("eno4",), ("eno3",))
    assert change.commands() == [["add-bond-iface", "bond1", "eno4"], ["del-bond-iface", "bond1", "eno3"]]
    assert change.undone() == Change("bond1", ("eno3",), ("eno4",))


@pytest.mark.parametrize(
    ("live", "text"),
    [
        (LiveBond("vmbr2", ("eno3", "eno4"), "lacp-balance-slb"), ""),
        (LiveBond("vmbr2", ("eno2", "eno4"), "lacp-balance-slb"), "Open vSwitch has eno2, eno4"),
        (LiveBond("vmbr3", ("eno3", "eno4"), "lacp-balance-slb"), "Open vSwitch has it on vmbr3"),
        (LiveBond("vmbr2", ("eno3", "eno4"), "balance-slb"), "file says lacp-balance-slb, Open vSwitch runs it as"),
        (None, "Open vSwitch has no such bond"),
    ],
)  # fmt: skip
def test_a_bond_that_runs_otherwise_is_described(live: LiveBond | None, text: str) -> None:
    found = difference("bond0", NETWORK.decode(ROWS["bond0"]).state, live)
    assert text in found and bool(found) is bool(text)


# --- what was staged


def test_staged_is_as_written_or_it_is_named() -> None:
    steps = tuple(planned({"iface": "vlan50", "ovs_tag": 51}))
    before = states_of(NETWORK, NODE, Listing(rows()))
    good = states_of(NETWORK, NODE, Listing(rows(vlan50={"ovs_tag": "51"})))
    assert lost(NETWORK, NODE, before, steps, good) == []
    assert lost(NETWORK, NODE, before, steps, before) == ["pve1/vlan50: ovs_tag"]
    destroyed = states_of(NETWORK, NODE, Listing(rows(vlan50={"ovs_tag": "51"}, bond0={"type": "bond"})))
    (text,) = lost(NETWORK, NODE, before, steps, destroyed)
    assert text.startswith("pve1/bond0: type")


def test_every_type_is_made_of_options_that_exist() -> None:
    named = set().union(*(kind.options for kind in TYPES.values()))
    assert named == {row.name for row in NETWORK.option_rows} - {"type"}
    assert all(set(kind.required) | set(kind.defaults) <= kind.options for kind in TYPES.values())
