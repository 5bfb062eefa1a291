# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Which snapshots stay: what no policy, no gap and no clock may lose."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.zfs.retention import (
    DAY,
    HOUR,
    PERIODS,
    Moment,
    Policy,
    at,
    due,
    kept,
    label,
)


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


NOW = utc("2026-11-22T08:25:00")
FULL = Policy(hourly=24, daily=7, weekly=4, monthly=12, yearly=2)


def every(step: int, count: int, now: int = NOW) -> list[Moment]:
    """A snapshot each `step` seconds up to now, the oldest first."""
    times = [now - step * back for back in range(count)][::-1]
    return [Moment(at(time), time, order) for order, time in enumerate(times)]


def names(moments) -> list[str]:
    return [one.name for one in moments]


def test_a_year_of_hours_comes_down_to_what_the_policy_says():
    keep, destroy = kept(every(HOUR, 24 * 400), FULL, NOW)
    hours = [f"2026-11-22T{hour:02}:25:00Z" for hour in range(9)]
    hours = [f"2026-11-21T{hour:02}:25:00Z" for hour in range(9, 24)] + hours
    days = [f"2026-11-{day}T23:25:00Z" for day in (16, 17, 18, 19, 20, 21)]
    weeks = ["2026-11-01T23:25:00Z", "2026-11-08T23:25:00Z", "2026-11-15T23:25:00Z"]  # the last of three Sundays
    months = [f"{month}T23:25:00Z" for month in ("2025-12-31", "2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30")]
    months += [f"2026-{day}T23:25:00Z" for day in ("05-31", "06-30", "07-31", "08-31", "09-30", "10-31")]
    assert names(keep) == sorted({*hours, *days, *weeks, *months})
    assert len(keep) + len(destroy) == 24 * 400


def test_after_a_gap_the_last_periods_that_have_one_stay():
    old = every(DAY, 30, NOW - 90 * DAY)
    fresh = Moment("fresh", NOW, 100)
    keep, destroy = kept([*old, fresh], Policy(daily=7), NOW)
    assert keep == (*old[-6:], fresh)
    assert destroy == tuple(old[:-6])


def test_a_clock_that_went_wrong_loses_nothing():
    hours = every(HOUR, 48)
    policy = Policy(hourly=24)
    # The battery is empty and it is 1970: all that is there lies in the future.
    assert kept(hours, policy, 1000) == (tuple(hours), ())
    # It was 2090 for an hour. What was taken then stays, and pushes nothing out.
    odd = Moment("odd", utc("2090-01-01T00:00:00"), 500)
    keep, destroy = kept([*hours, odd], policy, NOW)
    assert keep == (*hours[-24:], odd) and destroy == tuple(hours[:-24])
    # The clock jumps to 2090 and one is taken: a single period more, so a single snapshot less.
    assert kept([*hours, odd], policy, odd.created)[1] == tuple(hours[:-23])
    # The last one that the pool made stays, although its time says that it is the oldest.
    back = Moment("back", utc("2001-01-01T00:00:00"), 501)
    assert back in kept([*hours, back], policy, NOW)[0]


def test_held_ones_stay():
    hours = [Moment(one.name, one.created, one.order, held=one.order == 3) for one in every(HOUR, 48)]
    keep, _destroy = kept(hours, Policy(hourly=2), NOW)
    assert names(keep) == [hours[3].name, hours[46].name, hours[47].name]


def test_what_is_young_stays_whatever_the_policy():
    minutes = every(60, 300)
    keep, destroy = kept(minutes, Policy(yearly=1), NOW)
    assert len(keep) == 60 and keep[-1].created == NOW
    assert max(one.created for one in destroy) <= NOW - HOUR


def test_a_policy_that_keeps_nothing_destroys_nothing():
    hours = every(HOUR, 48)
    assert kept(hours, Policy(), NOW) == (tuple(hours), ())
    assert due(hours, Policy(), NOW) == ""


def test_no_daylight_saving_makes_a_day_shorter():
    """In Buenos Aires, Berlin or Auckland: hours are those of UTC, 24 a day."""
    for day in ("2026-03-29", "2026-10-25", "2026-04-05"):
        now = utc(f"{day}T23:59:00")
        taken = every(HOUR, 24, now)
        assert len({label("hourly", one.created) for one in taken}) == 24
        assert kept(taken, Policy(hourly=24), now)[1] == ()


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Policy(hourly=1, yearly=1), "2026-11-22T08Z"),
        (Policy(daily=1), "2026-11-22"),
        (Policy(weekly=1), "2026-W47"),
        (Policy(monthly=3), "2026-11"),
        (Policy(yearly=1), "2026"),
        (Policy(), ""),
    ],
)
def test_one_is_due_a_period(policy, expected):
    assert due([], policy, NOW) == expected
    if expected:
        assert due([Moment(expected, NOW - 5)], policy, NOW) == ""
        assert due([Moment("of somebody's making", NOW + 5)], policy, NOW) == "", "the clock went back a little"
        assert due([Moment(expected, 0)], policy, NOW) == "", "a name that is there cannot be taken twice"
        assert due([Moment("long ago", NOW - 400 * DAY)], policy, NOW) == expected


