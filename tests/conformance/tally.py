# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Counts an area, printed at the end of the run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Count:
    total: int = 0
    equal: int = 0
    excepted: int = 0


AREAS: dict[str, Count] = {}


def count(area: str, equal: bool, excepted: bool) -> None:
    entry = AREAS.setdefault(area, Count())
    entry.total += 1
    entry.equal += equal
    entry.excepted += excepted


def line(name: str, entry: Count) -> str:
    share = 100 * entry.equal / entry.total
    return f"{name}: exchanges {entry.total}, equal {entry.equal} ({share:.1f}%), exceptions {entry.excepted}"


def lines() -> list[str]:
    """One line an area, and one for all."""
    if not AREAS:
        return []
    whole = Count(
        sum(e.total for e in AREAS.values()),
        sum(e.equal for e in AREAS.values()),
        sum(e.excepted for e in AREAS.values()),
    )
    return [*(line(name, entry) for name, entry in sorted(AREAS.items())), line("all", whole)]
