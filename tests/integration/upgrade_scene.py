# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A hospital of three nodes whose playbooks evacuate and upgrade a person runs."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from lab.pve import Lab
from lab.pve.fleet import Fleet
from lab.run import Run
from tests.contract.playbook import program

NODES = ["pve1:16:64", "pve2:16:64", "pve3:16:64"]
# Where guests are: two under high availability and three that are not, and one that does not run.
HOME = {100: "pve1", 101: "pve1", 102: "pve2", 103: "pve2", 104: "pve3", 105: "pve1"}
MANAGED = (100, 102)


class Hospital:
    def __init__(self, lab: Lab, fleet: Fleet, folder: Path) -> None:
        self.lab, self.fleet, self.folder = lab, fleet, folder
        self.notes = folder / "pve" / "hospital-continuity"
        self.notes.parent.mkdir()

    def settle(self) -> None:
        self.lab.add_guests(5, first_vmid=100, running=True)
        self.lab.add_guests(1, first_vmid=105)
        for vmid, node in HOME.items():
            self.lab.move_guest(vmid, node)
        for vmid in MANAGED:
            self.lab.call(self.lab.cluster.ha_resources.__setitem__, f"vm:{vmid}", {"state": "started"})

    def start(self, playbook: str, *arguments: str, **variables: Any) -> subprocess.Popen[str]:
        common = {
            "ansible_connection": "local",
            "cluster_host": "cordoba",
            "memory_reserved": 4,
            "node_evacuation_notes": str(self.notes),
            "node_evacuation_maintenance_timeout": 20,
            "node_upgrade_notes": str(self.notes),
            "run_lock_notes": str(self.notes),
            "node_upgrade_poll": 2,
            "node_upgrade_settle": 5,
            "node_upgrade_reboot_command": ["lab-reboot"],
            "node_upgrade_reboot_flag": str(self.folder / "reboot-required"),
            "node_upgrade_ceph": str(self.folder / "ceph.conf"),
        }
        nodes = {name: {"ansible_python_interpreter": self.fleet.python(name)} for name in self.fleet.machines}
        groups = {"nodes": {"hosts": nodes, "vars": common}, "clusters": {"hosts": {"cordoba": {}}}}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": groups}}))
        clean = {name: value for name, value in os.environ.items() if "PVE_" not in name}
        home = {"ANSIBLE_HOME": str(self.folder / "ansible"), "ANSIBLE_ASYNC_DIR": str(self.folder / "async")}
        words = [program("ansible-playbook"), f"hospital.continuity.{playbook}", "-i", "hosts.yml"]
        return subprocess.Popen(
            [*words, "-e", json.dumps(variables), *arguments],
            env={**clean, **self.lab.environment(), **home, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PIPELINING": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            start_new_session=True,
        )

    def play(self, playbook: str, *arguments: str, **variables: Any) -> Run:
        return ended(self.start(playbook, *arguments, **variables))

    @property
    def where(self) -> dict[int, str]:
        return self.lab.call(lambda: {vmid: guest.node for vmid, guest in self.lab.cluster.by_vmid.items()})

    @property
    def running(self) -> set[int]:
        guests = self.lab.cluster.by_vmid
        return self.lab.call(lambda: {vmid for vmid, guest in guests.items() if guest.running})

    @property
    def maintained(self) -> set[str]:
        return self.lab.call(lambda: set(self.lab.cluster.maintained))

    @property
    def noted(self) -> set[str]:
        return {file.name for file in self.notes.iterdir()} if self.notes.exists() else set()

    def as_before(self) -> bool:
        """Everything is where it was, runs if it ran, and nothing is left over."""
        return (self.where, self.running, self.maintained, self.noted, self.fleet.lost) == (
            HOME,
            set(HOME) - {105},
            set(),
            set(),
            [],
        )

    def until(self, running: subprocess.Popen[str], holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 400
        while not holds():
            if running.poll() is not None:
                raise AssertionError(running.communicate()[0])
            assert time.monotonic() < deadline
            time.sleep(0.02)


def ended(running: subprocess.Popen[str]) -> Run:
    output, _nothing = running.communicate(timeout=900)
    assert "Traceback" not in output, output
    return Run(running.returncode, output)


@contextmanager
def hospital_in(folder: Path) -> Iterator[Hospital]:
    with Lab(nodes=NODES) as lab, Fleet(lab) as fleet:
        hospital = Hospital(lab, fleet, folder)
        hospital.settle()
        yield hospital