@pytest.mark.parametrize(
    ("day", "expected"), [("2027-01-03", "2026-W53"), ("2027-01-04", "2027-W01"), ("2026-11-22", "2026-W47")]
)
def test_a_week_begins_on_monday(day, expected):
    assert label("weekly", utc(f"{day}T12:00:00")) == expected


# --- what holds for all of them

TIMES = st.one_of(
    st.integers(0, 2**33),
    st.integers(NOW - 3 * DAY, NOW + DAY),
    st.integers(0, 400).map(lambda back: NOW - back * DAY),
)
MOMENTS = st.lists(st.tuples(TIMES, st.booleans()), max_size=40).flatmap(
    lambda rows: st.permutations(range(len(rows))).map(
        lambda orders: [Moment(f"s{n}", time, orders[n], held) for n, (time, held) in enumerate(rows)]
    )
)
COUNTS = st.integers(0, 8)
POLICIES = st.builds(Policy, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
CLOCKS = st.one_of(st.just(NOW), TIMES)
LENGTH = {"hourly": HOUR, "daily": DAY, "weekly": 7 * DAY, "monthly": 28 * DAY, "yearly": 365 * DAY}


@given(MOMENTS, POLICIES, CLOCKS)
def test_every_snapshot_is_decided_once(moments, policy, now):
    keep, destroy = kept(moments, policy, now)
    assert sorted(names(keep) + names(destroy)) == sorted(names(moments))


@given(MOMENTS, POLICIES, CLOCKS)
def test_nothing_held_nothing_young_nothing_of_the_future_and_never_the_newest_goes(moments, policy, now):
    _keep, destroy = kept(moments, policy, now)
    for one in destroy:
        assert not one.held and one.created <= now - HOUR
        assert any(other.order > one.order for other in moments)
        assert any(other.created >= one.created for other in moments if other is not one)


@given(MOMENTS, POLICIES, CLOCKS)
def test_nothing_younger_than_the_policy_goes(moments, policy, now):
    """A snapshot that is the newest of its period goes only when as many newer periods have one as the policy says."""
    keep, destroy = kept(moments, policy, now)
    for name in PERIODS:
        count = getattr(policy, name)
        stay = {label(name, one.created) for one in keep if one.created <= now}
        for one in destroy:
            if label(name, one.created) in stay:
                continue
            newer = {label(name, other.created) for other in keep if one.created < other.created <= now}
            assert len(newer) >= count
            # By the clock: nothing that is younger than `count` whole periods leaves its period empty.
            assert count == 0 or now - one.created >= (count - 1) * LENGTH[name]


@given(MOMENTS, POLICIES, CLOCKS)
def test_the_last_periods_that_have_one_keep_their_newest(moments, policy, now):
    keep, _destroy = kept(moments, policy, now)
    past = [one for one in moments if one.created <= now]
    for name in PERIODS:
        periods = {}
        for one in sorted(past, key=lambda one: (one.created, one.order)):
            periods[label(name, one.created)] = one
        newest = sorted(periods.values(), key=lambda one: one.created, reverse=True)
        assert set(newest[: getattr(policy, name)]) <= set(keep) or not policy.keeps


@given(MOMENTS, POLICIES, CLOCKS)
def test_pruning_twice_is_pruning_once(moments, policy, now):
    keep, _destroy = kept(moments, policy, now)
    assert kept(keep, policy, now) == (keep, ())


@given(MOMENTS, POLICIES, POLICIES, CLOCKS)
def test_a_larger_policy_keeps_all_that_a_smaller_one_keeps(moments, policy, more, now):
    larger = Policy(*(max(getattr(policy, name), getattr(more, name)) for name in PERIODS))
    assert not policy.keeps or set(kept(moments, policy, now)[0]) <= set(kept(moments, larger, now)[0])


@given(MOMENTS, POLICIES, st.integers(NOW, NOW + 400 * DAY))
def test_a_snapshot_that_went_would_never_have_come_back(moments, policy, later):
    """What is kept later was kept before: the policy only ever needs what it has."""
    keep, _destroy = kept(moments, policy, NOW)
    assert {one for one in kept(moments, policy, later)[0] if one.created <= NOW} <= set(keep)


@given(MOMENTS, POLICIES, CLOCKS)
def test_what_is_taken_when_due_is_not_due_again_and_stays(moments, policy, now):
    text = due(moments, policy, now)
    if text:
        taken = Moment(text, now, len(moments))
        assert due([*moments, taken], policy, now) == ""
        assert taken in kept([*moments, taken], policy, now)[0]
