# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The program of a role, put together as the role does it: its modules and those it shares with the collection."""

from __future__ import annotations

import atexit
import functools
import shutil
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def assembled(role: str, package: str) -> Path:
    """A folder that Python can run."""
    where = ROOT / "roles" / role
    folder = Path(tempfile.mkdtemp(prefix=f"{role}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(where / "files" / "program", folder, dirs_exist_ok=True)
    variables = yaml.safe_load((where / "vars" / "main.yml").read_text())
    for name in variables[f"{role}_shared"]:
        shutil.copy(ROOT / "plugins" / "module_utils" / name, folder / package)
    return folder


def importable(role: str, package: str) -> None:
    """Have this process import it."""
    if str(folder := assembled(role, package)) not in sys.path:
        sys.path.insert(0, str(folder))
