# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan
from ansible_collections.hospital.continuity.plugins.module_utils.pve_node.maintenance import (
    MAINTENANCE,
    HaStatus,
    Service,
    parsed,
)

# As the HA manager words it; transcript 25-node-down-no-quorum has the same texts in /cluster/ha/status/current.
TEXT = """quorum OK
master pve2 (active, Sun Nov 22 01:06:32 2026)
lrm pve1 (idle, watchdog standby, Sun Nov 22 01:06:37 2026)
lrm pve2 (maintenance mode, watchdog standby, Sun Nov 22 01:06:37 2026)
lrm pve3 (old timestamp - dead?, watchdog standby, Sun Nov 22 01:06:06 2026)
service ct:102 (pve1, started)
service vm:100 (pve2, migrate)
service vm:103 (pve2, stopped)
"""


def plan(status: HaStatus, *nodes: str, state: str = "present") -> Plan:
    declared = MAINTENANCE.declare({"config": [{"node": node} for node in nodes], "state": state})
    return MAINTENANCE.plan(MAINTENANCE.things(status), declared)


def test_what_the_manager_says() -> None:
    status = parsed(TEXT)
    assert status.quorate and list(status.nodes) == ["pve1", "pve2", "pve3"]
    assert [status.maintained(node) for node in status.nodes] == [False, True, False]
    assert [status.dead(node) for node in status.nodes] == [False, False, True]
    assert status.at_work_on("pve2") == ["vm:100"]
    assert status.refuges("pve3") == ["pve1"]


def test_no_quorum() -> None:
    status = parsed(TEXT.replace("quorum OK", "quorum No quorum on node 'pve1'!"))
    assert any("No quorum on node 'pve1'!" in text for text in MAINTENANCE.problems(plan(status, "pve1"), status))


@pytest.mark.parametrize(("state", "verb", "node"), [("present", "enable", "pve1"), ("absent", "disable", "pve2")])
def test_what_is_ordered(state: str, verb: str, node: str) -> None:
    (step,) = plan(parsed(TEXT), node, state=state)
    assert MAINTENANCE.argv(step) == ("ha-manager", "crm-command", "node-maintenance", verb, node)


def test_containers_are_asked_for_and_virtual_machines_are_not() -> None:
    status = parsed(TEXT)
    (step,) = plan(status, "pve1")
    (consent,) = MAINTENANCE.interrupted(step, status)
    assert consent.word == "restart_guest" and "ct:102" in consent.loses
    alone = HaStatus("OK", {"pve1": "active", "pve2": "active"}, (Service("vm:100", "pve1", "started"),))
    (step,) = plan(alone, "pve1")
    assert not MAINTENANCE.interrupted(step, alone)


moods = st.sampled_from(["active", "idle", "maintenance mode", "old timestamp - dead?"])


@given(st.dictionaries(st.sampled_from(["pve1", "pve2", "pve3"]), moods, min_size=1), st.sampled_from(["pve1", "pve2"]))
def test_a_plan_that_was_carried_out_plans_nothing(nodes: dict[str, str], node: str) -> None:
    before = HaStatus("OK", nodes)
    after = HaStatus("OK", {**nodes, node: "maintenance mode"})
    assert not plan(after, node).steps
    assert not plan(HaStatus("OK", {**nodes, node: "active"}), node, state="absent").steps
    assert bool(plan(before, node)) == (not before.maintained(node))


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert not parsed(text).maintained("pve1") or "maintenance" in text
