# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""tests/data/pve/roundtrip.json.gz: what was sent to a real cluster, parameter by parameter, and what came back."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[2] / "data" / "pve" / "roundtrip.json.gz"


@dataclass(frozen=True)
class Row:
    """One recorded row. `base` is the thing as it was read after it had been created, `creating` what it was created
    with; both are of the last such row before this one."""

    number: int
    raw: Mapping[str, Any]
    base: Mapping[str, Any]
    creating: Mapping[str, Any]

    @property
    def kind(self) -> str:
        return str(self.raw["kind"])

    @property
    def type(self) -> str:
        return str(self.raw["type"] or "")

    @property
    def parameter(self) -> str:
        return str(self.raw["parameter"])

    @property
    def sent(self) -> Any:
        return self.raw["sent"]

    @property
    def accepted(self) -> bool:
        return self.raw.get("status") == 200

    @property
    def creates(self) -> bool:
        return self.raw["method"] == "POST" and not (self.kind.endswith("/config"))

    @property
    def beside(self) -> dict[str, Any]:
        """What was sent in the same call."""
        return {name: value for name, value in (self.raw.get("with") or {}).items() if name != "delete"}

    @property
    def deleted_beside(self) -> list[str]:
        return [name for name in str((self.raw.get("with") or {}).get("delete", "")).split(",") if name]

    @property
    def before(self) -> dict[str, Any]:
        """The thing without the parameter and what was sent with it."""
        absent = {self.parameter, *self.beside}
        return {name: value for name, value in self.base.items() if name not in absent}

    @property
    def after(self) -> dict[str, Any]:
        """The thing as GET then showed it."""
        if "object_after" in self.raw:
            return dict(self.raw["object_after"])
        result = {**self.before, **self.beside, self.parameter: self.raw.get("returned_by_get")}
        gone = self.deleted_beside
        return {name: value for name, value in result.items() if value is not None and name not in gone}

    def __str__(self) -> str:
        return f"row {self.number}: {self.kind} {self.type} {self.parameter}={self.sent!r} ({self.raw.get('method')})"


def rows(kinds: Mapping[str, Any]) -> Iterator[Row]:
    """The rows of these kinds, accepted or not, in the order of the recording."""
    with gzip.open(DATA, "rt", encoding="utf-8") as file:
        recorded = json.load(file)["rows"]
    base: dict[tuple[str, Any], Mapping[str, Any]] = {}
    creating: dict[tuple[str, Any], Mapping[str, Any]] = {}
    for number, raw in enumerate(recorded):
        if raw["kind"] not in kinds:
            continue
        place = (raw["kind"], raw["type"])
        if raw["parameter"] == "(create)" and raw.get("status") == 200:
            base[place], creating[place] = raw.get("returned_by_get") or {}, raw["sent"]
        yield Row(number, raw, base.get(place, {}), creating.get(place, {}))
