# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A set of servers at once: who writes, who follows whom, what only one of them has, and who could write next. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.hospital.continuity.plugins.module_utils.mysql.holdings import (
    applied_by_itself,
    more,
    number,
    seen,
    transactions,
)
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.server import Server

HEALTHY, WARNING, CRITICAL = "healthy", "warning", "critical"


def lacking(one: Server, other: Server) -> str:
    """What `one` has and `other` has neither applied nor received; empty for nothing."""
    return str(more(transactions(one, one.has), seen(other)))


@dataclass(frozen=True)
class Candidate:
    """A server that could write next. rank: from 1, 0 for one that could not.  missing: what it would lose of what any
    other reachable server has.  reasons: for its place, in words."""

    name: str
    rank: int
    missing: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Topology:
    """writer: the one that is writable, empty where none or several are.  follows: by name, the sources' names or
    host:port.  errant: by name, transactions that the writer does not have.  candidates: the best first."""

    servers: tuple[Server, ...]
    writer: str
    writers: tuple[str, ...]
    follows: Mapping[str, tuple[str, ...]]
    errant: Mapping[str, str]
    candidates: tuple[Candidate, ...]
    problems: tuple[tuple[str, str], ...]

    @property
    def verdict(self) -> str:
        if not self.problems:
            return HEALTHY
        return CRITICAL if any(level == CRITICAL for level, _text in self.problems) else WARNING


def judge(servers: Sequence[Server], *, max_lag: Optional[int] = None) -> Topology:
    """All that follows from what the servers say."""
    known = {server.name: server for server in servers}
    writers = tuple(server.name for server in servers if server.writable)
    writer = writers[0] if len(writers) == 1 else ""
    follows = {server.name: _sources(server, servers) for server in servers if server.reachable and server.channels}
    errant = _errant(servers, known.get(writer))
    return Topology(
        servers=tuple(servers),
        writer=writer,
        writers=writers,
        follows=follows,
        errant=errant,
        candidates=_candidates(servers, writer, errant),
        problems=tuple(_problems(servers, writers, errant, max_lag)),
    )


def _sources(server: Server, servers: Sequence[Server]) -> tuple[str, ...]:
    """By name, where the source is one of them: a server says its source's id once it was connected."""
    names = {other.id: other.name for other in servers if other.id}
    return tuple(
        names.get(channel.source_id) or f"{channel.options['source_host']}:{channel.options['source_port']}"
        for channel in server.channels
    )


def _errant(servers: Sequence[Server], writer: Optional[Server]) -> dict[str, str]:
    if writer is None:
        return {}
    found = {}
    for server in servers:
        if server.reachable and server is not writer and server.dialect == writer.dialect:
            text = lacking(server, writer)
            if text:
                found[server.name] = text
    return found


def _candidates(servers: Sequence[Server], writer: str, errant: Mapping[str, str]) -> tuple[Candidate, ...]:
    judged = [_judged(server, servers, writer, errant) for server in servers]
    judged.sort(key=lambda one: (one[0], one[1].name))
    rank = 0
    result = []
    for _order, candidate in judged:
        possible = candidate.rank >= 0
        rank += possible
        result.append(Candidate(candidate.name, rank if possible else 0, candidate.missing, candidate.reasons))
    return tuple(result)


def _judged(
    server: Server, servers: Sequence[Server], writer: str, errant: Mapping[str, str]
) -> tuple[tuple[bool, bool, int, int, bool], Candidate]:
    """A sort key, and the candidate with rank 0, or -1 for one that cannot be."""
    if not server.reachable:
        return (True, True, 0, 0, True), Candidate(server.name, -1, "", (f"it could not be asked: {server.error}",))
    others = [other for other in servers if other.reachable and other is not server and other.dialect == server.dialect]
    # What another one has received counts: it may be acknowledged. What this one has received counts where it applies.
    mine = applied_by_itself(server)
    gaps = [str(gap) for gap in (more(seen(one), mine) for one in (*others, server)) if gap]
    missing = ",".join(dict.fromkeys(gaps))
    count = max((number(seen(one), mine) for one in (*others, server)), default=0) if missing else 0
    reasons = []
    if server.name == writer:
        reasons.append("it is the writer")
    if server.name in errant:
        reasons.append(f"it has transactions that the writer does not have: {errant[server.name]}")
    reasons.append(f"it lacks {missing}" if missing else "it has everything that any reachable server has")
    lag = max((channel.lag or 0 for channel in server.channels), default=0)
    broken = [channel.error for channel in server.channels if channel.error]
    reasons += [f"replication into it is broken: {text}" for text in broken]
    if lag:
        reasons.append(f"it is {lag} s behind")
    obstacles = _obstacles(server)
    reasons += obstacles
    order = (False, server.name in errant or bool(obstacles), count, lag, bool(broken))
    return order, Candidate(server.name, 0, missing, tuple(reasons))


def _obstacles(server: Server) -> Sequence[str]:
    """Why mysql_topology would not let it write."""
    found = {
        "it holds a copy that mysql_seed did not bring to its end": server.unfinished,
        "it has no binary log, so nobody could follow it": not server.log_bin,
        "it does not log what it receives, so nobody could follow it": server.log_bin and not server.log_updates,
        "its gtid_mode is not ON": not server.gtid,
    }
    return [text for text, holds in found.items() if holds]


def _problems(
    servers: Sequence[Server], writers: Sequence[str], errant: Mapping[str, str], max_lag: Optional[int]
) -> Sequence[tuple[str, str]]:
    problems = []
    if len(writers) > 1:
        problems.append((CRITICAL, f"{', '.join(writers)} are writable at the same time"))
    if not writers:
        problems.append((CRITICAL, "no server is writable"))
    for server in servers:
        if server.error:
            problems.append((WARNING, f"{server.name} could not be asked: {server.error}"))
        if server.unfinished:
            problems.append((CRITICAL, f"{server.name} holds a copy that mysql_seed did not bring to its end"))
        if server.name in errant:
            problems.append(
                (CRITICAL, f"{server.name} has transactions that the writer does not have: {errant[server.name]}")
            )
        if server.reachable and server.read_only and not server.channels:
            problems.append((WARNING, f"{server.name} follows nobody"))
        for channel in server.channels:
            problems += [(WARNING, text) for text in _trouble(server, channel.name or "default", max_lag)]
    return problems


def _trouble(server: Server, name: str, max_lag: Optional[int]) -> Sequence[str]:
    channel = next(one for one in server.channels if (one.name or "default") == name)
    if channel.error:
        return [f"{server.name}, channel {name}: {channel.error}"]
    if not (channel.io.running and channel.sql.running):
        return [f"{server.name}, channel {name} does not run"]
    if max_lag is not None and channel.lag is not None and channel.lag > max_lag:
        return [f"{server.name}, channel {name} is {channel.lag} s behind"]
    return []
