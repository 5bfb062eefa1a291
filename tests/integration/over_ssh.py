# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Playbooks from this machine, the control host, to a host in a container, over SSH like anybody's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.hosts import Host
from tests.contract.playbook import program

_CALLBACKS = Path(__file__).resolve().parent.parent / "contract" / "callbacks"
Task = Mapping[str, Any]


@dataclass(frozen=True)
class Played:
    """A playbook that ended. results: what each task returned, in order, with `task` and `outcome`."""

    code: int
    output: str
    results: list[dict[str, Any]]

    @property
    def outcomes(self) -> list[str]:
        return [result["outcome"] for result in self.results]

    def good(self) -> Played:
        assert self.code == 0, self.output
        return self


@dataclass(frozen=True)
class Control:
    """address: the one through which the control host knows `host`; `folder` is for what Ansible writes."""

    host: Host
    folder: Path
    address: str
    # A connection that is cut is given up after this many seconds, and several tasks share one, as everywhere.
    alive: int = 5

    def play(self, tasks: Sequence[Task], *arguments: str) -> Played:
        with self.start(tasks, *arguments) as running:
            output, _nothing = running.communicate(timeout=180)
        results = [json.loads(line) for line in (self.folder / "results.jsonl").read_text().splitlines()]
        return Played(running.returncode, output, results)

    def start(self, tasks: Sequence[Task], *arguments: str) -> subprocess.Popen[str]:
        """A playbook that is running."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / "results.jsonl").write_text("")
        play = {"hosts": "all", "gather_facts": False, "tasks": [dict(task) for task in tasks]}
        (self.folder / "play.yml").write_text(yaml.safe_dump([play], sort_keys=False))
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(self._inventory()))
        return subprocess.Popen(
            [program("ansible-playbook"), *arguments, "-i", "hosts.yml", "play.yml"],
            env={**os.environ, **self._environment()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            start_new_session=True,
        )

    def checkpoint(self, action: str, **options: Any) -> dict[str, Any]:
        """One task of network_checkpoint; its result, with `failed` in it whether it did or not."""
        played = self.play([{"hospital.continuity.network_checkpoint": {"action": action, **options}}])
        (result,) = played.results
        return {**result, "failed": result["outcome"] != "ok"}

    def _inventory(self) -> dict[str, Any]:
        if self.host.access is None:
            raise RuntimeError(f"{self.host.name} was made without SSH")
        alive = ["-o", f"ServerAliveInterval={self.alive}", "-o", "ServerAliveCountMax=1"]
        shared = ["-o", "ControlMaster=auto", "-o", "ControlPersist=60s"]
        variables = {
            "ansible_host": self.address,
            "ansible_user": "root",
            "ansible_ssh_common_args": " ".join([*self.host.access.options(), *alive]),
            "ansible_ssh_args": " ".join(shared),
            # A path of a socket is short.
            "ansible_control_path_dir": str(self.host.access.directory / "cp"),
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        return {"all": {"hosts": {self.host.name: variables}}}

    def _environment(self) -> dict[str, str]:
        return {
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
            "ANSIBLE_CALLBACK_PLUGINS": str(_CALLBACKS),
            "ANSIBLE_CALLBACKS_ENABLED": "recorded",
            "RECORDED_RESULTS": str(self.folder / "results.jsonl"),
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "local"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_TIMEOUT": "3",
            "ANSIBLE_DEPRECATION_WARNINGS": "0",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
