# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Notes as files below /etc/pve, which Proxmox VE keeps the same on every node, and makes read-only without quorum.

Of what a file system offers, that one has no hard links and no file locks between nodes. A name that must not exist yet
(O_EXCL) and renaming are decided once for the whole cluster, so these two are what it is built from.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import (
    InvalidInput,
    SubsystemError,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve_node.notes import (
    WRITE,
    Note,
    NoteOperation,
    parsed,
    shown,
    written,
)

# A note is written in an instant. Whoever holds its pen longer was killed.
_PEN_SECONDS = 30.0
_PAUSE = 0.1


class NotesBackend:
    parallel = 1

    def __init__(self, path: str) -> None:
        self.writes = 0
        self._folder = Path(path)

    def close(self) -> None:
        """There is no connection to give back."""

    def observe(
        self, operation: NoteOperation, order: Order, keys: Optional[Collection[Key]] = None
    ) -> Mapping[Key, Thing]:
        name = str(order.options["name"])
        found = self._read(name)
        return {} if found is None else {(name,): Thing(shown(found))}

    def precheck(self, operation: NoteOperation, plan: Plan, order: Order) -> Sequence[str]:
        return () if self._folder.parent.is_dir() else (f"path: there is no {self._folder.parent} on this host",)

    def apply(self, operation: NoteOperation, step: Step) -> Sequence[str]:
        name = str(step.key[0])
        self.writes += 1
        try:
            self._folder.mkdir(exist_ok=True)
            with self._pen(name):
                now = self._read(name)
                if (None if now is None else shown(now)) != step.before:
                    raise SubsystemError(
                        f"The note {name} was changed by somebody else at this moment.", hint="Look who, and try again."
                    )
                if step.action == WRITE:
                    after = step.after or {}
                    self._replace(name, written(Note(after["owner"], after["content"])))
                else:
                    (self._folder / name).unlink()
        except OSError as problem:
            raise SubsystemError(
                f"The note {name} in {self._folder} was not written: {problem.strerror}.",
                hint="Without quorum Proxmox VE makes /etc/pve read-only.",
            ) from None
        return ()

    def verify(self, operation: NoteOperation, things: Mapping[Key, Thing], order: Order) -> Sequence[Unmet]:
        return ()

    def _read(self, name: str) -> Optional[Note]:
        try:
            return parsed((self._folder / name).read_bytes())
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise SubsystemError(
                f"The note {name} in {self._folder} cannot be read: {problem.strerror}.",
                hint="Look at it on this host.",
            ) from None

    def _replace(self, name: str, content: bytes) -> None:
        # Modes are the file system's own there, and setting others fails.
        temporary = self._folder / f"{name}.tmp.{os.getpid()}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        temporary.replace(self._folder / name)

    @contextlib.contextmanager
    def _pen(self, name: str) -> Iterator[None]:
        """One writer at a time."""
        pen = self._folder / f"{name}.pen"
        deadline = time.monotonic() + 2 * _PEN_SECONDS
        while True:
            try:
                os.close(os.open(pen, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640))
                break
            except FileExistsError:
                if time.monotonic() > deadline:
                    raise SubsystemError(f"{pen} stays there.", hint="Remove it if nobody is at work.") from None
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - pen.stat().st_mtime > _PEN_SECONDS:
                        pen.unlink()
                        continue
                time.sleep(_PAUSE)
        try:
            yield
        finally:
            with contextlib.suppress(FileNotFoundError):
                pen.unlink()


def open_backend(params: Mapping[str, Any]) -> NotesBackend:
    path = str(params["path"])
    if not path.startswith("/") or "\0" in path:
        raise InvalidInput(f"path: {path!r} is not the absolute path of a directory.", hint="Correct the value.")
    return NotesBackend(path)
