# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A side instance in the place of this host's server. The data that were there stay beside."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from databasebackup import backups, records, restore, room
from databasebackup.gtid import GtidState
from databasebackup.processes import environment, run
from databasebackup.settings import MARIADB, Places, Refused, Settings
from databasebackup.sql import Server
from databasebackup.verify import counted

WORD = "replace_database"
DONE = "swapped.json"
# So far beyond what the old server wrote that nobody takes a new transaction for an old one.
_BEYOND = 1000


def swap(settings: Settings, places: Places, name: str, allow: list[str], *, check: bool = False) -> dict[str, Any]:
    """changed: false where this side instance is in the place already."""
    done = records.read(places.var / DONE)
    if name not in restore.names(settings) and done.get("name") == name:
        return {**done, "changed": False}
    instance = restore.side(settings, name)
    facts = restore.facts_of(settings, name)
    word = f"{WORD}:{settings.name}"
    if word not in allow:
        raise Refused(
            f"Not done without consent: the data of {settings.name} would be replaced by those of {facts['to']}"
            f" (needs {word}). Nothing was changed."
        )
    _not_the_clusters()
    if not settings.unit:
        raise Refused("database_backup_unit does not say which service is to get the data.")
    server = Server.by_file(settings, places.dump_login)
    data = _directory(settings, server, facts)
    if check:
        return {"changed": True, "name": name, "datadir": str(data)}
    with records.alone(places.run / "restore.lock", "a swap"):
        return _swapped(settings, places, instance.data, server, data, facts)


def _directory(settings: Settings, server: Server, facts: dict[str, Any]) -> Path:
    """Where the server has its data, also while it is down."""
    try:
        path = Path(server.row("SELECT @@global.datadir AS path")["path"].rstrip("/"))
    except Refused:
        path = Path(str(facts["settings"]["datadir"]).rstrip("/"))
    if not path.is_dir() or path.is_symlink() or os.path.ismount(path):
        raise Refused(f"{path} is no plain directory that could be renamed: a link or a mount point is not swapped.")
    return path


def _not_the_clusters() -> None:
    """The cluster would take a server that is stopped for one that failed."""
    if shutil.which("crm_attribute", path=environment()["PATH"]) is None:
        return
    active = subprocess.run(["/usr/bin/systemctl", "is-active", "--quiet", "pacemaker"], check=False).returncode == 0
    if not active:
        return
    words = ["crm_attribute", "--type=crm_config", "--name=maintenance-mode", "--query", "--quiet", "--default=false"]
    if run(words).decode().strip() not in ("true", "yes", "1", "on"):
        raise Refused(
            "Pacemaker runs here, and would take the swap for a failure. Set maintenance-mode=true before, and take it"
            " back when the other servers were filled anew."
        )


def _swapped(
    settings: Settings, places: Places, source: Path, server: Server, data: Path, facts: dict[str, Any]
) -> dict[str, Any]:
    name = str(facts["name"])
    ready, aside = (
        data.with_name(f"{data.name}.{name}"),
        data.with_name(f"{data.name}.before-{backups.stamp(backups.now())}"),
    )
    written = _written(settings, server)
    restore.stop(settings, name)
    if source.stat().st_dev == data.parent.stat().st_dev:
        ready = source
    else:
        room.require(
            data.parent, sum(path.stat().st_size for path in source.rglob("*") if path.is_file()) + (256 << 20)
        )
        shutil.rmtree(ready, ignore_errors=True)
        run(["cp", "--archive", str(source), str(ready)], timeout=86400)
    owner = data.stat()
    try:
        run(["systemctl", "stop", settings.unit], timeout=600)
        _move(data, aside)
        _move(ready, data)
        os.chown(data, owner.st_uid, owner.st_gid)
        data.chmod(owner.st_mode & 0o7777)
        run(["systemctl", "start", settings.unit], timeout=300)
        _settle(settings, server, facts, written)
        tables = server.tables()
        rows = sum(counted(server, tables).values())
        if (len(tables), rows) != (facts["tables"], facts["rows"]):
            raise Refused(
                f"It has {len(tables)} tables with {rows} rows, and should have {facts['tables']} with {facts['rows']}."
            )
    except (Refused, OSError) as problem:
        _put_back(settings, data, aside, ready)
        raise Refused(
            f"The restored data could not take the place, the server runs with its own again: {problem}"
        ) from None
    result = {
        "name": name,
        "to": facts["to"],
        "at": backups.now(),
        "datadir": str(data),
        "kept_aside": str(aside),
        "position": facts["position"],
        "tables": facts["tables"],
        "rows": facts["rows"],
        "next": "Fill every other server anew (mysql_seed): they have transactions that this one no longer has.",
    }
    records.write(places.var / DONE, result)
    restore.forget(settings, name)
    return {**result, "changed": True}


def _written(settings: Settings, server: Server) -> str:
    """What the server that goes has in its logs; empty where it cannot be asked."""
    if settings.dialect != MARIADB:
        return ""
    try:
        return server.row("SELECT @@global.gtid_binlog_state AS state")["state"]
    except Refused:
        return ""


def _settle(settings: Settings, server: Server, facts: dict[str, Any], written: str) -> None:
    """The new server's numbers go on where nobody has been, so that none is taken for one of the discarded ones."""
    deadline = time.monotonic() + 60
    while True:
        try:
            server.identity()
            break
        except Refused:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
    if settings.dialect != MARIADB:
        return
    state = GtidState.parse(str(facts["position"]))
    server.execute(f"SET SESSION sql_log_bin=0; RESET MASTER; SET GLOBAL gtid_binlog_state='{state}'")
    last = (GtidState.parse(written) | state).highest()
    for domain, number in last.items():
        server.execute(
            f"SET SESSION gtid_domain_id={domain}; SET SESSION gtid_seq_no={number + _BEYOND}; FLUSH PRIVILEGES"
        )


def _move(source: Path, target: Path) -> None:
    """There whole or not at all. A directory of a container's image cannot be renamed, so it is copied."""
    try:
        source.rename(target)
    except OSError as problem:
        if problem.errno != errno.EXDEV:
            raise
        unfinished = target.with_name(f".{target.name}")
        shutil.rmtree(unfinished, ignore_errors=True)
        run(["cp", "--archive", str(source), str(unfinished)], timeout=86400)
        unfinished.rename(target)
        shutil.rmtree(source)


def _put_back(settings: Settings, data: Path, aside: Path, ready: Path) -> None:
    run(["systemctl", "stop", settings.unit], timeout=600)
    if aside.exists():
        if data.exists() and not ready.exists():
            _move(data, ready)
        shutil.rmtree(data, ignore_errors=True)
        _move(aside, data)
    run(["systemctl", "start", settings.unit], timeout=300)
