# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Notes in the cluster's own file system, which every node sees and a run that was killed leaves behind. Pure.

A note may have an owner. Whoever else writes or removes it takes it away from somebody, and needs consent for that: so
a note is also what keeps two runs from doing the same at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Operation, Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Consent, Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key

READ, WRITE, REMOVE = "read", "write", "remove"
TAKE_NOTE = "take_note"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?")
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/-]{0,199}")
# Whoever owns a note that cannot be read.
UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Note:
    owner: str = ""
    content: Optional[Mapping[str, Any]] = None


@dataclass(frozen=True)
class Document:
    """A mapping as JSON carries it."""

    def canonical(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError("it is not a mapping")
        try:
            return json.loads(json.dumps(value, sort_keys=True, allow_nan=False)) or None
        except (TypeError, ValueError):
            raise ValueError("it holds what JSON does not carry") from None

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class NoteOperation(Operation):
    def check(self, order: Order) -> None:
        name, owner = str(order.options["name"]), str(order.options.get("owner") or "")
        if not _NAME.fullmatch(name):
            raise InvalidInput(
                f"name: {name!r} is no name for a note.", hint="Use up to 64 small letters, digits, dots and dashes."
            )
        if owner and (not _OWNER.fullmatch(owner) or owner == UNREADABLE):
            raise InvalidInput(f"owner: {owner!r} is no owner.", hint="Use letters, digits and . _ : @ / -, no blanks.")

    def plan(self, observed: Mapping[Key, Thing], order: Order) -> Plan:
        key: Key = (order.options["name"],)
        now = observed[key].state if key in observed else None
        action = order.options["action"]
        wanted = shown(Note(str(order.options.get("owner") or ""), order.options.get("content")))
        if action == READ or (action == WRITE and now == wanted) or (action == REMOVE and now is None):
            return Plan()
        after = wanted if action == WRITE else None
        facts = {"owner": str(order.options.get("owner") or "")}
        return Plan((Step(action, "note", key, before=now, after=after, facts=facts),))

    def consents(self, step: Step) -> Sequence[Consent]:
        holder = str((step.before or {}).get("owner") or "")
        if not holder or holder == step.facts["owner"]:
            return ()
        loses = f"it belongs to {holder}, who relies on it being as it is"
        return (Consent(f"{TAKE_NOTE}:{holder}", loses),)

    def values(self, observed: Mapping[Key, Thing], order: Order) -> Mapping[str, Any]:
        thing = observed.get((order.options["name"],))
        state = thing.state if thing else {}
        return {"note": {"exists": thing is not None, "owner": "", "content": {}, **state}}


def shown(note: Note) -> dict[str, Any]:
    return {"owner": note.owner, "content": dict(note.content or {})}


def written(note: Note) -> bytes:
    return (json.dumps(shown(note), indent=1, sort_keys=True) + "\n").encode()


def parsed(text: bytes) -> Note:
    """A note from its file. One that is no note belongs to UNREADABLE, so that nobody goes over it unasked."""
    try:
        found = json.loads(text)
        return Note(str(found["owner"]), dict(found["content"]))
    except (ValueError, KeyError, TypeError):
        return Note(UNREADABLE, {})


NOTE = NoteOperation(
    name="note",
    words=(TAKE_NOTE,),
    fields=(
        Field("name", required=True),
        Field("action", choices=(READ, WRITE, REMOVE), default=READ),
        Field("owner"),
        Field("content", Document(), type="dict"),
    ),
)
