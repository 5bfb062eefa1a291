# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What is taken away, and what never is."""

from __future__ import annotations

from databasebackup.prune import DAY, Kept, going, logs_going
from databasebackup.retention import Policy
from hypothesis import given
from hypothesis import strategies as st

NOW = 1_800_000_000.0
DAILY = Policy(daily=3)
verdicts = st.sampled_from([True, False, None])
ages = st.floats(0, 400 * DAY)


@st.composite
def stores(draw: st.DrawFn) -> list[Kept]:
    found = draw(st.lists(st.tuples(ages, verdicts), max_size=20))
    return [Kept(f"b{n}", NOW - age, verdict) for n, (age, verdict) in enumerate(found)]


policies = st.builds(Policy, *(st.integers(0, 5) for _field in range(5)))


@given(stores(), policies)
def test_the_newest_that_is_verified_is_never_taken_away(those: list[Kept], policy: Policy) -> None:
    gone = set(going(those, policy, NOW))
    good = [one for one in those if one.verified]
    if not good:
        assert not gone
    else:
        assert max(good, key=lambda one: (int(one.taken), one.name)).name not in gone


@given(stores(), policies)
def test_the_second_time_nothing_more_goes(those: list[Kept], policy: Policy) -> None:
    gone = set(going(those, policy, NOW))
    left = [one for one in those if one.name not in gone]
    assert going(left, policy, NOW) == []


def test_what_is_not_verified_counts_for_nothing_and_is_kept_for_a_week() -> None:
    good = [Kept(f"day{n}", NOW - n * DAY, True) for n in range(5)]
    others = [
        Kept("damaged, new", NOW - DAY, False),
        Kept("damaged, old", NOW - 8 * DAY, False),
        Kept("untried", NOW - 2 * DAY, None),
    ]
    assert sorted(going([*good, *others], DAILY, NOW)) == ["damaged, old", "day3", "day4"]
    # Nothing works: nothing goes.
    assert going(others, DAILY, NOW) == []


def test_where_nothing_can_be_verified_what_is_not_known_to_be_damaged_counts() -> None:
    those = [Kept(f"day{n}", NOW - n * DAY, None) for n in range(5)]
    assert going(those, DAILY, NOW) == []
    assert going(those, DAILY, NOW, unverifiable=True) == ["day3", "day4"]


def test_a_log_goes_when_a_verified_backup_from_before_the_window_has_what_is_in_it() -> None:
    logs = [(f"log{n}", NOW - n * DAY) for n in range(1, 30, 7)]  # 1, 8, 15, 22, 29 days
    assert logs_going(logs, [], 14, NOW) == []
    assert logs_going(logs, [Kept("new", NOW - 2 * DAY, True)], 14, NOW) == []
    assert logs_going(logs, [Kept("untried", NOW - 16 * DAY, None)], 14, NOW) == []
    assert logs_going(logs, [Kept("base", NOW - 16 * DAY, True)], 14, NOW) == ["log22", "log29"]


@given(st.lists(ages, max_size=10), stores(), st.integers(0, 30))
def test_no_second_of_the_window_is_lost(lasts: list[float], those: list[Kept], days: int) -> None:
    """A restoration to any of them begins with a verified backup, and needs what was written after it."""
    logs = [(str(n), NOW - age) for n, age in enumerate(lasts)]
    gone = set(logs_going(logs, those, days, NOW))
    bases = [one.taken for one in those if one.verified]
    window = NOW - days * DAY
    before = max((taken for taken in bases if taken <= window), default=None)
    for name, last in logs:
        if name in gone:
            assert before is not None
            assert last < before
