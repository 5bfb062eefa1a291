# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What is planned for a bond, what is refused beforehand, and the rows that change."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import consent
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import (
    ConsentMissing,
    InvalidInput,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.bond import BOND
from tests.unit.ovs.switch import Switch

NICS = ("eno1", "eno2", "eno3", "eno4", "eno5", "eno6")


def switch() -> Switch:
    """vmbr0 with bond0 (eno1, eno2), vmbr1 with bond1 (eno3, eno4) and the port eno5."""
    found = Switch(nics=NICS)
    found.bridge("vmbr0")
    found.bridge("vmbr1")
    found.port(
        "vmbr0",
        "bond0",
        "eno1",
        "eno2",
        bond_mode="balance-tcp",
        lacp="active",
        trunks=[10, 20],
        other_config={"lacp-time": "fast", "bond-primary": "eno1"},
        external_ids={"owner": "somebody else"},
    )
    found.port("vmbr1", "bond1", "eno3", "eno4", tag=40)
    found.port("vmbr1", "eno5", "eno5")
    return found


def planned(found: Switch, *config: Any, **params: Any) -> Plan:
    return BOND.plan(BOND.decode(found.tables), BOND.declare({"config": list(config), **params}))


def problems(found: Switch, *config: Any, **params: Any) -> list[str]:
    return list(BOND.problems(planned(found, *config, **params), found.tables, found.host))


def commands(found: Switch, *config: Any, **params: Any) -> list[str]:
    plan = planned(found, *config, **params)
    return [" ".join(words) for number, step in enumerate(plan) for words in BOND.commands(step, f"s{number}")]


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"members": ["eno2", "eno1", "eno2"]},
        {"mode": "balance-tcp", "lacp": "active", "lacp_time": "fast"},
        {"trunks": ["20", 10]},
        {"lacp_fallback_ab": False, "bond_updelay": 0, "rebalance_interval": 10000, "detect_mode": "carrier"},
        {"other_config": {"bond-primary": "eno1", "nothing-there": ""}},
        {"bridge": "vmbr0", "external_ids": {}},
    ],
)
def test_what_is_as_written_needs_nothing(item: dict[str, Any]) -> None:
    assert not planned(switch(), {"name": "bond0", **item})


def test_reading_gives_configs_own_form() -> None:
    things = BOND.decode(switch().tables)
    assert sorted(things) == [("bond0",), ("bond1",)], "a port with one interface of its own name is no bond"
    assert BOND.visible(("bond0",), things[("bond0",)].state) == {
        "name": "bond0",
        "bridge": "vmbr0",
        "members": ["eno1", "eno2"],
        "mode": "balance-tcp",
        "lacp": "active",
        "lacp_time": "fast",
        "trunks": [10, 20],
        "other_config": {"bond-primary": "eno1"},
        "external_ids": {"owner": "somebody else"},
    }


def test_a_new_bond_is_one_transaction_with_all_its_settings() -> None:
    item = {
        "name": "bond2",
        "bridge": "vmbr0",
        "members": ["eno6", "eno5"],
        "mode": "balance-tcp",
        "lacp": "active",
        "lacp_time": "fast",
        "lacp_fallback_ab": True,
        "trunks": [30, 10],
        "mtu": 9000,
        "other_config": {"bond-hash-basis": 7},
    }
    found = Switch(nics=NICS)
    found.bridge("vmbr0")
    assert commands(found, item) == [
        '--id=@s0i0 create Interface name="eno5" mtu_request=9000',
        '--id=@s0i1 create Interface name="eno6" mtu_request=9000',
        (
            '--id=@s0p create Port name="bond2" interfaces=[@s0i0,@s0i1] trunks=[10,30] lacp="active" '
            'other_config={"bond-hash-basis"="7","lacp-time"="fast","lacp-fallback-ab"="true"} bond_mode="balance-tcp"'
        ),
        "add Bridge vmbr0 ports @s0p",
    ]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"mode": "balance-slb"}, ['set Port u-bond0 bond_mode="balance-slb"']),
        ({"reset": ["mode"]}, ["set Port u-bond0 bond_mode=[]"]),
        (
            {"members": ["eno1", "eno6"]},
            [
                '--id=@s0i0 create Interface name="eno6"',
                "add Port u-bond0 interfaces @s0i0",
                "remove Port u-bond0 interfaces u-eno2",
            ],
        ),
        ({"members": ["eno1"]}, ["remove Port u-bond0 interfaces u-eno2"]),
        ({"trunks": [10, 20, 30]}, ["set Port u-bond0 trunks=[10,20,30]"]),
        ({"trunks": [10], "tag": 5, "vlan_mode": "native-tagged"}, None),
        ({"bond_updelay": 200}, ["set Port u-bond0 bond_updelay=200"]),
        ({"lacp_time": "slow"}, ['set Port u-bond0 other_config:"lacp-time"="slow"']),
        ({"reset": ["lacp_time"]}, ['remove Port u-bond0 other_config "lacp-time"']),
        ({"mtu": 9000}, ["set Interface u-eno1 mtu_request=9000", "set Interface u-eno2 mtu_request=9000"]),
        ({"other_config": {"bond-primary": ""}}, ['remove Port u-bond0 other_config "bond-primary"']),
    ],
)
def test_a_change_is_made_in_place(item: dict[str, Any], expected: list[str] | None) -> None:
    """No row is made anew but that of a member that comes."""
    written = commands(switch(), {"name": "bond0", **item})
    if expected is not None:
        assert written == expected
    assert not any("create Port" in line or "Bridge" in line for line in written)


