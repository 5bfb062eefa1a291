# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The I/O of mysql_topology: never two that write, and whoever wrote writes again when nobody took over."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.converge import converge
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.channel import CHANGE_SOURCE, CHANNEL, key_of
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.channel_backend import ChannelBackend
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialect import BOTH, SQL, Dialect
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialects import dialect_of
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.errors import MysqlError
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.holdings import (
    Transactions,
    applied_by_itself,
    more,
    seen,
    transactions,
    with_received,
)
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.information import gather
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.server import Server, observe
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.succession import (
    Member,
    Place,
    Source,
)
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.topology_operation import (
    ATTACH,
    CATCH_UP,
    DEMOTE,
    PROMOTE,
    SET_ASIDE,
    Progress,
    TopologyOperation,
    state_of,
)

_PAUSE = 0.02
# Held at all servers for as long as this host is connected to them.
LOCK = "hospital.continuity.mysql_topology"
# Seconds for another run to end.
_OTHERS = 5
# A writer can be the last to know a transaction as its own while it waits for semi-synchronous replicas.
_SECOND_LOOK = 0.3
_LOCK_TIMED_OUT, _NO_SUCH_CONNECTION, _NOT_MINE = 1205, 1094, 1095
_NO_CLIENTS = ("system user", "event_scheduler")
_NO_CLIENT_COMMANDS = ("Binlog Dump", "Slave_", "Daemon")


class SwitchoverFailed(MysqlError):
    """Nobody goes on from here: the steps that follow would take for done what is not."""

    affects_everything = True


@dataclass(frozen=True)
class Known:
    """What the user says of one server beside its login."""

    place: Optional[Place] = None
    login: Optional[Place] = None


