# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The engine's law, for every kind of Proxmox VE: over states and declarations made of values that a real cluster took.

With a pure model of apply (a thing is then what the plan says it will be, and what PVE assigns is assigned):
planning again plans nothing; planning what is there plans nothing; nothing changes that is not listed; and
`unlisted: absent` removes inside its scope only.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import DELETE, Plan, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import ASSIGNED
from ansible_collections.hospital.continuity.plugins.module_utils.pve.registry import KINDS
from tests.unit.pve.recorded import rows
from tests.unit.pve.recorded_tables import Guests, Table, tables

Item = dict[str, Any]
LAW = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)

# What each kind needs to exist, by the recording's word for the kind and the type of thing.
NEEDED: dict[str, Item] = {
    "vm": {"vmid": 500, "node": "pve1"},
    "container": {"vmid": 600, "node": "pve1", "ostemplate": "local:vztmpl/x.tar.zst"},
    "group": {"groupid": "rtg"},
    "user": {"userid": "rt@pve"},
    "role": {"roleid": "RtRole"},
    "token": {"userid": "rt@pve", "tokenid": "t1", "return_secret": True},
}
# What no row by itself tells: needed, then options.
TOLD_OTHERWISE: dict[str, list[Item]] = {
    "acl": [
        {"path": "/vms/100", "ugid": "rt@pve", "roleid": "PVEVMUser"},
        {"propagate": False},
        {"propagate": True},
    ],
}
# What PVE chooses where nobody else does.
CHOSEN = {
    "arch": "amd64",
    "ostype": "debian",
    "smbios1": "uuid=11111111-2222-4333-8444-555555555555",
    "vmgenid": "11111111-2222-4333-8444-666666666666",
    "macaddr": "BC:24:11:00:00:01",
    "hwaddr": "BC:24:11:00:00:01",
    "file": "local:500/vm-500-disk-9.raw",
    "volume": "local:600/vm-600-disk-9.raw",
}
# Kinds of which no row was recorded.
UNRECORDED: dict[str, list[Item]] = {
    "snapshot": [
        {"vmid": 500, "snapname": "s1"},
        {"description": "x"},
        {"description": "two\nlines"},
        {"vmstate": True},
    ],
}
# One option may take the place of others.
DISPLACED = {
    "backup_job": {"all", "vmid", "pool", "exclude"},
    # What another mode has no use for, PVE does not keep.
    "network": {"bond_mode", "bond_xmit_hash_policy", "bond_primary", "bridge_vlan_aware", "bridge_vids"},
}


@cache
def material() -> Mapping[str, Mapping[str, list[Item]]]:
    """By kind and type: first what such a thing needs, then the options that PVE took, one recorded row each."""
    names = {id(entry.kind): name for name, entry in KINDS.items()}
    found: dict[str, dict[str, list[Item]]] = {
        name: {"": [*items]} for name, items in [*UNRECORDED.items(), *TOLD_OTHERWISE.items()]
    }
    by_recording = tables()
    for row in rows(by_recording):
        if not row.accepted or row.kind.endswith("(create)") or "+" in row.parameter:
            continue
        table = by_recording[row.kind]
        name = names[id(table.kind)]
        if name in TOLD_OTHERWISE or row.type.endswith("(builtin)"):
            continue
        needed = NEEDED.get(name) or table.options(row.creating)
        of_type = found.setdefault(name, {}).setdefault(row.type, [needed])
        try:
            item = table.item(row)
            table.declared({**needed, **item}, "on_create")
        except InvalidInput:
            continue
        of_type.append({option: value for option, value in item.items() if option not in table.kind.identity})
    return found


def merged(items: list[Item]) -> Item:
    """Options put together; devices by slot."""
    result: Item = {}
    for item in items:
        for option, value in item.items():
            if isinstance(value, list) and value and isinstance(value[0], dict):
                slots = {device["slot"]: device for device in [*result.get(option, []), *value]}
                result[option] = list(slots.values())
            else:
                result[option] = value
    return result


@st.composite
def declarations(draw: st.DrawFn, name: str) -> tuple[Table, Item, Item]:
    """A kind's table, what a thing is made of, and what is asked for then."""
    kind = draw(st.sampled_from(sorted(kind for kind, items in material()[name].items() if len(items) > 1)))
    needed, *options = material()[name][kind]
    table = next(table for table in tables().values() if table.kind is KINDS[name].kind)
    choice = st.lists(st.sampled_from(options), max_size=6).map(merged)
    identity = {option: needed[option] for option in table.kind.identity}
    return table, {**needed, **draw(choice), **identity}, {**draw(choice), **identity}