def test_a_member_that_comes_gets_the_bonds_mtu() -> None:
    found = switch()
    found.set("eno1", mtu_request=9000)
    found.set("eno2", mtu_request=9000)
    written = commands(found, {"name": "bond0", "members": ["eno1", "eno2", "eno6"]})
    assert written[0] == '--id=@s0i0 create Interface name="eno6" mtu_request=9000'


def test_an_mtu_that_members_do_not_share_is_none() -> None:
    found = switch()
    found.set("eno1", mtu_request=9000)
    assert "mtu" not in BOND.decode(found.tables)[("bond0",)].state
    assert planned(found, {"name": "bond0", "mtu": 9000})


def test_a_member_may_go_from_one_bond_to_another_in_one_task() -> None:
    config = [{"name": "bond0", "members": ["eno1", "eno3"]}, {"name": "bond1", "members": ["eno2", "eno4"]}]
    assert problems(switch(), *config) == []
    assert problems(switch(), *config[::-1]) == []
    written = commands(switch(), *config)
    names = [line.split()[0] for line in written if "create Interface" in line]
    assert len(names) == len(set(names)) == 2


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        (
            [{"name": "bond0", "members": ["eno1", "eno3"]}],
            "member eno3: it belongs to the bond bond1 of vmbr1 already",
        ),
        ([{"name": "bond0", "members": ["eno1", "eno5"]}], "member eno5: it belongs to the port eno5 of vmbr1 already"),
        ([{"name": "bond0", "members": ["eno1", "vmbr1"]}], "member vmbr1: it belongs to the bridge vmbr1 already"),
        ([{"name": "bond0", "members": ["eno1", "eno7"]}], "member eno7: there is no such network interface"),
        ([{"name": "bond0", "members": ["eno1", "nic-of-linux"]}], "it belongs to vmbr9, a bridge or bond of Linux"),
        ([{"name": "bond0", "mtu": 9001}], "member eno1: its largest MTU is 9000"),
        ([{"name": "bond0", "members": ["eno1", "eno6"], "mtu": 9001}], "member eno6: its largest MTU is 9000"),
        ([{"name": "eno5", "bridge": "vmbr0", "members": ["eno6", "eno1"]}], "taken by the port eno5 of vmbr1"),
        ([{"name": "vmbr0", "bridge": "vmbr1", "members": ["eno6", "eno1"]}], "taken by the bridge vmbr0"),
        (
            [
                {"name": "bond2", "bridge": "vmbr0", "members": ["eno6", "nic7"]},
                {"name": "bond3", "bridge": "vmbr0", "members": ["eno6", "nic8"]},
            ],
            "member eno6: it is a member of bond bond2 in this task already",
        ),
    ],
)
def test_what_cannot_work_is_known_beforehand(config: list[dict[str, Any]], complaint: str) -> None:
    found = switch()
    found.host.add("nic-of-linux", master="vmbr9")
    assert complaint in "; ".join(problems(found, *config))


def test_a_bridge_that_is_not_there_may_be_made_by_an_earlier_task() -> None:
    found = switch()
    (problem,) = problems(found, {"name": "bond2", "bridge": "vmbr2", "members": ["eno6", "eno7"]})[:1]
    assert isinstance(problem, Missing)
    assert "there is no bridge vmbr2" in problem


