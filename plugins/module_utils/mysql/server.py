# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What one server says of itself, as far as a set of servers is judged by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.mysql.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialect import Channel, Dialect, by_name
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialects import dialect_of
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.errors import MysqlError

# A database. Its being there means that mysql_seed did not come to its end.
MARK = "hospital_continuity_unfinished_seed"
_VARIABLES = ("read_only", "super_read_only", "port", "log_bin", "log_slave_updates", "log_replica_updates")


@dataclass(frozen=True)
class Server:
    """name: the user's.  id: its UUID (MySQL) or server_id (MariaDB), as the channels of others show it.
    read_only: nobody who is not privileged can write.  super_read_only: nobody can, which only MySQL has.
    has: the transactions it has, as its dialect writes them: applied, and for MariaDB also those written here.
    log_bin, log_updates: it has a binary log, and what it receives gets into that.  gtid: its transactions have
    identities.  error: why it could not be asked, and then nothing else is known.  alive: then, a server runs there all
    the same.  unfinished: it holds a copy that mysql_seed has not brought to its end, whatever its transactions say."""

    name: str
    dialect: str = ""
    version: str = ""
    id: str = ""
    port: int = 0
    read_only: bool = True
    super_read_only: bool = False
    has: str = ""
    purged: Optional[str] = None
    channels: tuple[Channel, ...] = ()
    error: str = ""
    alive: bool = False
    unfinished: bool = False
    log_bin: bool = True
    log_updates: bool = True
    gtid: bool = True

    @property
    def received(self) -> str:
        """What its channels have received, applied or not."""
        return ",".join(channel.received for channel in self.channels if channel.received)

    @property
    def reachable(self) -> bool:
        return not self.error

    @property
    def writable(self) -> bool:
        return self.reachable and not self.read_only


def observe(name: str, client: Client) -> Server:
    """Ask a server. One that cannot be asked is an answer as well."""
    try:
        return _observed(name, client, dialect_of(client))
    except MysqlError as problem:
        return Server(name, error=str(problem), alive=client.alive)
    except (KeyError, TypeError, ValueError) as problem:
        return Server(name, error=f"It answered what this collection does not understand: {problem!r}.", alive=True)


def _observed(name: str, client: Client, dialect: Dialect) -> Server:
    replica = dialect.read(client)
    history, position = dialect.history(client), dialect.position(client)
    variables = _variables(client, _VARIABLES)
    channels = tuple(replica.channels[channel] for channel in sorted(replica.channels))
    return Server(
        name=name,
        dialect=dialect.name,
        version=dialect.text,
        id=replica.server_uuid or str(replica.server_id),
        port=int(variables.get("port", "0")),
        # MariaDB 12 has more than two values.
        read_only=variables.get("read_only", "OFF").upper() not in ("OFF", "0"),
        super_read_only=variables.get("super_read_only", "OFF").upper() == "ON",
        has=position.has,
        purged=history.purged,
        channels=channels,
        log_bin=_on(variables.get("log_bin")),
        log_updates=any(_on(variables.get(name)) for name in ("log_replica_updates", "log_slave_updates")),
        gtid=replica.gtid_mode,
        unfinished=is_unfinished(client),
    )


def is_unfinished(client: Client) -> bool:
    """Whether the server is a copy that did not come to its end, as far as the login may see."""
    return bool(client.rows("SELECT 1 AS found FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = %s", MARK))


def _on(value: Optional[str]) -> bool:
    return (value or "").upper() in ("ON", "1")


def _variables(client: Client, names: Sequence[str]) -> dict[str, str]:
    listed = ", ".join(f"'{name}'" for name in names)
    return by_name(client.rows(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({listed})"))


def shown(channel: Channel) -> dict[str, Any]:
    """A channel as an information module returns it."""
    return {
        "channel": channel.name or "default",
        "source_host": channel.options["source_host"],
        "source_port": channel.options["source_port"],
        "io_running": channel.io.running and not channel.io.connecting,
        "sql_running": channel.sql.running,
        "received": channel.received,
        "lag": channel.lag,
        "error": channel.error,
    }
