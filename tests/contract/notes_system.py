# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Notes under test: a directory that stands for the cluster's own file system."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.contract.invocation import Result
from tests.contract.system import System


class NotesSystem(System):
    nonsense = 15
    fails_writes = False

    def __init__(self, stands_for: Path | None = None) -> None:
        """stands_for: one that is there already."""
        self._stands_for = stands_for or Path(tempfile.mkdtemp(prefix="hct-notes-"))
        self.folder = self._stands_for / "hospital-continuity"

    def close(self) -> None:
        shutil.rmtree(self._stands_for, ignore_errors=True)

    def module_defaults(self, module: str) -> dict[str, Any]:
        return {f"hospital.continuity.{module}": {"path": str(self.folder)}}

    def run(self, module: str, config: list[Mapping[str, Any]] | None = None, **arguments: Any) -> Result:
        return super().run(module, config, **{"path": str(self.folder), **arguments})

    def reset(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def writes(self) -> int:
        """Not how many, but another number after each: every write renames, makes or removes a file there."""
        return self.folder.stat().st_mtime_ns if self.folder.exists() else 0

    def inventory(self) -> Any:
        return {file.name: file.read_text() for file in self.folder.iterdir()} if self.folder.exists() else {}


def failure(stands_for: Path, owner: str) -> str:
    """Why the module failed to write the note lock for this owner; empty where it did not. In a process of its own."""
    result = NotesSystem(stands_for).run("pve_note", name="lock", action="write", owner=owner)
    assert not result.crash, result.crash
    return result.message if result.failed else ""
