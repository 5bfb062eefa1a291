# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Roles: privileges under a name. PVE API: /access/roles."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import placed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration, Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    DELETE,
    Consent,
    Plan,
    Step,
    Thing,
    label,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Answers
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.access import ROLES, Access, AccessKind
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.shipped_roles import SHIPPED
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import check_name_of, text, unordered

_EVERYTHING = "Administrator"
_RESERVED = "pve"


@dataclass(frozen=True)
class RoleKind(AccessKind):
    """Some are built in and stay as they are; two are brought along by this collection."""

    def rows_of(
        self, listing: Sequence[Mapping[str, Any]] | None, keys: Collection[Key] | None
    ) -> Sequence[Mapping[str, Any]]:
        """Those that are built in are the same everywhere: they are told only to who asks for them."""
        return [row for row in listing or () if keys is not None or not row.get("special")]

    def decode(self, raw: Mapping[str, Any]) -> Thing:
        return replace(super().decode(raw), facts={"special": bool(raw.get("special"))})

    def declare_item(self, raw: Mapping[str, Any]) -> Item:
        item = super().declare_item(raw)
        shipped = item.options.get("shipped")
        if shipped is None:
            return item
        if "privs" in item.options:
            raise InvalidInput("shipped and privs both say what the role may do.", hint="Leave one of them out.")
        others = {name: value for name, value in item.options.items() if name != "shipped"}
        return replace(item, options={**others, "privs": tuple(sorted(SHIPPED[shipped]))})

    def check(self, item: Item) -> None:
        check_name_of("roleid", item.key[0])

    def plan_create(self, item: Item) -> Step:
        if str(item.key[0]).lower().startswith(_RESERVED):
            raise InvalidInput("PVE keeps names that begin with PVE, however written, to itself: choose another one.")
        return super().plan_create(item)

    def plan_present(self, item: Item, thing: Thing | None, declared: Declaration) -> Sequence[Step]:
        steps = super().plan_present(item, thing, declared)
        if steps and thing is not None and thing.facts.get("special"):
            raise InvalidInput("is built into Proxmox VE and cannot be changed: make a role of your own.")
        return steps

    def plan_absent(self, key: Key, thing: Thing | None) -> Sequence[Step]:
        if thing is not None and thing.facts.get("special"):
            raise InvalidInput("is built into Proxmox VE and cannot be removed.")
        return super().plan_absent(key, thing)

    def problems(self, plan: Plan, declared: Declaration, answers: Answers) -> Sequence[str]:
        known = Access.told(answers).roles.get(_EVERYTHING, frozenset())
        return [
            placed(self.described(step.key), f"privs: {name} is no privilege of this Proxmox VE")
            for step in plan
            if "privs" in step.options and step.after
            for name in step.after.get("privs") or ()
            if known and name not in known
        ]

    def precheck_paths(self, plan: Plan, declared: Declaration) -> Sequence[str]:
        return (ROLES,)

    def losses(self, step: Step, access: Access) -> Sequence[Consent]:
        name = label(step.key)
        held = [f"{ugid} on {path}" for path, ugid, role in sorted(access.entries) if role == name]
        if step.action != DELETE or not held:
            return ()
        return (Consent(f"remove_role:{name}", f"it is taken from {', '.join(held)}"),)

    def afterwards(self, step: Step, access: Access) -> Access:
        name = label(step.key)
        if step.action == DELETE:
            access = access.without(role=name)
        return replace(access, roles={**access.roles, name: frozenset((step.after or {}).get("privs") or ())})


ROLE = RoleKind(
    name="role",
    identity=("roleid",),
    collection="/access/roles",
    item="/access/roles/{roleid}",
    emptied=True,
    words=("remove_role",),
    fields=(
        text("roleid"),
        unordered("privs", kept=True),
        Field("shipped", choices=tuple(sorted(SHIPPED)), creating=True),
    ),
)
