# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Which backup and which parts of which logs make the database of a given second. Pure.

Logs come in sessions: what one server sent over one connection, log after log without a gap. A server that became the
writer later says at the beginning of its log what was before it. What an earlier writer logged and this one does not
know never happened: nobody was told that it did. So the newest session is the history, and earlier ones count only as
far as it knows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Optional

from databasebackup.events import Group
from databasebackup.gtid import GtidState
from databasebackup.positions import (
    Position,
    Transaction,
    begins_within,
    dumped,
    includes,
    joined,
    last_by_domain,
    within,
)


@dataclass(frozen=True)
class Log:
    """read: its transactions, in order.  previous, contained: as its summary has them."""

    name: str
    previous: Position
    contained: Position
    read: Callable[[], Sequence[Group]] = field(compare=False)
    last_time: int = 0


@dataclass(frozen=True)
class Session:
    """until: up to when everything that the writer had logged is in it, in seconds since 1970."""

    name: str
    logs: tuple[Log, ...]
    until: float = 0.0

    @property
    def start(self) -> Position:
        return self.logs[0].previous

    @property
    def end(self) -> Position:
        return self.logs[-1].contained


@dataclass(frozen=True)
class Backup:
    """taken: a moment at which the dump already stood still, in seconds since 1970."""

    name: str
    taken: float
    position: Position


@dataclass(frozen=True)
class Part:
    """Bytes of a log, from one transaction's start to another's end."""

    session: str
    log: str
    start: int
    end: int


@dataclass(frozen=True)
class Recipe:
    """backup, then parts in their order. last: the last transaction of them, and its time; None, 0 without any.
    position: what the server then has.  rest: whether there is more after it.  passed_over: newer backups that are not
    part of this history."""

    backup: Backup
    parts: tuple[Part, ...]
    transactions: int
    position: str
    last: Optional[Transaction] = None
    last_time: int = 0
    rest: bool = False
    passed_over: tuple[str, ...] = ()


@dataclass(frozen=True)
class Impossible(Exception):
    """Why there is none, in a person's words."""

    why: str

    def __str__(self) -> str:
        return self.why


LATEST = float("inf")


def recipe(
    backups: Iterable[Backup], sessions: Sequence[Session], to: float, *, at: Callable[[float], str] = str
) -> Recipe:
    """to: the last second that is to be there, since 1970, or LATEST. sessions: the oldest first. at: how a time is
    told. Raises Impossible."""
    candidates = sorted((one for one in backups if one.taken <= to), key=lambda one: one.taken, reverse=True)
    if not candidates:
        raise Impossible(
            f"There is no verified backup from before {at(to)}." if to != LATEST else "There is no verified backup."
        )
    usable = [session for session in sessions if session.logs]
    reasons: list[str] = []
    passed_over: list[str] = []
    for backup in candidates:
        # The newest session knows best; without it, what an earlier one knew may still do for an earlier time.
        for count in range(len(usable), 0, -1):
            if to == LATEST and count < len(usable):
                break
            chain = _chain(usable[:count])
            if not begins_within(chain.start, backup.position):
                reasons.append(f"between the backup {backup.name} and the log {chain.first} transactions are missing")
                continue
            if to != LATEST and to > chain.until and chain.last_time <= to:
                reasons.append(
                    f"the logs reach to {at(chain.until)} only (say latest for what there is)"
                    if count == len(usable)
                    else f"transactions are missing after {at(chain.until)}"
                )
                continue
            found = _followed(backup, chain, to)
            if found is None:
                passed_over.append(backup.name)
                break
            return Recipe(**{**found.__dict__, "passed_over": tuple(passed_over)})
        if not usable and (to == LATEST or to <= backup.taken):
            return Recipe(backup, (), 0, last_by_domain(backup.position, []))
        if not usable:
            reasons.append("there are no binary logs here")
    if passed_over and not reasons:
        reasons.append(f"{', '.join(passed_over)} hold what is no part of the history in the logs")
    raise Impossible(f"{_what(to, at)} cannot be restored: {'; '.join(dict.fromkeys(reasons))}.")


