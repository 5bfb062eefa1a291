# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Devices of a guest that are matched by slot: disks, network cards, mount points, passed-through devices.

PVE holds each as one property string under the slot's name; the user writes a list of mappings. A family is how one
becomes the other. All of it pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import ASSIGNED, Field

PRESENT, DETACHED, ABSENT = "present", "detached", "absent"
Options = Mapping[str, Any]


@dataclass(frozen=True)
class Family:
    """option: the name of the list.  slots: the pattern of slot names.  fields: the options of one device.
    bare: the key that PVE writes without its name, first.  handled: options that `joined` writes itself."""

    option: str
    slots: str
    fields: tuple[Field, ...]
    bare: str = ""
    handled: tuple[str, ...] = ()

    @cached_property
    def rows(self) -> dict[str, Field]:
        return {row.name: row for row in self.fields}

    def field(self) -> Field:
        return Field(self.option, type="list", elements="dict", key="slot", fields=self.fields, kept=True)

    def owns(self, slot: str) -> bool:
        return re.fullmatch(self.slots, slot) is not None

    # -- what PVE holds ---------------------------------------------------------------------------------------------

    def pairs(self, raw: str) -> dict[str, str]:
        """The keys of a property string as PVE writes them, the bare one under its own name."""
        result: dict[str, str] = {}
        for part in str(raw).split(","):
            key, equals, text = part.partition("=")
            if equals:
                result[key] = text
            elif part:
                result[self.bare] = part
        return result

    def decode(self, slot: str, raw: str) -> dict[str, Any]:
        """The canonical options of a slot. What does not fit its form stays as PVE wrote it."""
        pairs = self.pairs(raw)
        state: dict[str, Any] = {}
        for row in self.fields:
            if row.wire_name not in pairs or not row.compared:
                continue
            value = pairs[row.wire_name]
            try:
                canonical = row.canonical(value)
            except ValueError:
                canonical = value
            if canonical is not None:
                state[row.name] = canonical
        return self.interpreted(slot, state, pairs)

    def encode(self, slot: str, wanted: Options, raw: str | None) -> str:
        """The property string that makes the slot what `wanted` says. What PVE holds and no option is for stays."""
        pairs = self.pairs(raw) if raw is not None else {}
        for row in self.fields:
            if row.name in ("slot", "state") or row.name in self.handled or not row.compared:
                continue
            value = wanted.get(row.name)
            if value is None:
                pairs.pop(row.wire_name, None)
            elif value != ASSIGNED:
                pairs[row.wire_name] = str(row.form.wire(value))
        return self.joined(slot, wanted, pairs, raw)

    def written(self, first: str, pairs: Mapping[str, str]) -> str:
        return ",".join([first, *(f"{key}={pairs[key]}" for key in sorted(pairs))])

    # -- hooks ------------------------------------------------------------------------------------------------------

    def interpreted(self, slot: str, state: dict[str, Any], pairs: Mapping[str, str]) -> dict[str, Any]:
        """The state with what PVE leaves between the lines."""
        return state

    def joined(self, slot: str, wanted: Options, pairs: dict[str, str], raw: str | None) -> str:
        first = pairs.pop(self.bare, None)
        return self.written(f"{first}" if self.bare else "", pairs)

    def check(self, slot: str, given: Options) -> None:
        """What is wrong with a listed device whatever the system holds."""

    def check_new(self, slot: str, given: Options) -> None:
        """What a device needs to be made."""

    def completed(self, slot: str, given: Options) -> dict[str, Any]:
        """A new device with what is understood when it is left out."""
        return dict(given)

    def settled(self, slot: str, given: Options, now: Options) -> dict[str, Any]:
        """What was asked for, in view of the device that is there: what PVE chose for it counts as asked for."""
        return dict(given)

    def of_clone(self, now: Options, storage: str | None) -> dict[str, Any]:
        """The device as it will be in a clone."""
        return {name: ASSIGNED if self.rows[name].assigned else value for name, value in now.items()}

    # -- for all ----------------------------------------------------------------------------------------------------

    def check_slot(self, slot: str, given: Options) -> None:
        if not self.owns(slot):
            raise InvalidInput(f"{self.option}: {slot!r} is no slot for it.", hint=f"Slots are {self.described_slots}.")
        self.check(slot, given)

    @property
    def described_slots(self) -> str:
        return "named in the module's documentation"


def left_out(given: Options) -> bool:
    """Whether an item asks for the device not to be there."""
    return given.get("state") not in (None, PRESENT)
