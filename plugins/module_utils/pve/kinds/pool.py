# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Resource pools. PVE API: /pools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import placed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration, Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    DELETE,
    Plan,
    Step,
    Thing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Lines
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Answers, Request, RestKind
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.precheck import (
    guests,
    storage_problems,
    unknown_guests,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import (
    boolean,
    text,
    unordered,
    vmids,
)

POOLS = "/pools"
GUESTS = "/cluster/resources?type=vm"
STORAGES = "/storage"
MEMBERS = ("vms", "storage")


@dataclass(frozen=True)
class PoolKind(RestKind):
    """Members come and go in calls of their own, each only once, and names may nest (`wards/icu`)."""

    def decode(self, raw: Mapping[str, Any]) -> Thing:
        members = raw.get("members") or ()
        return super().decode(
            {
                **raw,
                "vms": [row["vmid"] for row in members if row.get("vmid") is not None],
                "storage": [row["storage"] for row in members if row.get("type") == "storage"],
            }
        )

    def plan_present(self, item: Item, thing: Thing | None, declared: Declaration) -> Sequence[Step]:
        steps = super().plan_present(item, thing, declared)
        moving = {"allow_move": True} if item.options.get("allow_move") else {}
        return tuple(replace(step, inputs={**step.inputs, **moving}) for step in steps)

    def order(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """Parents are made first and removed last. A guest that goes from one pool of this plan to another is moved in
        one call, so that at no time it is without the permissions of a pool."""
        taken = {vmid: step.key for step in steps if step.action != DELETE for vmid in added(step, "vms")}
        result = []
        for step in steps:
            leaving = frozenset(vmid for vmid in removed(step, "vms") if vmid in taken)
            moved_in = any(
                vmid in removed(other, "vms") for other in steps if other is not step for vmid in added(step, "vms")
            )
            related = {other.key for other in steps if other.action == step.action and _is_above(step, other)}
            if step.action == DELETE:
                related |= {taken[vmid] for vmid in leaving}
            inputs = {**step.inputs, "allow_move": True} if moved_in else step.inputs
            facts = {**step.facts, "moved": leaving}
            result.append(replace(step, needs=tuple(sorted(related)), inputs=inputs, facts=facts))
        return tuple(result)

    def requests(self, step: Step) -> Sequence[Request]:
        (poolid,) = step.key
        moved = step.facts.get("moved") or frozenset()
        requests: list[Request] = []
        gone: dict[str, Any] = {name: [each for each in removed(step, name) if each not in moved] for name in MEMBERS}
        if any(gone.values()):
            requests.append(Request("PUT", POOLS, {"poolid": poolid, **_joined(gone), "delete": 1}))
        if step.action == DELETE:
            return (*requests, Request("DELETE", POOLS, {"poolid": poolid}))
        new = _joined({name: added(step, name) for name in MEMBERS})
        if new.get("vms") and step.inputs.get("allow_move"):
            new["allow-move"] = 1
        comment = (step.after or {}).get("comment") or ""
        if step.action == CREATE:
            requests.append(Request("POST", POOLS, {"poolid": poolid, **({"comment": comment} if comment else {})}))
        elif "comment" in step.options:
            new["comment"] = comment
        if new:
            requests.append(Request("PUT", POOLS, {"poolid": poolid, **new}))
        return requests

    def precheck_paths(self, plan: Plan, declared: Declaration) -> Sequence[str]:
        paths = []
        if any(step.action in (CREATE, DELETE) for step in plan):
            paths.append(POOLS)
        if any(added(step, "vms") for step in plan):
            paths.append(GUESTS)
        if any(added(step, "storage") for step in plan):
            paths.append(STORAGES)
        return paths

    def problems(self, plan: Plan, declared: Declaration, answers: Answers) -> Sequence[str]:
        result: list[str] = []
        names = {str(row["poolid"]) for row in answers.get(POOLS) or ()}
        made = {step.key[0] for step in plan if step.action == CREATE}
        unmade = {step.key[0] for step in plan if step.action == DELETE}
        listed = {item.key: item.options for item in declared.items}
        for step in plan:
            if step.action == DELETE:
                found = _against_removal(step, names - unmade, listed.get(step.key, {}))
            else:
                found = self._against_members(step, answers)
                parent = str(step.key[0]).rpartition("/")[0]
                if step.action == CREATE and parent and parent not in names | made:
                    found.append(f"the pool above it, {parent}, does not exist: list it, too")
            result += [placed(self.described(step.key), problem) for problem in found]
        return result

    def _against_members(self, step: Step, answers: Answers) -> list[str]:
        vms, storages = added(step, "vms"), added(step, "storage")
        found = [placed("vms", text) for text in (unknown_guests(vms, answers[GUESTS]) if vms else ())]
        known = guests(answers.get(GUESTS))
        for vmid in vms:
            pool = known.get(vmid, {}).get("pool")
            if pool and pool != step.key[0] and not step.inputs.get("allow_move"):
                found.append(f"vms: guest {vmid} is in pool {pool}: allow_move: true takes it over")
        for name in storages:
            found += [placed("storage", text) for text in storage_problems(name, answers[STORAGES])]
        return found


def added(step: Step, name: str) -> list[Any]:
    """The members that the step takes in."""
    before, after = _members(step.before, name), _members(step.after, name)
    return [member for member in after if member not in before]


def removed(step: Step, name: str) -> list[Any]:
    """The members that the step takes out."""
    before, after = _members(step.before, name), _members(step.after, name)
    return [member for member in before if member not in after]


def _members(state: Mapping[str, Any] | None, name: str) -> tuple[Any, ...]:
    return tuple((state or {}).get(name) or ())


def _joined(members: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    return {name: ",".join(str(member) for member in values) for name, values in members.items() if values}


def _is_above(step: Step, other: Step) -> bool:
    """Whether `other` has to come before `step`: its parent when they are created, its child when they are removed."""
    mine, its = str(step.key[0]), str(other.key[0])
    if step.action == CREATE:
        return mine.startswith(f"{its}/")
    return step.action == DELETE and its.startswith(f"{mine}/")


def _against_removal(step: Step, names: set[str], item: Mapping[str, Any]) -> list[str]:
    """A pool carries permissions for its members: only those the item lists are taken out with it."""
    found = []
    children = sorted(name for name in names if name.startswith(f"{step.key[0]}/"))
    if children:
        found.append(f"the pools below it stay ({', '.join(children)}): list them, too")
    for name in MEMBERS:
        left = [str(member) for member in removed(step, name) if member not in (item.get(name) or ())]
        if left:
            found.append(f"{name}: still holds {', '.join(left)}: list what may be taken out with the pool")
    return found


POOL = PoolKind(
    name="pool",
    identity=("poolid",),
    collection=POOLS,
    item=POOLS,
    detail="/pools?poolid={poolid}",
    detailed=MEMBERS,
    seen_at="/pool/{poolid}",
    seen_with=("Pool.Audit",),
    fields=(
        text("poolid"),
        Field("comment", Lines()),
        vmids("vms", kept=True),
        unordered("storage", kept=True),
        boolean("allow_move", wire="-", creating=True),
    ),
)
