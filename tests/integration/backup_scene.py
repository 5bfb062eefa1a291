# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The program of the role database_backup beside real servers, which are processes of this machine."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lab.mysql import MARIADB, Server, Servers
from tests.unit.role_program import assembled

USER, PASSWORD = "shipper", "q\"uo'te\\\\d #1"
_MAIN = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from databasebackup.command import main
from databasebackup.settings import Places
folder = Path(sys.argv[2])
sys.exit(main(sys.argv[3:], Places(folder / "etc", folder / "var", folder / "run")))
"""


class Site:
    """A host with backups: its settings, its store, its programs. server: what is dumped."""

    def __init__(
        self, servers: Servers, server: Server, folder: Path, store: Path | None = None, **settings: Any
    ) -> None:
        self.servers, self.folder = servers, folder
        self.store = store or folder / "store"
        tool, mariadb = servers.programs.tool, servers.dialect == MARIADB
        names = ("mariadb", "mariadb-dump", "mariadb-binlog") if mariadb else ("mysql", "mysqldump", "mysqlbinlog")
        programs = dict(zip(("client", "dump", "binlog"), (tool(name) for name in names), strict=True))
        programs["server"] = list(servers.programs.server)
        programs["install"] = tool("mariadb-install-db") if mariadb else programs["server"]
        programs["server_options"] = list(servers.programs.options)
        policy = {"hourly": 28, "daily": 14, "weekly": 8, "monthly": 12, "yearly": 0}
        self.settings: dict[str, Any] = {
            "name": "c",
            "dialect": servers.dialect,
            "directory": str(self.store),
            "restores": str(servers.folder / f"restores-{folder.name[-20:]}"),
            "user": "nobody",
            "systemd": False,
            "ship_poll": 0.3,
            "minimum_free": 1 << 20,
            "policy": policy,
            "programs": programs,
            **settings,
        }
        (folder / "etc").mkdir(parents=True)
        self.dumps(server)
        identity = subprocess.run(["age-keygen"], capture_output=True, text=True, check=True).stdout
        self.identity = folder / "etc" / "identity"
        self.identity.write_text(identity)
        public = identity.partition("public key: ")[2].splitlines()[0]
        (folder / "etc" / "recipients").write_text(f"{public}\n")
        self.set()

    def set(self, **more: Any) -> None:
        self.settings.update(more)
        (self.folder / "etc" / "settings.json").write_text(json.dumps(self.settings))

    def dumps(self, server: Server) -> None:
        (self.folder / "etc" / "dump.cnf").write_text(f"[client]\nuser=root\nsocket={server.socket}\n")

    def follows(self, writer: Server) -> None:
        """What the floating address is, for the shipping."""
        quoted = PASSWORD.replace("\\", "\\\\").replace('"', '\\"')
        lines = ["[client]", f"user={USER}", f'password="{quoted}"', "host=127.0.0.1", f"port={writer.port}", ""]
        (self.folder / "etc" / "ship.cnf").write_text("\n".join(lines))

    def words(self, *words: str) -> list[str]:
        program = assembled("database_backup", "databasebackup")
        return [sys.executable, "-I", "-c", _MAIN, str(program), str(self.folder), *words]

    def run(
        self, *words: str, check: bool = True, timeout: float = 120, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(self.words(*words), capture_output=True, text=True, timeout=timeout, check=False, **more)
        assert not check or done.returncode == 0, done.stderr + done.stdout
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def json(self, *words: str, **more: Any) -> Any:
        return json.loads(self.run(*words, **more).stdout)

    def refused(self, *words: str) -> str:
        """What it said."""
        done = self.run(*words, check=False)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def status(self) -> dict[str, Any]:
        done = self.run("status", check=False)
        return {**json.loads(done.stdout), "code": done.returncode}

    @contextlib.contextmanager
    def shipping(self) -> Iterator[subprocess.Popen[bytes]]:
        """The service, while the block lasts."""
        service = subprocess.Popen(self.words("ship"), start_new_session=True)
        try:
            yield service
        finally:
            service.terminate()
            service.wait(20)

    def current(self, seconds: float = 20) -> None:
        """Wait until everything that was written before now has come."""
        began = time.time()
        until(lambda: self._until() > began, seconds, lambda: json.dumps(self.status()["logs"]))

    def _until(self) -> float:
        path = self.folder / "var" / "ship.json"
        return float(json.loads(path.read_text())["until"]) if path.exists() else 0.0

    def look(self, name: str, statement: str) -> list[list[str]]:
        """What a side instance says."""
        words = [
            *self.settings["programs"]["client"],
            "--no-defaults",
            f"--socket={self.settings['restores']}/{name}/socket",
        ]
        done = subprocess.run([*words, "-uroot", "-rBNe", statement], capture_output=True, text=True, check=True)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def close(self) -> None:
        for path in Path(self.settings["restores"]).glob("*/pid"):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(path.read_text()), signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


def until(true: Callable[[], bool], seconds: float, told: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, told()
        time.sleep(0.1)


def follow(replica: Server, source: Server) -> None:
    """A replica of another server, by GTID."""
    if replica.dialect == MARIADB:
        replica.query(
            "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%s, MASTER_USER=%s, MASTER_PASSWORD=%s,"
            " MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1",
            source.port, USER, PASSWORD,
        )  # fmt: skip
        replica.query("START SLAVE")
    else:
        replica.query(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=%s, SOURCE_USER=%s, SOURCE_PASSWORD=%s,"
            " SOURCE_AUTO_POSITION=1, SOURCE_CONNECT_RETRY=1, GET_SOURCE_PUBLIC_KEY=1",
            source.port, USER, PASSWORD,
        )  # fmt: skip
        replica.query("START REPLICA")
    replica.query("SET GLOBAL read_only = 1")


def account(server: Server) -> None:
    """The account of the shipping, made where it is replicated from."""
    server.query(f"CREATE USER {USER} IDENTIFIED BY %s", PASSWORD)
    server.query(f"GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO {USER}")
