# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What is taken away: backups by the policy, logs when a verified backup has all that is in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Optional

from databasebackup import backups
from databasebackup.retention import Moment, Policy, kept
from databasebackup.settings import Places, Settings

DAY = 86400
# What could not be verified is kept for a while: somebody may want to know why.
UNVERIFIED_DAYS = 7


@dataclass(frozen=True)
class Kept:
    """taken: seconds since 1970.  verified: as in Backup."""

    name: str
    taken: float
    verified: Optional[bool]


def going(those: Sequence[Kept], policy: Policy, now: float, *, unverifiable: bool = False) -> list[str]:
    """The names of the backups that go. unverifiable: nothing can be verified on this host, so what is not known to be
    damaged counts. While none counts, nothing goes."""
    good = [one for one in those if one.verified or (unverifiable and one.verified is None)]
    if not good:
        return []
    newest = max(one.taken for one in good)
    _staying, leaving = kept([Moment(one.name, int(one.taken)) for one in good], policy, int(now))
    old = [
        one.name for one in those if one not in good and one.taken < newest and one.taken < now - UNVERIFIED_DAYS * DAY
    ]
    return [*(moment.name for moment in leaving), *old]


def logs_going(last_times: Iterable[tuple[str, float]], those: Sequence[Kept], days: int, now: float) -> list[str]:
    """The names of the logs that no restoration to a time since that many days can need. last_times: of each log, when
    its last transaction was committed, or when it was received where there is none."""
    window = now - days * DAY
    bases = [one.taken for one in those if one.verified and one.taken <= window]
    # The newest backup from before the window is where a restoration to its beginning begins.
    return [name for name, last in last_times if bases and last < max(bases)]


def prune(settings: Settings, places: Places) -> list[str]:
    """What was taken away."""
    found = backups.listed(settings)
    those = [Kept(one.name, one.taken, one.verified) for one in found]
    names = set(going(those, settings.policy, backups.now(), unverifiable=not readable(settings, places)))
    for one in found:
        if one.name in names:
            backups.remove(one)
    return sorted(names)


def readable(settings: Settings, places: Places) -> bool:
    """Whether this host can read its own backups."""
    return not settings.encrypted or places.identity.exists()
