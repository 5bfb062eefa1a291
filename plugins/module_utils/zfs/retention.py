# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Which snapshots a policy keeps, and whether one is due. Pure, and total: no clock is asked, and none is trusted.

Time is seconds since 1970 in UTC and is cut into hours, days, weeks from Monday, months and years of UTC, so that no
time zone and no daylight saving makes a day of 23 hours. A policy counts periods that have a snapshot, not time that
passed: after a gap of three months the last seven days that have one are still kept. The newest of a period stands for
it.

Clocks go wrong, so a wrong clock must never lose anything: what lies in the future is kept and counts for nothing, and
the order in which the pool made the snapshots (`order`) says which is the newest, whatever their times say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta, timezone
from typing import Callable

HOUR, DAY = 3600, 86400
# Whatever a policy says, what is as young as this stays: somebody may just have made it by hand.
YOUNG = HOUR
# 1970-01-01 was a Thursday.
_TO_MONDAY = 3
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# The last second that datetime knows; a clock beyond it is wrong anyway.
_LAST = 253402300799


@dataclass(frozen=True)
class Moment:
    """One snapshot. created: seconds since 1970.  order: the pool's transaction it was made in, ever growing.
    held: by somebody (`zfs hold`), or there is a clone of it: it cannot be destroyed."""

    name: str
    created: int
    order: int = 0
    held: bool = False


@dataclass(frozen=True)
class Policy:
    """Of how many periods one snapshot is kept. 0: none of these."""

    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0

    @property
    def keeps(self) -> bool:
        """Whether it keeps anything at all."""
        return self.finest != ""

    @property
    def finest(self) -> str:
        """The shortest period it keeps, which is how often a snapshot is due; empty where it keeps nothing."""
        return next((name for name in PERIODS if getattr(self, name) > 0), "")


PERIODS: tuple[str, ...] = tuple(row.name for row in fields(Policy))


def kept(snapshots: Iterable[Moment], policy: Policy, now: int) -> tuple[tuple[Moment, ...], tuple[Moment, ...]]:
    """(what stays, what goes), each in the order of `snapshots`. All of them are the policy's own: those of others are
    not to be passed. A policy that keeps nothing destroys nothing."""
    everything = tuple(snapshots)
    if not policy.keeps or not everything:
        return everything, ()
    staying = {one for one in everything if one.held or one.created > now - YOUNG}
    past = sorted((one for one in everything if one.created <= now), key=_age)
    staying.update(past[-1:])
    staying.add(max(everything, key=lambda one: (one.order, one.created, one.name)))
    for name in PERIODS:
        staying.update(_newest_of_periods(past, _PERIOD_OF[name], getattr(policy, name)))
    return (
        tuple(one for one in everything if one in staying),
        tuple(one for one in everything if one not in staying),
    )


def due(snapshots: Iterable[Moment], policy: Policy, now: int) -> str:
    """What a snapshot that is due now would be called after the prefix, such as 2026-11-22T08Z: its period in ISO 8601.
    Empty where none is due, because the period has one already."""
    name = policy.finest
    if not name:
        return ""
    period, text = _PERIOD_OF[name](now), label(name, now)
    if any(_PERIOD_OF[name](one.created) == period or one.name == text for one in snapshots):
        return ""
    return text


def label(period: str, moment: int) -> str:
    """A period by the name its snapshot bears: 2026-11-22T08Z, 2026-11-22, 2026-W47, 2026-11, 2026."""
    when = _utc(moment)
    if period == "weekly":
        year, week, _weekday = when.isocalendar()
        return f"{year:04}-W{week:02}"
    return when.strftime(_FORMATS[period])


def _newest_of_periods(past: Iterable[Moment], period_of: Callable[[int], int], count: int) -> Iterable[Moment]:
    """The newest snapshot of each of the last `count` periods that have one. `past`: the oldest first."""
    newest: Mapping[int, Moment] = {period_of(one.created): one for one in past}
    return (newest[period] for period in sorted(newest, reverse=True)[: max(0, count)])


def _age(one: Moment) -> tuple[int, int, str]:
    return one.created, one.order, one.name


def _utc(moment: int) -> datetime:
    return _EPOCH + timedelta(seconds=min(max(moment, 0), _LAST))


def _month(moment: int) -> int:
    when = _utc(moment)
    return when.year * 12 + when.month - 1


_PERIOD_OF: Mapping[str, Callable[[int], int]] = {
    "hourly": lambda moment: moment // HOUR,
    "daily": lambda moment: moment // DAY,
    "weekly": lambda moment: (moment // DAY + _TO_MONDAY) // 7,
    "monthly": _month,
    "yearly": lambda moment: _utc(moment).year,
}
_FORMATS = {"hourly": "%Y-%m-%dT%HZ", "daily": "%Y-%m-%d", "monthly": "%Y-%m", "yearly": "%Y"}


def at(moment: int) -> str:
    """A time as people and programs read it, in UTC: 2026-11-22T08:00:00Z. Empty for one that no calendar has."""
    return _utc(moment).strftime("%Y-%m-%dT%H:%M:%SZ") if 0 <= moment <= _LAST else ""