def _what(to: float, at: Callable[[float], str]) -> str:
    return "The latest" if to == LATEST else at(to)


@dataclass(frozen=True)
class _Chain:
    """sessions with what counts of each; None: everything."""

    parts: tuple[tuple[Session, Optional[Position]], ...]

    @property
    def start(self) -> Position:
        return self.parts[0][0].start

    @property
    def first(self) -> str:
        return self.parts[0][0].logs[0].name

    @property
    def end(self) -> Position:
        return self.parts[-1][0].end

    @property
    def until(self) -> float:
        return self.parts[-1][0].until

    @property
    def last_time(self) -> int:
        return max(log.last_time for log in self.parts[-1][0].logs)


def _chain(sessions: Sequence[Session]) -> _Chain:
    """From the newest backwards as far as there is no gap."""
    parts: list[tuple[Session, Optional[Position]]] = [(sessions[-1], None)]
    start = sessions[-1].start
    for session in reversed(sessions[:-1]):
        if within(start, session.start):
            continue
        if not within(start, session.end):
            break
        parts.append((session, start))
        start = session.start
    return _Chain(tuple(reversed(parts)))


@dataclass
class _Walk:
    """What was met on the way. had: up to here; passed: of it, what no log was read for."""

    had: Position
    passed: Position
    seen: set[Transaction] = field(default_factory=set)
    done: list[Transaction] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    last_time: int = 0
    rest: bool = False
    # By a clock that is ahead, the dump has what was written after that time.
    later: bool = False


def _followed(backup: Backup, chain: _Chain, to: float) -> Optional[Recipe]:
    """What follows the backup, up to the first transaction after that time. None where the backup is no part of this
    history, or has more than what there was by then."""
    walk = _Walk(chain.start, chain.start)
    for session, limit in chain.parts:
        for number, log in enumerate(session.logs):
            following = session.logs[number + 1].previous if number + 1 < len(session.logs) else None
            if following is not None and begins_within(following, backup.position):
                walk.had = joined(walk.had, following)
                walk.passed = joined(walk.passed, following)
                walk.later = walk.later or (limit is None and log.last_time > to)
            elif not walk.rest:
                if limit is None and not within(log.previous, walk.had):
                    raise Impossible(f"Before the log {log.name} of {session.name} transactions are missing.")
                _read(walk, backup, to, session.name, log, limit)
    if walk.later or not _of_this_history(backup, chain, walk):
        return None
    position = last_by_domain(backup.position, walk.done)
    last = walk.done[-1] if walk.done else None
    return Recipe(backup, tuple(walk.parts), len(walk.done), position, last, walk.last_time, walk.rest)


def _read(walk: _Walk, backup: Backup, to: float, session: str, log: Log, limit: Optional[Position]) -> None:
    for group in log.read():
        one = group.transaction
        if (limit is not None and not includes(limit, one)) or includes(walk.had, one):
            continue
        walk.seen.add(one)
        walk.had = joined(walk.had, one.alone)
        if dumped(backup.position, one):
            walk.later = walk.later or group.time > to
            continue
        if group.time > to:
            walk.rest = True
            return
        walk.last_time = group.time
        walk.done.append(one)
        last = walk.parts[-1] if walk.parts else None
        if last is not None and (last.session, last.log, last.end) == (session, log.name, group.start):
            walk.parts[-1] = Part(session, log.name, last.start, group.end)
        else:
            walk.parts.append(Part(session, log.name, group.start, group.end))


def _of_this_history(backup: Backup, chain: _Chain, walk: _Walk) -> bool:
    """Whether what the dump has is what the logs tell, as far as they reach."""
    complete = chain.until >= backup.taken
    if not isinstance(backup.position, GtidState):
        return not complete or within(backup.position, chain.end)
    highest: dict[int, int] = {}
    for one in walk.seen:
        highest[one.domain] = max(one.number, highest.get(one.domain, 0))
    for (domain, server), number in backup.position.last.items():
        one = Transaction(number, domain, server)
        if one in walk.seen or includes(walk.passed, one):
            continue
        # Numbers rise within a domain: it is neither here nor to come.
        if complete or highest.get(domain, 0) > number:
            return False
    return True
