# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Real servers of MariaDB or MySQL under test: a source, and a replica that the modules are run against."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.mysql.channel_backend import ChannelBackend
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.login import Login
from lab.mysql import ADMIN, ADMIN_PASSWORD, MARIADB, REPLICATION, REPLICATION_PASSWORD, Server, Servers, why_not
from lab.mysql.proxy import FAILURE, Proxy
from tests.contract import discovery
from tests.contract.system import System

# What is written by somebody, and not by time.
_WORDS = ("Host", "User", "Port", "Retry", "SSL", "Replicate", "Delay", "Using_Gtid", "Auto_Position", "public_key")
_WORDS += ("heartbeat_period", "_IO_Running", "_SQL_Running")
# What a thread does just now, and how long it still waits.
_PASSING = ("_State", "_Remaining_Delay")


class MysqlSystem(System):
    """Two sources and a replica. The modules reach the replica through a proxy that counts their writes
    and can let one fail."""

    # What cannot be reached is not worth waiting for.
    patience = 1
    failure = FAILURE
    nonsense = 50

    def __init__(self, dialect: str) -> None:
        if why_not(dialect):
            pytest.skip(f"{dialect} cannot run here: {why_not(dialect)}")
        self.dialect = dialect
        self._stack = contextlib.ExitStack()
        self.servers = self._stack.enter_context(Servers(dialect))
        self.source: Server = self.servers.start("source")
        # MariaDB tells the transactions of two sources apart by their domains.
        domain = ("--gtid-domain-id=2",) if dialect == MARIADB else ()
        self.second: Server = self.servers.start("second", *domain)
        self.replica: Server = self.servers.start("replica")
        self.proxy = Proxy(self.replica.socket, self.servers.folder / "proxy")
        self._stack.callback(self.proxy.close)
        self._semi_sync = "slave" if dialect == MARIADB else "replica"
        source = "master" if dialect == MARIADB else "source"
        for server in (self.source, self.second):
            server.query(f"SET GLOBAL rpl_semi_sync_{source}_enabled = 1")
            server.query(f"SET GLOBAL rpl_semi_sync_{source}_timeout = 50")

    @property
    def is_mariadb(self) -> bool:
        return self.dialect == MARIADB

    @property
    def ca(self) -> str:
        return str(self.servers.ca)

    def connection(self, *, root: bool = False) -> dict[str, Any]:
        return {"login_unix_socket": self.proxy.path, "login_user": ADMIN, "login_password": ADMIN_PASSWORD}

    def module_defaults(self, module: str) -> dict[str, Any]:
        if not discovery.describes_a_state(module):
            return {}
        return {f"hospital.continuity.{module}": {**self.connection(), "verify_timeout": 1}}

    def account(self, source: Server | None = None) -> dict[str, Any]:
        """What a channel that follows the source needs."""
        item = {"source_host": "127.0.0.1", "source_port": (source or self.source).port}
        item.update(source_user=REPLICATION, source_password=REPLICATION_PASSWORD)
        # Without TLS nobody else would get MySQL's password.
        return item if self.is_mariadb else {**item, "get_source_public_key": True}

    def position(self) -> tuple[str, int]:
        """Where the source's binary log ends."""
        (row,) = self.source.query("SHOW MASTER STATUS" if self.is_mariadb else "SHOW BINARY LOG STATUS")
        return str(row["File"]), int(row["Position"])

    def channels(self) -> list[dict[str, Any]]:
        """All that the replica says of its channels."""
        return self.replica.query("SHOW ALL SLAVES STATUS" if self.is_mariadb else "SHOW REPLICA STATUS")

    def channel(self, name: str) -> dict[str, Any]:
        """One channel, as the replica says it; empty where there is none."""
        column = "Connection_name" if self.is_mariadb else "Channel_Name"
        wanted = "" if name == "default" else name
        return next((row for row in self.channels() if row[column] == wanted), {})

    def written(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """What of a channel somebody wrote. Whether it is connected just now is not."""
        kept = {name: value for name, value in row.items() if any(word in name for word in _WORDS)}
        kept = {name: value for name, value in kept.items() if not name.endswith(_PASSING)}
        if not self.is_mariadb:
            (period,) = self.replica.query(
                "SELECT HEARTBEAT_INTERVAL AS period FROM performance_schema.replication_connection_configuration "
                "WHERE CHANNEL_NAME = %s",
                row["Channel_Name"],
            )
            kept.update(period)
        return {name: "on" if value in ("Connecting", "Preparing", "Yes") else value for name, value in kept.items()}

    def semi_sync(self) -> bool:
        return bool(self.replica.value(f"@@global.rpl_semi_sync_{self._semi_sync}_enabled"))

    def raw(self, item: Mapping[str, Any]) -> Any:
        row = self.channel(item["channel"])
        return (self.written(row) if row else None, self.semi_sync())

    def reset(self) -> None:
        with self.replica.session() as cursor:
            for row in self.channels():
                self._forget(cursor, row)
            if self.is_mariadb:
                # Or a source that lacks what was received before would refuse it.
                cursor.execute("RESET MASTER")
                cursor.execute("SET GLOBAL gtid_slave_pos = ''")
                # What another test just wrote there would be received again, and held back where there is a delay.
                for server in (self.source, self.second):
                    server.query("RESET MASTER")
            cursor.execute(f"SET GLOBAL rpl_semi_sync_{self._semi_sync}_enabled = 0")

    def _forget(self, cursor: Any, row: Mapping[str, Any]) -> None:
        if not self.is_mariadb:
            cursor.execute("STOP REPLICA FOR CHANNEL %s", (row["Channel_Name"],))
            cursor.execute("RESET REPLICA ALL FOR CHANNEL %s", (row["Channel_Name"],))
            return
        name = row["Connection_name"]
        cursor.execute("STOP SLAVE %s", (name,))
        # MariaDB keeps them for the next connection of the same name.
        for option in (
            option
            for option, value in row.items()
            if value and re.match("Replicate_(Wild_)?(Do|Ignore)_(DB|T)", option)
        ):
            cursor.execute(f"SET GLOBAL {f'`{name}`.' if name else ''}{option} = ''")
        cursor.execute("RESET SLAVE %s ALL", (name,))

    def close(self) -> None:
        self._stack.close()

    def writes(self) -> int:
        return self.proxy.writes

    def inventory(self) -> Any:
        return [self.written(row) for row in self.channels()], self.semi_sync()

    def observe(self, kind: Any, keys: Collection[Any]) -> list[Mapping[str, Any]]:
        client = Client(Login(unix_socket=self.replica.socket, user=ADMIN, password=ADMIN_PASSWORD))
        with contextlib.closing(ChannelBackend(client)) as backend:
            found = backend.observe(kind, set(keys), ())
        return [kind.visible(key, thing.state) for key, thing in found.items()]

    def failing_write(self, number: int, *, lost: bool = False) -> contextlib.AbstractContextManager[None]:
        return self.proxy.failing_write(number, lost=lost)
