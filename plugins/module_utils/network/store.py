# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The directory a checkpoint is kept in. What is written there is on the disk when writing returns, since a reset a
second later must find it, and one process at a time decides what becomes of a checkpoint."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.durable import kept, replaced
from ansible_collections.hospital.continuity.plugins.module_utils.network.checkpoint import (
    DIRECTORY,
    STATE,
    Checkpoint,
    boot_of,
    decoded,
    encoded,
)

SAVED, PROGRAM, MARKER, ASIDE = "saved.json", "rollback.pyz", "armed", "put_aside"
_LOCK = "lock"


class Busy(SubsystemError):
    """Somebody else has been deciding about the checkpoint for too long."""


@dataclass(frozen=True)
class Store:
    """`directory`: where the checkpoint is kept, of which only root may read."""

    directory: Path = Path(DIRECTORY)

    @property
    def program(self) -> Path:
        return self.directory / PROGRAM

    @property
    def marker(self) -> Path:
        return self.directory / MARKER

    def make(self) -> None:
        """The directory, readable by root only."""
        missing = [path for path in (self.directory, *self.directory.parents) if not path.exists()]
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        for path in missing:
            kept(path.parent)

    @contextlib.contextmanager
    def locked(self, *, patience: float = 0.0) -> Iterator[None]:
        """The only one who decides: whether the checkpoint is confirmed or rolled back is written inside. A process
        that dies gives the lock back. `patience` in seconds. Raises Busy."""
        with _opened(self.directory / _LOCK) as lock:
            deadline = time.monotonic() + patience
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise Busy(
                            "The checkpoint is being rolled back, or decided about by another run, and that has not "
                            f"ended within {patience:g} seconds.",
                            hint="Look at it again in a while (action: status).",
                        ) from None
                    time.sleep(0.05)
            yield

    def checkpoint(self) -> Optional[Checkpoint]:
        """The last checkpoint, whatever became of it; None where there never was one. Raises SubsystemError."""
        try:
            raw = json.loads((self.directory / STATE).read_text(encoding="utf-8"))
            return decoded(raw, boot=this_boot(), uptime=uptime())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError:
            raise SubsystemError(
                f"{self.directory} may not be read.", hint="The network's way back is root's: add become: true."
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise SubsystemError(
                f"{self.directory / STATE} cannot be read: {problem}.",
                hint="It says whether a rollback is due. Look at it, and move the directory away if it is useless.",
            ) from None

    def keep(self, checkpoint: Checkpoint, **changes: Any) -> Checkpoint:
        """Write what has become of a checkpoint."""
        changed = replace(checkpoint, **changes)
        self.write_json(STATE, encoded(changed))
        return changed

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        # On one line: whoever asks over SSH takes the file apart by lines (checkpoint.py).
        self.write(name, (json.dumps(content) + "\n").encode())

    def read_json(self, name: str) -> Mapping[str, Any]:
        content: Mapping[str, Any] = json.loads((self.directory / name).read_text(encoding="utf-8"))
        return content

    def write(self, name: str, content: bytes) -> None:
        replaced(self.directory / name, content, mode=0o600)


def _opened(lock: Path) -> IO[str]:
    """For a lock, reading is enough, and all there is on a disk that has become read-only."""
    try:
        return lock.open("a")
    except OSError as problem:
        if problem.errno not in (errno.EROFS, errno.ENOSPC):
            raise
        return lock.open()


def this_boot() -> str:
    """Which start of this host it is."""
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    return boot_of(boot_id, Path("/proc/1/stat").read_text(encoding="utf-8", errors="replace"))


def uptime() -> float:
    """Seconds this host has been up: a clock that nobody sets."""
    return float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
