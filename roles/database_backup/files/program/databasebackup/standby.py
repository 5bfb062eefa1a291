# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Whether a server may be dumped now: a replica that is broken or far behind has yesterday's data."""

from __future__ import annotations

from databasebackup.settings import MARIADB, Refused, Settings
from databasebackup.sql import Server

WRITER, REPLICA = "writer", "replica"


def role(server: Server, settings: Settings) -> tuple[str, int]:
    """(WRITER or REPLICA, its lag in seconds). Raises Refused and says why it is not dumped."""
    mariadb = settings.dialect == MARIADB
    facts = server.row("SELECT @@global.read_only AS closed, @@global.log_bin AS logs")
    if facts["logs"] not in ("1", "ON"):
        raise Refused("This server keeps no binary log (log_bin): a dump of it would have no position.")
    if facts["closed"] not in ("1", "ON", "2"):
        if not settings.on_writer:
            raise Refused("This server is the writer, and database_backup_on_writer is false.")
        return WRITER, 0
    channels = server.rows("SHOW ALL SLAVES STATUS" if mariadb else "SHOW REPLICA STATUS")
    if not channels:
        raise Refused("This server is read-only and follows nobody: its data may be old.")
    words = (
        ("Connection_name", "Slave_IO_Running", "Slave_SQL_Running", "Seconds_Behind_Master")
        if mariadb
        else ("Channel_Name", "Replica_IO_Running", "Replica_SQL_Running", "Seconds_Behind_Source")
    )
    worst = 0
    for channel in channels:
        name, receiving, applying, behind = (channel[word] for word in words)
        called = f"The replication channel {name}" if name else "Replication"
        if receiving != "Yes" or applying != "Yes":
            why = channel.get("Last_SQL_Error") or channel.get("Last_IO_Error") or "it was stopped"
            raise Refused(f"{called} of this server does not run, so it is not dumped: {why}")
        worst = max(worst, int(behind) if behind.isdigit() else settings.max_lag + 1)
        if worst > settings.max_lag:
            raise Refused(
                f"{called} of this server is {behind} s behind, more than {settings.max_lag} s: it is not dumped."
            )
    return REPLICA, worst