@pytest.mark.parametrize(
    ("item", "complaint"),
    [
        ({"name": "bond0", "lacp": "off"}, "balance-tcp without LACP"),
        ({"name": "bond0", "reset": ["lacp"]}, "balance-tcp without LACP"),
        ({"name": "bond1", "mode": "balance-tcp"}, "balance-tcp without LACP"),
        ({"name": "bond2", "bridge": "vmbr0", "members": ["eno6"]}, "needs two members or more"),
        ({"name": "bond2", "members": ["eno6", "eno5"]}, "cannot be created without bridge"),
        ({"name": "bond1", "trunks": [1, 2]}, "tag and trunks together need a vlan_mode"),
        ({"name": "bond0", "vlan_mode": "access"}, "vlan_mode access ignores trunks"),
        ({"name": "bond1", "vlan_mode": "trunk"}, "vlan_mode trunk ignores tag"),
        ({"name": "bond0", "vlan_mode": "native-tagged"}, "needs a tag"),
        ({"name": "bond0", "cvlans": [5]}, "cvlans go with vlan_mode dot1q-tunnel only"),
    ],
)
def test_contradictions_are_refused_given_or_existing(item: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        planned(switch(), item)


def test_a_contradiction_that_is_there_already_does_not_stand_in_the_way_of_something_else() -> None:
    found = switch()
    found.set_port("bond0", lacp=[])
    assert planned(found, {"name": "bond0", "trunks": [5]})


@pytest.mark.parametrize(
    ("item", "complaint"),
    [
        ({"members": []}, "members: a bond without members"),
        ({"members": ["bond0", "eno1"]}, "members: 'bond0' is no interface"),
        ({"members": ["../x", "eno1"]}, "members: .* is no interface"),
        ({"bridge": "a b"}, "bridge: 'a b' is no name"),
        ({"tag": 4096}, "tag: 4096 is not between 0 and 4095"),
        ({"trunks": [1, 5000]}, "trunks: 5000 is no VLAN"),
        ({"mode": "802.3ad"}, "mode: '802.3ad' is none of"),
        ({"lacp_system_priority": 0}, "lacp_system_priority: 0 is not between"),
        ({"lacp_system_id": "02:00"}, "lacp_system_id: '02:00' is not a MAC"),
        ({"lacp_system_id": "00:00:00:00:00:00"}, "means nobody"),
        ({"rebalance_interval": 500}, "rebalance_interval: 500 is less"),
        ({"bond_updelay": -1}, "bond_updelay: -1 is not between"),
        ({"mtu": 20}, "mtu: 20 is not between"),
        ({"other_config": {"lacp-time": "fast"}}, "lacp-time has an option of its own.*lacp_time"),
        ({"other_config": {"a": "x\ny"}}, "control character"),
    ],
)
def test_bad_values_are_refused_by_name(item: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        BOND.declare({"config": [{"name": "bond0", **item}]})


@pytest.mark.parametrize(
    ("item", "state", "word"),
    [
        ({"bridge": "vmbr1"}, "present", "bond_flap"),
        # Measured: until the switch's side follows, nothing passes at all.
        ({"lacp": "off", "mode": "active-backup"}, "present", "bond_flap"),
        ({"members": ["eno6", "eno7"]}, "present", "bond_flap"),
        ({}, "absent", "cut_port:bond0"),
    ],
)
def test_what_interrupts_needs_a_word_unless_all_is_down(item: dict[str, Any], state: str, word: str) -> None:
    found = switch()
    with pytest.raises(ConsentMissing, match=rf"eno1, eno2.*{word}"):
        consent.require(planned(found, {"name": "bond0", **item}, state=state), frozenset())
    consent.require(planned(found, {"name": "bond0", **item}, state=state), frozenset({word}))
    for member in ("eno1", "eno2"):
        found.set(member, link_state="down")
    consent.require(planned(found, {"name": "bond0", **item}, state=state), frozenset())


@pytest.mark.parametrize("item", [{"lacp": "passive"}, {"members": ["eno1", "eno6"]}, {"mode": "balance-slb"}])
def test_what_changes_in_place_needs_no_word(item: dict[str, Any]) -> None:
    consent.require(planned(switch(), {"name": "bond0", **item}), frozenset())


@pytest.mark.parametrize(
    ("item", "touched"),
    [
        ({"external_ids": {"a": "b"}}, set()),
        ({"trunks": [1]}, {"bond0", "eno1", "eno2"}),
        ({"members": ["eno1", "eno6"]}, {"bond0", "eno1", "eno2", "eno6"}),
        ({"bridge": "vmbr1"}, {"bond0", "eno1", "eno2", "vmbr0", "vmbr1"}),
    ],
)
def test_what_a_step_touches(item: dict[str, Any], touched: set[str]) -> None:
    (step,) = planned(switch(), {"name": "bond0", **item})
    assert set(BOND.touches(step)) == touched


# -- the law -----------------------------------------------------------------------------------------------------------

ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "members": st.lists(st.sampled_from(NICS), min_size=2, max_size=4, unique=True),
        "mode": st.sampled_from(["active-backup", "balance-slb"]),
        "lacp": st.sampled_from(["active", "passive", "off"]),
        "lacp_time": st.sampled_from(["fast", "slow"]),
        "lacp_fallback_ab": st.sampled_from([True, "no", 0]),
        "lacp_system_id": st.sampled_from(["02-00-00-00-00-01", "02:00:00:00:00:aa"]),
        "lacp_system_priority": st.sampled_from([1, "65535"]),
        "bond_updelay": st.sampled_from([0, 100]),
        "rebalance_interval": st.sampled_from([0, 10000, "5000"]),
        "detect_mode": st.sampled_from(["carrier", "miimon"]),
        "trunks": st.lists(st.sampled_from([1, "2", 30])),
        "mtu": st.sampled_from([1500, "9000"]),
        "other_config": st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", 1, True, None, "x"])),
        "external_ids": st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "1", 2])),
    },
)
BASE = {"name": "bond9", "bridge": "vmbr0", "members": ["eno1", "eno2"]}


