# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.consent import missing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.replication import (
    GUESTS,
    JOBS,
    NODES,
    REPLICATION,
    states_at,
)
from tests.unit.pve.planning import plan, problems, sent

JOB = {"id": "100-0", "type": "local", "target": "pve2", "source": "pve1", "guest": 100, "jobnum": 0}
ONE = "/cluster/replication/100-0"
ANSWERS = {
    GUESTS: [{"type": "qemu", "vmid": 100, "node": "pve1"}, {"type": "lxc", "vmid": 101, "node": "pve2"}],
    NODES: [{"node": "pve1"}, {"node": "pve2"}],
    JOBS: [JOB],
}


def test_a_new_job_is_of_the_only_type_there_is() -> None:
    planned = plan(REPLICATION, [{"id": "100-1", "target": "pve2", "rate": 1.5, "keep": True}])
    assert sent(REPLICATION, planned) == [
        ("POST", JOBS, {"id": "100-1", "type": "local", "target": "pve2", "rate": 1.5})
    ]


def test_a_job_that_was_turned_round_is_the_same_and_another_target_is_refused() -> None:
    turned = {**JOB, "source": "pve2", "target": "pve1"}
    assert not plan(REPLICATION, [{"id": "100-0", "target": "pve2"}], turned)
    with pytest.raises(InvalidInput, match="target is 'pve2' and cannot become 'pve3'"):
        plan(REPLICATION, [{"id": "100-0", "target": "pve3"}], JOB)


def test_a_job_that_is_being_removed_is_kept_when_it_is_listed() -> None:
    marked = {**JOB, "remove_job": "full", "rate": 5}
    planned = plan(REPLICATION, [{"id": "100-0", "comment": "x", "reset": ["rate"]}], marked)
    assert sent(REPLICATION, planned) == [("PUT", ONE, {"comment": "x", "delete": "rate,remove_job"})]
    (step,) = plan(REPLICATION, [{"id": "100-0"}], marked)
    assert step.line == "update replication 100-0: remove_job"
    shown = REPLICATION.visible(step.key, step.before), REPLICATION.visible(step.key, step.after)
    assert shown[0] == {**(shown[1] or {}), "remove_job": "full"}


@pytest.mark.parametrize(
    ("how", "words", "parameters"),
    [({}, ["destroy_replica:100-0"], {}), ({"keep": True}, [], {"keep": 1}), ({"force": True}, [], {"force": 1})],
)
def test_a_replica_is_destroyed_with_consent_only(
    how: dict[str, Any], words: list[str], parameters: dict[str, Any]
) -> None:
    planned = plan(REPLICATION, [{"id": "100-0", **how}], JOB, state="absent")
    assert [word for word, _text in missing(planned, [])] == words
    assert sent(REPLICATION, planned) == [("DELETE", ONE, parameters)]


def test_what_is_on_its_way_out_is_removed_once_more_by_force_only() -> None:
    marked = {**JOB, "remove_job": "full"}
    assert not plan(REPLICATION, [{"id": "100-0"}], marked, state="absent")
    assert plan(REPLICATION, [{"id": "100-0", "force": True}], marked, state="absent")
    declared = REPLICATION.declare({"config": [{"id": "100-0"}], "state": "absent"})
    (condition,) = REPLICATION.unmet({}, declared, {JOBS: [marked]})
    assert condition.passing and "marked for removal" in condition.text
    assert not REPLICATION.unmet({}, declared, {JOBS: [{**marked, "id": "100-1"}]})


@pytest.mark.parametrize(
    ("state", "text", "passing"),
    [
        ({"last_sync": 1, "fail_count": 0}, "", False),
        ({"last_sync": 0, "fail_count": 0}, "100-0: has not run yet", True),
        (
            {"last_sync": 1, "fail_count": 2, "error": "no\nroom"},
            "100-0: its last run failed (2 in a row): no room",
            False,
        ),
        (None, "100-0: its node does not know it yet", True),
    ],
)
def test_a_job_holds_when_its_last_run_succeeded(state: dict[str, Any] | None, text: str, passing: bool) -> None:
    things = {("100-0",): REPLICATION.decode(JOB)}
    declared = REPLICATION.declare({"config": [{"id": "100-0"}]})
    assert list(REPLICATION.verify_paths(things, declared)) == [states_at("pve1")]
    rows = [] if state is None else [{"id": "100-0", **state}]
    found = REPLICATION.unmet(things, declared, {states_at("pve1"): rows})
    assert [(each.text, each.passing) for each in found] == ([(text, passing)] if text else [])
    off = {("100-0",): REPLICATION.decode({**JOB, "disable": 1})}
    assert not REPLICATION.verify_paths(off, declared)
    assert not REPLICATION.unmet(off, declared, {})


def test_what_pve_would_refuse_is_refused_beforehand() -> None:
    config = [
        {"id": "100-1", "target": "pve2"},
        {"id": "101-0", "target": "pve2"},
        {"id": "100-2", "target": "pve9"},
        {"id": "999-0", "target": "pve2"},
    ]
    assert problems(REPLICATION, config, answers=ANSWERS) == [
        "replication 100-1: target: job 100-0 replicates guest 100 to pve2 already",
        "replication 101-0: target: guest 101 is on pve2 itself",
        "replication 100-2: target: pve9 is no node of this cluster, which has pve1, pve2",
        "replication 999-0: id: guest 999 does not exist, or the token does not see it",
    ]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"id": "100"}, "id: '100' names no replication job"),
        ({"id": "100-0", "comment": "two\nlines"}, "comment: PVE keeps one line only"),
        ({"id": "100-0", "schedule": "1260"}, "quotes"),
        ({"id": "100-0", "keep": True, "force": True}, "keep and force exclude each other"),
        ({"id": "100-0"}, "cannot be created without target"),
    ],
)
def test_bad_input_is_named(item: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        plan(REPLICATION, [item])
