# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Thing
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.ha_resource import HA_RESOURCE
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.ha_rule import HA_RULE, NODES
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.service import GUESTS, RESOURCES, STATUS
from tests.unit.pve.planning import plan, problems, sent

ANSWERS = {
    GUESTS: [{"type": "qemu", "vmid": 100}, {"type": "lxc", "vmid": 101}],
    RESOURCES: [{"sid": "vm:100"}, {"sid": "vm:104"}],
    NODES: [{"node": "pve1"}, {"node": "pve2"}],
}
RESOURCE = {"sid": "vm:100", "type": "vm", "state": "started", "digest": "d"}
RULE = {
    "rule": "r1",
    "type": "node-affinity",
    "resources": "vm:100",
    "nodes": "pve1:2,pve2",
    "order": 1,
    "digest": "d",
}


# --- resources


def test_a_bare_number_is_the_guest_it_names() -> None:
    planned = plan(HA_RESOURCE, [{"sid": "101"}, {"sid": "100"}], RESOURCE, answers=ANSWERS)
    assert sent(HA_RESOURCE, planned) == [("POST", "/cluster/ha/resources", {"sid": "ct:101"})]


def test_a_bare_number_also_removes_what_has_outlived_its_guest() -> None:
    there = {"sid": "vm:104", "type": "vm", "state": "stopped"}
    planned = plan(HA_RESOURCE, [{"sid": "104"}], there, answers=ANSWERS, state="absent")
    assert sent(HA_RESOURCE, planned) == [("DELETE", "/cluster/ha/resources/vm%3A104", {})]


def test_one_guest_under_two_names_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"config\[1\]: vm:100 is already config\[0\]"):
        plan(HA_RESOURCE, [{"sid": "100"}, {"sid": "vm:100"}], answers=ANSWERS)


@pytest.mark.parametrize("config", [{"state": "enabled"}, {"max_restart": 1, "max_relocate": 1, "failback": True}])
def test_other_words_for_what_is_there_change_nothing(config: dict[str, Any]) -> None:
    assert not plan(HA_RESOURCE, [{"sid": "vm:100", **config}], RESOURCE)
    assert not plan(HA_RESOURCE, [{"sid": "vm:100"}], RESOURCE, unlisted_options="reset")


def test_a_comment_that_pve_read_back_byte_by_byte_is_the_same() -> None:
    there = {**RESOURCE, "comment": "Grüße ☃".encode().decode("latin-1")}
    assert not plan(HA_RESOURCE, [{"sid": "vm:100", "comment": "Grüße ☃"}], there)
    assert not plan(HA_RESOURCE, [{"sid": "vm:100", "comment": "Grüße"}], {**RESOURCE, "comment": "Grüße"})


def test_what_cannot_be_an_ha_resource_is_refused() -> None:
    with pytest.raises(InvalidInput, match="comment: PVE keeps one line only"):
        plan(HA_RESOURCE, [{"sid": "vm:100", "comment": "two\nlines"}])
    with pytest.raises(InvalidInput, match="'qemu:100' names no guest"):
        plan(HA_RESOURCE, [{"sid": "qemu:100"}])
    found = problems(HA_RESOURCE, [{"sid": "ct:100"}, {"sid": "999"}], answers=ANSWERS)
    assert found == [
        "sid: guest 100 is vm:100, not ct:100",
        "sid: guest 999 does not exist, or the token does not see it",
    ]


@pytest.mark.parametrize(
    ("asked", "found", "unmet", "passing"),
    [
        ("started", "started", "", False),
        ("started", "request_start", "vm:100 is to be started and is request_start on pve1", True),
        ("disabled", "stopped", "", False),
        ("started", "error", "vm:100 is in error on pve1", False),
        ("ignored", "ignored", "", False),
    ],
)
def test_a_resource_holds_when_the_manager_has_brought_the_guest_there(
    asked: str, found: str, unmet: str, passing: bool
) -> None:
    things = {("vm:100",): Thing({"state": asked})}
    declared = HA_RESOURCE.declare({"config": [{"sid": "vm:100"}]})
    rows = [{"type": "quorum", "id": "quorum"}, {"type": "service", "sid": "vm:100", "state": found, "node": "pve1"}]
    conditions = HA_RESOURCE.unmet(things, declared, {STATUS: rows})
    assert [condition.text.startswith(unmet) for condition in conditions] == ([True] if unmet else [])
    assert all(condition.passing is passing for condition in conditions)


