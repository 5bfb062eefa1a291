# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""One line a fault: what it cost and what was lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Split:
    """Where the seconds went. None: there was no such step, or nobody noted it.

    detect   from the fault until the cluster had noticed it
    fence    until the lost node was certainly off
    promote  until the new writer took writes
    serve    until the client had an acknowledgement again
    """

    detect: float | None = None
    fence: float | None = None
    promote: float | None = None
    serve: float | None = None

    def words(self) -> list[str]:
        return [_seconds(each) for each in (self.detect, self.fence, self.promote, self.serve)]


@dataclass(frozen=True)
class Line:
    """`seconds`: from the fault to the first acknowledged write after it; where it is planned or nothing moves, the
    longest pause."""

    fault: str
    server: str
    seconds: float | None
    split: Split
    acknowledged: int
    present: int
    missing: int
    holders: int
    writers: int
    outcome: str = ""
    problems: tuple[str, ...] = field(default=())


HEADINGS = (
    "fault",
    "seconds",
    "detect",
    "fence",
    "promote",
    "serve",
    "acknowledged",
    "present",
    "missing",
    "holders",
    "writers",
)


def table(lines: Iterable[Line]) -> str:
    """As text, in columns; a line's outcome stands below it."""
    rows = [(line, _cells(line)) for line in lines]
    widths = [max([len(heading), *(len(cells[at]) for _line, cells in rows)]) for at, heading in enumerate(HEADINGS)]
    text = [_row(list(HEADINGS), widths)]
    for line, cells in rows:
        text.append(_row(cells, widths))
        text += [f"    {words}" for words in (line.outcome, *line.problems) if words]
    return "\n".join(text)


def _cells(line: Line) -> list[str]:
    numbers = (line.acknowledged, line.present, line.missing, line.holders, line.writers)
    return [line.fault, _seconds(line.seconds), *line.split.words(), *map(str, numbers)]


def _row(cells: list[str], widths: list[int]) -> str:
    first, *rest = [
        cell.ljust(width) if at == 0 else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join([first, *rest]).rstrip()


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
