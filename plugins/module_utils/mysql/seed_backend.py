# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The I/O of mysql_seed: what the two servers are, and by what one is filled from the other."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Optional

from ansible_collections.hospital.continuity.plugins.module_utils.command import search_path
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.errors import MysqlError, Unreachable
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.seed_clone import CloneSeeding
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.seed_dump import DumpSeeding
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.seed_operation import (
    BACKUP,
    CLONE,
    COPY,
    DUMP,
    EMPTIED,
    Progress,
    SeedOperation,
    Side,
)
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.seed_physical import PhysicalSeeding
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.seeding import Seeding
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.server import MARK, observe

# The servers' own, which every server makes for itself; accounts are taken over otherwise.
_SYSTEM = ("information_schema", "mysql", "performance_schema", "sys", MARK, COPY)
# MariaDB makes it, and it is nobody's as long as it is empty.
_MADE_EMPTY = "test"
_BACKUP_PROGRAMS = ("mariadb-backup", "mbstream")
_COMMANDS: Mapping[str, Sequence[str]] = {
    "dump": (),
    "client": (),
    "backup": (),
    "stop": ("systemctl", "stop", "mariadb.service"),
    "start": ("systemctl", "start", "mariadb.service"),
}
_METHODS: Mapping[str, type[Seeding]] = {CLONE: CloneSeeding, BACKUP: PhysicalSeeding, DUMP: DumpSeeding}


class SeedBackend:
    parallel = 1

    def __init__(self, client: Client, donor: Client) -> None:
        self.client, self.donor = client, donor
        client.hide(donor.login.password)
        donor.hide(client.login.password)
        self._progress = Progress()
        self._commands: Mapping[str, Sequence[str]] = {}
        self._transfers = 0

    @property
    def writes(self) -> int:
        return self.client.writes + self._transfers

    def close(self) -> None:
        self.client.close()
        self.donor.close()

    # -- reading ----------------------------------------------------------------------------------------------------

    def observe(
        self, operation: SeedOperation, order: Order, keys: Collection[Key] | None = None
    ) -> Mapping[Key, Thing]:
        name = str(order.options["name"])
        self._commands = {word: order.options.get(f"{word}_command") or usual for word, usual in _COMMANDS.items()}
        here = self._side(name, self.client)
        donor = self._side("the donor", self.donor)
        facts = {"here": here, "donor": donor, "place": self.donor.login.place, "progress": self._progress}
        return {(name,): Thing({"databases": here.databases, "unfinished": here.unfinished}, facts)}

    def _side(self, name: str, client: Client) -> Side:
        server = observe(name, client)
        if server.error:
            raise Unreachable(f"{name} could not be asked: {server.error}")
        names = [str(row["name"]) for row in client.rows("SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA")]
        size = client.row("SELECT SUM(DATA_LENGTH + INDEX_LENGTH) AS size FROM information_schema.TABLES")["size"]
        plugin = client.row(
            "SELECT PLUGIN_STATUS AS status FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'clone'"
        )
        tables = client.rows(
            "SELECT TABLE_SCHEMA AS place, TABLE_NAME AS name FROM information_schema.TABLES "
            "WHERE TABLE_SCHEMA IN (%s, %s)",
            MARK,
            _MADE_EMPTY,
        )
        empty = () if any(row["place"] == _MADE_EMPTY for row in tables) else (_MADE_EMPTY,)
        return Side(
            server=server,
            databases=tuple(sorted(name for name in names if name.lower() not in (*_SYSTEM, *empty))),
            size=int(size or 0),
            free=_free(str(client.row("SELECT @@global.datadir AS path")["path"])) if client is self.client else None,
            clone=plugin.get("status") == "ACTIVE",
            unfinished=MARK in names,
            emptied=any((row["place"], row["name"]) == (MARK, EMPTIED) for row in tables),
            readable=_readable(client),
            programs=all(shutil.which(name, path=search_path(os.environ.get("PATH", ""))) for name in _BACKUP_PROGRAMS),
            elsewhere=_elsewhere(client),
        )

    def precheck(self, operation: SeedOperation, plan: Plan, order: Order) -> Sequence[str]:
        return [text for step in plan for text in operation.problems(step)]

    def verify(self, operation: SeedOperation, things: Mapping[Key, Thing], order: Order) -> Sequence[Unmet]:
        return operation.unmet(things, order)

    # -- writing ----------------------------------------------------------------------------------------------------

    def apply(self, operation: SeedOperation, step: Step) -> Sequence[str]:
        began = time.monotonic()
        method = step.facts["method"]
        seeding = _METHODS[method](self.client, self.donor, self._commands)
        try:
            seeding.fill(step.facts["here"])
        finally:
            self._transfers += seeding.transfers
        self._progress = Progress(time.monotonic() - began, method)
        return ()


def _readable(client: Client) -> bool:
    """Whether a login may read what nobody else's may: then it may read all."""
    try:
        client.row("SELECT COUNT(*) AS accounts FROM mysql.user")
    except MysqlError as problem:
        if problem.affects_everything:
            raise
        return False
    return True


def _elsewhere(client: Client) -> tuple[str, ...]:
    """Settings by which files of a MariaDB server are outside of its data directory."""
    row = client.row("SELECT @@global.datadir AS path")
    rows = client.rows(
        "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('innodb_data_home_dir', 'innodb_log_group_home_dir', "
        "'innodb_undo_directory', 'aria_log_dir_path')"
    )
    data = os.path.normpath(str(row["path"]))
    found = {str(one["Variable_name"]): os.path.join(data, str(one["Value"] or "")) for one in rows}  # noqa: PTH118 - as the server joins them
    return tuple(name for name, path in sorted(found.items()) if os.path.normpath(path) != data)


def _free(folder: str) -> Optional[int]:
    """What is free where the server keeps its data; None where that is not on this host."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize
