# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The lab answers what the recorded cluster answered."""

from __future__ import annotations

import functools

import pytest
import tally
from exceptions import EXCHANGES
from replay import Result, replay
from scenes import SCENES, Scene

GOAL = 0.95


@functools.cache
def results_of(number: int) -> list[Result]:
    results = replay(SCENES[number])
    for result in results:
        tally.count(result.area, not result.different, result.key in EXCHANGES)
    return results


def described(result: Result) -> str:
    return f"{result.key} {result.exchange.title[:200]}\n    " + "\n    ".join(text[:300] for text in result.different)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.file.removesuffix(".txt"))
def test_answers_as_recorded(scene: Scene) -> None:
    results = results_of(SCENES.index(scene))
    wrong = [result for result in results if result.different and result.key not in EXCHANGES]
    assert results
    assert not wrong, f"{len(wrong)} of {len(results)}:\n" + "\n".join(described(result) for result in wrong)


def test_exceptions_are_needed() -> None:
    """An exception whose exchange is equal, or does not exist, goes."""
    different = {r.key for number in range(len(SCENES)) for r in results_of(number) if r.different}
    assert set(EXCHANGES) - different == set()


def test_at_least_95_percent_are_equal() -> None:
    results = [result for number in range(len(SCENES)) for result in results_of(number)]
    equal = sum(not result.different for result in results)
    assert equal >= GOAL * len(results)
