# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What the role wrote about one set, and where things are on this side."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HIDDEN = ".file_sync"
PARTIAL = ".file_sync-partial"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")


class Unusable(Exception):
    """The set cannot be used; the text says why and what to do."""


@dataclass(frozen=True)
class Places:
    """Directories of the programs. Tests have others."""

    etc: Path = Path("/etc/hospital.continuity/file_sync")
    var: Path = Path("/var/lib/hospital.continuity/file_sync")
    run: Path = Path("/run/hospital.continuity/file_sync")
    push_program: Path = Path("/usr/local/lib/hospital.continuity/file_sync-push")

    @property
    def ssh_config(self) -> Path:
        return self.etc / "ssh_config"


@dataclass(frozen=True)
class Settings:
    """One set. me, origin, peers: names; the SSH configuration knows the peers by them. Times are in seconds."""

    name: str
    me: str
    origin: str
    path: Path
    mountpoint: str
    sentinel: str
    peers: tuple[str, ...]
    options: tuple[str, ...]
    exclude: tuple[str, ...]
    max_delete: int
    delay: int
    reconcile: int
    heartbeat: int
    timeout: int
    flush: int
    lag_limit: int

    @property
    def hidden(self) -> Path:
        return self.path / HIDDEN

    @property
    def marker(self) -> Path:
        return self.hidden / "set"

    @property
    def heartbeat_file(self) -> Path:
        return self.hidden / "heartbeat"


def named(name: str) -> str:
    """The name, if it can be one: it becomes part of paths. Raises Unusable."""
    if not _NAME.match(name):
        raise Unusable(f"{name!r} is no name of a set.")
    return name


def load(places: Places, name: str) -> Settings:
    """Raises Unusable where this host has no such set."""
    path = places.etc / "sets" / f"{named(name)}.json"
    try:
        data: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        raise Unusable(f"This host has no set {name}: {path} does not exist.") from None
    except (OSError, ValueError) as problem:
        raise Unusable(f"{path} cannot be read: {problem}") from None
    return Settings(
        name=name,
        me=str(data["me"]),
        origin=str(data["origin"]),
        path=Path(data["path"]),
        mountpoint=str(data["mountpoint"]),
        sentinel=str(data["sentinel"]),
        peers=tuple(data["peers"]),
        options=tuple(data["options"]),
        exclude=tuple(data["exclude"]),
        max_delete=int(data["max_delete"]),
        delay=int(data["delay"]),
        reconcile=int(data["reconcile"]),
        heartbeat=int(data["heartbeat"]),
        timeout=int(data["timeout"]),
        flush=int(data["flush"]),
        lag_limit=int(data["lag_limit"]),
    )
