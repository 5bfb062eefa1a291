# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The operation behind the module pve_realm_sync: its options, its plan, what it returns. Pure.

PVE API: POST /access/domains/{realm}/sync.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Operation, Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Consent, Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Duration, Key, Unordered
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Request
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.realm import REALM
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import boolean, text

SYNCHRONISE = "synchronise"
# What of the vanished can go, in words.
VANISHED = {
    "entry": "users and groups that the directory no longer has are removed",
    "acl": "the rights of users and groups that the directory no longer has are removed",
    "properties": "what users have beyond the directory's attributes is removed",
}
_DIRECTORIES = ("ad", "ldap")
_AS_THERE = "(as the directory has them)"


@dataclass(frozen=True)
class RealmSyncOperation(Operation):
    """Users and groups of a realm, copied from its directory once."""

    def check(self, order: Order) -> None:
        for name in order.options.get("remove_vanished") or ():
            if name not in VANISHED:
                raise InvalidInput(
                    f"remove_vanished: {name!r} is none of {', '.join(VANISHED)}.", hint="Correct or leave it out."
                )

    def plan(self, observed: Mapping[Key, Thing], order: Order) -> Plan:
        key = (order.options["realm"],)
        thing = observed[key]
        kind = thing.facts.get("type")
        if kind is not None and kind not in _DIRECTORIES:
            raise InvalidInput(f"realm: {key[0]} is of type {kind}, and only a directory (ldap, ad) can be copied.")
        wanted = self.effective(thing, order)
        if kind is not None and not wanted.get("scope"):
            raise InvalidInput(
                f"scope: neither given nor among the defaults of the realm {key[0]}.",
                hint="Say users, groups or both, or set sync_defaults_options with pve_realm.",
            )
        limit, last = order.options.get("newer_than"), thing.facts.get("last")
        if limit is not None and last is not None and thing.facts["now"] - last <= limit:
            return Plan()
        touched = ("users", "groups") if wanted.get("scope") not in ("users", "groups") else (str(wanted["scope"]),)
        after = {**thing.state, **dict.fromkeys(touched, _AS_THERE)}
        return Plan((Step(SYNCHRONISE, "realm", key, before=thing.state, after=after, inputs=wanted),))

    def effective(self, thing: Thing, order: Order) -> dict[str, Any]:
        """What is asked for, and where nothing is, what the realm says."""
        defaults: Mapping[str, Any] = thing.facts.get("defaults") or {}
        vanished = order.options.get("remove_vanished")
        if "remove_vanished" not in order.options:
            older = {"acl": "purge", "entry": "full", "properties": "full"}
            old = [name for name, word in older.items() if defaults.get(word)]
            vanished = sorted({*(defaults.get("remove-vanished") or ()), *old} - {"none"})
        found = {
            "scope": order.options.get("scope") or defaults.get("scope"),
            "remove-vanished": tuple(vanished or ()),
            "enable-new": order.options.get("enable_new", defaults.get("enable-new")),
        }
        return {name: value for name, value in found.items() if value is not None}

    def consents(self, step: Step) -> Sequence[Consent]:
        loses = [VANISHED[name] for name in step.inputs["remove-vanished"] if name in VANISHED]
        return (Consent(f"remove_vanished:{step.key[0]}", "; ".join(loses)),) if loses else ()

    def request(self, step: Step) -> Request:
        """The one call of a step. What was weighed is said, so that nobody's defaults change it meanwhile."""
        values = dict(step.inputs)
        parameters = {"scope": values["scope"], "remove-vanished": ";".join(values["remove-vanished"]) or "none"}
        if "enable-new" in values:
            parameters["enable-new"] = 1 if values["enable-new"] else 0
        return Request("POST", REALM.path_of("/access/domains/{realm}/sync", step.key), parameters)

    def values(self, observed: Mapping[Key, Thing], order: Order) -> Mapping[str, Any]:
        state = observed[(order.options["realm"],)].state
        return {name: list(state[name]) for name in ("users", "groups")}


REALM_SYNC = RealmSyncOperation(
    name="realm_sync",
    words=("remove_vanished",),
    fields=(
        text("realm", required=True),
        Field("scope", choices=("users", "groups", "both")),
        Field("remove_vanished", Unordered(separators=",; "), type="list", elements="str"),
        boolean("enable_new"),
        Field("newer_than", Duration()),
    ),
)
