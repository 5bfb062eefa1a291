# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Asking a server, by its own client program: nothing else is needed on the host, and it logs in by an option file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from databasebackup.processes import run
from databasebackup.settings import MARIADB, Refused, Settings

_ESCAPED = re.compile(r"\\(.)")
_MEANS = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
# Not a hospital's data; what is in them is made anew, or comes with `mysql`.
SYSTEM = ("information_schema", "performance_schema", "sys", "mysql")


def identifier(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


@dataclass(frozen=True)
class Server:
    """login: an option file, or words that say where a server of ours listens."""

    settings: Settings
    login: Sequence[str]

    @classmethod
    def by_file(cls, settings: Settings, path: Path) -> Server:
        if not path.exists():
            raise Refused(f"{path} does not exist: apply the role database_backup to this host.")
        return cls(settings, (f"--defaults-file={path}",))

    def words(self, *more: str) -> list[str]:
        return [*self.settings.programs["client"], *self.login, "--connect-timeout=10", "--batch", *more]

    def rows(self, statement: str, *, timeout: float = 60.0) -> list[dict[str, str]]:
        """Of the last statement that has any. Raises Refused with the server's words."""
        lines = run(self.words(), stdin=statement.encode(), timeout=timeout).decode("utf-8", "replace").splitlines()
        if not lines:
            return []
        names = lines[0].split("\t")
        return [dict(zip(names, [_plain(word) for word in line.split("\t")])) for line in lines[1:]]

    def row(self, statement: str) -> dict[str, str]:
        found = self.rows(statement)
        if not found:
            raise Refused(f"The server gave no answer to {statement}.")
        return found[0]

    def execute(self, statement: str, *, timeout: float = 3600.0) -> None:
        run(self.words(), stdin=statement.encode(), timeout=timeout)

    def lines(self, statements: str, *, timeout: float = 3600.0) -> list[list[str]]:
        """The rows of several statements, without their names."""
        found = run(self.words("--skip-column-names"), stdin=statements.encode(), timeout=timeout)
        return [[_plain(word) for word in line.split("\t")] for line in found.decode("utf-8", "replace").splitlines()]

    def tables(self) -> list[tuple[str, str]]:
        """(database, table) of all data."""
        left_out = ", ".join(f"'{name}'" for name in SYSTEM)
        # Names of ours, and nothing of anybody else's.
        ask = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type IN ('BASE TABLE',"
        ask += f" 'SYSTEM VERSIONED') AND table_schema NOT IN ({left_out}) ORDER BY 1, 2"
        found = self.lines(ask)
        return [(row[0], row[1]) for row in found]

    def identity(self) -> tuple[str, str]:
        """(what tells this server from others, version). MySQL has a UUID; MariaDB's replication knows numbers."""
        which = "@@global.server_id" if self.settings.dialect == MARIADB else "@@global.server_uuid"
        row = self.row(f"SELECT {which} AS server, VERSION() AS version")
        if ("mariadb" in row["version"].lower()) != (self.settings.dialect == MARIADB):
            raise Refused(f"The server is {row['version']}, and database_backup_dialect says {self.settings.dialect}.")
        return row["server"], row["version"]


def _plain(word: str) -> str:
    return _ESCAPED.sub(lambda match: _MEANS.get(match.group(1), match.group(0)), word) if "\\" in word else word
