# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The logs that were shipped: one directory for what came over one connection.

The log that still grows is plain; one that is whole is sealed, and what it holds is written beside it.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from databasebackup import events, history, records, sealed
from databasebackup.positions import parse
from databasebackup.settings import Places, Refused, Settings

_RECORD = "session.json"


@dataclass(frozen=True)
class Stored:
    """One log. plain: its file while it grows.  sealed: afterwards, with facts."""

    name: str
    plain: Optional[Path]
    sealed: Optional[Path]
    facts: dict[str, Any]


@dataclass(frozen=True)
class Session:
    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def record(self) -> dict[str, Any]:
        return records.read(self.path / _RECORD)

    def remember(self, **facts: Any) -> None:
        records.write(self.path / _RECORD, {**self.record, **facts})

    def stored(self) -> list[Stored]:
        """In the order they were written: their names end with growing numbers."""
        found: dict[str, Stored] = {}
        for path in sorted(self.path.iterdir(), key=lambda path: path.name):
            name, kind = path.name, ""
            for ending in (".zst.age", ".zst", ".json"):
                if name.endswith(ending):
                    name, kind = name[: -len(ending)], ending
            if name.startswith(".") or path.name == _RECORD:
                continue
            one = found.get(name, Stored(name, None, None, {}))
            if kind == ".json":
                found[name] = Stored(name, one.plain, one.sealed, records.read(path))
            elif kind:
                found[name] = Stored(name, one.plain, path, one.facts)
            else:
                found[name] = Stored(name, path, one.sealed, one.facts)
        whole = [one for one in found.values() if one.plain is not None or (one.sealed is not None and one.facts)]
        return sorted(whole, key=lambda one: _number(one.name))


def _number(name: str) -> int:
    ending = name.rpartition(".")[2]
    return int(ending) if ending.isdigit() else 0


def sessions(settings: Settings) -> list[Session]:
    """The oldest first."""
    if not settings.logs.is_dir():
        return []
    return [Session(path) for path in sorted(settings.logs.iterdir()) if (path / _RECORD).exists()]


def summary(settings: Settings, one: Stored) -> Optional[events.Summary]:
    """None for one that was cut off before it said anything."""
    if one.plain is not None:
        found = events.summary(one.plain, settings.dialect)
        return found if found.known else None
    facts = one.facts
    return events.Summary(
        previous=parse(settings.dialect, str(facts["previous"])),
        contained=parse(settings.dialect, str(facts["contained"])),
        groups=int(facts["groups"]),
        first_time=int(facts["first_time"]),
        last_time=int(facts["last_time"]),
        size=int(facts["size"]),
        created=str(facts["created"]),
        known=True,
    )


def seal(settings: Settings, places: Places, session: Session, one: Stored) -> None:
    """A log that does not grow any more. It goes when its sealed copy is there for good."""
    if one.plain is None:
        return
    found = events.summary(one.plain, settings.dialect)
    if not found.known:
        one.plain.unlink()
        return
    target = one.plain.with_name(f"{one.name}{sealed.suffix(settings)}")
    sealed.seal(one.plain, target, settings, places)
    facts = {
        "previous": str(found.previous),
        "contained": str(found.contained),
        "groups": found.groups,
        "first_time": found.first_time,
        "last_time": found.last_time,
        "received": one.plain.stat().st_mtime,
        "size": found.size,
        "created": found.created,
        "sha256": sealed.checksum(target),
    }
    records.write(session.path / f"{one.name}.json", facts)
    one.plain.unlink()


def remove(session: Session, one: Stored) -> None:
    for path in (session.path / f"{one.name}.json", one.sealed, one.plain):
        if path is not None:
            path.unlink(missing_ok=True)


def forget(session: Session) -> None:
    shutil.rmtree(session.path)


class Library:
    """All logs as the history takes them; what is sealed is opened into a folder of the caller's when it is read."""

    def __init__(self, settings: Settings, places: Places, folder: Path) -> None:
        self.settings, self.places, self.folder = settings, places, folder
        self._where: dict[tuple[str, str], Stored] = {}

    def sessions(self) -> list[history.Session]:
        """Logs that are sealed or taken away while we look are looked for again."""
        for _attempt in range(5):
            with contextlib.suppress(FileNotFoundError):
                return self._sessions()
            time.sleep(0.5)
        return self._sessions()

    def _sessions(self) -> list[history.Session]:
        found = []
        for session in sessions(self.settings):
            logs = tuple(log for log in (self._log(session, one) for one in session.stored()) if log is not None)
            if logs:
                found.append(history.Session(session.name, logs, float(session.record.get("until", 0))))
        return found

    def _log(self, session: Session, one: Stored) -> Optional[history.Log]:
        found = summary(self.settings, one)
        if found is None:
            return None
        self._where[session.name, one.name] = one

        def read() -> Sequence[events.Group]:
            path = self.file(session.name, one.name)
            return events.summary(path, self.settings.dialect, keep=True).groups_list

        return history.Log(one.name, found.previous, found.contained, read, found.last_time)

    def file(self, session: str, log: str) -> Path:
        """A plain copy."""
        target = self.folder / f"{session}-{log}"
        one = self._where[session, log]
        if target.exists():
            return target
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if one.plain is not None:
            # It grows while it is read: what is there now is what counts. Or it was sealed just now.
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(one.plain, target)
                return target
        path = one.sealed or next((self.settings.logs / session).glob(f"{log}.zst*"), None)
        if path is None:
            raise Refused(f"The log {log} of {session} was taken away meanwhile: try again.")
        if one.facts and sealed.checksum(path) != one.facts["sha256"]:
            raise events.Damaged(f"{path} is damaged: its checksum is not what was written.")
        sealed.unseal(path, target, self.places)
        return target