def test_a_resource_that_the_manager_does_not_know_yet_is_waited_for() -> None:
    declared = HA_RESOURCE.declare({"config": [{"sid": "vm:100"}]})
    (condition,) = HA_RESOURCE.unmet({("vm:100",): Thing({})}, declared, {STATUS: []})
    assert condition.passing


# --- rules


def test_every_change_of_a_rule_repeats_its_type() -> None:
    planned = plan(HA_RULE, [{"rule": "r1", "strict": True, "nodes": ["pve2", "pve1:0"]}], RULE)
    assert sent(HA_RULE, planned) == [
        (
            "PUT",
            "/cluster/ha/rules/r1",
            {"type": "node-affinity", "nodes": "pve1,pve2", "strict": 1, "digest": "d"},
        )
    ]


def test_nodes_and_resources_have_no_order_and_priority_0_is_none() -> None:
    there = {**RULE, "nodes": "pve1,pve2:5", "resources": "vm:100,vm:101"}
    item = {"rule": "r1", "nodes": ["pve2:5", "pve1:0"], "resources": ["vm:101", "100"]}
    assert not plan(HA_RULE, [item], there, answers=ANSWERS)


def test_the_type_of_a_rule_does_not_change() -> None:
    with pytest.raises(InvalidInput, match="type is 'node-affinity' and cannot become 'resource-affinity'"):
        plan(HA_RULE, [{"rule": "r1", "type": "resource-affinity"}], RULE)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"type": "node-affinity", "resources": ["100"]}, "cannot be created without nodes"),
        ({"type": "resource-affinity", "resources": ["100", "101"]}, "cannot be created without affinity"),
        ({"type": "resource-affinity", "resources": ["100"], "affinity": "negative"}, "is about at least two"),
        ({"type": "resource-affinity", "nodes": ["pve1"]}, "nodes is no option of a rule of type resource-affinity"),
        ({"type": "node-affinity", "affinity": "negative"}, "affinity is no option of a rule of type node-affinity"),
        ({"type": "node-affinity", "comment": "für die Nacht"}, "comment: PVE refuses line breaks and anything but"),
        ({"type": "node-affinity", "nodes": ["pve1:1", "pve1:2"]}, "nodes: pve1 has two priorities"),
        ({"type": "node-affinity", "nodes": ["pve1:high"]}, "'pve1:high' is no node"),
        ({"resources": []}, "resources is empty"),
    ],
)
def test_what_pve_would_refuse_in_a_rule_is_refused_beforehand(item: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        plan(HA_RULE, [{"rule": "new", **item}], answers=ANSWERS)


def test_unmanaged_resources_and_unknown_nodes_are_named() -> None:
    item = {"rule": "r1", "resources": ["vm:100", "ct:101"], "nodes": ["pve1", "pve9:3"]}
    assert problems(HA_RULE, [item], RULE, answers=ANSWERS) == [
        "ha_rule r1: nodes: pve9 is no node of this cluster, which has pve1, pve2",
        "ha_rule r1: resources: ct:101 is not managed by HA: declare it with pve_ha_resource first",
    ]


def test_resetting_a_rule_keeps_what_it_cannot_be_without() -> None:
    there = {**RULE, "strict": 1, "comment": "x"}
    planned = plan(HA_RULE, [{"rule": "r1"}], there, unlisted_options="reset")
    assert sent(HA_RULE, planned)[0][2] == {"type": "node-affinity", "delete": "comment,strict", "digest": "d"}
