# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The database of a given second, in a server beside the real one, which stays for looking."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from databasebackup import backups, durable, history, records, room
from databasebackup.backups import UNFINISHED
from databasebackup.history import Recipe
from databasebackup.instance import Instance
from databasebackup.logs import Library
from databasebackup.positions import parse
from databasebackup.processes import Chain, environment, pour, run
from databasebackup.settings import MARIADB, Places, Refused, Settings
from databasebackup.times import second, told
from databasebackup.verify import counted, fill, intact, looked_at

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}\Z")
_RECORD = "restore.json"


def name_for(to: str) -> str:
    """One side instance a time, so that asking again finds it."""
    moment = second(to)
    return "latest" if moment == history.LATEST else backups.stamp(moment)


def side(settings: Settings, name: str) -> Instance:
    """Raises Refused where there is none."""
    facts = records.read(_folder(settings, name) / _RECORD)
    if not facts:
        raise Refused(
            f"There is no side instance {name} on this host; there are: {', '.join(names(settings)) or 'none'}."
        )
    return Instance(settings, _folder(settings, name), facts["settings"])


def facts_of(settings: Settings, name: str) -> dict[str, Any]:
    return records.read(_folder(settings, name) / _RECORD)


def names(settings: Settings) -> list[str]:
    return sorted(path.parent.name for path in settings.restores.glob(f"[!.]*/{_RECORD}"))


def _folder(settings: Settings, name: str) -> Path:
    if not _NAME.match(name):
        raise Refused(f"{name!r} is no name of a side instance.")
    return settings.restores / name


def plan(settings: Settings, places: Places, to: str, folder: Path) -> tuple[Recipe, Library]:
    """Raises Refused with why it cannot be done. folder: where logs are opened to be read."""
    moment = second(to)
    if moment != history.LATEST and moment > backups.now():
        raise Refused(f"{told(moment)} is yet to come: say latest for what there is.")
    library = Library(settings, places, folder)
    those = [
        history.Backup(one.name, one.taken, parse(settings.dialect, str(one.manifest["position"])))
        for one in backups.listed(settings)
        if one.verified
    ]
    try:
        return history.recipe(those, library.sessions(), moment, at=told), library
    except history.Impossible as problem:
        raise Refused(str(problem)) from None


def restore(settings: Settings, places: Places, to: str, name: str, *, check: bool = False) -> dict[str, Any]:
    """Its report; changed: whether anything had to be done. check: only plan."""
    name = name or name_for(to)
    folder = _folder(settings, name)
    facts = records.read(folder / _RECORD)
    if facts:
        if facts["to"] != to.strip():
            raise Refused(
                f"The side instance {name} is of {facts['to']}: remove it first (database_backup side remove {name})."
            )
        changed = not side(settings, name).answers()
        if changed and not check:
            start(settings, name)
        return {**facts, "changed": changed}
    room.for_servers(settings)
    with records.alone(places.run / "restore.lock", "a restoration"):
        unfinished = settings.restores / f"{UNFINISHED}{name}"
        opened = settings.restores / f"{UNFINISHED}logs"
        for path in (unfinished, opened):
            shutil.rmtree(path, ignore_errors=True)
        try:
            recipe, library = plan(settings, places, to, opened)
            if check:
                return {**_told(recipe), "name": name, "to": to, "changed": True}
            facts = _made(settings, places, recipe, library, unfinished)
            facts.update(name=name, to=to.strip(), host=settings.name)
            facts.update(_where(settings, folder))
            records.write(unfinished / _RECORD, facts)
            unfinished.rename(folder)
            durable.kept(settings.restores)
        finally:
            for path in (unfinished, opened):
                shutil.rmtree(path, ignore_errors=True)
    start(settings, name)
    return {**facts, "changed": True}


def _where(settings: Settings, folder: Path) -> dict[str, str]:
    client = " ".join(settings.programs["client"][-1:])
    return {
        "socket": str(folder / "socket"),
        "look": f"{Path(client).name} --no-defaults --socket={folder / 'socket'}",
        "copy_out": f"database_backup export {folder.name} DATABASE TABLE > table.sql",
    }


def _told(recipe: Recipe) -> dict[str, Any]:
    return {
        "backup": recipe.backup.name,
        "backup_taken": told(recipe.backup.taken),
        "transactions": recipe.transactions,
        "position": recipe.position,
        "last_transaction": str(recipe.last) if recipe.last is not None else None,
        "last_transaction_time": told(recipe.last_time) if recipe.last is not None else None,
        "more_follows": recipe.rest,
        "backups_passed_over": list(recipe.passed_over),
    }


