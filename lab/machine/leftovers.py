# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Folders of running machines, and the end of those whose program was killed before it could end them."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.machine import cache

_RUN = cache.ROOT / "run"


@contextmanager
def running(name: str) -> Iterator[Path]:
    """A folder for the machine's disk and console, removed at the end. Its lock says that somebody looks after it."""
    _RUN.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=_RUN))
    with (folder / "locking").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / "locking").rename(folder / "lock")  # held from the moment that it is there
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def note(folder: Path, pid: int) -> None:
    (folder / "pid").write_text(str(pid))


def end() -> None:
    """End and remove the machines that nobody looks after any more."""
    for folder in _RUN.glob("*"):
        with suppress(OSError), (folder / "lock").open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _kill(folder)
            shutil.rmtree(folder, ignore_errors=True)


def _kill(folder: Path) -> None:
    """Only a process that has this machine's disk in its command line: numbers of processes are used again."""
    with suppress(OSError, ValueError):
        pid = int((folder / "pid").read_text())
        if str(folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
