# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Who may write."""

from __future__ import annotations

from filesync.generation import Held, files_after_claim, newest, older_files, refusal
from hypothesis import given
from hypothesis import strategies as st

HELD = st.builds(Held, st.integers(0, 9), st.sampled_from(["a", "b", "c"]))


@given(HELD, HELD)
def test_of_two_different_writers_one_is_refused_by_whoever_knows_the_other(one: Held, other: Held) -> None:
    """Never both, so files never go both ways."""
    if one != other:
        assert refusal(one, other) or refusal(other, one)
    else:
        assert refusal(one, other) == ""


@given(HELD, st.lists(HELD))
def test_one_more_than_the_newest_is_let_in_by_all(known: Held, others: list[Held]) -> None:
    claimed = Held(newest(known, others).generation + 1, "a")
    assert all(refusal(held, claimed) == "" for held in [known, *others])


def test_an_older_writer_is_told_who_holds_the_newer_generation() -> None:
    assert refusal(Held(8, "b"), Held(7, "a")) == "generation 8 is held by b, and a writes with generation 7"


def test_the_same_number_of_another_is_refused() -> None:
    assert refusal(Held(8, "b"), Held(8, "a"))


def test_only_the_origin_writes_first() -> None:
    assert older_files(0, Held(), "a", "a") == ""
    assert "first files are those of a" in older_files(0, Held(), "b", "a")


def test_a_side_without_the_newest_files_does_not_write() -> None:
    assert older_files(8, Held(8, "b"), "a", "a") == ""
    assert "b wrote generation 8" in older_files(7, Held(8, "b"), "a", "a")


def test_a_claim_makes_the_files_of_a_side_that_had_all_the_newest() -> None:
    assert files_after_claim(7, base=7, claimed=8) == 8
    assert files_after_claim(6, base=7, claimed=8) == 6
    assert files_after_claim(0, base=0, claimed=1) == 0, "nothing was ever received here"
