# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Where guests may run and with whom. PVE API: /cluster/ha/rules."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing, placed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration, Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key, Lines, Unordered
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Answers, RestKind
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.precheck import unknown_nodes
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.service import (
    GUESTS,
    RESOURCES,
    check_name,
    is_bare,
    managed_names,
    spelled,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import (
    boolean,
    check_new_id,
    text,
    unordered,
)

NODES = "/nodes"

# What a rule of each type needs and what only it has.
_NEEDS = {"node-affinity": ("resources", "nodes"), "resource-affinity": ("resources", "affinity")}
_FOREIGN = {"node-affinity": ("affinity",), "resource-affinity": ("nodes", "strict")}
_NODE = re.compile(r"^(?P<node>[A-Za-z0-9][A-Za-z0-9-]*)(?::(?P<priority>\d+))?$")


@dataclass(frozen=True)
class Preference:
    """A node, with the priority it has among the others: `pve1:2`. None is the same as 0."""

    def canonical(self, value: Any) -> Any:
        found = _NODE.match(str(value))
        if found is None:
            raise ValueError(f"{value!r} is no node; write for example pve1, or pve1:2 with a priority")
        priority = int(found["priority"] or 0)
        return f"{found['node']}:{priority}" if priority else found["node"]

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class HaRuleKind(RestKind):
    """Two types of rule in one table; the type is repeated in every PUT and never changes."""

    def check(self, item: Item) -> None:
        for name in ("resources", "nodes", "affinity"):
            if name in item.options and item.options[name] is None:
                raise InvalidInput(f"{name} is empty.", hint="A rule cannot be without; use disable to switch it off.")
        for sid in item.options.get("resources") or ():
            check_name("resources", sid)
        _check_nodes(item.options.get("nodes") or ())
        comment = str(item.options.get("comment") or "")
        if "\n" in comment or not comment.isascii():
            raise InvalidInput(
                "comment: PVE refuses line breaks and anything but plain ASCII in the comment of an HA rule.",
                hint="Write for example ue for an umlaut.",
            )
        if item.options.get("type") in _NEEDS:
            _check_type(str(item.options["type"]), item.options)

    def wanted(self, item: Item, current: Mapping[str, Any], declared: Declaration) -> tuple[dict[str, Any], list[str]]:
        after, options = super().wanted(item, current, declared)
        if current.get("type") in _NEEDS:
            _check_type(str(current["type"]), {**item.options, "resources": after.get("resources")})
        return after, options

    def plan_create(self, item: Item) -> Step:
        check_new_id("rule", item.key[0])
        needs = _NEEDS.get(str(item.options.get("type")), ())
        lacking = [name for name in needs if item.options.get(name) is None]
        if lacking:
            raise InvalidInput(
                f"does not exist, and a rule of type {item.options['type']} cannot be created without "
                f"{' and '.join(lacking)}."
            )
        return super().plan_create(item)

    def order(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """A guest that goes from one rule to another is let go first: PVE refuses some pairs of rules about it."""
        steps = super().order(steps)
        result: list[Step] = []
        waiting: dict[Key, set[Key]] = {}
        for step in steps:
            gained = _bound(step.after) - _bound(step.before)
            needs = {other.key for other in steps if gained & (_bound(other.before) - _bound(other.after))}
            # Two rules that exchange guests cannot both wait.
            waiting[step.key] = {key for key in needs if step.key not in waiting.get(key, ())} - {step.key}
            result.append(replace(step, needs=tuple(sorted(waiting[step.key]))))
        return tuple(result)

    def resolve_paths(self, declared: Declaration) -> Sequence[str]:
        bare = any(is_bare(sid) for item in declared.items for sid in item.options.get("resources") or ())
        return (GUESTS,) if bare else ()

    def resolve(self, declared: Declaration, answers: Answers) -> Declaration:
        items = []
        for item in declared.items:
            sids = item.options.get("resources")
            if sids:
                full = tuple(sorted({spelled(sid, answers) for sid in sids}))
                item = replace(item, options={**item.options, "resources": full})
            items.append(item)
        return replace(declared, items=tuple(items))

    def precheck_paths(self, plan: Plan, declared: Declaration) -> Sequence[str]:
        paths = []
        if any("nodes" in step.options for step in plan):
            paths.append(NODES)
        if any("resources" in step.options for step in plan):
            paths.append(RESOURCES)
        return paths

    def problems(self, plan: Plan, declared: Declaration, answers: Answers) -> Sequence[str]:
        managed = managed_names(answers)
        result = []
        for step in plan:
            after, found = step.after or {}, []
            if "nodes" in step.options:
                found += [f"nodes: {problem}" for problem in unknown_nodes(after.get("nodes"), answers[NODES])]
            if "resources" in step.options:
                found += [
                    Missing(f"resources: {sid} is not managed by HA: declare it with pve_ha_resource first")
                    for sid in after.get("resources") or ()
                    if sid not in managed
                ]
            result += [placed(self.described(step.key), problem) for problem in found]
        return result


def _bound(state: Mapping[str, Any] | None) -> set[str]:
    """The guests a rule is about while it counts."""
    return set() if not state or state.get("disable") else set(state.get("resources") or ())


def _check_nodes(nodes: Sequence[str]) -> None:
    names = [node.partition(":")[0] for node in nodes]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(f"nodes: {name} has two priorities.", hint="List each node once.")


def _check_type(name: str, options: Mapping[str, Any]) -> None:
    for option in _FOREIGN[name]:
        if options.get(option) is not None:
            raise InvalidInput(f"{option} is no option of a rule of type {name}.", hint="Leave it out.")
    resources = options.get("resources")
    if name == "resource-affinity" and resources is not None and len(resources) < 2:
        raise InvalidInput(
            "resources: a rule of type resource-affinity is about at least two.", hint="Add the other guests."
        )


HA_RULE = HaRuleKind(
    name="ha_rule",
    identity=("rule",),
    collection="/cluster/ha/rules",
    item="/cluster/ha/rules/{rule}",
    resent=("type",),
    scope=("rule", "type"),
    fields=(
        text("rule"),
        Field("type", choices=("node-affinity", "resource-affinity"), create_only=True, required=True),
        unordered("resources", kept=True),
        Field("nodes", Unordered(element=Preference()), type="list", elements="str", kept=True),
        boolean("strict", default=False),
        Field("affinity", choices=("positive", "negative"), kept=True),
        boolean("disable", default=False),
        Field("comment", Lines()),
    ),
)
