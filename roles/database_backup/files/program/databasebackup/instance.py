# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A server beside the real one: its own directory, a socket that only root and the server's user reach, no network."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from databasebackup.processes import Chain, die_with_us, environment, run
from databasebackup.settings import MARIADB, Refused, Settings
from databasebackup.sql import Server

STARTING = 120.0
# Where MySQL's own files are, if they are there on this host; MariaDB's programs find them.
FOLDERS = ("basedir", "character_sets_dir", "lc_messages_dir", "plugin_dir")
_SAME = ("innodb_page_size", "innodb_data_file_path", "innodb_undo_tablespaces")


class Instance:
    """alike: the settings of the server that was dumped, as in a manifest."""

    def __init__(self, settings: Settings, folder: Path, alike: Mapping[str, str]) -> None:
        self.settings, self.folder, self.alike = settings, folder, alike
        self.mariadb = settings.dialect == MARIADB
        self._process: Optional[subprocess.Popen[bytes]] = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def socket(self) -> str:
        return str(self.folder / "socket")

    @property
    def server(self) -> Server:
        return Server(self.settings, ("--no-defaults", f"--socket={self.socket}", "--user=root"))

    def create(self) -> None:
        """An empty server in a directory that is not there yet."""
        # A unix socket's path has 107 characters at most.
        if len(self.socket) > 100:
            raise Refused(f"The path {self.folder} is too long for a server's socket.")
        self.folder.mkdir(parents=True, mode=0o700)
        for path in (self.data, self.folder / "tmp"):
            path.mkdir(mode=0o700)
            self._give_away(path)
        self._give_away(self.folder)
        words = [*self.settings.programs["install"], "--no-defaults", *self._basics()]
        if self.mariadb:
            words += ["--auth-root-authentication-method=normal", "--skip-test-db"]
        else:
            words += [
                *self.settings.programs.get("server_options", ()),
                "--initialize-insecure",
                "--skip-log-bin",
                "--secure-file-priv=NULL",
            ]
            words += [f"--log-error={self.folder / 'error.log'}"]
        try:
            run(words, timeout=300, cwd=self.folder, **self._account())
        except Refused as problem:
            raise Refused(f"No server could be made in {self.folder}: {problem} {self.log()}") from None

    def _give_away(self, path: Path) -> None:
        account = self._account()
        if account:
            os.chown(path, int(account["user"]), int(account["group"]))

    def _account(self) -> dict[str, Any]:
        if os.geteuid() != 0:
            return {}
        try:
            found = pwd.getpwnam(self.settings.user)
        except KeyError:
            raise Refused(f"There is no user {self.settings.user} on this host to run a server.") from None
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}

    def _basics(self) -> list[str]:
        words = [f"--datadir={self.data}"]
        names = [name for name in _SAME if self.alike.get(name) and (self.mariadb or name != "innodb_undo_tablespaces")]
        words += [f"--{name.replace('_', '-')}={self.alike[name]}" for name in names]
        for name in () if self.mariadb else FOLDERS:
            if self.alike.get(name) and Path(self.alike[name]).is_dir():
                words.append(f"--{name.replace('_', '-')}={self.alike[name]}")
        case = self.alike.get("lower_case_table_names")
        return [*words, f"--lower-case-table-names={case}"] if case else words

    def words(self, *, looking: bool) -> list[str]:
        """The server's command. looking: when it is filled; whoever reaches its socket may then look at everything."""
        words = [*self.settings.programs["server"], "--no-defaults", *self.settings.programs.get("server_options", ())]
        words += [*self._basics(), f"--socket={self.socket}", f"--pid-file={self.folder / 'pid'}"]
        words += [f"--log-error={self.folder / 'error.log'}", f"--tmpdir={self.folder / 'tmp'}"]
        words += ["--skip-networking", "--skip-log-bin", "--event-scheduler=OFF", "--performance-schema=OFF"]
        words += ["--max-allowed-packet=1G", "--innodb-flush-log-at-trx-commit=0", "--innodb-use-native-aio=0"]
        for name in ("character_set_server", "collation_server"):
            if self.alike.get(name):
                words.append(f"--{name.replace('_', '-')}={self.alike[name]}")
        if self.mariadb:
            words += ["--skip-slave-start", "--gtid-strict-mode=0"]
        else:
            words += ["--skip-replica-start", "--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--mysqlx=OFF"]
            words += ["--secure-file-priv=NULL"]
        if looking:
            words += ["--skip-grant-tables", "--read-only=1"]
            words += [] if self.mariadb else ["--super-read-only=1"]
        return words

    def start(self, *, looking: bool = False) -> None:
        """It ends when we do."""
        self._process = subprocess.Popen(
            self.words(looking=looking),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
            preexec_fn=die_with_us,
            **self._account(),
        )
        self.wait()

    def detach(self) -> None:
        """Start it so that it outlives us, where there is no systemd."""
        subprocess.Popen(
            self.words(looking=True),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
            start_new_session=True,
            **self._account(),
        )

    def become(self) -> None:
        """Be the server instead of this program: systemd runs it so."""
        account = self._account()
        os.chdir(self.folder)
        if account:
            os.setgroups([])
            os.setgid(int(account["group"]))
            os.setuid(int(account["user"]))
        words = self.words(looking=True)
        os.execvpe(words[0], words, environment())  # noqa: S606 - it is the server from here on

    def wait(self) -> None:
        deadline = time.monotonic() + STARTING
        while not self.answers():
            if (self._process is not None and self._process.poll() is not None) or time.monotonic() > deadline:
                self.kill()
                raise Refused(f"The server in {self.folder} did not start: {self.log()}")
            time.sleep(0.05)

    def answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            try:
                connection.connect(self.socket)
                return bool(connection.recv(1))
            except OSError:
                return False

    def log(self) -> str:
        """The end of what it complained about."""
        path = self.folder / "error.log"
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        return " ".join([line for line in lines if "ERROR" in line][-3:])[-600:]

    def load(self) -> Chain:
        """A client to feed statements to."""
        words = self.server.words(
            "--binary-mode", "--init-command=SET SESSION sql_log_bin=0", "--max-allowed-packet=1G"
        )
        return Chain(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        """As an administrator does: everything is on the disk afterwards."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(600)
            except subprocess.TimeoutExpired:
                self.kill()
                raise Refused(f"The server in {self.folder} did not stop.") from None
            self._process = None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def throw_away(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
