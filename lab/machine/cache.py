# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Where images, states and running machines are kept: .work/machine. It may be deleted when no machine runs."""

from __future__ import annotations

import fcntl
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2] / ".work" / "machine"


@contextmanager
def locked(name: str) -> Iterator[None]:
    """One process at a time makes the thing of that name; the others wait for it."""
    ROOT.mkdir(parents=True, exist_ok=True)
    with (ROOT / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def made(folder: Path) -> Iterator[Path]:
    """A folder to fill, which gets its name when it is complete: what is there under its name can be used."""
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
    except BaseException:
        log = unfinished / "build.log"
        if log.exists():
            log.replace(ROOT / "failed.log")
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    unfinished.rename(folder)


def forget(name: str) -> None:
    """Remove what earlier recipes of that name left. A machine still running from it has its files open and goes on."""
    for old in ROOT.glob(f"{name}-*"):
        if re.fullmatch(r"[0-9a-f]{16}(\.unfinished)?", old.name.removeprefix(f"{name}-")):
            shutil.rmtree(old, ignore_errors=True)
