# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""One server: started, asked, stopped, killed."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pymysql.cursors

from lab.mysql.data import (
    ADMIN,
    ADMIN_PASSWORD,
    REPLICATION,
    REPLICATION_PASSWORD,
    SMALL,
    SMALL_MYSQL,
    account,
)
from lab.mysql.programs import MARIADB, Programs

__all__ = ["ADMIN", "ADMIN_PASSWORD", "REPLICATION", "REPLICATION_PASSWORD", "Server"]

_COMMON = (
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--log-bin=binlog",
    # What a killed process loses is nothing; what a killed machine would lose nobody tests here.
    "--sync-binlog=0",
    "--innodb-flush-log-at-trx-commit=2",
    # The kernel has only so many requests for all (fs.aio-max-nr), and each server takes thousands.
    "--innodb-use-native-aio=OFF",
)
_MARIADB = (
    *SMALL,
    "--log-slave-updates",
    "--gtid-strict-mode=1",
    "--relay-log=relay",
    "--character-set-server=utf8mb4",
)
_MYSQL = (
    *SMALL_MYSQL,
    "--gtid-mode=ON",
    "--enforce-gtid-consistency=ON",
    "--relay-log=relay",
    "--mysqlx=OFF",
    "--secure-file-priv=",
    "--plugin-load-add=semisync_source.so",
    "--plugin-load-add=semisync_replica.so",
    "--plugin-load-add=mysql_clone.so",
)
STARTING = 60.0


# Below those the kernel gives to whoever asks for any: while a server is stopped, its port must stay its own.
_PORTS = range(12000, 32000)


def _free_port() -> int:
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Server:
    """port: of 127.0.0.1.  socket: where root logs in without a password, and ADMIN with ADMIN_PASSWORD."""

    def __init__(self, name: str, programs: Programs, folder: Path, server_id: int, options: tuple[str, ...]) -> None:
        self.name, self.programs, self.folder, self.server_id, self.options = name, programs, folder, server_id, options
        self.port = _free_port()
        self.socket = str(folder / "sock")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def dialect(self) -> str:
        return self.programs.dialect

    @property
    def log(self) -> str:
        """The server's error log."""
        path = self.folder / "error.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it (again), and wait until it answers."""
        command = [*self.programs.server, "--no-defaults", *self.programs.options]
        command += [f"--datadir={self.folder / 'data'}", f"--socket={self.socket}", f"--port={self.port}"]
        command += [f"--pid-file={self.folder / 'pid'}", f"--log-error={self.folder / 'error.log'}"]
        command += [f"--server-id={self.server_id}", *_COMMON]
        command += [*(_MARIADB if self.dialect == MARIADB else _MYSQL), *self.options]
        user, group = account()
        self._process = subprocess.Popen(
            command,
            cwd=self.folder,
            user=user,
            group=group,
            extra_groups=[],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + STARTING
        while True:
            with contextlib.suppress(pymysql.err.OperationalError):
                self.connect().close()
                return
            if not self.running or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.dialect} {self.name} did not start:\n{self.log[-3000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Shut it down as an administrator does."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _signal(self, number: int) -> None:
        if self._process is not None and self.running:
            os.kill(self._process.pid, number)

    def _end(self, number: int) -> None:
        self._signal(number)
        if self._process is not None:
            self._process.wait(timeout=60)
            self._process = None

    def connect(self, user: str = "root", password: str = "", **more: Any) -> pymysql.connections.Connection[Any]:
        """A connection over the unix socket."""
        return pymysql.connect(
            unix_socket=self.socket,
            user=user,
            password=password,
            autocommit=True,
            connect_timeout=10,
            ssl_disabled=True,  # PyMySQL would read all CAs of the host for each connection
            cursorclass=pymysql.cursors.DictCursor,
            **more,
        )

    @contextlib.contextmanager
    def session(self) -> Iterator[pymysql.cursors.DictCursor]:
        """Several statements in one connection of root's."""
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def query(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        """One statement as root, and its rows."""
        with self.session() as cursor:
            cursor.execute(statement, parameters or None)
            return list(cursor.fetchall())

    def value(self, expression: str) -> Any:
        """What SELECT of one expression gives."""
        (row,) = self.query(f"SELECT {expression} AS value")
        return row["value"]
