# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""/etc/network/interfaces and what is beside it in interfaces.d: saved with a checkpoint, and put back."""

from __future__ import annotations

import base64
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.durable import kept, replaced

Saved = Mapping[str, Any]


def files(interfaces_file: str) -> list[Path]:
    """The files that hold the configuration now."""
    main = Path(interfaces_file)
    beside = Path(f"{interfaces_file}.d")
    found = sorted(beside.iterdir()) if beside.is_dir() else []
    return [path for path in (main, *found) if path.is_file()]


def pending(interfaces_file: str) -> Path:
    """Where Proxmox VE collects changes that nobody has applied."""
    return Path(f"{interfaces_file}.new")


def saved(interfaces_file: str) -> dict[str, Any]:
    """All of them with mode and owner, as JSON has it. Raises OSError."""
    content: dict[str, Any] = {}
    for path in files(interfaces_file):
        status = path.stat()
        content[str(path)] = {
            "content": base64.b64encode(path.read_bytes()).decode(),
            "mode": stat.S_IMODE(status.st_mode),
            "owner": [status.st_uid, status.st_gid],
        }
    return {"interfaces_file": interfaces_file, "files": content}


def put_back(before: Saved, aside: Path) -> tuple[bool, list[str]]:
    """Make the files what they were; a new one goes to `aside`. Returns whether that changed any, and what there is to
    say. Raises OSError."""
    changed = False
    notes: list[str] = []
    for name, was in before["files"].items():
        # Through a symbolic link to where it leads: the link itself stays.
        path = Path(name).resolve()
        content = base64.b64decode(was["content"])
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            replaced(path, content, mode=was["mode"], owner=(was["owner"][0], was["owner"][1]))
            changed = True
    for path in files(before["interfaces_file"]):
        if str(path) not in before["files"]:
            aside.mkdir(mode=0o700, exist_ok=True)
            replaced(aside / path.name, path.read_bytes(), mode=0o600)
            path.unlink()
            kept(path.parent)
            changed = True
            notes.append(f"{path}, which was new, is now {aside / path.name}")
    if pending(before["interfaces_file"]).exists():
        notes.append(f"the pending changes in {pending(before['interfaces_file'])} were left alone")
    return changed, notes


def put_pending_aside(before: Saved, aside: Path) -> list[str]:
    """Take away what is staged: Proxmox VE puts it in force at every start of the host (pvenetcommit.service), beside
    this rollback or after it. Returns what there is to say. Raises OSError."""
    path = pending(before["interfaces_file"])
    if not path.is_file():
        return []
    aside.mkdir(mode=0o700, exist_ok=True)
    replaced(aside / path.name, path.read_bytes(), mode=0o600)
    path.unlink(missing_ok=True)
    kept(path.parent)
    return [f"the pending changes in {path}, which this start of the host would have put in force, are now in {aside}"]