class TopologyBackend:
    # Each step counts on the one before.
    parallel = 1

    def __init__(self, clients: Mapping[str, Client], known: Mapping[str, Known], password: str = "") -> None:
        self.clients, self._known, self._password = clients, known, password
        self._dialects: dict[str, Dialect] = {}
        self._grace, self._drain = 1, 30
        self._began = 0.0
        self._progress = Progress()
        self._stopped: list[tuple[str, str, frozenset[str]]] = []
        self._demoted = ""
        self._alone = False
        for client in clients.values():
            client.hide(password)

    @property
    def writes(self) -> int:
        return sum(client.writes for client in self.clients.values())

    def close(self) -> None:
        for client in self.clients.values():
            client.close()

    # -- reading ----------------------------------------------------------------------------------------------------

    def observe(
        self, operation: TopologyOperation, order: Order, keys: Collection[Key] | None = None
    ) -> Mapping[Key, Thing]:
        """All servers, whatever was touched: what each is, depends on the others."""
        self._grace, self._drain = int(order.options["grace"]), int(order.options["drain_timeout"])
        topology = gather(self.clients)
        if topology.errant:
            time.sleep(_SECOND_LOOK)
            topology = gather(self.clients)
        members = [self._member(server) for server in topology.servers]
        return {
            (member.name,): Thing(state_of(members, member.name), {"member": member, "progress": self._progress})
            for member in members
        }

    def _member(self, server: Server) -> Member:
        known = self._known[server.name]
        return Member(server, known.place, known.login)

    def precheck(self, operation: TopologyOperation, plan: Plan, order: Order) -> Sequence[str]:
        """Whether a server that has no channel yet can get one."""
        problems = []
        for step in plan:
            source: Optional[Source] = step.facts.get("source")
            if source is not None and not source.exists and not self._secret(source):
                problems.append(
                    f"{step.key[0]} follows nobody, and the password it would need is not known: give source_password"
                )
        return problems

    def _secret(self, source: Source) -> str:
        """The password of a new channel: the user's, or that of the channel it is taken from, where that tells."""
        server, channel = source.like
        if self._password or not server:
            return self._password
        client = self.clients[server]
        try:
            found = self._dialect(server).stored_password(client, channel)
        except MysqlError:
            return ""
        for other in self.clients.values():
            other.hide(found)
        return found

    def verify(self, operation: TopologyOperation, things: Mapping[Key, Thing], order: Order) -> Sequence[Unmet]:
        return operation.unmet(self.observe(operation, order), order)

    # -- steps ------------------------------------------------------------------------------------------------------

    def apply(self, operation: TopologyOperation, step: Step) -> Sequence[str]:
        if not self._alone:
            self._keep_others_off()
        todo: Mapping[str, Callable[[Step], Sequence[str]]] = {
            DEMOTE: self._demote,
            CATCH_UP: self._catch_up,
            PROMOTE: self._promote,
            ATTACH: self._attach,
            SET_ASIDE: self._set_aside,
        }
        return todo[step.action](step)

    def _keep_others_off(self) -> None:
        """Two runs at a time, to different writers, would each see nobody writing just before it promotes."""
        for name in sorted(self.clients):
            try:
                # A run that has just ended is still there for a moment.
                got = self.clients[name].row("SELECT GET_LOCK(%s, %s) AS got", LOCK, _OTHERS).get("got")
            except MysqlError:
                # One that is away.
                continue
            if got == 0:
                raise SwitchoverFailed(
                    f"Another run of mysql_topology is at work on {name}.",
                    hint="Nothing was changed. Wait for its end.",
                )
        self._alone = True

    def _demote(self, step: Step) -> Sequence[str]:
        name = str(step.key[0])
        self._demoted, self._began = name, time.monotonic()
        with self._or_as_before():
            self._stop_writing(name)
            return self._end_clients(name)
        return ()

    @contextlib.contextmanager
    def _or_as_before(self) -> Iterator[None]:
        """Whatever goes wrong in it: who wrote before writes again."""
        try:
            yield
        except MysqlError as problem:
            raise self._undone(problem) from None
        except Exception as problem:  # a hospital without a writer is worse than any of them
            unforeseen = MysqlError(f"Something that nobody foresaw: {type(problem).__name__}: {problem}.")
            raise self._undone(unforeseen) from problem

    def _stop_writing(self, name: str) -> None:
        """What is being written has the grace to end; then its connections are ended for it."""
        client, statement = self.clients[name], self._dialect(name).stop_writing()
        asked = f"to make {name} read-only"
        client.rows(f"SET SESSION lock_wait_timeout = {self._grace}")
        try:
            client.write(statement, asked=asked)
        except MysqlError as problem:
            if problem.number != _LOCK_TIMED_OUT:
                raise
            self._end_clients(name)
            client.write(statement, asked=asked)

    def _end_clients(self, name: str) -> Sequence[str]:
        """End all connections of clients: what they have begun they could not end, and they look for the writer."""
        client = self.clients[name]
        mine = int(client.row("SELECT CONNECTION_ID() AS id")["id"])
        warnings = []
        for row in client.rows("SHOW PROCESSLIST"):
            internal = row["User"] in _NO_CLIENTS or str(row["Command"]).startswith(_NO_CLIENT_COMMANDS)
            if internal or int(row["Id"]) == mine:
                continue
            try:
                client.write(f"KILL CONNECTION {int(row['Id'])}", asked=f"to end connection {row['Id']}")
            except MysqlError as problem:
                if problem.number == _NOT_MINE:
                    warnings.append(f"connection {row['Id']} of {row['User']} could not be ended: {problem.message}")
                elif problem.number != _NO_SUCH_CONNECTION:
                    raise
        return warnings

    def _catch_up(self, step: Step) -> Sequence[str]:
        name = str(step.key[0])
        with self._or_as_before():
            self._await_all(name, step.facts["sources"], planned=bool(step.facts["old"]))
        return ()

    def _await_all(self, name: str, sources: Sequence[str], *, planned: bool) -> None:
        deadline = time.monotonic() + self._drain
        # One that wrote has it all. One that only followed may have more to come, of what it has received.
        held = self._applied if planned else lambda source: applied_by_itself(self._read(source))
        while True:
            goals = [(source, held(source)) for source in sources] or [(name, self._received(name))]
            mine = self._applied(name)
            left = [(source, more(goal, mine)) for source, goal in goals]
            if not any(gap for _source, gap in left):
                break
            broken = [one.sql.error for one in self._read(name).channels if one.sql.error]
            if broken:
                raise MysqlError(f"{name} cannot apply what it received: {broken[0].rstrip('.')}.")
            if time.monotonic() > deadline:
                said = "; ".join(f"of {source} it lacks {gap}" for source, gap in left if gap)
                raise MysqlError(
                    f"{name} has not applied everything after {self._drain} s (drain_timeout): {said}.",
                    hint="Look at its lag, or give it more time.",
                )
            time.sleep(_PAUSE)

    def _promote(self, step: Step) -> Sequence[str]:
        name, client = str(step.key[0]), self.clients[str(step.key[0])]
        with self._or_as_before():
            self._nobody_writes(planned=bool(step.facts["old"]))
            self._receive_no_more(name, step.facts["channels"])
            # The last look: nothing came to the old writer meanwhile, and nothing is here that it lacks.
            self._equal(name, step.facts["sources"], str(step.facts["old"]))
        try:
            client.write(self._dialect(name).allow_writing(), asked=f"to make {name} writable")
        except MysqlError as problem:
            self._not_promoted(name, problem)
        self._demoted, self._stopped = "", []
        if self._began:
            self._progress = Progress(time.monotonic() - self._began)
        return ()

    def _receive_no_more(self, name: str, channels: Sequence[str]) -> None:
        """Stop them. What came since everything was applied, from a source that is there again, would be lost."""
        applying = [one.name for one in self._read(name).channels if one.name in channels and SQL in one.threads]
        for channel in channels:
            self._stop_channel(name, channel)
        server = self._read(name)
        late = more(
            with_received(server, (one for one in server.channels if one.name in applying)),
            transactions(server, server.has),
        )
        if late:
            raise MysqlError(
                f"{name} received {late} in the very last moment: its source is there again.",
                hint="Look which server that is, and run this again.",
            )

    def _equal(self, name: str, sources: Sequence[str], old: str) -> None:
        mine = self._applied(name)
        for source in sources:
            gap = more(self._applied(source), mine)
            if gap:
                raise MysqlError(f"{source} was still written to although it is read-only: {name} lacks {gap}.")
        if old:
            errant = more(mine, self._applied(old))
            if errant:
                raise MysqlError(f"{name} has transactions that {old} does not have: {errant}.")

    def _nobody_writes(self, *, planned: bool) -> None:
        """Somebody else may have made another writable since the plan, or one that was gone is back."""
        servers = self._all()
        writing = [one.name for one in servers if one.writable]
        silent = [one.name for one in servers if one.error and one.alive and not planned]
        if silent:
            raise MysqlError(f"{' and '.join(silent)} runs again, and cannot be asked whether it writes.")
        if writing:
            raise MysqlError(f"{' and '.join(writing)} became writable meanwhile, and two must never be.")

    def _not_promoted(self, name: str, problem: MysqlError) -> None:
        """The answer failed, not always the statement: one that may write already must not get company."""
        now = observe(name, self.clients[name])
        if now.writable:
            return
        if now.reachable:
            raise self._undone(problem) from None
        kept = f" {self._demoted} stays read-only for that." if self._demoted else ""
        raise SwitchoverFailed(
            f"{problem.message} Whether {name} is writable now is not known, because it cannot be asked.{kept}",
            hint=f"Run this again with the writer that shall be, when {name} answers or is off for certain.",
            number=problem.number,
        ) from None

    def _undone(self, problem: MysqlError) -> SwitchoverFailed:
        """Nobody was promoted: back to who wrote before. The error that says how that went."""
        said = [problem.message]
        for server, channel, threads in self._stopped:
            dialect, client = self._dialect(server), self.clients[server]
            try:
                client.write(dialect.start(channel, threads, client.literal), asked="to start the channel again")
            except MysqlError as another:
                said.append(f"The channel {channel or 'default'} of {server} stands still: {another.message}")
        if self._demoted:
            said.append(self._writable_again(self._demoted))
        self._demoted, self._stopped = "", []
        return SwitchoverFailed(" ".join(said), hint=problem.hint, number=problem.number)

    def _writable_again(self, name: str) -> str:
        others = [one.name for one in self._all() if one.writable and one.name != name]
        if others:
            return f"{name} stays read-only, because {' and '.join(others)} can be written to now."
        said = ""
        for _attempt in range(3):
            try:
                self.clients[name].write(self._dialect(name).allow_writing(), asked=f"to make {name} writable again")
            except MysqlError as another:
                said = another.message
                continue
            return f"{name} is writable again, as before."
        return f"{name} was not made writable again, and nobody writes now: {said}"

    # -- those who follow -------------------------------------------------------------------------------------------

    def _attach(self, step: Step) -> Sequence[str]:
        name, source = str(step.key[0]), step.facts["source"]
        self._subset(name, step.facts["new"])
        client, dialect = self.clients[name], self._dialect(name)
        for channel in source.others:
            self._stop_channel(name, channel)
        for channel in [one for one in self._read(name).channels if one.name == source.channel and one.threads]:
            if Place(channel.options["source_host"], channel.options["source_port"]) != source.place:
                self._stop_channel(name, channel.name)
        statements = dialect.go_on_from_here(client)
        running = [channel.name or "default" for channel in self._read(name).channels if channel.threads]
        if statements and running:
            raise MysqlError(
                f"{name} cannot begin at the transactions it has while it follows a server outside of the set by "
                f"{', '.join(running)}.",
                hint="Stop those channels for as long as this takes, and run again.",
            )
        for statement in statements:
            client.write(statement, asked=f"to begin at the transactions {name} has")
        (key,) = key_of(source.channel)
        # By GTID, however it followed before: nobody knows its place in another server's log.
        item: dict[str, Any] = {
            "channel": key,
            "source_host": source.place.host,
            "source_port": source.place.port,
            "gtid": True,
        }
        if not source.exists:
            item.update(source.options, source_password=self._secret(source))
        declared = CHANNEL.declare({"config": [item], "allow": [f"{CHANGE_SOURCE}:{key}"]})
        outcome = converge(CHANNEL, declared, ChannelBackend(client, ask_source=False), verify_timeout=0)
        self._stopped = []
        if outcome.failure:
            raise MysqlError(f"{name} does not follow {step.facts['new']}: {outcome.failure}")
        return ()

    def _subset(self, name: str, writer: str) -> None:
        """What was so when it was planned may not be so any more. The writer is asked last."""
        server, theirs = self._read(name), self._read(writer)
        # What it has received of another one, and not applied, is thrown away as soon as it is pointed elsewhere.
        others = [channel for channel in server.channels if channel.source_id != theirs.id]
        errant = more(with_received(server, others), seen(theirs))
        if errant:
            raise MysqlError(
                f"{name} has transactions that {writer} does not have, and cannot follow it: {errant}.",
                hint=f"Run again; it then asks for reseed_replica:{name}.",
            )

    def _set_aside(self, step: Step) -> Sequence[str]:
        for channel in step.facts["channels"]:
            self._stop_channel(str(step.key[0]), channel)
        self._stopped = []
        return ()

    # -- single statements ------------------------------------------------------------------------------------------

    def _stop_channel(self, name: str, channel: str) -> None:
        client = self.clients[name]
        running = next((one.threads for one in self._read(name).channels if one.name == channel), frozenset())
        if running:
            self._stopped.append((name, channel, running))
            statement = self._dialect(name).stop(channel, BOTH, client.literal)
            client.write(statement, asked=f"to stop the channel {channel or 'default'} of {name}")

    def _dialect(self, name: str) -> Dialect:
        if name not in self._dialects:
            self._dialects[name] = dialect_of(self.clients[name])
        return self._dialects[name]

    def _all(self) -> Sequence[Server]:
        return gather(self.clients).servers

    def _read(self, name: str) -> Server:
        found = observe(name, self.clients[name])
        if found.error:
            raise MysqlError(f"{name} cannot be asked any more: {found.error}")
        return found

    def _applied(self, name: str) -> Transactions:
        dialect = self._dialect(name)
        return transactions(Server(name, dialect.name), dialect.position(self.clients[name]).has)

    def _received(self, name: str) -> Transactions:
        """What lies here to be applied, where something is applying."""
        server = self._read(name)
        texts = [one.received for one in server.channels if one.received and SQL in one.threads]
        return transactions(server, ",".join(texts))
