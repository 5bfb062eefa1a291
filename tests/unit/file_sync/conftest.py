# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The role's programs are imported as the role puts them together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.role_program import assembled, importable

PROGRAM = assembled("file_sync", "filesync")
importable("file_sync", "filesync")


@pytest.fixture
def places(tmp_path: Path) -> Any:
    """All directories below one of the test's."""
    from filesync.settings import Places

    return Places(tmp_path / "etc", tmp_path / "var", tmp_path / "run", Path("/bin/false"))


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Any]:
    """The settings of a set whose directory is there and marked."""
    from filesync.settings import Settings

    def made(**other: Any) -> Settings:
        path = tmp_path / "files"
        (path / ".file_sync").mkdir(parents=True, exist_ok=True)
        (path / ".file_sync" / "set").write_text("web\n")
        described: dict[str, Any] = {
            "name": "web",
            "me": "a",
            "origin": "a",
            "path": path,
            "mountpoint": "",
            "sentinel": "",
            "peers": ("b", "c"),
            "options": ("-aHAX", "--numeric-ids"),
            "exclude": (),
            "max_delete": 1000,
            "delay": 1,
            "reconcile": 600,
            "heartbeat": 10,
            "timeout": 60,
            "flush": 20,
            "lag_limit": 60,
        }
        return Settings(**{**described, **other})

    return made
