# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A donor with data, and a server that is to be filled from it, which modules reach through a proxy."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from typing import Any

import pymysql
import pytest

from lab.mysql import ADMIN, ADMIN_PASSWORD, MARIADB, Server, Servers, why_not
from lab.mysql.proxy import FAILURE, Proxy
from lab.mysql.server import STARTING
from tests.contract.mysql_set_system import forget_everything
from tests.contract.system import System

DATABASE = "hct_records"


class MysqlSeedSystem(System):
    patience = 1
    failure = FAILURE

    def __init__(self, dialect: str) -> None:
        if why_not(dialect):
            pytest.skip(f"{dialect} cannot run here: {why_not(dialect)}")
        self.dialect = dialect
        self._stack = contextlib.ExitStack()
        self.servers = self._stack.enter_context(Servers(dialect))
        self.donor: Server = self.servers.start("donor")
        self.replica: Server = self.servers.start("replica")
        self.proxy = Proxy(self.replica.socket, self.servers.folder / "proxy")
        self._stack.callback(self.proxy.close)
        self._over = threading.Event()
        self._held = self.servers.folder / "held"
        self._scripts = {
            "stop": f'pid=$(cat {self.replica.folder}/pid); touch {self._held}; kill "$pid"; '
            'while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done',
            "start": f"rm -f {self._held}",
        }
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)
        self._supervisor.start()

    def _supervise(self) -> None:
        """As a service manager does: a server that shut itself down after a clone is started again, until it runs."""
        while not self._over.wait(0.2):
            if not self.replica.running and not self._held.exists():
                with contextlib.suppress(RuntimeError):  # its log says why, and so does the test that needs it
                    self.replica.start()

    def _supervised(self) -> None:
        """It runs again, whatever a test left."""
        deadline = time.monotonic() + STARTING
        while True:
            with contextlib.suppress(pymysql.err.OperationalError):
                self.replica.connect().close()
                return
            assert time.monotonic() < deadline, f"the replica does not run:\n{self.replica.log[-3000:]}"
            time.sleep(0.1)

    @property
    def is_mariadb(self) -> bool:
        return self.dialect == MARIADB

    def connection(self, *, root: bool = False) -> dict[str, Any]:
        return {"login_unix_socket": self.proxy.path, "login_user": ADMIN, "login_password": ADMIN_PASSWORD}

    def source(self, **more: Any) -> dict[str, Any]:
        """The donor, as the module is given it."""
        return {"host": "127.0.0.1", "port": self.donor.port, "user": ADMIN, "password": ADMIN_PASSWORD, **more}

    def variables(self) -> dict[str, Any]:
        """What the examples speak of."""
        return {"record_donor": self.source(), "record_backup_command": ["mariadb-backup"]}

    def programs(self) -> dict[str, list[str]]:
        """Where MySQL's are, which are not installed."""
        words = ("mariadb-dump", "mariadb") if self.is_mariadb else ("mysqldump", "mysql")
        if self.is_mariadb and not shutil.which(words[0]):
            pytest.skip("the package mariadb-client is not installed")
        tool = self.servers.programs.tool
        return {"dump_command": tool(words[0]), "client_command": tool(words[1])}

    def backup(self) -> dict[str, list[str]]:
        """How mariadb-backup is run at the donor, and how the replica is stopped and started."""
        if not shutil.which("mariadb-backup"):
            pytest.skip("the package mariadb-backup is not installed")
        login = ["--no-defaults", "--user=root", f"--socket={self.donor.socket}"]
        scripts = {f"{word}_command": ["sh", "-c", script] for word, script in self._scripts.items()}
        return {"backup_command": ["mariadb-backup", *login], **scripts}

    def reset(self) -> None:
        self._held.unlink(missing_ok=True)
        self._supervised()
        for server in (self.donor, self.replica):
            forget_everything(server, mariadb=self.is_mariadb)
        self.donor.query(f"CREATE DATABASE {DATABASE}")
        self.donor.query(f"CREATE TABLE {DATABASE}.records (id INT PRIMARY KEY, text VARCHAR(99))")
        self.donor.query(f"INSERT INTO {DATABASE}.records VALUES (1, 'Ñandú ß €'), (2, 'it''s')")

    def rows(self, server: Server) -> list[dict[str, Any]]:
        return server.query(f"SELECT * FROM {DATABASE}.records ORDER BY id")

    def databases(self) -> list[str]:
        return [str(next(iter(row.values()))) for row in self.replica.query("SHOW DATABASES")]

    def close(self) -> None:
        self._over.set()
        self._supervisor.join()
        self._stack.close()

    def writes(self) -> int:
        return self.proxy.writes

    def inventory(self) -> Any:
        return self.databases()
