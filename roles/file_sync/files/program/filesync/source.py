# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Whether a directory is what it should be, before anything is read from it or written into it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from filesync.settings import HIDDEN, PARTIAL, Settings

_MOUNTS = Path("/proc/self/mountinfo")


class Unsound(Exception):
    """The directory is not as it should be. `unmounted`: a file system is missing."""

    def __init__(self, message: str, *, unmounted: bool = False) -> None:
        super().__init__(message)
        self.unmounted = unmounted


def check_source(settings: Settings, mounts: Path = _MOUNTS) -> None:
    """Raises Unsound for a directory whose emptiness would be spread."""
    check_target(settings, mounts)
    if settings.sentinel and not os.path.lexists(settings.path / settings.sentinel):
        raise Unsound(f"{settings.path} lacks {settings.sentinel}, by which it is known. Nothing is sent from it.")
    if next(contents(settings.path), None) is None:
        raise Unsound(f"{settings.path} is empty. Nothing is sent from it, so nothing is deleted elsewhere.")


def check_target(settings: Settings, mounts: Path = _MOUNTS) -> None:
    """Raises Unsound for a directory that is not mounted or no part of the set."""
    if settings.mountpoint and settings.mountpoint not in mounted(mounts):
        raise Unsound(f"{settings.mountpoint} is not mounted on {settings.me}.", unmounted=True)
    try:
        marked = settings.marker.read_text().strip()
    except (FileNotFoundError, NotADirectoryError):
        raise Unsound(
            f"{settings.path} on {settings.me} is not part of the set {settings.name}: {settings.marker} is missing. "
            "The role file_sync makes it."
        ) from None
    if marked != settings.name:
        raise Unsound(f"{settings.path} on {settings.me} is part of the set {marked}, not of {settings.name}.")


def contents(path: Path) -> Iterator[str]:
    """What is in it but for our own."""
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name not in (HIDDEN, PARTIAL):
                yield entry.name


def mounted(mounts: Path = _MOUNTS) -> list[str]:
    """Where something is mounted, bind mounts as well. proc(5): the fifth field of mountinfo, with octal escapes."""
    lines = mounts.read_text().splitlines()
    return [re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), line.split(" ")[4]) for line in lines]