@given(ITEMS, ITEMS, st.sampled_from(["ignore", "reset"]))
def test_the_law(first: dict[str, Any], second: dict[str, Any], unlisted_options: str) -> None:
    """A plan carried out on rows leaves nothing to plan, only what is listed changes, and members keep their rows."""
    found = Switch(nics=NICS)
    found.bridge("vmbr0")

    def carry_out(item: dict[str, Any], **params: Any) -> None:
        for number, step in enumerate(planned(found, item, **params)):
            found.carry_out(BOND.changes(step, f"s{number}"))
        assert not planned(found, item, **params)

    carry_out({**BASE, **first})
    before = BOND.decode(found.tables)[("bond9",)]
    carry_out({"name": "bond9", **second}, unlisted_options=unlisted_options)
    after = BOND.decode(found.tables)[("bond9",)]
    assert after.facts["uuid"] == before.facts["uuid"]
    stay = set(before.facts["interfaces"]) & set(after.facts["interfaces"])
    assert all(after.facts["interfaces"][name] == before.facts["interfaces"][name] for name in stay)
    shown = BOND.visible(("bond9",), after.state)
    assert not planned(found, shown, unlisted_options="reset")
    if unlisted_options == "ignore":
        options = [row.name for row in BOND.option_rows if row.name not in second and not row.merged]
        assert all(after.state.get(name) == before.state.get(name) for name in options)


def test_nics_are_looked_for_only_where_they_are_real() -> None:
    for datapath_type, there in (("dummy", True), ("netdev", False), ([], False)):
        found = Switch(nics=())
        found.bridge("vmbr0", datapath_type=datapath_type)
        assert (problems(found, BASE) == []) is there


# -- how it is afterwards ----------------------------------------------------------------------------------------------


def unmet(found: Switch, name: str = "bond0") -> str:
    things = BOND.decode(found.tables)
    declared = BOND.declare({"config": [{"name": name}]})
    return " ".join(one.text for one in BOND.unmet(things, declared, found.tables, found.host))


def test_a_member_that_open_vswitch_cannot_open_is_told_with_its_reason() -> None:
    found = switch()
    found.set("eno1", error="could not open network device eno1 (No such device)")
    found.host.says("", "---- bond0 ----\nmember eno2: enabled\n")
    assert "eno1 does not work: could not open network device eno1" in unmet(found)


def test_an_mtu_that_was_not_taken_is_told() -> None:
    found = switch()
    found.set("eno1", mtu_request=9000, mtu=1500)
    assert "the MTU of eno1 is 1500, not 9000" in unmet(found)


def test_the_carrier_is_the_one_in_the_database() -> None:
    found = switch()
    found.set("eno1", link_state="down")
    found.set("eno2", link_state="down", admin_state="down")
    found.host.says("", "---- bond0 ----\nmember eno1: disabled\nmember eno2: disabled\n")
    assert "member eno1 has no carrier" in unmet(found)
    assert "member eno2 is switched off" in unmet(found)


def test_balance_tcp_without_lacp_is_told_where_somebody_else_made_it() -> None:
    found = switch()
    found.set_port("bond0", lacp=[])
    assert "mode balance-tcp without LACP forwards nothing" in unmet(found)
