# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Sets of transactions, as MySQL and as MariaDB write them. Pure.

MySQL names a transaction UUID:NUMBER or UUID:TAG:NUMBER, and a server says the whole set it has. MariaDB names one
DOMAIN-SERVER-NUMBER; numbers rise within a domain, and a server says the last it has of each server in each domain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Interval = tuple[int, int]
_UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
_TAG = re.compile(r"^[a-z_][a-z0-9_]{0,31}$")
_INTERVAL = re.compile(r"^(\d+)(?:-(\d+))?$")
_MARIADB = re.compile(r"^(\d+)-(\d+)-(\d+)$")


def _joined(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """In order, and none that touches another."""
    result: list[Interval] = []
    for first, last in sorted(intervals):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(result[-1][1], last))
        else:
            result.append((first, last))
    return tuple(result)


def _without(intervals: Iterable[Interval], others: Iterable[Interval]) -> tuple[Interval, ...]:
    left = list(intervals)
    for first, last in others:
        cut: list[Interval] = []
        for begin, end in left:
            if last < begin or end < first:
                cut.append((begin, end))
                continue
            if begin < first:
                cut.append((begin, first - 1))
            if last < end:
                cut.append((last + 1, end))
        left = cut
    return tuple(left)


@dataclass(frozen=True)
class GtidSet:
    """MySQL's. intervals: by UUID, or UUID:TAG, in lower case."""

    intervals: Mapping[str, tuple[Interval, ...]] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> GtidSet:
        """A set as a server writes it, line breaks included. ValueError for what is none."""
        found: dict[str, list[Interval]] = {}
        for part in text.replace("\n", "").split(","):
            words = [word.strip().lower() for word in part.split(":")]
            if words == [""]:
                continue
            source, tag = words[0], ""
            if not _UUID.match(source) or len(words) < 2:
                raise ValueError(f"{part.strip()!r} is not of the form UUID:NUMBERS")
            for word in words[1:]:
                numbers = _INTERVAL.match(word)
                if numbers:
                    first, last = int(numbers.group(1)), int(numbers.group(2) or numbers.group(1))
                    if not 1 <= first <= last:
                        raise ValueError(f"{word!r} counts no transactions")
                    found.setdefault(f"{source}{tag}", []).append((first, last))
                elif _TAG.match(word):
                    tag = f":{word}"
                else:
                    raise ValueError(f"{word!r} is neither numbers nor a tag")
        return cls({name: _joined(found[name]) for name in sorted(found)})

    def __str__(self) -> str:
        return ",".join(
            f"{name}:{':'.join(str(first) if first == last else f'{first}-{last}' for first, last in intervals)}"
            for name, intervals in sorted(self.intervals.items())
        )

    def __bool__(self) -> bool:
        return bool(self.intervals)

    def __or__(self, other: GtidSet) -> GtidSet:
        names = {*self.intervals, *other.intervals}
        parts = {name: (*self.intervals.get(name, ()), *other.intervals.get(name, ())) for name in sorted(names)}
        return GtidSet({name: _joined(intervals) for name, intervals in parts.items()})

    def __sub__(self, other: GtidSet) -> GtidSet:
        parts = {name: _without(self.intervals[name], other.intervals.get(name, ())) for name in self.intervals}
        return GtidSet({name: intervals for name, intervals in parts.items() if intervals})

    def __le__(self, other: GtidSet) -> bool:
        return not self - other

    @property
    def count(self) -> int:
        """How many transactions there are."""
        return sum(last - first + 1 for intervals in self.intervals.values() for first, last in intervals)

    def without_sources(self, uuids: Iterable[str]) -> GtidSet:
        """Less the transactions that began at these servers."""
        gone = {uuid.lower() for uuid in uuids}
        return GtidSet(
            {name: intervals for name, intervals in self.intervals.items() if name.partition(":")[0] not in gone}
        )


@dataclass(frozen=True)
class GtidState:
    """MariaDB's: the number of the last transaction by (domain, server)."""

    last: Mapping[tuple[int, int], int] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> GtidState:
        """As a server writes gtid_slave_pos, gtid_binlog_state and others. ValueError for what is none."""
        found: dict[tuple[int, int], int] = {}
        for part in text.replace("\n", "").split(","):
            if not part.strip():
                continue
            match = _MARIADB.match(part.strip())
            if not match:
                raise ValueError(f"{part.strip()!r} is not of the form DOMAIN-SERVER-NUMBER")
            domain, server, number = map(int, match.groups())
            found[domain, server] = max(number, found.get((domain, server), 0))
        return cls({key: found[key] for key in sorted(found)})

    def __str__(self) -> str:
        return ",".join(f"{domain}-{server}-{number}" for (domain, server), number in sorted(self.last.items()))

    def __bool__(self) -> bool:
        return bool(self.last)

    def __or__(self, other: GtidState) -> GtidState:
        keys = sorted({*self.last, *other.last})
        return GtidState({key: max(self.last.get(key, 0), other.last.get(key, 0)) for key in keys})

    def __sub__(self, other: GtidState) -> GtidState:
        """What is further here than there. How many transactions that is, cannot be known: other servers' take part
        in the same numbering."""
        return GtidState({key: number for key, number in self.last.items() if number > other.last.get(key, 0)})

    def __le__(self, other: GtidState) -> bool:
        return not self - other

    def without_servers(self, servers: Iterable[int]) -> GtidState:
        gone = set(servers)
        return GtidState({key: number for key, number in self.last.items() if key[1] not in gone})

    def highest(self) -> dict[int, int]:
        """The highest number by domain."""
        result: dict[int, int] = {}
        for (domain, _server), number in self.last.items():
            result[domain] = max(number, result.get(domain, 0))
        return result

    def behind(self, start: GtidState) -> dict[int, tuple[int, int]]:
        """The domains in which this position lies before where `start` begins: (number here, first number there)."""
        mine, begin = self.highest(), start.highest()
        return {domain: (mine.get(domain, 0), begin[domain]) for domain in begin if mine.get(domain, 0) < begin[domain]}
