# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What is planned for a bridge, and the one transaction it becomes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import consent
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import (
    ConsentMissing,
    InvalidInput,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import CREATE, DELETE, Plan, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.bridge import BRIDGE
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.host import Host

FACTS = {"ports": ["eno1", "tap100i0"], "controllers": {"tcp:192.0.2.1:6653": "uuid-1"}}
STANDING = {
    "datapath_type": "netdev",
    "rstp_enable": True,
    "controller": ("tcp:192.0.2.1:6653",),
    "other_config": {"mac-table-size": "4096", "hwaddr": "02:00:00:00:00:01"},
    "external_ids": {"owner": "somebody else"},
}


def planned(current, *config, facts=None, **params) -> Plan:
    observed = {("vmbr0",): Thing(current, facts or FACTS)} if current is not None else {}
    return BRIDGE.plan(observed, BRIDGE.declare({"config": list(config), **params}))


def commands(state, item, **params) -> list[str]:
    (step,) = planned(state, {"name": "vmbr0", **item}, **params)
    return [" ".join(command) for command in BRIDGE.commands(step, "")]


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"datapath_type": "netdev"},
        {"fail_mode": "standalone"},
        {"rstp_enable": "yes", "stp_enable": False},
        {"controller": ["tcp:192.0.2.1:6653"]},
        {"other_config": {"mac-table-size": 4096}},
        {"other_config": {"nothing-there": ""}, "external_ids": {}},
        {"other_config": {}},
    ],
)
def test_what_is_as_written_needs_nothing(item):
    assert not planned(STANDING, {"name": "vmbr0", **item})


def test_a_new_bridge_is_one_transaction():
    (step,) = planned(
        None,
        {
            "name": "vmbr0",
            "datapath_type": "netdev",
            "fail_mode": "secure",
            "protocols": ["OpenFlow13", "OpenFlow10"],
            "controller": ["ptcp:6653", "tcp:192.0.2.1:6653"],
            "mtu_request": 9000,
            "other_config": {"mac-table-size": 4096, "disable-in-band": True, "unwanted": ""},
        },
    )
    assert (step.action, step.after["other_config"]) == (
        CREATE,
        {"disable-in-band": "true", "mac-table-size": "4096"},
    )
    assert [" ".join(command) for command in BRIDGE.commands(step, "")] == [
        "add-br vmbr0",
        '--id=@controller0 create Controller target="ptcp:6653"',
        "add Bridge vmbr0 controller @controller0",
        '--id=@controller1 create Controller target="tcp:192.0.2.1:6653"',
        "add Bridge vmbr0 controller @controller1",
        "set Interface vmbr0 mtu_request=9000",
        'set Bridge vmbr0 other_config:"disable-in-band"="true" other_config:"mac-table-size"="4096"',
        'set Bridge vmbr0 datapath_type="netdev" fail_mode="secure" protocols=[OpenFlow10,OpenFlow13]',
    ]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"rstp_enable": False}, ["set Bridge vmbr0 rstp_enable=false"]),
        ({"reset": ["rstp_enable"]}, ["set Bridge vmbr0 rstp_enable=false"]),
        ({"fail_mode": "secure"}, ['set Bridge vmbr0 fail_mode="secure"']),
        ({"mtu_request": 9000}, ["set Interface vmbr0 mtu_request=9000"]),
        (
            {"controller": ["tcp:192.0.2.1:6653", "ptcp:6653"]},
            [
                '--id=@controller0 create Controller target="ptcp:6653"',
                "add Bridge vmbr0 controller @controller0",
            ],
        ),
        ({"controller": []}, ["remove Bridge vmbr0 controller uuid-1"]),
        ({"other_config": {"hwaddr": None}}, ['remove Bridge vmbr0 other_config "hwaddr"']),
        ({"other_config": {"mac-table-size": 8192}}, ['set Bridge vmbr0 other_config:"mac-table-size"="8192"']),
        (
            {"external_ids": {'a "b"': "c,d=e f"}},
            ['set Bridge vmbr0 external_ids:"a \\"b\\""="c,d=e f"'],
        ),
    ],
)
def test_only_what_differs_is_written(item, expected):
    assert commands(STANDING, item) == expected


def test_reset_takes_other_config_away_and_leaves_what_others_marked():
    (step,) = planned(STANDING, {"name": "vmbr0", "datapath_type": "netdev"}, unlisted_options="reset")
    assert step.options == ("rstp_enable", "controller", "other_config")
    assert step.after == {"datapath_type": "netdev", "external_ids": {"owner": "somebody else"}}


@pytest.mark.parametrize(
    ("item", "state"),
    [
        ({}, "absent"),
        ({"datapath_type": "system"}, "present"),
        ({"fail_mode": "secure"}, "present"),
        ({"rstp_enable": False, "stp_enable": True}, "present"),
    ],
)
def test_what_cuts_ports_off_names_them_and_needs_the_word(item, state):
    config = {"name": "vmbr0", **item}
    with pytest.raises(ConsentMissing, match=r"eno1; tap100i0.*cut_bridge:vmbr0"):
        consent.require(planned(STANDING, config, state=state), frozenset())
    consent.require(planned(STANDING, config, state=state), frozenset({"cut_bridge:vmbr0"}))
    without_ports = planned(STANDING, config, state=state, facts={"ports": [], "controllers": {}})
    consent.require(without_ports, frozenset())


