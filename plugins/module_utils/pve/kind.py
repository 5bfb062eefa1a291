# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A kind of thing in Proxmox VE: where the API lists, creates, reads, updates and deletes it.

Pure: a kind says which requests a step takes and what an answer means; the backend makes them. A kind that PVE treats
as a plain table is one RestKind value and no code.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import Kind
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    DELETE,
    Plan,
    Step,
    Thing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import ASSIGNED, Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key

Answers = Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """One writing request. What a path segment holds is quoted already."""

    method: str
    path: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PveKind(Kind):
    """What the PVE backend asks of a kind beyond planning. All of it pure."""

    def requests(self, step: Step) -> Sequence[Request]:
        """The writing requests of a step, in order; the backend waits for the task of each."""
        raise TypeError(f"{self.name} does not say how a step is written")

    def option_of(self, wire: str) -> str:
        """The option a user knows a parameter of the API by."""
        return next((row.name for row in self.fields if row.wire_name == wire), wire)

    def precheck_paths(self, plan: Plan, declared: Declaration) -> Sequence[str]:
        """What to read before the first write, to know what would be refused."""
        return ()

    def problems(self, plan: Plan, declared: Declaration, answers: Answers) -> Sequence[str]:
        """What would be refused, in the user's words; `answers` by path."""
        return ()

    def verify_paths(self, things: Mapping[Key, Thing], declared: Declaration) -> Sequence[str]:
        """What to read to know whether that which is declared also holds."""
        return ()

    def unmet(self, things: Mapping[Key, Thing], declared: Declaration, answers: Answers) -> Sequence[Unmet]:
        """What does not hold although everything is as declared."""
        return ()

    def resolve_paths(self, declared: Declaration) -> Sequence[str]:
        """What to read before identities can be looked up; nothing for kinds whose names are spelled one way."""
        return ()

    def resolve(self, declared: Declaration, answers: Answers) -> Declaration:
        return declared


@dataclass(frozen=True)
class RestKind(PveKind):
    """A table of PVE's.

    collection: GET lists it, POST creates one.  item: PUT and DELETE of one, with the identity in braces.
    detail: GET of one, where the list does not tell everything; `detailed` are the options only it shows.
    resent: parameters that every PUT must repeat.  parameters: extra parameters of the listing GET.
    emptied: PUT takes an empty value for what has none; otherwise `delete` names it.
    seen_at, seen_with: the path in PVE's tree of permissions and the privileges (any of them) that show one in the
    list; without them the list is empty and says nothing of it.
    """

    collection: str = ""
    item: str = ""
    detail: str = ""
    detailed: tuple[str, ...] = ()
    resent: tuple[str, ...] = ()
    parameters: tuple[tuple[str, Any], ...] = ()
    emptied: bool = False
    seen_at: str = ""
    seen_with: tuple[str, ...] = ()

    def path_of(self, template: str, key: Key) -> str:
        return template.format(**{name: quote(str(value), safe="") for name, value in zip(self.identity, key)})

    def place_of(self, key: Key) -> str:
        """Where one stands in PVE's tree of permissions."""
        return self.seen_at.format(**dict(zip(self.identity, key)))

    def rows_of(
        self, listing: Sequence[Mapping[str, Any]] | None, keys: Collection[Key] | None
    ) -> Sequence[Mapping[str, Any]]:
        """The things of this kind in what the collection lists. `keys`: what is looked for; None: all that matter."""
        return listing or ()

    def key_of(self, raw: Mapping[str, Any]) -> Key:
        rows = self.rows
        return tuple(rows[name].canonical(raw.get(rows[name].wire_name)) for name in self.identity)

    def decode(self, raw: Mapping[str, Any]) -> Thing:
        """What GET gives, as a state."""
        return Thing(decoded(self.option_rows, raw), {"digest": raw["digest"]} if "digest" in raw else {})

    def order(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """PVE's digests are those of a whole file: after our own first write the others' would be stale."""
        if len(steps) < 2:
            return steps
        return tuple(
            replace(step, facts={name: fact for name, fact in step.facts.items() if name != "digest"}) for step in steps
        )

    def requests(self, step: Step) -> Sequence[Request]:
        if step.action == DELETE:
            return (Request("DELETE", self.path_of(self.item, step.key)),)
        if step.action == CREATE:
            identity = {self.rows[name].wire_name: value for name, value in zip(self.identity, step.key)}
            return (Request("POST", self.collection, {**identity, **self.encode(step)}),)
        return (Request("PUT", self.path_of(self.item, step.key), self.encode(step)),)

    def encode(self, step: Step) -> dict[str, Any]:
        """The parameters of a create or update: what changes, what must be repeated, what is deleted."""
        after = step.after or {}
        values = {**after, **step.secrets, **step.inputs}
        names = set(step.options) | set(self.resent if step.before is not None else ())
        rows = [row for row in self.option_rows if row.name in names or row.name in step.secrets]
        parameters = encoded(rows, values)
        gone = deleted([row for row in rows if row.name in step.options], values)
        if step.before is not None:
            if gone and self.emptied:
                parameters.update(dict.fromkeys(gone, ""))
            elif gone:
                parameters["delete"] = ",".join(gone)
            if "digest" in step.facts:
                parameters["digest"] = step.facts["digest"]
        return parameters


def decoded(rows: Sequence[Field], raw: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a raw answer holds, canonical. What does not fit its form stays as PVE wrote it: reading a
    cluster must never fail on one odd value."""
    state: dict[str, Any] = {}
    for row in rows:
        if not row.compared:
            continue
        value = raw.get(row.wire_name)
        try:
            canonical = row.canonical(value)
        except ValueError:
            canonical = value
        if canonical is not None:
            state[row.name] = canonical
    return state


def encoded(rows: Sequence[Field], values: Mapping[str, Any]) -> dict[str, Any]:
    """The options that have a value, as parameters of the API."""
    parameters: dict[str, Any] = {}
    for row in rows:
        value = values.get(row.name)
        if value is None and row.written:
            value = row.effective(None)
        if value is not None and value != ASSIGNED:
            parameters[row.wire_name] = row.form.wire(value)
    return parameters


def deleted(rows: Sequence[Field], values: Mapping[str, Any]) -> list[str]:
    """The options that have none and can be without, by the API's names."""
    return sorted(row.wire_name for row in rows if values.get(row.name) is None and not row.written)


def by_key(kind: RestKind, listing: Sequence[Mapping[str, Any]] | None) -> dict[Key, Mapping[str, Any]]:
    return {kind.key_of(raw): raw for raw in listing or ()}


def selected(things: Mapping[Key, Any], keys: Collection[Key] | None) -> list[Key]:
    """The keys to look at: those asked for that exist, or all."""
    wanted = None if keys is None else set(keys)
    return [key for key in things if wanted is None or key in wanted]
