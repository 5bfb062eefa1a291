# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Guests that the HA manager looks after. PVE API: /cluster/ha/resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet, placed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import (
    ABSENT,
    Declaration,
    Item,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import CREATE, Plan, Thing, label
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key, Lines
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Answers, RestKind
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.service import (
    GUESTS,
    RESOURCES,
    STATUS,
    check_name,
    guest_problems,
    is_bare,
    with_keys_spelled,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import (
    Named,
    boolean,
    number,
    text,
)

# What the manager reports of a service once it is where its resource wants it.
_SETTLED = {
    "started": ("started",),
    "stopped": ("stopped",),
    "disabled": ("disabled", "stopped"),
    "ignored": ("ignored",),
}


@dataclass(frozen=True)
class HaResourceKind(RestKind):
    """A resource may be named by the bare vmid, and holds only when the manager has brought the guest there."""

    def check(self, item: Item) -> None:
        check_name("sid", item.key[0])
        if "\n" in str(item.options.get("comment") or ""):
            raise InvalidInput("comment: PVE keeps one line only.", hint="Take the line break out.")

    def resolve_paths(self, declared: Declaration) -> Sequence[str]:
        if not any(is_bare(key[0]) for key in declared.keys):
            return ()
        # A resource to be removed may have outlived its guest.
        return (GUESTS, RESOURCES) if declared.state == ABSENT else (GUESTS,)

    def resolve(self, declared: Declaration, answers: Answers) -> Declaration:
        return with_keys_spelled(declared, answers)

    def decode(self, raw: Mapping[str, Any]) -> Thing:
        return super().decode({**raw, "comment": _as_written(raw.get("comment"))})

    def precheck_paths(self, plan: Plan, declared: Declaration) -> Sequence[str]:
        return (GUESTS,) if any(step.action == CREATE for step in plan) else ()

    def problems(self, plan: Plan, declared: Declaration, answers: Answers) -> Sequence[str]:
        names = [str(step.key[0]) for step in plan if step.action == CREATE]
        return [placed("sid", problem) for problem in guest_problems(names, answers)]

    def verify_paths(self, things: Mapping[Key, Thing], declared: Declaration) -> Sequence[str]:
        return (STATUS,)

    def unmet(self, things: Mapping[Key, Thing], declared: Declaration, answers: Answers) -> Sequence[Unmet]:
        services = {(row.get("sid"),): row for row in answers.get(STATUS) or () if row.get("type") == "service"}
        result = []
        for key in sorted(things):
            asked = str(things[key].state.get("state") or "started")
            row = services.get(key)
            if row is None:
                if asked != "ignored":
                    result.append(Unmet(f"{label(key)}: the HA manager does not know it yet", passing=True))
                continue
            state, node = str(row.get("state")), row.get("node")
            if state == "error":
                result.append(
                    Unmet(
                        f"{label(key)} is in error on {node}: mend the cause, set state to disabled, then to {asked} "
                        "again"
                    )
                )
            elif state not in _SETTLED[asked]:
                result.append(Unmet(f"{label(key)} is to be {asked} and is {state} on {node}", passing=True))
        return result


def _as_written(comment: Any) -> Any:
    """PVE writes the comment as UTF-8 and reads it back byte by byte."""
    if not isinstance(comment, str):
        return comment
    try:
        return comment.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return comment


HA_RESOURCE = HaResourceKind(
    name="ha_resource",
    identity=("sid",),
    collection=RESOURCES,
    item="/cluster/ha/resources/{sid}",
    fields=(
        text("sid"),
        Field(
            "state",
            Named({"enabled": "started"}),
            choices=("started", "stopped", "enabled", "disabled", "ignored"),
            default="started",
        ),
        Field("comment", Lines()),
        boolean("failback", default=True),
        number("max_restart", default=1),
        number("max_relocate", default=1),
    ),
)
