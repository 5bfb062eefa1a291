# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a guest is made of: its options and devices, as the API shows them and as a user writes them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import (
    RESET,
    Declaration,
    Item,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import State
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Answers, PveKind, decoded
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.family import Family

RUNNING, STOPPED, PAUSED = "running", "stopped", "paused"
# Options that are no parameters of the configuration: each has steps of its own.
OWN_STEPS = ("status", "template")


@dataclass(frozen=True)
class GuestTable(PveKind):
    """guest_type: PVE's word for it.  named_by: the option that holds its name.  families: its devices by slot.
    waits: what a running guest takes at its next start only (live.py).  created_with, cloned_with: the parameters that
    only creating and cloning take.  needed: the options without which none is created.

    A Thing's facts: `node`, `status`, `lock`, `ha` (managed by the HA manager), `digest`, `raw` (the configuration as
    it will be after a restart, by wire name), `waiting` (wire name -> what runs now and what waits).
    """

    guest_type: str = ""
    named_by: str = "name"
    families: tuple[Family, ...] = ()
    waits: Callable[[str, str | None, str | None, Mapping[str, object]], bool] = lambda *_: True
    created_with: tuple[str, ...] = ()
    cloned_with: tuple[str, ...] = ()
    needed: tuple[str, ...] = ("node",)

    # -- its parts --------------------------------------------------------------------------------------------------

    @cached_property
    def plain_rows(self) -> tuple[Field, ...]:
        """The options that are one parameter of the configuration each."""
        owned = {family.option for family in self.families}
        return tuple(
            row
            for row in self.option_rows
            if row.name not in owned and row.name not in OWN_STEPS and (row.compared or row.write_only)
        )

    @cached_property
    def plain_rows_by_wire(self) -> dict[str, Field]:
        return {row.wire_name: row for row in self.plain_rows}

    def family_of(self, wire: str) -> Family | None:
        return next((family for family in self.families if family.owns(wire)), None)

    def option_of(self, wire: str) -> str:
        family = self.family_of(wire)
        return f"{family.option} {wire}" if family else super().option_of(wire)

    def path(self, node: str, *more: object) -> str:
        segments = ("nodes", node, self.guest_type, *more)
        return "".join("/" + quote(str(segment), safe="") for segment in segments)

    # -- what PVE says ----------------------------------------------------------------------------------------------

    def state_of(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """A configuration by wire name as canonical options."""
        by_wire = self.plain_rows_by_wire
        state = decoded([by_wire[key] for key in raw if key in by_wire], raw)
        if raw.get("template") is not None and str(raw["template"]) == "1":
            state["template"] = True
        for family in self.families:
            slots = sorted(key for key in raw if family.owns(key))
            if slots:
                state[family.option] = {slot: family.decode(slot, str(raw[slot])) for slot in slots}
        return state

    def thing_of(self, entries: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> Thing:
        """GET …/pending as a Thing. `facts` brings node and what is known of status, lock, ha and pool."""
        raw: dict[str, Any] = {}
        waiting: dict[str, tuple[Any, Any]] = {}
        for entry in entries:
            key, now = entry["key"], entry.get("value")
            then = None if entry.get("delete") else entry.get("pending", now)
            if "pending" in entry or entry.get("delete"):
                waiting[key] = (now, then)
            if then is not None:
                raw[key] = then
        digest = raw.pop("digest", None)
        lock = raw.pop("lock", None) or facts.get("lock")
        if raw.get("vmgenid") == "(secret)":
            raw["vmgenid"] = facts.get("vmgenid")
        state = self.state_of(raw)
        state["node"] = facts["node"]
        for name in ("pool", "status"):
            if facts.get(name):
                state[name] = facts[name]
        known = {**facts, "raw": raw, "waiting": waiting, "lock": lock}
        return Thing(state, {**known, "digest": digest} if digest else known)

    # -- what an item is about --------------------------------------------------------------------------------------

    def changes(
        self, options: Iterable[str], after: State, raw: Mapping[str, Any]
    ) -> list[tuple[str, str | None, str | None]]:
        """(wire name, value now, value then) of what `options` changes."""
        result: list[tuple[str, str | None, str | None]] = []
        names = set(options)
        for row in self.plain_rows:
            if row.name in names and row.compared:
                old, new = raw.get(row.wire_name), after.get(row.name)
                result.append((row.wire_name, text_of(old), None if new is None else str(row.form.wire(new))))
        for family in self.families:
            if family.option in names:
                wanted = after.get(family.option) or {}
                for slot in sorted({key for key in raw if family.owns(key)} | set(wanted)):
                    old = text_of(raw.get(slot))
                    device = wanted.get(slot)
                    new = None if device is None else family.encode(slot, device, old)
                    if not same_device(family, slot, old, new):
                        result.append((slot, old, new))
        return result

    def wire_names(self, item: Item, declared: Declaration) -> frozenset[str] | None:
        """The parameters that an item is about; None for all."""
        if declared.unlisted_options == RESET:
            return None
        rows, by_wire = self.rows, self.plain_rows_by_wire
        names = {rows[name].wire_name for name in (*item.options, *item.reset)} & set(by_wire)
        for family in self.families:
            names.update(item.options.get(family.option) or ())
        return frozenset(names)

    @staticmethod
    def concerns(key: str, mine: frozenset[str] | None) -> bool:
        return mine is None or key in mine

    # -- what does not hold -----------------------------------------------------------------------------------------

    def unmet(self, things: Mapping[Key, Thing], declared: Declaration, answers: Answers) -> Sequence[Unmet]:
        result = []
        hidden = {row.wire_name for row in self.fields if row.write_only}
        for item in declared.items:
            thing = things.get(item.key)
            if thing is None or thing.facts.get("status") == STOPPED:
                continue
            mine = self.wire_names(item, declared)
            for key, (now, then) in sorted(thing.facts.get("waiting", {}).items()):
                if self.concerns(key, mine) and key not in hidden:
                    what = self._waits_text(key, now, then)
                    result.append(
                        Unmet(
                            f"{what[0]} waits for a restart of {self.described(item.key)} (now {what[1]}); allow "
                            "restart_guest to have it restarted"
                        )
                    )
        return result

    def _waits_text(self, key: str, now: Any, then: Any) -> tuple[str, str]:
        option = self.option_of(key)
        if self.family_of(key):
            return (f"removal of {option}" if then is None else f"{option} {then}"), ("none" if now is None else now)
        return f"{option} {'(back to the default)' if then is None else then}", ("the default" if now is None else now)


def is_unused(slot: str) -> bool:
    return slot.startswith("unused")


def text_of(value: Any) -> str | None:
    return None if value is None else str(value)


def same_device(family: Family, slot: str, old: str | None, new: str | None) -> bool:
    if old is None or new is None:
        return old == new
    return family.pairs(old) == family.pairs(new) or _effective(family, slot, old) == _effective(family, slot, new)


def _effective(family: Family, slot: str, raw: str) -> dict[str, Any]:
    state = family.decode(slot, raw)
    return {row.name: row.effective(state.get(row.name)) for row in family.fields}
