# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Replication in MariaDB's words, from 10.6 on. Source: MariaDB Knowledge Base, "Replication Statements" and
"Multi-Source Replication"; tried on 10.11."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.mysql.client import Client, Row, identifier
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialect import (
    BOTH,
    FILTERS,
    IO,
    NOTHING,
    SQL,
    Channel,
    Dialect,
    History,
    Literal,
    Replica,
    seconds,
)
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.errors import MysqlError
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.gtid import GtidState

OLDEST = (10, 6)
_THREADS = {IO: "IO_THREAD", SQL: "SQL_THREAD"}
UNSUPPORTED = {
    "retry_count": "MariaDB has it for the whole server only, as master-retry-count in its configuration",
    "get_source_public_key": "MariaDB's accounts need no public key",
}


@dataclass(frozen=True)
class MariadbDialect(Dialect):
    name: str = "MariaDB"
    source: str = "master"
    replica: str = "slave"
    unsupported: Mapping[str, str] = field(default_factory=lambda: UNSUPPORTED)
    restated: tuple[str, ...] = ("heartbeat_period",)
    once: bool = True
    plain_engine: str = "MyISAM"
    longest_user: int = 128
    longest_password: int = 96

    # -- reading ----------------------------------------------------------------------------------------------------

    def read(self, client: Client) -> Replica:
        rows = client.rows("SHOW ALL SLAVES STATUS")
        channels = [self._channel(row) for row in rows if row["Master_Host"]]
        server = client.row("SELECT @@global.server_id AS id, @@global.slave_net_timeout AS timeout")
        return Replica(
            channels={channel.name: channel for channel in channels},
            semi_sync=self.read_semi_sync(client),
            net_timeout=int(server["timeout"]),
            server_id=int(server["id"]),
        )

    def _channel(self, row: Row) -> Channel:
        channel = self.decoded(row, row["Connection_name"].lower())
        options = {
            **channel.options,
            "gtid": row["Using_Gtid"] != "No",
            "heartbeat_period": seconds(row["Slave_heartbeat_period"]),
        }
        number = int(row["Master_Server_Id"] or 0)
        return replace(channel, options=options, source_id=str(number or ""), received=row["Gtid_IO_Pos"] or "")

    def history(self, client: Client) -> History:
        has = str(client.row("SELECT @@global.gtid_binlog_state AS has")["has"])
        try:
            logs = client.rows("SHOW BINARY LOGS")
        except MysqlError:
            # An account for replication may not ask.
            return History(has)
        if not logs:
            return History(has)
        start = client.row("SELECT BINLOG_GTID_POS(%s, 4) AS start", logs[0]["Log_name"])["start"]
        return History(has, None if start is None else str(start))

    def position(self, client: Client) -> History:
        row = client.row("SELECT @@global.gtid_slave_pos AS position, @@global.gtid_binlog_state AS written")
        return History(str(GtidState.parse(str(row["position"])) | GtidState.parse(str(row["written"]))))

    def lacked(self, mine: History, source: History, others: Collection[str]) -> Sequence[str]:
        beyond = GtidState.parse(mine.has) - GtidState.parse(source.has)
        lacking = beyond.without_servers(int(number) for number in others if number)
        return [f"it lacks transactions that this server has, up to {lacking}"] if lacking else []

    def purged(self, mine: History, source: History) -> Sequence[str]:
        behind = GtidState.parse(mine.has).behind(GtidState.parse(source.purged or ""))
        return [
            f"it has purged what this server would need of domain {domain}: it begins after {first}, "
            f"and this server is at {number}"
            for domain, (number, first) in sorted(behind.items())
        ]

    def beyond(self, received: str, has: str) -> str:
        return str(GtidState.parse(received) - GtidState.parse(has))

    # -- who may write -----------------------------------------------------------------------------------------------

    def go_on_from_here(self, client: Client) -> Sequence[str]:
        # What a server wrote itself is not in the position that its channels begin at.
        row = client.row("SELECT @@global.gtid_slave_pos AS slave, @@global.gtid_current_pos AS now")
        same = GtidState.parse(str(row["slave"])) == GtidState.parse(str(row["now"]))
        return () if same else (f"SET GLOBAL gtid_slave_pos = {client.literal(str(row['now']))}",)

    # -- a copy of another server ------------------------------------------------------------------------------------

    @property
    def programs(self) -> tuple[Sequence[str], Sequence[str]]:
        return ("mariadb-dump",), ("mariadb",)

    def dump_options(self) -> Sequence[str]:
        usual = ("--single-transaction", "--routines", "--events", "--triggers", "--hex-blob", "--flush-privileges")
        # Where it stands itself, and what it measured of its tables, is the donor's own.
        own = ("gtid_slave_pos", "innodb_table_stats", "innodb_index_stats", "transaction_registry")
        left_out = [f"--ignore-table=mysql.{table}" for table in own]
        return (*usual, "--gtid", "--master-data=1", *left_out, "--all-databases")

    def forget_transactions(self) -> Sequence[str]:
        return ("RESET MASTER", "SET GLOBAL gtid_slave_pos = ''")

    def forget_received(self, channel: str, literal: Literal) -> str:
        return f"RESET SLAVE {literal(channel)}"

    def remember_transactions(self, client: Client, history: str) -> Sequence[str]:
        # The position names one server a domain. Others wrote there before, and without them in its log this server
        # would seem to lack what they wrote.
        position = GtidState.parse(str(client.row("SELECT @@global.gtid_slave_pos AS position")["position"]))
        last = position.highest()
        before = {key: number for key, number in GtidState.parse(history).last.items() if number <= last.get(key[0], 0)}
        state = GtidState(before) | position
        return ("RESET MASTER", f"SET GLOBAL gtid_binlog_state = {client.literal(str(state))}")

    # -- writing ----------------------------------------------------------------------------------------------------

    def threads(self, options: Collection[str]) -> frozenset[str]:
        wanted = set(options) - {"running"}
        if wanted and wanted <= set(FILTERS):
            return frozenset({SQL})
        if wanted == {"semi_sync"}:
            return frozenset({IO})
        return BOTH if wanted else NOTHING

    def start(self, channel: str, threads: Collection[str], literal: Literal) -> str:
        return f"START SLAVE {literal(channel)}{_named(threads)}"

    def stop(self, channel: str, threads: Collection[str], literal: Literal) -> str:
        return f"STOP SLAVE {literal(channel)}{_named(threads)}"

    def change(self, channel: str, options: Mapping[str, Any], literal: Literal) -> str:
        settings = self.settings(options, self.names(), literal)
        if "gtid" in options:
            settings.append(f"MASTER_USE_GTID = {'slave_pos' if options['gtid'] else 'no'}")
        return f"CHANGE MASTER {literal(channel)} TO {', '.join(settings)}"

    def filters(self, channel: str, filters: Mapping[str, Sequence[str]], literal: Literal) -> Sequence[str]:
        connection = f"{identifier(channel)}." if channel else ""
        return tuple(
            f"SET GLOBAL {connection}{option} = {literal(','.join(filters[option]))}"
            for option in FILTERS
            if option in filters
        )

    def forget(self, channel: str, filters: Collection[str], literal: Literal) -> Sequence[str]:
        # They would wait for whoever makes a channel of that name again.
        cleared = self.filters(channel, dict.fromkeys(filters, ()), literal)
        return (*cleared, f"RESET SLAVE {literal(channel)} ALL")


def _named(threads: Collection[str]) -> str:
    if set(threads) >= BOTH:
        return ""
    return f" {', '.join(_THREADS[thread] for thread in sorted(threads))}"
