# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Sent to the lab, every recorded parameter comes back as it came back from the recorded cluster."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import tally
from exceptions import ROWS
from round_trips import KINDS, RoundTrips, rows

GOAL = 0.95


@functools.cache
def outcomes() -> list[tuple[int, dict[str, Any], list[str]]]:
    """(number, row, differences) of all rows; they are played in order, on one lab."""
    player = RoundTrips()
    try:
        played = [(number, row, player.play(row)) for number, row in enumerate(rows())]
    finally:
        player.close()
    for number, row, different in played:
        tally.count("round trips: " + row["kind"], not different, (number, row["parameter"]) in ROWS)
    return played


@pytest.mark.parametrize("kind", KINDS)
def test_comes_back_as_recorded(kind: str) -> None:
    mine = [entry for entry in outcomes() if entry[1]["kind"] == kind]
    wrong = [entry for entry in mine if entry[2] and (entry[0], entry[1]["parameter"]) not in ROWS]
    assert mine
    assert not wrong, "\n".join(
        f"row {number} {row['method']} {row['parameter']}={row.get('sent')!r}: {'; '.join(different)}"
        for number, row, different in wrong
    )


def test_exceptions_are_needed() -> None:
    """An exception whose row comes back as recorded, or does not exist, goes."""
    different = {(number, row["parameter"]) for number, row, wrong in outcomes() if wrong}
    assert set(ROWS) - different == set()


def test_at_least_95_percent_are_equal() -> None:
    played = outcomes()
    assert sum(not different for _row, _exchange, different in played) >= GOAL * len(played)