def _made(settings: Settings, places: Places, recipe: Recipe, library: Library, folder: Path) -> dict[str, Any]:
    began = time.monotonic()
    backup = backups.one(settings, recipe.backup.name)
    intact(backup)
    wanted = 2 * int(backup.manifest["dump_size"]) + 2 * sum(part.end - part.start for part in recipe.parts)
    room.require(settings.restores, wanted + (256 << 20))
    instance = Instance(settings, folder, backup.manifest["settings"])
    try:
        instance.create()
        instance.start()
        fill(instance, places, backup)
        _replay(settings, instance, recipe, library)
        server = instance.server
        found = looked_at(server, [])
        rows = counted(server, server.tables())
        instance.stop()
    finally:
        instance.kill()
    return {
        **_told(recipe),
        **found,
        "rows_by_table": {".".join(table): count for table, count in rows.items()},
        "seconds": round(time.monotonic() - began, 1),
        "settings": dict(backup.manifest["settings"]),
        "version": backup.manifest["version"],
    }


def _replay(settings: Settings, instance: Instance, recipe: Recipe, library: Library) -> None:
    server = instance.server
    if settings.dialect != MARIADB:
        server.execute(f"SET GLOBAL gtid_purged = '{recipe.backup.position}'")
    client = instance.load()
    try:
        for part in recipe.parts:
            _feed(settings, library.file(part.session, part.log), part.start, part.end, client.feed)
        client.end()
    except Refused as problem:
        raise Refused(f"The binary logs could not be applied to {recipe.backup.name}: {problem}") from None
    finally:
        client.kill()
    if settings.dialect == MARIADB:
        server.execute(f"SET GLOBAL gtid_slave_pos = '{recipe.position}'")
        return
    has = server.row("SELECT @@global.gtid_executed AS has")["has"].replace("\n", "")
    if str(parse(settings.dialect, has)) != str(parse(settings.dialect, recipe.position)):
        raise Refused(f"The side instance has {has}, and should have {recipe.position}.")


def _feed(settings: Settings, log: Path, start: int, end: int, into: Callable[[bytes], Any]) -> None:
    words = [
        *settings.programs["binlog"],
        "--no-defaults",
        f"--start-position={start}",
        f"--stop-position={end}",
        str(log),
    ]
    chain = Chain(words)
    try:
        pour(chain.stdout, into)
        chain.end()
    finally:
        chain.kill()


# -- afterwards ------------------------------------------------------------------------------------------------------


def unit(name: str) -> str:
    return f"database_restore@{name}.service"


def start(settings: Settings, name: str) -> bool:
    """Whether it had to be started."""
    instance = side(settings, name)
    if instance.answers():
        return False
    if settings.systemd:
        run(["systemctl", "start", unit(name)], timeout=180)
    else:
        instance.detach()
    instance.wait()
    return True


def stop(settings: Settings, name: str) -> bool:
    """Whether it had to be stopped."""
    instance = side(settings, name)
    if not instance.answers():
        return False
    if settings.systemd:
        run(["systemctl", "stop", unit(name)], timeout=600)
    else:
        instance.server.execute("SHUTDOWN")
        deadline = time.monotonic() + 60
        while (instance.folder / "pid").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
    return True


def remove(settings: Settings, name: str) -> bool:
    """Whether there was one."""
    if name not in names(settings):
        return False
    stop(settings, name)
    shutil.rmtree(_folder(settings, name))
    return True


def export(settings: Settings, name: str, database: str, tables: list[str]) -> int:
    """SQL of tables of a side instance, to standard output."""
    instance = side(settings, name)
    words = [*settings.programs["dump"], "--no-defaults", f"--socket={instance.socket}", "--user=root"]
    words += ["--single-transaction", "--hex-blob", "--skip-triggers" if tables else "--routines"]
    words += [] if settings.dialect == MARIADB else ["--set-gtid-purged=OFF"]
    return subprocess.run([*words, "--", database, *tables], env=environment(), check=False).returncode


def forget(settings: Settings, name: str) -> None:
    """A side instance whose data went elsewhere."""
    shutil.rmtree(_folder(settings, name), ignore_errors=True)
