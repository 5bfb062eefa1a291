# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Who writes next in a set of servers, who follows, who cannot, and why it must not be. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialect import BOTH, Channel, History
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialects import dialect_for
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.holdings import (
    Transactions,
    applied_by_itself,
    more,
    number,
    seen,
    transactions,
    union,
    with_received,
)
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.server import Server

# What a server that follows nobody yet takes over of how another one follows.
_COPIED = ("source_user", "connect_retry", "retry_count", "get_source_public_key", "ssl", "ssl_ca", "ssl_cert")
COPIED = (*_COPIED, "ssl_key", "ssl_verify_server_cert", "heartbeat_period")


@dataclass(frozen=True)
class Place:
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Member:
    """One server of the set. place: where the others reach it, as the user says; login: where we do."""

    server: Server
    place: Optional[Place] = None
    login: Optional[Place] = None

    @property
    def name(self) -> str:
        return self.server.name


@dataclass(frozen=True)
class Source:
    """How a server shall follow the writer. channel: the one to use, as the server has it.  exists: it is there.
    place: the writer's.  options: of a new channel.  like: the server and channel those are taken from.
    others: further channels from the set, which would bring the same again."""

    channel: str
    place: Place
    exists: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    like: tuple[str, str] = ("", "")
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Succession:
    """old: who writes now, empty for nobody.  new: who shall.  sources: from whom the new one still gets what it lacks.
    attached: how each other server that can, follows.  aside: why a server cannot, by name.  behind: how many
    transactions are lost with the new one, and which.  problems: why it must not be done at all."""

    old: str
    new: str
    sources: tuple[str, ...] = ()
    attached: Mapping[str, Source] = field(default_factory=dict)
    aside: Mapping[str, str] = field(default_factory=dict)
    behind: tuple[int, str] = (0, "")
    problems: tuple[str, ...] = ()


def decide(members: Sequence[Member], wanted: str, *, max_lag: int, user: str = "") -> Succession:
    """How `wanted` becomes, or stays, the one that writes. max_lag: seconds.  user: the account with which a server
    that has no channel shall follow."""
    return _Decision(members, wanted, max_lag, user).made()


