# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The engine's I/O for replication channels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    DELETE,
    Plan,
    Step,
    Thing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.channel import (
    ChannelKind,
    channel_of,
    key_of,
)
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialect import (
    BOTH,
    FILTERS,
    NOTHING,
    POSITION,
    SOURCE,
    Channel,
    Dialect,
    Replica,
)
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialects import dialect_of
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.errors import MysqlError
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.login import Login
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.server import is_unfinished

# Seconds to wait for a new source that is asked what it has.
ASKING = 5
# Options that no statement about the source sets.
_ELSEWHERE = frozenset({*FILTERS, "semi_sync", "running"})


class ChannelBackend:
    # Statements about replication wait for each other anyway.
    parallel = 1

    def __init__(self, client: Client, *, max_lag: Optional[int] = None, ask_source: bool = True) -> None:
        """ask_source: whether a new source is asked what it has. Who knows already spares it."""
        self.client = client
        self._ask_source = ask_source
        self.max_lag = max_lag
        self._dialect: Optional[Dialect] = None
        self._started: set[Key] = set()
        self._unchecked: dict[Key, str] = {}
        self._passwords: dict[Key, str] = {}

    @property
    def writes(self) -> int:
        return self.client.writes

    def close(self) -> None:
        self.client.close()

    @property
    def dialect(self) -> Dialect:
        if self._dialect is None:
            self._dialect = dialect_of(self.client)
        return self._dialect

    def resolve(self, kind: ChannelKind, declared: Declaration) -> Declaration:
        self._passwords = {item.key: str(item.options.get("source_password") or "") for item in declared.items}
        self.client.hide(*self._passwords.values())
        return declared

    def observe(self, kind: ChannelKind, keys: Collection[Key] | None, options: Collection[str]) -> Mapping[Key, Thing]:
        replica = self.dialect.read(self.client)
        return {
            key: kind.thing(channel, replica, self.dialect, started=key in self._started)
            for name, channel in replica.channels.items()
            for key in (key_of(name),)
            if keys is None or key in keys
        }

    def precheck(self, kind: ChannelKind, plan: Plan, declared: Declaration) -> Sequence[str]:
        replica = self.dialect.read(self.client)
        problems = list(kind.problems(plan, replica, self.dialect))
        if plan and any((step.after or {}).get("running") for step in plan) and is_unfinished(self.client):
            problems.append(
                "this server holds a copy that mysql_seed did not bring to its end, and following anybody would not "
                "make it whole: run mysql_seed again"
            )
        for step in plan:
            if not self._ask_source or step.action in (CREATE, DELETE):
                continue
            moved = any(name in step.options for name in SOURCE)
            if moved:
                problems += self._new_source(kind, step, replica)
            if not moved or step.key in self._unchecked:
                problems += self._thrown_away(kind, step, replica)
        return problems

    def apply(self, kind: ChannelKind, step: Step) -> Sequence[str]:
        name = channel_of(step.key)
        if step.action == DELETE:
            self._delete(name, step)
        elif step.action == CREATE:
            self._create(name, step)
        else:
            self._update(kind, name, step)
        warning = self._unchecked.get(step.key)
        return (warning,) if warning else ()

    def verify(self, kind: ChannelKind, things: Mapping[Key, Thing], declared: Declaration) -> Sequence[Unmet]:
        names = {channel_of(key) for key in things}
        replica = self.dialect.read(self.client)
        now = {
            key_of(name): kind.thing(channel, replica, self.dialect)
            for name, channel in replica.channels.items()
            if name in names
        }
        return kind.unmet(now, declared, self.max_lag)

    # -- steps ------------------------------------------------------------------------------------------------------

    def _create(self, name: str, step: Step) -> None:
        after = step.after or {}
        settings = {option: value for option, value in after.items() if option not in _ELSEWHERE}
        self._write(
            f"to make the channel {step.key[0]}", self._change(name, {**settings, **step.inputs, **step.secrets})
        )
        filters = {option: after[option] for option in FILTERS if after.get(option)}
        if step.facts["cleared"]:
            found = self.dialect.read(self.client).channels[name].options
            filters.update({option: () for option in step.facts["cleared"] if found[option]})
        self._write_filters(name, step, filters)
        self._write_semi_sync(step)
        if after.get("running", True):
            self._start(name, step.key, BOTH)

    def _delete(self, name: str, step: Step) -> None:
        channel: Channel = step.facts["channel"]
        if channel.threads:
            self._stop(name, step.key, channel.threads)
        asked = f"to remove the channel {step.key[0]}"
        filters = [option for option in FILTERS if channel.options[option]]
        for statement in self.dialect.forget(name, filters, self.client.literal):
            self.client.write(statement, asked=asked)

    def _update(self, kind: ChannelKind, name: str, step: Step) -> None:
        """Only the threads that must stand still are stopped, and what ran runs again whatever happens."""
        after, options = step.after or {}, [*step.options, *step.secrets, *step.inputs]
        runs = self._threads(name)
        wanted = BOTH if after.get("running", True) else NOTHING
        stop = runs & (self.dialect.threads(options) if wanted else BOTH)
        if stop:
            self._stop(name, step.key, stop)
        try:
            self._change_all(kind, name, step)
            left = wanted - (runs - stop)
            if left:
                self._start(name, step.key, left)
        except BaseException as problem:
            self._restart(name, step.key, runs & stop, problem)
            raise

    def _change_all(self, kind: ChannelKind, name: str, step: Step) -> None:
        after, before = step.after or {}, step.before or {}
        settings: dict[str, Any] = {**step.inputs, **step.secrets}
        for option in step.options:
            if option in _ELSEWHERE or option in settings:
                continue
            value = after.get(option)
            if value is None:
                value = kind.row_for(kind.rows[option], before).default
            settings[option] = "" if value is None else value
        if settings.get("gtid") is False and POSITION[0] not in settings:
            channel: Channel = step.facts["channel"]
            if channel.log_file:
                settings.update(source_log_file=channel.log_file, source_log_pos=channel.log_pos)
        if settings:
            kept = {name: after[name] for name in self.dialect.restated if name in after}
            settings = {**kept, **settings}
            self._write(f"to change the channel {step.key[0]}", self._change(name, settings))
        filters = {option: after.get(option) or () for option in FILTERS if option in step.options}
        self._write_filters(name, step, filters)
        self._write_semi_sync(step)

    def _change(self, name: str, options: Mapping[str, Any]) -> str:
        known = {option: value for option, value in options.items() if option != "defaults"}
        return self.dialect.change(name, known, self.client.literal)

    def _write_filters(self, name: str, step: Step, filters: Mapping[str, Sequence[str]]) -> None:
        for statement in self.dialect.filters(name, filters, self.client.literal):
            self._write(f"the filters of the channel {step.key[0]}", statement)

    def _write_semi_sync(self, step: Step) -> None:
        if "semi_sync" not in step.options:
            return
        wanted = bool((step.after or {}).get("semi_sync"))
        semi_sync = self.dialect.read_semi_sync(self.client)
        if semi_sync.available and semi_sync.enabled != wanted:
            self._write("to switch semi_sync", f"SET GLOBAL {semi_sync.variable} = {int(wanted)}")

    def _start(self, name: str, key: Key, threads: frozenset[str]) -> None:
        self._write(f"to start the channel {key[0]}", self.dialect.start(name, threads, self.client.literal))
        self._started.add(key)

    def _stop(self, name: str, key: Key, threads: frozenset[str]) -> None:
        self._write(f"to stop the channel {key[0]}", self.dialect.stop(name, threads, self.client.literal))

    def _restart(self, name: str, key: Key, threads: frozenset[str], problem: BaseException) -> None:
        """After a failure. Says in it when that fails as well."""
        if not threads:
            return
        try:
            self._start(name, key, threads)
        except MysqlError as another:
            if isinstance(problem, MysqlError):
                problem.message += f" The channel ran before and does not any more: {another.message}"

    def _write(self, asked: str, statement: str) -> None:
        self.client.write(statement, asked=asked)

    def _threads(self, name: str) -> frozenset[str]:
        channel = self.dialect.read(self.client).channels.get(name)
        return channel.threads if channel else NOTHING

    # -- what was received ------------------------------------------------------------------------------------------

    def _thrown_away(self, kind: ChannelKind, step: Step, replica: Replica) -> Sequence[str]:
        """Both servers delete what a channel has received when it is changed while both of its threads stand still. A
        source that is there sends it again; one that is gone took it along, acknowledged transactions included."""
        channel: Channel = step.facts["channel"]
        settings = [*step.inputs, *step.secrets, *(name for name in step.options if name not in _ELSEWHERE)]
        rest = channel.threads - self.dialect.threads([*step.options, *step.secrets, *step.inputs])
        if not settings or rest or (channel.io.running and not channel.io.connecting):
            return ()
        lost = self.dialect.beyond(channel.received, self.dialect.position(self.client).has)
        moved = any(name in step.options for name in SOURCE)
        if not lost or (not moved and self._gives_again(channel, step)):
            return ()
        text = f"it has received {lost}, which it has not applied yet, and its source cannot be asked for it again"
        way = "Let it apply that first, or, if that shall be lost, remove the channel and make it anew"
        return (f"{kind.described(step.key)}: {text}: a change of {settings[0]} would throw that away. {way}",)

    def _gives_again(self, channel: Channel, step: Step) -> bool:
        """Whether the source is there, and still has what this replica has of it and what it needs."""
        source = Client(self._login(channel.name, step))
        try:
            theirs = self.dialect.history(source)
            mine = self.dialect.position(self.client)
        except MysqlError:
            return False
        finally:
            source.close()
        return not self.dialect.beyond(channel.received, theirs.has) and not self.dialect.purged(mine, theirs)

    # -- another source ---------------------------------------------------------------------------------------------

    def _new_source(self, kind: ChannelKind, step: Step, replica: Replica) -> Sequence[str]:
        """Whether the new source has all that this replica has, and all that it needs."""
        after, where = step.after or {}, kind.described(step.key)
        if not after.get("gtid", True):
            return ()
        name = channel_of(step.key)
        login = self._login(name, step)
        place = login.place
        source = Client(login)
        try:
            if dialect_of(source).name != self.dialect.name:
                return (f"{where}: source_host: {place} is no {self.dialect.name}",)
            theirs = self.dialect.history(source)
            mine = self.dialect.position(self.client)
        except MysqlError as problem:
            self._unchecked[step.key] = (
                f"Whether {place} has all that this server has was not checked: {problem.message}"
            )
            return ()
        finally:
            source.close()
        others = [channel.source_id for other, channel in replica.channels.items() if other != name]
        channel: Channel = step.facts["channel"]
        # What it has received and not applied, it may throw away, and the new one has to give it again.
        known = replace(mine, has=",".join(text for text in (mine.has, channel.received) if text))
        problems = [*self.dialect.lacked(known, theirs, others), *self.dialect.purged(mine, theirs)]
        return [f"{where}: source_host: {place}: {text}" for text in problems]

    def _login(self, name: str, step: Step) -> Login:
        """As the channel itself will log in."""
        after = step.after or {}
        password = step.secrets.get("source_password") or self._passwords.get(step.key)
        if not password:
            try:
                password = self.dialect.stored_password(self.client, name)
            except MysqlError:
                password = ""
            self.client.hide(password)
        verified = after.get("ssl") and after.get("ssl_verify_server_cert")
        return Login(
            host=str(after.get("source_host") or ""),
            port=int(after.get("source_port", 3306)),
            user=str(after.get("source_user") or ""),
            password=str(password or ""),
            ca=str(after.get("ssl_ca") or "") if verified else "",
            tls=bool(after.get("ssl")),
            timeout=ASKING,
        )
