# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Whether there is a place to write to, with room in it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from databasebackup.settings import Refused, Settings


def prepare(settings: Settings) -> None:
    """Raises Refused where a file system is not mounted: a full root must never be the backup."""
    if settings.mountpoint and not os.path.ismount(settings.mountpoint):
        raise Refused(f"Nothing is mounted at {settings.mountpoint}, where {settings.directory} should be.")
    for folder in (settings.backups, settings.logs):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def for_servers(settings: Settings) -> None:
    """Where servers are started, which are not root's."""
    if not settings.restores.is_dir():
        settings.restores.mkdir(parents=True)
        settings.restores.chmod(0o755)


def require(folder: Path, wanted: int) -> None:
    """Raises Refused with less than that many bytes."""
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise Refused(f"{folder} has {free >> 20} MiB free, and {wanted >> 20} MiB are needed.")