@pytest.mark.parametrize(
    ("item", "names"),
    [({"external_ids": {"a": "b"}}, ()), ({"rstp_enable": False}, ("vmbr0",)), ({"mtu_request": 9000}, ("vmbr0",))],
)
def test_what_cannot_interrupt_does_not_touch_the_management_path(item, names):
    (step,) = planned(STANDING, {"name": "vmbr0", **item})
    assert BRIDGE.touches(step) == names


def test_rows_of_two_bridges_in_one_transaction_have_different_names():
    config = [{"name": f"vmbr{number}", "controller": ["ptcp:6653"]} for number in (1, 2)]
    plan = planned(None, *config)
    rows = [words[0] for n, step in enumerate(plan) for words in BRIDGE.commands(step, f"s{n}") if "create" in words]
    assert rows == ["--id=@s0controller0", "--id=@s1controller0"]


def test_removing_is_one_command():
    (step,) = planned(STANDING, {"name": "vmbr0"}, state="absent")
    assert (step.action, BRIDGE.commands(step, "")) == (DELETE, (("--if-exists", "del-br", "vmbr0"),))
    assert not planned(None, {"name": "vmbr0"}, state="absent")


@pytest.mark.parametrize(
    ("item", "complaint"),
    [
        ({"name": "../etc"}, r"name: '\.\./etc' is no name"),
        ({"name": "-br"}, "is no name"),
        ({"name": "a b"}, "is no name"),
        ({"controller": ["192.0.2.1"]}, r"controller: '192\.0\.2\.1' is no target.*tcp:"),
        ({"mtu_request": 20}, "mtu_request: 20 is not between"),
        ({"stp_enable": True, "rstp_enable": True}, "exclude each other"),
        ({"fail_mode": "open"}, "fail_mode: 'open' is none of standalone, secure"),
        ({"other_config": {"a": "x\ny"}}, "control character"),
        ({"other_config": {"a": [1, 2]}}, "other_config: .*is not a text"),
        ({"other_config": "a=b"}, "other_config: .*is not a mapping"),
    ],
)
def test_bad_values_are_refused_by_name(item, complaint):
    with pytest.raises(InvalidInput, match=complaint):
        BRIDGE.declare({"config": [{"name": "vmbr0", **item}]})


def test_a_name_too_long_for_an_interface_is_refused_where_it_would_be_made():
    declared = BRIDGE.declare({"config": [{"name": "vmbr0123456789ab"}]})
    with pytest.raises(InvalidInput, match="15 characters, this one has 16"):
        BRIDGE.plan({}, declared)
    # One that is there, made with another tool, can be looked after and removed.
    assert not BRIDGE.plan({("vmbr0123456789ab",): Thing({})}, declared)


HOST = Host()


def tables(**more):
    return {
        "Open_vSwitch": [{"cur_cfg": 3, "next_cfg": 3, "datapath_types": ["netdev", "system"]}],
        "Bridge": [],
        "Port": [],
        "Interface": [],
        "Controller": [],
        **more,
    }


def test_a_datapath_type_nobody_has_is_known_beforehand():
    (problem,) = BRIDGE.problems(planned(None, {"name": "vmbr0", "datapath_type": "netdevv"}), tables(), HOST)
    assert "netdevv" in problem and "netdev, system" in problem
    assert not BRIDGE.problems(planned(None, {"name": "vmbr0"}), tables(), HOST)


def test_a_name_that_a_port_has_is_known_beforehand():
    (problem,) = BRIDGE.problems(planned(None, {"name": "vmbr0"}), tables(Port=[{"name": "vmbr0"}]), HOST)
    assert "a port of another bridge has this name" in problem


def test_one_spanning_tree_beside_another_is_known_beforehand():
    (problem,) = BRIDGE.problems(planned({"rstp_enable": True}, {"name": "vmbr0", "stp_enable": True}), tables(), HOST)
    assert "exclude each other" in problem


STATES = st.fixed_dictionaries(
    {},
    optional={
        "datapath_type": st.sampled_from(["", "system", "netdev"]),
        "fail_mode": st.sampled_from(["standalone", "secure"]),
        "stp_enable": st.booleans(),
        "mcast_snooping_enable": st.sampled_from([True, "off", 1]),
        "protocols": st.lists(st.sampled_from(["OpenFlow10", "OpenFlow13"])),
        "controller": st.lists(st.sampled_from(["ptcp:6653", "tcp:192.0.2.1:6653"])),
        "mtu_request": st.sampled_from([1500, "9000"]),
        "other_config": st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", 1, "1", True, None, "x"])),
        "external_ids": st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "1", 2])),
    },
)


@given(STATES, STATES, st.sampled_from(["ignore", "reset"]))
def test_the_law(first, second, unlisted_options):
    """A plan carried out leaves nothing to plan, and only what is listed changes."""
    created = [step.after for step in planned(None, {"name": "vmbr0", **first})]
    state = created[0]
    steps = planned(state, {"name": "vmbr0", **second}, unlisted_options=unlisted_options).steps
    after = steps[0].after if steps else state
    assert not planned(after, {"name": "vmbr0", **second}, unlisted_options=unlisted_options)
    shown = BRIDGE.visible(("vmbr0",), after)
    assert not planned(after, shown, unlisted_options="reset")
    if unlisted_options == "ignore":
        assert all(after.get(name) == state.get(name) for name in BRIDGE.rows if name not in second)
        for name in ("other_config", "external_ids"):
            untouched = set(state.get(name, {})) - set(second.get(name, {}))
            assert all(after[name][key] == state[name][key] for key in untouched)
