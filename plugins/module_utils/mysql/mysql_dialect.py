# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Replication in MySQL's words, from 8.0.23 on. Source: MySQL reference manual, "SQL Statements for Controlling Replica
Servers"; tried on 9.7."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.mysql.client import Client, Row, identifier
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialect import (
    BOTH,
    FILTERS,
    IO,
    NOTHING,
    POSITION,
    SQL,
    Channel,
    Dialect,
    History,
    Literal,
    Replica,
    Thread,
    seconds,
)
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.gtid import GtidSet

OLDEST = (8, 0, 23)
_THREADS = {IO: "IO_THREAD", SQL: "SQL_THREAD"}
# Since 8.4 a replica gives up after ten attempts.
_RETRIES = (((8, 4), 10), ((0,), 86400))


@dataclass(frozen=True)
class MysqlDialect(Dialect):
    name: str = "MySQL"
    source: str = "source"
    replica: str = "replica"

    # -- reading ----------------------------------------------------------------------------------------------------

    def read(self, client: Client) -> Replica:
        periods = {
            row["name"]: row["period"]
            for row in client.rows(
                "SELECT CHANNEL_NAME AS name, HEARTBEAT_INTERVAL AS period "
                "FROM performance_schema.replication_connection_configuration"
            )
        }
        channels = {}
        for row in client.rows("SHOW REPLICA STATUS"):
            if row["Source_Host"]:
                channel = self._channel(row, periods.get(row["Channel_Name"], 0))
                channels[channel.name] = self._with_cause(client, channel)
        server = client.row(
            "SELECT @@global.server_id AS id, @@global.server_uuid AS uuid, @@global.gtid_mode AS gtid_mode"
        )
        timeout = client.rows(
            "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('replica_net_timeout', 'slave_net_timeout')"
        )
        return Replica(
            channels=channels,
            semi_sync=self.read_semi_sync(client),
            net_timeout=int(timeout[0]["Value"]),
            server_id=int(server["id"]),
            server_uuid=str(server["uuid"]),
            gtid_mode=str(server["gtid_mode"]).upper() == "ON",
        )

    def _channel(self, row: Row, period: Any) -> Channel:
        channel = self.decoded(row, row["Channel_Name"].lower())
        options = {
            **channel.options,
            "gtid": bool(int(row["Auto_Position"])),
            "retry_count": int(row["Source_Retry_Count"]),
            "heartbeat_period": seconds(period),
            "get_source_public_key": bool(int(row["Get_Source_public_key"])),
        }
        return replace(channel, options=options, source_id=row["Source_UUID"] or "", received=row["Retrieved_Gtid_Set"])

    @staticmethod
    def _with_cause(client: Client, channel: Channel) -> Channel:
        """With several workers, the channel's own error only says that one of them has one."""
        if channel.sql.running or not channel.sql.number:
            return channel
        found = client.row(
            "SELECT LAST_ERROR_NUMBER AS number, LAST_ERROR_MESSAGE AS text "
            "FROM performance_schema.replication_applier_status_by_worker "
            "WHERE CHANNEL_NAME = %s AND LAST_ERROR_NUMBER <> 0 ORDER BY LAST_ERROR_TIMESTAMP DESC LIMIT 1",
            channel.name,
        )
        if not found:
            return channel
        return replace(channel, sql=Thread(False, number=int(found["number"]), error=str(found["text"])))

    def history(self, client: Client) -> History:
        row = client.row("SELECT @@global.gtid_executed AS has, @@global.gtid_purged AS purged")
        return History(str(row["has"]), str(row["purged"]))

    def lacked(self, mine: History, source: History, others: Collection[str]) -> Sequence[str]:
        lacking = (GtidSet.parse(mine.has) - GtidSet.parse(source.has)).without_sources(others)
        return [f"it lacks {lacking.count} transactions that this server has ({lacking})"] if lacking else []

    def purged(self, mine: History, source: History) -> Sequence[str]:
        gone = GtidSet.parse(source.purged or "") - GtidSet.parse(mine.has)
        return [f"it has purged {gone.count} transactions that this server would need ({gone})"] if gone else []

    def beyond(self, received: str, has: str) -> str:
        return str(GtidSet.parse(received) - GtidSet.parse(has))

    def stored_password(self, client: Client, channel: str) -> str:
        row = client.row(
            "SELECT User_password AS password FROM mysql.slave_master_info WHERE Channel_name = %s", channel
        )
        return str(row.get("password") or "")

    # -- who may write -----------------------------------------------------------------------------------------------

    def stop_writing(self) -> str:
        # Switches read_only on as well; read_only alone would let administrators write. Off, that takes both along.
        return "SET GLOBAL super_read_only = 1"

    # -- a copy of another server ------------------------------------------------------------------------------------

    @property
    def programs(self) -> tuple[Sequence[str], Sequence[str]]:
        return ("mysqldump",), ("mysql",)

    def dump_options(self) -> Sequence[str]:
        usual = ("--single-transaction", "--routines", "--events", "--triggers", "--hex-blob", "--flush-privileges")
        # Whom the donor follows is its own.
        own = ("slave_master_info", "slave_relay_log_info", "slave_worker_info", "gtid_executed")
        left_out = [f"--ignore-table=mysql.{table}" for table in own]
        return (*usual, "--set-gtid-purged=ON", *left_out, "--all-databases")

    def keep_others_out(self, *, super_read_only: bool) -> Sequence[str]:
        return ("SET GLOBAL read_only = 1", *(("SET GLOBAL super_read_only = 0",) if super_read_only else ()))

    def forget_transactions(self) -> Sequence[str]:
        return ("RESET BINARY LOGS AND GTIDS" if self.version >= (8, 2) else "RESET MASTER",)

    def forget_received(self, channel: str, literal: Literal) -> str:
        return f"RESET REPLICA FOR CHANNEL {literal(channel)}"

    # -- writing ----------------------------------------------------------------------------------------------------

    def defaults(self, net_timeout: int) -> dict[str, Any]:
        retries = next(count for since, count in _RETRIES if self.version >= since)
        return {**super().defaults(net_timeout), "retry_count": retries}

    def threads(self, options: Collection[str]) -> frozenset[str]:
        wanted = set(options)
        if wanted & {"gtid", *POSITION}:
            return BOTH
        applier = {"delay", *FILTERS}
        stopped = NOTHING
        if wanted & applier:
            stopped |= {SQL}
        if wanted - applier - {"running"}:
            stopped |= {IO}
        return stopped

    def start(self, channel: str, threads: Collection[str], literal: Literal) -> str:
        return f"START REPLICA{_named(threads)} FOR CHANNEL {literal(channel)}"

    def stop(self, channel: str, threads: Collection[str], literal: Literal) -> str:
        return f"STOP REPLICA{_named(threads)} FOR CHANNEL {literal(channel)}"

    def change(self, channel: str, options: Mapping[str, Any], literal: Literal) -> str:
        names = {
            **self.names(),
            "gtid": "SOURCE_AUTO_POSITION",
            "retry_count": "SOURCE_RETRY_COUNT",
            "get_source_public_key": "GET_SOURCE_PUBLIC_KEY",
        }
        settings = ", ".join(self.settings(options, names, literal))
        return f"CHANGE REPLICATION SOURCE TO {settings} FOR CHANNEL {literal(channel)}"

    def filters(self, channel: str, filters: Mapping[str, Sequence[str]], literal: Literal) -> Sequence[str]:
        parts = []
        for option in FILTERS:
            if option in filters:
                write = _rule(option, literal)
                parts.append(f"{option.upper()} = ({', '.join(write(value) for value in filters[option])})")
        if not parts:
            return ()
        return (f"CHANGE REPLICATION FILTER {', '.join(parts)} FOR CHANNEL {literal(channel)}",)

    def forget(self, channel: str, filters: Collection[str], literal: Literal) -> Sequence[str]:
        return (f"RESET REPLICA ALL FOR CHANNEL {literal(channel)}",)


def _named(threads: Collection[str]) -> str:
    """Both is what a statement without any means, and takes them in the right order."""
    if set(threads) >= BOTH:
        return ""
    return f" {', '.join(_THREADS[thread] for thread in sorted(threads))}"


def _rule(option: str, literal: Literal) -> Any:
    if "wild" in option:
        return literal
    if option.endswith("_db"):
        return identifier
    return lambda value: ".".join(identifier(part) for part in value.split(".", 1))