class _Decision:
    def __init__(self, members: Sequence[Member], wanted: str, max_lag: int, user: str) -> None:
        self.members, self.wanted, self.max_lag, self.user = members, wanted, max_lag, user
        self.by_name = {member.name: member for member in members}
        self.servers = [member.server for member in members]
        self.up = [server for server in self.servers if server.reachable]
        self.writers = [server.name for server in self.up if server.writable]

    def made(self) -> Succession:
        problems = self._of_the_set()
        if problems:
            return Succession("", self.wanted, problems=tuple(problems))
        old = self.writers[0] if self.writers else ""
        new = self.by_name[self.wanted].server
        if old != self.wanted:
            problems += self._of_the_new(new, planned=bool(old))
            problems += self._planned(new, self.by_name[old].server) if old else self._unplanned(new)
        sources = tuple(name for name in ((old,) if old else self._still_followed(new)) if name != self.wanted)
        reference = applied_by_itself(new)
        for name in sources:
            reference = union(reference, applied_by_itself(self.by_name[name].server))
        behind = (0, "") if old else self._behind(new, reference)
        attached: dict[str, Source] = {}
        aside: dict[str, str] = {}
        for server in self.up:
            if server.name == self.wanted:
                continue
            why = self._cannot_follow(server, reference, new, writes=bool(old))
            if why and server.name not in sources:
                aside[server.name] = why
                continue
            try:
                attached[server.name] = self._source(server)
            except ValueError as problem:
                problems.append(f"{server.name}: {problem}")
        return Succession(old, self.wanted, sources, attached, aside, behind, tuple(problems))

    # -- what must not be -------------------------------------------------------------------------------------------

    def _of_the_set(self) -> list[str]:
        if self.wanted not in self.by_name:
            return [f"writer: {self.wanted} is none of the servers"]
        new = self.by_name[self.wanted].server
        if not new.reachable:
            return [f"writer: {self.wanted} could not be asked: {new.error.rstrip('.')}"]
        if new.unfinished:
            return [f"writer: {self.wanted} holds a copy that mysql_seed did not bring to its end: run that again"]
        if len(self.writers) > 1:
            named = " and ".join(self.writers)
            text = f"{named} are writable at the same time. Which of them shall stay, only you can judge"
            return [f"{text}: look with mysql_topology_info, and set read_only on all but one"]
        others = [server.name for server in self.up if server.dialect != new.dialect]
        if others:
            return [f"{', '.join(others)} and {self.wanted} are not of the same sort, MySQL or MariaDB"]
        same = [server.name for server in self.up if server is not new and server.id == new.id]
        if same:
            return [f"{', '.join(same)} and {self.wanted} have the same id ({new.id}), or are the same server"]
        return []

    def _of_the_new(self, new: Server, *, planned: bool) -> list[str]:
        problems = []
        if not new.log_bin:
            problems.append(f"{new.name} has no binary log (log_bin), so nobody could follow it")
        elif not new.log_updates:
            problems.append(
                f"{new.name} does not log what it receives (log_slave_updates), so nobody could follow it from there on"
            )
        if not new.gtid:
            problems.append(f"{new.name} has gtid_mode off, so nobody could find its place in its log")
        for channel in self.inside(new):
            # That nothing is received any more is to be expected where the writer is gone.
            error = channel.error if planned else channel.sql.error
            if error:
                problems.append(f"replication into {new.name} is broken: {error.rstrip('.')}")
        return problems

    def _planned(self, new: Server, old: Server) -> list[str]:
        if not self._follows(new, old):
            return [f"{new.name} does not follow {old.name}, so it has not got what is written there"]
        problems = []
        for channel in self.inside(new):
            if channel.error:
                continue
            if channel.threads != BOTH or channel.io.connecting:
                problems.append(f"replication into {new.name} does not run (channel {channel.name or 'default'})")
            elif channel.lag is None:
                problems.append(f"how far {new.name} is behind is not known")
            elif channel.lag > self.max_lag:
                problems.append(f"{new.name} is {channel.lag} s behind, and drain_timeout allows {self.max_lag} s")
        errant = more(transactions(new, new.has), seen(old))
        if errant:
            problems.append(f"{new.name} has transactions that {old.name} does not have: {errant}")
        return problems

    def _unplanned(self, new: Server) -> list[str]:
        """Nobody writes, as far as can be seen from here."""
        away = {server.name for server in self.servers if not server.reachable}
        problems = [
            f"{server.name} runs, and cannot be asked whether it writes: {server.error.rstrip('.')}. Mend that, or "
            "stop it for certain, before another takes its place"
            for server in self.servers
            if server.error and server.alive
        ]
        for server in self.up:
            for channel in server.channels:
                source = self.source_of(channel)
                if source in away and channel.io.running and not channel.io.connecting:
                    problems.append(
                        f"{server.name} is still connected to {source}: it runs, perhaps writes, and only this host "
                        f"does not reach it. If {source} is off for certain, wait until {server.name} has noticed, or "
                        "stop that channel"
                    )
        return problems

    # -- who lacks what ---------------------------------------------------------------------------------------------

    def _still_followed(self, new: Server) -> tuple[str, ...]:
        """Who can still be asked, and is followed just now: after a switchover that was cut off, the old writer."""
        names = [
            self.source_of(channel)
            for channel in new.channels
            if channel.threads == BOTH and not channel.io.connecting and not channel.error
        ]
        up = {server.name for server in self.up}
        return tuple(name for name in dict.fromkeys(names) if name in up)

    def _behind(self, new: Server, mine: Transactions) -> tuple[int, str]:
        texts: list[str] = []
        count = 0
        for server in self.up:
            gap = more(seen(server), mine)
            if gap and server is new:
                texts.append(f"{server.name} has received {gap} itself and does not apply it: start its SQL thread")
            elif gap:
                texts.append(f"{server.name} has {gap}")
            if gap:
                count = max(count, number(seen(server), mine))
        return count, "; ".join(texts)

    def _cannot_follow(self, server: Server, reference: Transactions, new: Server, *, writes: bool) -> str:
        if server.unfinished:
            return "it holds a copy that mysql_seed did not bring to its end"
        # A writer may not know yet what it has sent (semi-synchronous replication). What came from anybody else, and is
        # not applied yet, is thrown away when the channel is pointed elsewhere.
        writer = self.writers[0] if writes else ""
        others = [channel for channel in server.channels if not writer or self.source_of(channel) != writer]
        errant = more(with_received(server, others), reference)
        if errant:
            return f"it has transactions that {self.writers[0] if writes else new.name} does not have: {errant}"
        dialect = dialect_for(server.version)
        start = History(new.has, new.purged)
        gone = dialect.purged(History(server.has), start)
        return f"{new.name} cannot give it all that it needs: {'; '.join(gone)}" if gone else ""

    # -- who follows whom -------------------------------------------------------------------------------------------

    def source_of(self, channel: Channel) -> str:
        """The name of the server of the set that a channel follows, else empty."""
        for server in self.up:
            if channel.source_id and server.id == channel.source_id:
                return server.name
        place = Place(channel.options["source_host"], int(channel.options["source_port"]))
        return next((member.name for member in self.members if place in (member.place, member.login)), "")

    def inside(self, server: Server) -> list[Channel]:
        return [channel for channel in server.channels if self.source_of(channel)]

    def _follows(self, server: Server, source: Server) -> bool:
        """Directly, or through others."""
        looked, todo = {server.name}, [server]
        while todo:
            for channel in todo.pop().channels:
                name = self.source_of(channel)
                if name == source.name:
                    return True
                if name and name not in looked:
                    looked.add(name)
                    todo.append(self.by_name[name].server)
        return False

    def _source(self, server: Server) -> Source:
        """ValueError says what is missing."""
        place = self._place(self.wanted)
        if not server.gtid:
            raise ValueError("its gtid_mode is not ON, so it cannot find its place in another server's log")
        inside = self.inside(server)
        right = [channel for channel in inside if self.source_of(channel) == self.wanted]
        chosen = (right or inside)[:1]
        others = tuple(channel.name for channel in inside if channel not in chosen and channel.threads)
        if chosen:
            return Source(chosen[0].name, place, others=others)
        like = next(
            ((other.name, channel) for other in self.up for channel in other.channels if self.source_of(channel)), None
        )
        options = {name: like[1].options[name] for name in COPIED if name in like[1].options} if like else {}
        options = {name: value for name, value in options.items() if value not in ("", None)}
        if self.user:
            options["source_user"] = self.user
        if not options.get("source_user"):
            raise ValueError(
                "it follows nobody, and no other server shows how. Give source_user and source_password, or make a "
                "channel there with mysql_replication"
            )
        channel = like[1].name if like else ""
        if any(one.name == channel for one in server.channels):
            raise ValueError(f"its channel {channel or 'default'} is of a source outside the set")
        copied = (like[0], like[1].name) if like else ("", "")
        return Source(channel, place, exists=False, options={**options, "gtid": True}, like=copied)

    def _place(self, name: str) -> Place:
        member = self.by_name[name]
        if member.place:
            return member.place
        for server in self.up:
            for channel in server.channels:
                if channel.source_id and channel.source_id == member.server.id:
                    return Place(channel.options["source_host"], int(channel.options["source_port"]))
        if member.login:
            return member.login
        raise ValueError(f"where it would reach {name} is not known; give {name} a source_host")


def stopped_on_promotion(members: Sequence[Member], name: str) -> tuple[str, ...]:
    """The channels from the set that run on a server. One that writes follows nobody of the set: what a server comes
    back with that nobody has, would get in."""
    decision = _Decision(members, name, 0, "")
    server = decision.by_name[name].server
    return tuple(channel.name for channel in decision.inside(server) if channel.threads)


def follows(members: Sequence[Member], name: str) -> tuple[str, ...]:
    """Whom a server follows with a channel that runs, by name where it is one of the set."""
    decision = _Decision(members, name, 0, "")
    return tuple(
        decision.source_of(channel) or f"{channel.options['source_host']}:{channel.options['source_port']}"
        for channel in decision.by_name[name].server.channels
        if channel.threads == BOTH
    )
