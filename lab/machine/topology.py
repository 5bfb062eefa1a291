# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Machines as a file says, running in the background until they are ended: what molecule's playbooks call.

name: shared-storage
machines: {array: storage, alpha: storage}   # name: recipe
cables:
  - [array, 1, alpha, 1]                     # eno1 of the one to eno1 of the other
disks:
  array: {volume: 1G}
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from lab.machine import cache
from lab.machine.cluster import CLUSTER
from lab.machine.machine import Machine, join
from lab.machine.programs import CannotRun
from lab.machine.recipe import NODE
from lab.machine.storage import STORAGE

_UP = cache.ROOT / "up"
_RECIPES = {"node": NODE, "storage": STORAGE, "cluster": CLUSTER}


@dataclass(frozen=True)
class Topology:
    name: str
    machines: Mapping[str, str]
    cables: Sequence[tuple[str, int, str, int]] = ()
    disks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path) -> Topology:
        return cls(**yaml.safe_load(file.read_text()))

    def hold(self) -> None:
        """Start them, write how to reach them, and wait for the end."""
        with ExitStack() as running:
            machines = {
                name: running.enter_context(Machine(name, recipe=_RECIPES[recipe]))
                for name, recipe in self.machines.items()
            }
            for first, nic, second, other_nic in self.cables:
                join(machines[first], machines[second], nic, other_nic)
            for name, disks in self.disks.items():
                for disk, size in disks.items():
                    machines[name].disk(disk, size)
            unfinished = ssh_config(self.name).with_suffix(".unfinished")
            unfinished.write_text("".join(machine.ssh_config() for machine in machines.values()))
            unfinished.rename(ssh_config(self.name))
            signal.pause()


def ssh_config(name: str) -> Path:
    """How ssh reaches the machines of that name: `ssh -F FILE alpha`."""
    return _UP / name / "ssh_config"


def up(file: Path) -> Path:
    """Start them in the background; the file of ssh_config when they run. Raises CannotRun with what was said."""
    name = Topology.read(file).name
    down(name)
    folder = _UP / name
    folder.mkdir(parents=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "lab.machine", "hold", "--file", str(file.resolve())],
            cwd=Path(__file__).resolve().parents[2],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    (folder / "pid").write_text(str(process.pid))
    while not ssh_config(name).exists():
        if process.poll() is not None:
            raise CannotRun((folder / "log").read_text(errors="replace").strip())
        time.sleep(0.2)
    return ssh_config(name)


def down(name: str) -> None:
    """End them, if they run."""
    folder = _UP / name
    with suppress(OSError, ValueError):
        pid = int((folder / "pid").read_text())
        for _second in range(60):
            # Numbers of processes are used again.
            if b"lab.machine\0hold" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                break
            os.kill(pid, signal.SIGTERM)
            time.sleep(1)
    shutil.rmtree(folder, ignore_errors=True)
