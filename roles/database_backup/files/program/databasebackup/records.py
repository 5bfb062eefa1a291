# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Files that are there whole or not at all, and one program at a time."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from databasebackup import durable
from databasebackup.settings import Refused


def sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write(path: Path, data: Mapping[str, Any]) -> None:
    """Whole or not at all, and still there after a power failure."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    durable.replaced(path, json.dumps(data, indent=1).encode(), mode=0o600)


def read(path: Path) -> dict[str, Any]:
    """Empty where there is none. Raises Refused for one that was damaged."""
    try:
        data = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as problem:
        raise Refused(f"{path} cannot be read: {problem}") from None
    if not isinstance(data, dict):
        raise Refused(f"{path} does not hold what it should.")
    return data


@contextmanager
def alone(path: Path, doing: str) -> Iterator[None]:
    """One program at a time. Raises Refused while another one has the lock."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refused(f"Not done: {path.read_text().strip() or 'another run'} is under way.") from None
        os.pwrite(descriptor, doing.encode(), 0)
        os.ftruncate(descriptor, len(doing.encode()))
        yield
    finally:
        os.close(descriptor)
