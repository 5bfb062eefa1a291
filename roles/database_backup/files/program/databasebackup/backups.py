# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The backups that are here: each a directory with the dump, its manifest, and what its verification found."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional

from databasebackup import records
from databasebackup.settings import Refused, Settings

_NAME = re.compile(r"\d{8}T\d{6}Z-[A-Za-z0-9_.-]+\Z")
UNFINISHED = ".unfinished-"


@dataclass(frozen=True)
class Backup:
    """manifest, verification: as they are in its files; the second is empty before it was tried."""

    path: Path
    manifest: Mapping[str, Any]
    verification: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def dump(self) -> Path:
        return self.path / str(self.manifest["file"])

    @property
    def taken(self) -> float:
        return float(self.manifest["taken"])

    @property
    def verified(self) -> Optional[bool]:
        """None: not tried, or the try came to no result."""
        found = self.verification.get("ok")
        return found if isinstance(found, bool) else None


def named(moment: float, host: str) -> str:
    return f"{stamp(moment)}-{re.sub('[^A-Za-z0-9_.-]', '_', host)}"


def stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y%m%dT%H%M%SZ")


def listed(settings: Settings) -> list[Backup]:
    """The oldest first. What was not finished is none."""
    found = []
    if settings.backups.is_dir():
        for path in sorted(settings.backups.iterdir()):
            if _NAME.match(path.name) and (path / "manifest.json").exists():
                found.append(
                    Backup(path, records.read(path / "manifest.json"), records.read(path / "verification.json"))
                )
    return found


def one(settings: Settings, name: str) -> Backup:
    for backup in listed(settings):
        if backup.name == name:
            return backup
    raise Refused(f"There is no backup {name} in {settings.backups}.")


def remember(backup: Backup, verification: Mapping[str, Any]) -> Backup:
    records.write(backup.path / "verification.json", verification)
    return Backup(backup.path, backup.manifest, verification)


def remove(backup: Backup) -> None:
    """Renamed first: half of one is none."""
    going = backup.path.with_name(f"{UNFINISHED}{backup.name}")
    backup.path.rename(going)
    shutil.rmtree(going)


def sweep(settings: Settings) -> None:
    """Take away what a run that was killed left. Nobody else is at work: the caller has the lock."""
    for path in settings.backups.glob(f"{UNFINISHED}*"):
        shutil.rmtree(path)


def now() -> float:
    return time.time()
