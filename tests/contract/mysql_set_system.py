# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A set of real servers under test: `a` writes, `b` and `c` follow it. Modules reach each through a proxy; one count is
kept of all their writes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

import pymysql
import pytest

from lab.mysql import ADMIN, ADMIN_PASSWORD, MARIADB, REPLICATION, REPLICATION_PASSWORD, Server, Servers, why_not
from lab.mysql.proxy import FAILURE, Count, Proxy
from tests.contract.case import PREFIX
from tests.contract.system import System

NAMES = ("a", "b", "c")
DATABASE = "hct_set"
CHANNEL = f"{PREFIX}set"
# No such database yet, no such table.
_ON_ITS_WAY = (1049, 1146)


def forget_everything(server: Server, *, mariadb: bool) -> None:
    """No channels, no databases, no transactions, and writable."""
    with server.session() as cursor:
        cursor.execute("SET SESSION sql_log_bin = 0")
        cursor.execute("SET GLOBAL read_only = 0")
        if mariadb:
            cursor.execute("STOP ALL SLAVES")
            cursor.execute("SHOW ALL SLAVES STATUS")
            for row in cursor.fetchall():
                cursor.execute("RESET SLAVE %s ALL", (row["Connection_name"],))
        else:
            cursor.execute("STOP REPLICA")
            cursor.execute("RESET REPLICA ALL")
        cursor.execute("SHOW DATABASES")
        for name in [str(row["Database"]) for row in cursor.fetchall()]:
            if name.startswith(("hct", "hospital")):
                cursor.execute(f"DROP DATABASE {name}")
        if mariadb:
            cursor.execute("RESET MASTER")
            cursor.execute("SET GLOBAL gtid_slave_pos = ''")
        else:
            cursor.execute("RESET BINARY LOGS AND GTIDS")


