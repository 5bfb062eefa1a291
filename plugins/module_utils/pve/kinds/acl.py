# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Entries of the access control list: who has which role where. PVE API: /access/acl."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing, placed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import DELETE, Plan, Step
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Answers, Request
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.access import (
    ACL,
    PERMISSIONS,
    Access,
    AccessKind,
    listed_users,
    sees_users,
    sort_of,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.user import GROUPS
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import boolean, text
from ansible_collections.hospital.continuity.plugins.module_utils.pve.permissions import holds

_PATH = re.compile(r"[A-Za-z0-9._/-]+")


@dataclass(frozen=True)
class Place:
    """A path of PVE's tree of permissions: one slash in front, none behind."""

    def canonical(self, value: Any) -> Any:
        given = str(value).strip()
        if not given:
            return None
        if not _PATH.fullmatch(given):
            raise ValueError(f"{value!r} is no path of permissions; write for example /vms/100 or /pool/imaging")
        return "/" + re.sub("/+", "/", given).strip("/")

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class AclKind(AccessKind):
    """One call for everything: PUT adds an entry, changes it and, with delete=1, takes it away."""

    def described(self, key: Key) -> str:
        path, ugid, roleid = key
        return f"ACL entry of {ugid} for {roleid} on {path}"

    def _scope(self, params: Mapping[str, Any]) -> dict[str, Any]:
        scope = super()._scope(params)
        if scope and "path" not in scope:
            raise InvalidInput(
                "scope: it must say for which path.",
                hint="For example path: /pool/imaging*, with or without the others.",
            )
        return scope

    def order(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """First what is given, then what is taken: at no time is anybody without both."""
        given = tuple(step.key for step in steps if step.action != DELETE)
        return tuple(replace(step, needs=given) if step.action == DELETE else step for step in steps)

    def requests(self, step: Step) -> Sequence[Request]:
        path, ugid, roleid = step.key
        entry: dict[str, Any] = {"path": path, "roles": roleid, f"{sort_of(ugid)}s": ugid}
        if step.action == DELETE:
            return (Request("PUT", ACL, {**entry, "delete": 1}),)
        return (Request("PUT", ACL, {**entry, "propagate": 1 if _propagates(step) else 0}),)

    def precheck_paths(self, plan: Plan, declared: Declaration) -> Sequence[str]:
        return (GROUPS,)

    def problems(self, plan: Plan, declared: Declaration, answers: Answers) -> Sequence[str]:
        known = Access.told(answers)
        return [
            placed(self.described(step.key), Missing(problem))
            for step in plan
            if step.action != DELETE
            for problem in _unknown(step, known, answers)
        ]

    def afterwards(self, step: Step, access: Access) -> Access:
        entries = {key: propagate for key, propagate in access.entries.items() if key != step.key}
        if step.action != DELETE:
            path, ugid, roleid = step.key
            entries[path, ugid, roleid] = _propagates(step)
        return replace(access, entries=entries)


def _propagates(step: Step) -> bool:
    return (step.after or {}).get("propagate") is not False


def _unknown(step: Step, access: Access, answers: Answers) -> list[str]:
    """What the entry speaks of and is not there."""
    _path, ugid, roleid = step.key
    found = [] if roleid in access.roles else [f"roleid: there is no role {roleid}: make it with pve_role first"]
    sort = sort_of(ugid)
    if sort == "group":
        there = {row["groupid"] for row in answers[GROUPS] or ()}
        seen = holds(answers[PERMISSIONS], GROUPS, ("User.Modify", "Sys.Audit", "Group.Allocate"))
    else:
        there, seen = {*listed_users(answers), *access.separated}, sees_users(answers)
    if seen and ugid not in there:
        found.append(f"ugid: there is no {sort} {ugid}: make it with pve_{sort} first")
    return found


ACL_ENTRY = AclKind(
    name="acl",
    identity=("path", "ugid", "roleid"),
    collection=ACL,
    item=ACL,
    seen_at="/access",
    seen_with=("Sys.Audit",),
    scope=("path", "ugid", "roleid"),
    fields=(
        Field("path", Place()),
        text("ugid"),
        text("roleid"),
        boolean("propagate", default=True, written=True),
    ),
)
