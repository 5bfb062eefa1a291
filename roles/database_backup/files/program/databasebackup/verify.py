# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A backup that was never restored is a hope: each is restored beside, in a server that is thrown away."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from databasebackup import backups, room
from databasebackup.backups import Backup
from databasebackup.instance import Instance
from databasebackup.processes import Chain, pour
from databasebackup.sealed import checksum, opening
from databasebackup.settings import Places, Refused, Settings
from databasebackup.sql import Server, identifier

THROWAWAY = ".verification"
_AT_ONCE = 200


class Damaged(Refused):
    """The backup cannot be restored, wherever."""


def verify(settings: Settings, places: Places, backup: Backup) -> Backup:
    """Its result is written beside it, good or bad. Raises Refused where there is none: no room, no identity."""
    began = time.monotonic()
    result: dict[str, Any]
    try:
        found = _restored(settings, places, backup)
        result = {"ok": True, **found}
    except Damaged as problem:
        result = {"ok": False, "error": str(problem)}
    except Refused as problem:
        # No verdict: an earlier one stands.
        if backup.verified is None:
            backups.remember(backup, {"ok": None, "error": str(problem), "at": backups.now()})
        raise Refused(f"The backup {backup.name} could not be verified: {problem}") from None
    result.update(at=backups.now(), seconds=round(time.monotonic() - began, 1))
    return backups.remember(backup, result)


def intact(backup: Backup) -> None:
    """Raises Damaged where its file is not what was written."""
    if not backup.dump.exists():
        raise Damaged(f"{backup.dump} is gone.")
    if checksum(backup.dump) != backup.manifest["sha256"]:
        raise Damaged(f"{backup.dump} is damaged: its checksum is not what was written.")


def _restored(settings: Settings, places: Places, backup: Backup) -> dict[str, Any]:
    intact(backup)
    opening(backup.dump, places)  # refused before anything is made
    room.for_servers(settings)
    room.require(settings.restores, 2 * int(backup.manifest["dump_size"]) + (256 << 20))
    instance = Instance(settings, settings.restores / THROWAWAY, backup.manifest["settings"])
    instance.throw_away()
    try:
        instance.create()
        instance.start()
        fill(instance, places, backup)
        return looked_at(instance.server, [(row[0], row[1]) for row in backup.manifest["tables"]])
    finally:
        instance.throw_away()


def fill(instance: Instance, places: Places, backup: Backup) -> None:
    """The dump into an empty server. Raises Damaged where it does not go in."""
    source = Chain(*opening(backup.dump, places))
    try:
        client = instance.load()
        try:
            pour(source.stdout, client.feed)
            try:
                source.end()
            except Refused as problem:
                if "no identity matched" in str(problem):
                    raise Refused(
                        f"the identity on this host is not one that {backup.name} was encrypted for"
                    ) from None
                raise Damaged(f"{backup.dump} cannot be read: {problem}") from None
            client.end()
        except Damaged:
            raise
        except Refused as problem:
            if "identity on this host" in str(problem):
                raise
            raise Damaged(f"The dump of {backup.name} cannot be restored: {problem}") from None
        finally:
            client.kill()
    finally:
        source.kill()


def looked_at(server: Server, wanted: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Every table is there, checked, and its rows are counted. Raises Damaged."""
    found = server.tables()
    missing = [".".join(table) for table in wanted if table not in set(found)]
    if missing:
        raise Damaged(f"Tables are missing after the restoration: {', '.join(missing[:10])}.")
    for begin in range(0, len(found), _AT_ONCE):
        names = ", ".join(
            f"{identifier(database)}.{identifier(table)}" for database, table in found[begin : begin + _AT_ONCE]
        )
        for row in server.lines(f"CHECK TABLE {names} MEDIUM"):
            if row[2].lower() == "error" or (
                row[2] == "status" and row[3] not in ("OK", "Table is already up to date")
            ):
                raise Damaged(f"The table {row[0]} is damaged after the restoration: {row[3]}.")
    rows = counted(server, found)
    return {"tables": len(found), "rows": sum(rows.values())}


def counted(server: Server, tables: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    if not tables:
        return {}
    names = [f"{identifier(database)}.{identifier(table)}" for database, table in tables]
    ask = "".join(f"SELECT COUNT(*) FROM {name};\n" for name in names)  # noqa: S608 - quoted above
    return {table: int(row[0]) for table, row in zip(tables, server.lines(ask))}
