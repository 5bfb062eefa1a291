# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The role cluster on nodes that were installed one by one, as a person runs it, and what can go wrong then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.pve import Formation
from lab.run import Run
from tests.contract.playbook import program

NAMES = ("pve1", "pve2", "pve3")
PASSWORD = "lab-password"


class Hospital:
    """Its nodes and the playbook. SSH is not needed: what is read over it is given."""

    def __init__(self, formation: Formation, folder: Path) -> None:
        self.formation, self.folder = formation, folder

    def start(self, *arguments: str, **variables: Any) -> subprocess.Popen[str]:
        first = self.formation["pve1"]
        common = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "cluster_name": "cordoba",
            "cluster_nodes": list(NAMES),
            "cluster_root_password": PASSWORD,
            "cluster_api_port": first.port,
            "cluster_ca_path": first.ca,
            "cluster_fingerprint": first.fingerprint,
            "cluster_wait": 10,
            **variables,
        }
        hosts = {name: {"cluster_address": self.formation[name].address, **self._links(name)} for name in NAMES}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": common}}))
        play = {"hosts": "all", "gather_facts": False, "roles": ["hospital.continuity.cluster"]}
        (self.folder / "play.yml").write_text(yaml.safe_dump([{"name": "Form the cluster", **play}]))
        clean = {name: value for name, value in os.environ.items() if "PVE_" not in name}
        return subprocess.Popen(
            [program("ansible-playbook"), "play.yml", "-i", "hosts.yml", *arguments],
            env={**clean, "ANSIBLE_HOME": str(self.folder / "ansible"), "ANSIBLE_NOCOLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            start_new_session=True,
        )

    def _links(self, name: str) -> dict[str, Any]:
        node = self.formation[name]
        priority = {"priority": 20} if name == "pve1" else {}
        links = [{"link": 0, "address": node.second, **priority}, {"link": 1, "address": node.address}]
        return {"cluster_links": links}

    def play(self, *arguments: str, **variables: Any) -> Run:
        running = self.start(*arguments, **variables)
        output, _nothing = running.communicate(timeout=240)
        assert PASSWORD not in output and "Traceback" not in output
        return Run(running.returncode, output)

    @property
    def members(self) -> list[list[str]]:
        """Of each node's cluster."""
        found = [self.formation.machines[name].corosync for name in NAMES]
        return [sorted(corosync.members) if corosync else [] for corosync in found]


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    with Formation(NAMES, outage=2, settling=0.2) as formation:
        yield Hospital(formation, tmp_path)


def test_one_run_makes_a_cluster_and_another_one_changes_nothing(hospital: Hospital) -> None:
    with_check = hospital.play("--check")
    assert with_check.code == 0, with_check.text
    assert hospital.formation.writes == []
    first = hospital.play()
    assert first.code == 0, first.text
    assert hospital.members == [list(NAMES)] * 3
    assert first.changed == {
        "pve1 -> localhost: cluster : Create the cluster at its first node",
        "pve2 -> localhost: cluster : Join it",
        "pve3 -> localhost: cluster : Join it",
    }
    before = len(hospital.formation.writes)
    again = hospital.play()
    assert again.code == 0 and not again.changed, again.text
    assert len(hospital.formation.writes) == before


def test_a_node_that_carries_guests_stays_out_and_the_others_join(hospital: Hospital) -> None:
    machine = hospital.formation.machines["pve2"]
    hospital.formation.call(lambda: machine.seed_guests(1, 100, False, "qemu", "local", False))
    run = hospital.play()
    assert run.code != 0 and "pve2 carries guests (100)" in run.text
    assert hospital.members == [["pve1", "pve3"], [], ["pve1", "pve3"]]


def test_limited_to_another_node_no_second_cluster_is_made(hospital: Hospital) -> None:
    run = hospital.play("--limit", "pve3")
    assert run.code != 0 and "is in no cluster" in run.text
    assert hospital.members == [[], [], []]


def test_a_wrong_fingerprint_is_refused(hospital: Hospital) -> None:
    run = hospital.play(cluster_fingerprint=":".join(["AA"] * 32))
    assert run.code != 0 and "has a certificate with another fingerprint" in run.text
    assert hospital.members == [["pve1"], [], []]


def test_killed_while_a_node_joins_it_is_finished_by_the_next_run(hospital: Hospital) -> None:
    for machine in hospital.formation.machines.values():
        machine.time_scale = 0.3
    running = hospital.start()
    deadline = time.monotonic() + 120
    while not any(task["type"] == "clusterjoin" for task in hospital.formation.machines["pve2"].tasklog):
        assert time.monotonic() < deadline and running.poll() is None
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    again = hospital.play()
    assert again.code == 0, again.text
    assert hospital.members == [list(NAMES)] * 3
