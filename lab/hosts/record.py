# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What is known on disk of a running set of hosts, so that what a killed run left behind can be found and removed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from lab.hosts.namespaces import Namespace
from lab.hosts.podman import podman

STATE = Path("/run/hospital-continuity")
LABEL = "hospital-continuity"


@dataclass(frozen=True)
class Record:
    """A set's directory. `owner`: the process that will remove it, as "pid start-time"; empty: it stays until it is
    taken down by name."""

    name: str

    @property
    def directory(self) -> Path:
        return STATE / self.name

    def create(self, *, keep: bool) -> None:
        self.directory.mkdir(parents=True, mode=0o700)
        (self.directory / "owner").write_text("" if keep else _identity(os.getpid()))

    def abandoned(self) -> bool:
        try:
            owner = (self.directory / "owner").read_text()
        except FileNotFoundError:  # being made, or being removed, by somebody else
            return False
        return bool(owner) and _identity(int(owner.split()[0])) != owner

    def note(self, kind: str, name: str) -> None:
        """Before a thing is made, so that it can be found if nobody comes to remove it."""
        with (self.directory / "things").open("a") as file:
            file.write(json.dumps([kind, name]) + "\n")

    def things(self, kind: str) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            lines = (self.directory / "things").read_text().splitlines()
            return [name for what, name in map(json.loads, lines) if what == kind]
        return []

    def remove(self) -> None:
        """Containers, namespaces with their ports and cables, and the directory. What is gone already is no error."""
        containers = podman("ps", "--all", "--quiet", "--filter", f"label={LABEL}={self.name}").split()
        if containers:
            podman("rm", "--force", "--time", "0", *containers, check=False)
        for name in self.things("namespace"):
            Namespace(name).remove()
        for name in self.things("interface"):
            Namespace().ip("link", "del", name, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)


def sweep() -> list[str]:
    """Remove the sets whose process is gone, and their names."""
    names = [path.name for path in STATE.iterdir()] if STATE.exists() else []
    records = [record for record in map(Record, names) if record.abandoned()]
    for record in records:
        record.remove()
    return [record.name for record in records]


def _identity(pid: int) -> str:
    """The process and when it started: process ids are used again. Empty when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return f"{pid} {stat.rpartition(')')[2].split()[19]}"