def plan(table: Table, item: Item, things: Mapping[Any, Thing], **more: Any) -> Plan:
    declared = table.declared(item, "on_create")
    declared = type(declared)(**{**declared.__dict__, **more})
    result: Plan = table.kind.plan(things, declared)
    return result


def assigned(table: Table, state: Mapping[str, Any]) -> dict[str, Any]:
    """The state with what PVE chooses in the place of what it will choose."""
    rows_of = table.kind.rows
    result = {}
    for option, value in state.items():
        row = rows_of[option]
        if value == ASSIGNED:
            result[option] = row.canonical(CHOSEN[option])
        elif row.key:
            result[option] = {
                slot: {name: CHOSEN[name] if each == ASSIGNED else each for name, each in device.items()}
                for slot, device in value.items()
            }
        else:
            result[option] = value
    return result


def applied(table: Table, things: Mapping[Any, Thing], planned: Plan) -> dict[Any, Thing]:
    """The pure model of apply."""
    result = dict(things)
    for key, state in planned.after().items():
        if state is None:
            result.pop(key, None)
            continue
        facts = {**(result[key].facts if key in result else {}), "node": "pve1", "ha": False, "lock": None}
        facts["status"] = state.get("status") or facts.get("status") or "stopped"
        if isinstance(table, Guests):
            state = {"node": "pve1", **state}
        result[key] = Thing(assigned(table, state), facts)
    return result


def made(table: Table, item: Item) -> dict[Any, Thing]:
    try:
        return applied(table, {}, plan(table, item, {}))
    except InvalidInput:
        assume(False)
        raise


kinds = pytest.mark.parametrize("name", sorted(KINDS))


@kinds
@LAW
@given(data=st.data())
def test_after_a_plan_nothing_is_left_to_do(name: str, data: st.DataObject) -> None:
    table, first, then = data.draw(declarations(name))
    things = made(table, first)
    unlisted = data.draw(st.sampled_from(["ignore", "reset"]))
    try:
        planned = plan(table, then, things, unlisted_options=unlisted)
    except InvalidInput:
        assume(False)
    again = plan(table, then, applied(table, things, planned), unlisted_options=unlisted)
    assert list(again) == [], [(step.line, step.before, step.after) for step in again]


@kinds
@LAW
@given(data=st.data())
def test_what_is_there_is_no_change(name: str, data: st.DataObject) -> None:
    table, first, _then = data.draw(declarations(name))
    things = made(table, first)
    key = next(iter(things))
    shown = table.kind.visible(key, things[key].state)
    unlisted = data.draw(st.sampled_from(["ignore", "reset"]))
    again = plan(table, shown, things, unlisted_options=unlisted)
    assert list(again) == [], [(step.line, step.before, step.after) for step in again]


@kinds
@LAW
@given(data=st.data())
def test_only_what_is_listed_changes(name: str, data: st.DataObject) -> None:
    table, first, then = data.draw(declarations(name))
    things = made(table, first)
    try:
        planned = plan(table, then, things)
    except InvalidInput:
        assume(False)
    listed = set(then)
    if listed & DISPLACED.get(name, set()):
        listed |= DISPLACED[name]
    for step in planned:
        before, after = step.before or {}, step.after or {}
        changed = {option for option in {*before, *after} if before.get(option) != after.get(option)}
        assert changed <= listed, f"{step.line} changes {changed - listed}"


@pytest.mark.parametrize("name", [name for name, entry in KINDS.items() if entry.kind.scope])
@LAW
@given(data=st.data())
def test_what_is_not_listed_goes_inside_its_scope_only(name: str, data: st.DataObject) -> None:
    table, first, _then = data.draw(declarations(name))
    identity = table.kind.identity[0] if table.kind.identity != ("path", "ugid", "roleid") else "roleid"
    outside = {"path": "*"} if "path" in table.kind.identity else {}
    others = {name: first[name] for name in table.kind.identity}
    names = data.draw(st.lists(st.sampled_from(["night-1", "night-2", "day-1", "day-2"]), min_size=1, unique=True))
    things: dict[Any, Thing] = {}
    for each in names:
        things.update(made(table, {**first, identity: each}))
    pattern = data.draw(st.sampled_from(["night-*", "*", "day-1"]))
    kept = data.draw(st.sampled_from(names))
    scope = {**outside, identity: pattern}
    planned = plan(table, {**others, identity: kept}, things, unlisted="absent", scope=scope, max_removals=9)
    place = table.kind.identity.index(identity)
    removed = {step.key[place] for step in planned if step.action == DELETE}
    assert removed == {each for each in names if each != kept and fnmatchcase(each, pattern)}
    assert len(list(planned)) == len(removed)
