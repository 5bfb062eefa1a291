# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Where the seconds went, from Pacemaker's logs of the hosts that are still there."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from lab.failover.line import Split
from lab.hosts import Host

LOG = "/var/log/pacemaker/pacemaker.log"
_LINES = "4000"
_STAMP = re.compile(r"(\w{3} \d\d \d\d:\d\d:\d\d\.\d{3}) .*?(?:notice|warning|error): (.*)")
# What tells that something is wrong, or is to move.
_NOTICED = re.compile(
    r"Result of monitor operation for \S+ on \S+: (?!ok|not running)|state is now lost|"
    r"Initiating stop operation writer_stop_0"
)
_FENCED = re.compile(r"Operation '(?:off|reboot)'.* targeting \S+ .*: OK")
_PROMOTED = re.compile(r"Result of start operation for writer on (\S+): ok")


@dataclass(frozen=True)
class Event:
    """`when`: seconds of the monotonic clock."""

    when: float
    host: str
    text: str


def events(hosts: Iterable[Host], since: float) -> list[Event]:
    """What Pacemaker wrote after that moment, on the hosts that run, in order."""
    found = []
    for host in hosts:
        if host.powered:
            text = host.run("tail", "-n", _LINES, LOG, check=False).stdout
            found += [event for event in parse(text, host.name) if event.when >= since]
    return sorted(found, key=lambda event: event.when)


def parse(text: str, host: str) -> list[Event]:
    offset = time.monotonic() - time.time()
    year = datetime.now(tz=UTC).year
    found = []
    for line in text.splitlines():
        match = _STAMP.match(line)
        if match:
            moment = datetime.strptime(f"{year} {match[1]} +0000", "%Y %b %d %H:%M:%S.%f %z")
            found.append(Event(moment.timestamp() + offset, host, match[2]))
    return found


def split(told: list[Event], fault: float, served: float) -> Split:
    """Each step begins where the one before it ended. What was not told took no time that can be named."""
    noticed = _first(told, _NOTICED, fault, served)
    promoted = _last(told, _PROMOTED, fault, served)
    fenced = _last(told, _FENCED, noticed or fault, promoted or served)
    steps: list[float | None] = []
    at = fault
    for moment in (noticed, fenced, promoted, served):
        steps.append(None if moment is None else max(0.0, moment - at))
        at = max(at, moment or at)
    return Split(*steps)


def _first(told: list[Event], what: re.Pattern[str], since: float, until: float) -> float | None:
    return next((each.when for each in told if since <= each.when <= until and what.search(each.text)), None)


def _last(told: list[Event], what: re.Pattern[str], since: float, until: float) -> float | None:
    return _first(told[::-1], what, since, until)
