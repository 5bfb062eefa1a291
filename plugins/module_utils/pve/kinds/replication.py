# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Jobs that replicate a guest's volumes to another node. PVE API: /cluster/replication."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet, placed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import (
    ABSENT,
    Declaration,
    Item,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    DELETE,
    UPDATE,
    Consent,
    Plan,
    Step,
    Thing,
    label,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key, Lines, Number
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Answers, Request, RestKind
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.precheck import (
    guests,
    unknown_guests,
    unknown_nodes,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.schedule import check_schedule
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import boolean, text

JOBS, GUESTS, NODES = "/cluster/replication", "/cluster/resources?type=vm", "/nodes"
# What PVE marks a job with that goes when it runs next: `full`, or `local` where the replica stays.
MARK = "remove_job"
# How a job is removed: neither a part of it nor of any call but DELETE.
_REMOVAL = ("keep", "force")
_ID = re.compile(r"([1-9][0-9]{2,8})-\d{1,9}")


def states_at(node: str) -> str:
    """Where a node tells how its jobs go."""
    return f"/nodes/{node}/replication"


@dataclass(frozen=True)
class ReplicationKind(RestKind):
    """A job that is removed goes when it runs next; one that PVE has turned round is still the same."""

    def check(self, item: Item) -> None:
        if not _ID.fullmatch(str(item.key[0])):
            raise InvalidInput(
                f"id: {item.key[0]!r} names no replication job.", hint="Write the guest's vmid and a number: 101-0."
            )
        if "\n" in str(item.options.get("comment") or ""):
            raise InvalidInput("comment: PVE keeps one line only.", hint="Join the lines.")
        check_schedule(str(item.options.get("schedule") or ""))
        if all(item.options.get(name) for name in _REMOVAL):
            raise InvalidInput("keep and force exclude each other.", hint="force removes nothing at the target.")

    def place_of(self, key: Key) -> str:
        return f"/vms/{vmid_of(key)}"

    def decode(self, raw: Mapping[str, Any]) -> Thing:
        thing = super().decode(raw)
        return replace(thing, facts={**thing.facts, "source": raw.get("source"), MARK: raw.get(MARK)})

    def visible(self, key: Key, state: Mapping[str, Any] | None) -> dict[str, Any] | None:
        shown = super().visible(key, state)
        return {**shown, MARK: state[MARK]} if shown and state and state.get(MARK) else shown

    # -- planning ---------------------------------------------------------------------------------------------------

    def plan_present(self, item: Item, thing: Thing | None, declared: Declaration) -> Sequence[Step]:
        if thing is None:
            return super().plan_present(item, thing, declared)
        if item.options.get("target") == thing.facts.get("source"):
            # The guest has moved to where it was replicated to, and PVE has turned the job round.
            item = replace(item, options={**item.options, "target": thing.state.get("target")})
        steps = super().plan_present(item, thing, declared)
        if not thing.facts.get(MARK):
            return steps
        marked = {**thing.state, MARK: thing.facts[MARK]}
        step = steps[0] if steps else Step(UPDATE, self.name, item.key, after=thing.state, facts=thing.facts)
        return (replace(step, before=marked, options=(*step.options, MARK)),)

    def plan_removal(self, item: Item, thing: Thing | None) -> Sequence[Step]:
        if thing is None or (thing.facts.get(MARK) and not item.options.get("force")):
            return ()
        how = {name: True for name in _REMOVAL if item.options.get(name)}
        step = Step(DELETE, self.name, item.key, before=thing.state, facts=thing.facts, inputs=how)
        return (self._with_consents(step),)

    def consents(self, step: Step) -> Sequence[Consent]:
        if step.action != DELETE or step.inputs:
            return ()
        target = (step.before or {}).get("target")
        return (
            Consent(
                f"destroy_replica:{label(step.key)}",
                f"what guest {vmid_of(step.key)} has replicated to {target} is destroyed there (keep: true leaves it)",
            ),
        )

    def requests(self, step: Step) -> Sequence[Request]:
        if step.action != DELETE:
            return super().requests(step)
        return (Request("DELETE", self.path_of(self.item, step.key), dict.fromkeys(step.inputs, 1)),)

    def encode(self, step: Step) -> dict[str, Any]:
        parameters = super().encode(replace(step, inputs={}, options=tuple(set(step.options) - set(_REMOVAL))))
        if step.action == CREATE:
            return {"type": "local", **parameters}
        if MARK in step.options:
            parameters["delete"] = ",".join(filter(None, (parameters.get("delete"), MARK)))
        return parameters

    # -- what is known beforehand -----------------------------------------------------------------------------------

    def precheck_paths(self, plan: Plan, declared: Declaration) -> Sequence[str]:
        return (GUESTS, NODES, JOBS) if any(step.action == CREATE for step in plan) else ()

    def problems(self, plan: Plan, declared: Declaration, answers: Answers) -> Sequence[str]:
        result: list[str] = []
        places = {(vmid_of((row["id"],)), row.get("target")): row["id"] for row in answers.get(JOBS) or ()}
        for step in plan:
            if step.action != CREATE:
                continue
            vmid, target = vmid_of(step.key), (step.after or {}).get("target")
            found = [placed("id", each) for each in unknown_guests([vmid], answers[GUESTS])]
            found += [f"target: {each}" for each in unknown_nodes([str(target)], answers[NODES])]
            if guests(answers[GUESTS]).get(vmid, {}).get("node") == target:
                found.append(f"target: guest {vmid} is on {target} itself")
            other = places.setdefault((vmid, target), step.key[0])
            if other != step.key[0]:
                found.append(f"target: job {other} replicates guest {vmid} to {target} already")
            result += [placed(self.described(step.key), each) for each in found]
        return result

    # -- how the jobs go --------------------------------------------------------------------------------------------

    def verify_paths(self, things: Mapping[Key, Thing], declared: Declaration) -> Sequence[str]:
        if declared.state == ABSENT:
            return (JOBS,)
        running = [thing for thing in things.values() if not thing.state.get("disable")]
        return sorted({states_at(thing.facts["source"]) for thing in running if thing.facts.get("source")})

    def unmet(self, things: Mapping[Key, Thing], declared: Declaration, answers: Answers) -> Sequence[Unmet]:
        if declared.state == ABSENT:
            marked = {self.key_of(row) for row in answers.get(JOBS) or () if row.get(MARK)}
            return [
                Unmet(f"{label(key)}: is marked for removal, and goes when it runs next", passing=True)
                for key in declared.keys
                if key in marked
            ]
        states = {(str(row["id"]),): row for path in answers for row in answers[path] or ()}
        result = []
        for key in sorted(things):
            if not things[key].state.get("disable"):
                problem = trouble(states.get(key))
                if problem:
                    result.append(Unmet(f"{label(key)}: {problem[0]}", passing=problem[1]))
        return result


def trouble(row: Mapping[str, Any] | None) -> tuple[str, bool] | None:
    """What is wrong with a job as its node tells it, and whether time alone may mend that."""
    if row is None:
        return "its node does not know it yet", True
    if row.get("error") or row.get("fail_count"):
        said = " ".join(str(row.get("error") or "no reason is told").split())
        return f"its last run failed ({row.get('fail_count') or 1} in a row): {said}", False
    if not row.get("last_sync"):
        return "has not run yet", True
    return None


def vmid_of(key: Key) -> int:
    return int(str(key[0]).partition("-")[0])


REPLICATION = ReplicationKind(
    name="replication",
    identity=("id",),
    collection=JOBS,
    item="/cluster/replication/{id}",
    seen_at="/vms/{id}",
    seen_with=("VM.Audit",),
    words=("destroy_replica",),
    lingers=True,
    fields=(
        text("id"),
        text("target", required=True, create_only=True),
        text("schedule", default="*/15"),
        # MB/s, not always whole.
        Field("rate", Number(), type="float"),
        boolean("disable", default=False),
        Field("comment", Lines()),
        boolean("keep", creating=True),
        boolean("force", creating=True),
    ),
)
