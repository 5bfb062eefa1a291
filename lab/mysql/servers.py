# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A set of servers of one dialect, gone when the set is."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Self

from lab.mysql.data import give_away, prepared
from lab.mysql.programs import programs
from lab.mysql.server import Server
from lab.pve.tls import make_certificates


class Servers:
    """`with Servers("mariadb") as servers: a = servers.start("a")`. They share nothing but a folder.

    ca: the file of the CA that signed their certificates, which are for 127.0.0.1.
    """

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.programs = programs(dialect)
        self._servers: dict[str, Server] = {}
        # A unix socket's path has 107 characters at most: not below a deep working directory.
        self.folder = Path(tempfile.mkdtemp(prefix=f"{dialect}-", dir="/tmp"))
        self.folder.chmod(0o755)
        # Of their own, for 127.0.0.1: MySQL would make others at every start.
        self.ca, *_certificate = self.certificates = make_certificates(self.folder, "127.0.0.1")
        give_away(self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __getitem__(self, name: str) -> Server:
        return self._servers[name]

    def start(self, name: str, *options: str, server_id: int = 0) -> Server:
        """A new server with empty data. options: the server's, after those of the lab."""
        folder = self.folder / name
        data = folder / "data"
        folder.mkdir()
        shutil.copytree(prepared(self.programs), data)
        give_away(folder)
        number = server_id or 101 + len(self._servers)
        words = ("ca", "cert", "key")
        tls = [f"--ssl-{word}={path}" for word, path in zip(words, self.certificates, strict=True)]
        server = Server(name, self.programs, folder, number, (*tls, *options))
        self._servers[name] = server
        server.start()
        return server

    def close(self) -> None:
        for server in self._servers.values():
            server.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
