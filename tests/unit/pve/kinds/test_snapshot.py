# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.consent import missing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.snapshot import SNAPSHOT
from ansible_collections.hospital.continuity.plugins.module_utils.pve.rollback_operation import (
    GOING_BACK,
    ended_well,
    went_back_to,
)

PLACE = "/nodes/pve1/qemu/100"
ONE = {"vmid": 100, "snapname": "before"}
THERE = {(100, "before"): Thing({"description": "x"})}


def planned(*config: dict[str, Any], things: Any = None, **params: Any) -> Plan:
    declared = SNAPSHOT.declare({"config": config, **params})
    plan: Plan = SNAPSHOT.plan(things or {}, declared)
    return plan


def sent(plan: Plan) -> list[tuple[str, str, dict[str, Any]]]:
    steps = [replace(step, facts={"place": PLACE}) for step in plan]
    requests = [request for step in steps for request in SNAPSHOT.requests(step)]
    return [(request.method, request.path, dict(request.parameters)) for request in requests]


@pytest.mark.parametrize(
    ("item", "parameters"),
    [
        ({}, {"snapname": "before"}),
        ({"description": "x", "vmstate": True}, {"snapname": "before", "description": "x", "vmstate": 1}),
        ({"vmstate": False}, {"snapname": "before"}),
    ],
)
def test_a_new_one(item: dict[str, Any], parameters: dict[str, Any]) -> None:
    assert sent(planned({**ONE, **item})) == [("POST", f"{PLACE}/snapshot", parameters)]


def test_only_its_description_can_change_and_none_is_an_empty_one() -> None:
    assert not planned({**ONE, "description": "x\n", "vmstate": True}, things=THERE)
    path = f"{PLACE}/snapshot/before/config"
    assert sent(planned({**ONE, "description": "y"}, things=THERE)) == [("PUT", path, {"description": "y"})]
    assert sent(planned({**ONE, "reset": ["description"]}, things=THERE)) == [("PUT", path, {"description": ""})]


def test_removing_one_names_it() -> None:
    plan = planned(ONE, things=THERE, state="absent")
    assert sent(plan) == [("DELETE", f"{PLACE}/snapshot/before", {})]
    assert [word for word, _text in missing(plan, [])] == ["destroy_snapshot:100/before"]


def test_snapshots_of_one_guest_are_taken_one_after_the_other() -> None:
    names = [(100, "a1"), (101, "a1"), (100, "a2"), (100, "a3")]
    plan = planned(*({"vmid": vmid, "snapname": name} for vmid, name in names))
    assert [step.needs for step in plan] == [(), (), ((100, "a1"),), ((100, "a2"),)]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"snapname": "current"}, "PVE keeps the name current for itself"),
        ({"snapname": "x"}, "snapname: PVE takes no name like 'x'"),
        ({"snapname": "../../config"}, "snapname: PVE takes no name"),
        ({"snapname": "s" * 41}, "snapname: PVE takes no name"),
        ({"vmid": 99}, "vmid: 99 is no guest's number"),
    ],
)
def test_names_that_pve_does_not_take_are_refused(item: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        planned({**ONE, **item})


# --- the way back


def guest(**state: Any) -> dict[Any, Thing]:
    rows = {"before": {"name": "before", "snaptime": 1000}, "current": {"name": "current"}}
    parent = state.pop("parent", "before")
    back = went_back_to({**rows, "current": {"parent": parent}}, state.pop("ended", []))
    found = {"parent": parent, "status": "running", **state, **({"went_back_to": back} if back else {})}
    return {(100,): Thing(found, {"name": "pacs", "snapshots": rows, "place": PLACE})}


def going_back(things: Any, **options: Any) -> Plan:
    return GOING_BACK.plan(things, GOING_BACK.order({"vmid": 100, "snapname": "before", **options}))


@pytest.mark.parametrize(
    ("state", "options", "goes"),
    [
        ({}, {}, True),  # just taken, and nothing since: that is what one goes back from
        ({"ended": [999]}, {}, True),  # an older rollback, to what was called so before
        ({"ended": [1000]}, {}, False),
        ({"ended": [2000]}, {"again": True}, True),
        ({"ended": [2000], "parent": "after"}, {}, True),
    ],
)
def test_it_goes_back_once(state: dict[str, Any], options: dict[str, Any], goes: bool) -> None:
    assert bool(going_back(guest(**state), **options)) is goes


@pytest.mark.parametrize("running", [True, False])
def test_consent_says_what_is_lost(running: bool) -> None:
    (step,) = going_back(guest(status="running" if running else "stopped"))
    (consent,) = GOING_BACK.consents(step)
    assert consent.word == "rollback_guest:100"
    assert "guest 100 (pacs) goes back to before of 1970-01-01 00:16 UTC" in consent.loses
    assert ("and it is stopped" in consent.loses) is running
    assert step.line == "rollback guest 100: before"


def test_what_is_not_there_is_named() -> None:
    (step,) = going_back({})
    assert list(GOING_BACK.problems(step)) == ["vmid: guest 100 does not exist, or the token does not see it"]
    (step,) = going_back(guest(), snapname="other")
    assert list(GOING_BACK.problems(step)) == ["snapname: guest 100 has no snapshot other, it has before"]


def test_a_rollback_that_failed_is_none() -> None:
    tasks = [
        {"status": "OK", "starttime": 1, "endtime": 2},
        {"status": "WARNINGS: 1", "starttime": 3},
        {"status": "VM is locked (backup)", "starttime": 5, "endtime": 6},
        {"starttime": 7},
    ]
    assert ended_well(tasks) == [2, 3]