class MysqlSetSystem(System):
    patience = 10
    failure = FAILURE
    nonsense = 20

    def __init__(self, dialect: str) -> None:
        if why_not(dialect):
            pytest.skip(f"{dialect} cannot run here: {why_not(dialect)}")
        self.dialect = dialect
        self._stack = contextlib.ExitStack()
        self.servers = self._stack.enter_context(Servers(dialect))
        self.count = Count()
        self.proxies: dict[str, Proxy] = {}
        for name in NAMES:
            server = self.servers.start(name)
            self.proxies[name] = Proxy(server.socket, self.servers.folder / f"proxy-{name}", self.count)
            self._stack.callback(self.proxies[name].close)

    def __getitem__(self, name: str) -> Server:
        return self.servers[name]

    @property
    def is_mariadb(self) -> bool:
        return self.dialect == MARIADB

    def members(self, *names: str) -> list[dict[str, Any]]:
        """What `servers` is given. None of them is where the others would reach it."""
        login = {"login_user": ADMIN, "login_password": ADMIN_PASSWORD}
        return [
            {
                "name": name,
                "login_unix_socket": self.proxies[name].path,
                "source_host": "127.0.0.1",
                "source_port": self[name].port,
                **login,
            }
            for name in names or NAMES
        ]

    def arguments(self, writer: str, **more: Any) -> dict[str, Any]:
        given = {"servers": self.members(), "writer": writer, "source_password": REPLICATION_PASSWORD}
        return {**given, "verify_timeout": self.patience, **more}

    def variables(self) -> dict[str, Any]:
        """What the examples speak of."""
        return {"record_servers": self.members(), "replication_password": REPLICATION_PASSWORD}

    # -- the state each test begins with ----------------------------------------------------------------------------

    def reset(self) -> None:
        for name in NAMES:
            if not self[name].running:
                self[name].start()
            forget_everything(self[name], mariadb=self.is_mariadb)
        for name in ("b", "c"):
            self.follow(name, "a")
            self.read_only(name)
        self["a"].query(f"CREATE DATABASE {DATABASE}")
        self["a"].query(f"CREATE TABLE {DATABASE}.records (id INT PRIMARY KEY)")
        self["a"].query(f"INSERT INTO {DATABASE}.records VALUES (1)")
        for name in ("b", "c"):
            self.await_rows(name, 1)

    def follow(self, name: str, source: str) -> None:
        """By hand, as an administrator would have done it."""
        place = f"'127.0.0.1', {{0}}_PORT = {self[source].port}, {{0}}_USER = '{REPLICATION}', "
        place += f"{{0}}_PASSWORD = '{REPLICATION_PASSWORD}', {{0}}_CONNECT_RETRY = 1"
        if self.is_mariadb:
            more = place.format("MASTER")
            self[name].query(f"CHANGE MASTER '{CHANNEL}' TO MASTER_HOST = {more}, MASTER_USE_GTID = slave_pos")
            self[name].query(f"START SLAVE '{CHANNEL}'")
            return
        more = f"{place.format('SOURCE')}, SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1"
        self[name].query(f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = {more} FOR CHANNEL '{CHANNEL}'")
        self[name].query(f"START REPLICA FOR CHANNEL '{CHANNEL}'")

    def by_position(self, name: str) -> None:
        """From here on, in the log of the one it follows, as it was done before there were GTIDs."""
        self.stop_channel(name)
        if self.is_mariadb:
            self[name].query(f"CHANGE MASTER '{CHANNEL}' TO MASTER_USE_GTID = no")
        else:
            self[name].query(f"CHANGE REPLICATION SOURCE TO SOURCE_AUTO_POSITION = 0 FOR CHANNEL '{CHANNEL}'")
        self.start_channel(name)

    def stop_channel(self, name: str, thread: str = "") -> None:
        if self.is_mariadb:
            self[name].query(f"STOP SLAVE '{CHANNEL}' {thread}")
        else:
            self[name].query(f"STOP REPLICA {thread} FOR CHANNEL '{CHANNEL}'")

    def start_channel(self, name: str, thread: str = "") -> None:
        if self.is_mariadb:
            self[name].query(f"START SLAVE '{CHANNEL}' {thread}")
        else:
            self[name].query(f"START REPLICA {thread} FOR CHANNEL '{CHANNEL}'")

    def channel(self, name: str) -> dict[str, Any]:
        rows = self[name].query("SHOW ALL SLAVES STATUS" if self.is_mariadb else "SHOW REPLICA STATUS")
        return rows[0] if rows else {}

    def read_only(self, name: str, wanted: bool = True) -> None:
        word = "read_only" if self.is_mariadb or not wanted else "super_read_only"
        self[name].query(f"SET GLOBAL {word} = {int(wanted)}")

    def write_unlogged(self, name: str, statement: str) -> None:
        """What a replica's administrator should not do: behind everybody's back."""
        with self[name].session() as cursor:
            cursor.execute("SET SESSION sql_log_bin = 0")
            cursor.execute("SET GLOBAL read_only = 0")
            cursor.execute(statement)
        self.read_only(name)

    def write_errant(self, name: str, number: int) -> None:
        """A transaction that nobody else has."""
        self.read_only(name, False)
        self[name].query(f"INSERT INTO {DATABASE}.records VALUES ({number})")
        self.read_only(name)

    def rows(self, name: str) -> list[int]:
        return [int(row["id"]) for row in self[name].query(f"SELECT id FROM {DATABASE}.records ORDER BY id")]

    def await_rows(self, name: str, count: int) -> None:
        deadline = time.monotonic() + 20
        while not self._has(name, count):
            assert time.monotonic() < deadline, (name, self.channel(name))
            time.sleep(0.02)

    def _has(self, name: str, count: int) -> bool:
        try:
            return len(self.rows(name)) >= count
        except pymysql.err.MySQLError as problem:
            if problem.args[0] not in _ON_ITS_WAY:
                raise
            return False

    def writable(self) -> list[str]:
        """Who can be written to just now."""
        return [name for name in NAMES if self[name].running and not self[name].value("@@global.read_only")]

    # -- what the suite asks ----------------------------------------------------------------------------------------

    def close(self) -> None:
        self._stack.close()

    def writes(self) -> int:
        return self.count.writes

    def inventory(self) -> Any:
        return [(name, self.writable().count(name), self._written(self.channel(name))) for name in NAMES]

    def _written(self, row: Mapping[str, Any]) -> Any:
        words = ("_Host", "_Port", "_User", "_SQL_Running")
        return {name: value for name, value in row.items() if name.endswith(words)}

    def failing_write(self, number: int, *, lost: bool = False) -> contextlib.AbstractContextManager[None]:
        return self.count.failing_write(number, lost=lost)
