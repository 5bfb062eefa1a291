# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""One backup: dumped, compressed, encrypted, described; there under its name only when it is whole."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import Any, Optional

from databasebackup import backups, durable, records, room, standby
from databasebackup.backups import UNFINISHED, Backup
from databasebackup.instance import FOLDERS
from databasebackup.processes import Chain, pour
from databasebackup.sealed import checksum, sealing, suffix
from databasebackup.settings import MARIADB, Places, Refused, Settings
from databasebackup.sql import Server

_EDGE = 1 << 17
_END = re.compile(rb"^-- Dump completed", re.MULTILINE)
_MARIADB_POSITION = re.compile(rb"^-- SET GLOBAL gtid_slave_pos='([0-9,-]*)';", re.MULTILINE)
_MYSQL_POSITION = re.compile(rb"GTID_PURGED=(?:/\*!80000 '\+'\*/)?\s*'\+?([^']*)'")
# Where a server stands itself, and what it measured of its tables, is its own.
_MARIADB_OWN = ("gtid_slave_pos", "innodb_table_stats", "innodb_index_stats", "transaction_registry")
_MYSQL_OWN = ("slave_master_info", "slave_relay_log_info", "slave_worker_info", "gtid_executed")
# A restored server has to be made alike in these.
_ALIKE = (
    "lower_case_table_names",
    "innodb_page_size",
    "innodb_data_file_path",
    "innodb_undo_tablespaces",
    "character_set_server",
    "collation_server",
    "datadir",
    *FOLDERS,
)


def take(settings: Settings, places: Places) -> Backup:
    """Raises Refused, and leaves nothing then."""
    room.prepare(settings)
    backups.sweep(settings)
    earlier = backups.listed(settings)
    room.require(settings.directory, settings.minimum_free + (int(earlier[-1].manifest["size"]) if earlier else 0))
    server = Server.by_file(settings, places.dump_login)
    identity, version = server.identity()
    role, lag = standby.role(server, settings)
    wanted = ", ".join(f"'{variable}'" for variable in _ALIKE)
    rows = server.rows(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({wanted})")
    alike = {row["Variable_name"]: row["Value"] for row in rows}
    began = backups.now()
    name = backups.named(began, settings.name)
    unfinished = settings.backups / f"{UNFINISHED}{name}"
    unfinished.mkdir(mode=0o700)
    try:
        tables = set(server.tables())
        dump = _Dump(settings, places, unfinished / f"dump.sql{suffix(settings)}")
        dump.run()
        # What was made or dropped meanwhile may be in it or not.
        tables &= set(server.tables())
        position = dump.position()
        manifest: dict[str, Any] = {
            "format": 1,
            "host": settings.name,
            "dialect": settings.dialect,
            "version": version,
            "server": identity,
            "role": role,
            "lag_seconds": lag,
            "began": began,
            "taken": dump.began,
            "finished": backups.now(),
            "position": position,
            "file": dump.target.name,
            "size": dump.target.stat().st_size,
            "dump_size": dump.size,
            "sha256": checksum(dump.target),
            "encrypted": settings.encrypted,
            "tables": [list(table) for table in sorted(tables)],
            "settings": alike,
        }
        records.write(unfinished / "manifest.json", manifest)
        final = settings.backups / name
        unfinished.rename(final)
        durable.kept(settings.backups)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return Backup(final, manifest, {})


class _Dump:
    def __init__(self, settings: Settings, places: Places, target: Any) -> None:
        self.settings, self.places, self.target = settings, places, target
        self.began, self.size = 0.0, 0
        self._head, self._tail = b"", b""

    def words(self) -> list[str]:
        common = ["--single-transaction", "--all-databases", "--routines", "--events", "--triggers", "--hex-blob"]
        if self.settings.dialect == MARIADB:
            more, own = ["--gtid", "--master-data=2"], _MARIADB_OWN
        else:
            more, own = ["--set-gtid-purged=COMMENTED", "--source-data=2"], _MYSQL_OWN
        login = f"--defaults-file={self.places.dump_login}"
        return [
            *self.settings.programs["dump"],
            login,
            *common,
            *more,
            *(f"--ignore-table=mysql.{name}" for name in own),
        ]

    def run(self) -> None:
        with self.target.open("xb") as file:
            os.fchmod(file.fileno(), 0o600)
            dump = Chain(self.words())
            sink: Optional[Chain] = None
            try:
                sink = Chain(*sealing(self.settings, self.places), stdin=subprocess.PIPE, stdout=file)
                # Its first words come when it has its snapshot: nothing newer is in it.
                first = dump.stdout.read(1)
                self.began = backups.now()
                self._head = first
                sink.feed(first)
                self.size = 1 + pour(dump.stdout, lambda piece: self._pass(piece, sink))
                dump.end()
                sink.end()
            finally:
                dump.kill()
                if sink is not None:
                    sink.kill()
            os.fsync(file.fileno())
        if not _END.search(self._tail):
            raise Refused("The dump has no end: it is not kept.")

    def _pass(self, piece: bytes, sink: Optional[Chain]) -> None:
        if len(self._head) < _EDGE:
            self._head += piece
        self._tail = (self._tail + piece)[-_EDGE:]
        if sink is not None:
            sink.feed(piece)

    def position(self) -> str:
        if self.settings.dialect == MARIADB:
            found = _MARIADB_POSITION.findall(self._tail)
        else:
            found = _MYSQL_POSITION.findall(self._head)
        if not found:
            raise Refused("The dump does not say its position: the server has no GTIDs (MySQL: gtid_mode=ON).")
        return str(found[-1].decode()).replace("\n", "")
