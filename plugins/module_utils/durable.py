# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Files that are on the disk for good when writing returns: a power cut leaves the old one or the new one."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Optional


def replaced(path: Path, content: bytes, *, mode: int, owner: Optional[tuple[int, int]] = None) -> None:
    """Put a file in the place of another, on the disk for good: at every moment there is either the old or the new."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    kept(path.parent)


def kept(directory: Path) -> None:
    """The names in a directory are on the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
