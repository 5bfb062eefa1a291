# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Córdoba from four bare nodes on, by the playbooks that bin/demo --whole shows: the cluster is formed, automation gets
a login of its own, and with that one everything else is made. And what is said where the inventory says too little."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab.pve import Formation
from lab.run import Run
from tests.contract.playbook import program
from tests.integration.test_site import CORDOBA, NODES

PASSWORD = "lab-password"
NAMES = ["pve1", "pve2", "pve3", "pve4"]
TOKEN = "automation@pve!ansible"


class Hospital:
    """Four nodes, Córdoba's inventory, and what is known of the lab's nodes beside it."""

    def __init__(self, formation: Formation, folder: Path) -> None:
        self.formation, self.folder = formation, folder
        self.secrets = folder / "secrets"
        hosts = {name: self._node(name) for name in NAMES}
        (folder / "bare.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))

    def _node(self, name: str) -> dict[str, object]:
        node = self.formation[name]
        links = [{"link": 0, "address": node.address}, {"link": 1, "address": node.second}]
        return {"cluster_address": node.address, "cluster_links": links, "cluster_api_port": node.port}

    def play(self, playbook: str, *arguments: str, inventory: str = str(CORDOBA), **environment: str) -> Run:
        first = self.formation["pve1"]
        clean = {name: value for name, value in os.environ.items() if "PVE_" not in name and "CORDOBA" not in name}
        common = {
            "PVE_HOST": first.host,
            "PVE_PORT": str(first.port),
            "PVE_CA": first.ca,
            "CORDOBA_ROOT_PASSWORD": PASSWORD,
            "CORDOBA_SECRETS": str(self.secrets),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_HOME": str(self.folder / "ansible"),
        }
        done = subprocess.run(
            [
                program("ansible-playbook"),
                f"hospital.continuity.{playbook}",
                *("-i", inventory, "-i", "bare.yml"),
                *arguments,
            ],
            env={**clean, **common, **environment},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert PASSWORD not in done.stdout and "Traceback" not in done.stdout
        return Run(done.returncode, done.stdout)

    def form(self, *arguments: str, **environment: str) -> Run:
        first = self.formation["pve1"]
        given = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "cluster_ca_path": first.ca,
            "cluster_fingerprint": first.fingerprint,
        }
        words = [word for name, value in given.items() for word in ("-e", f"{name}={value}")]
        return self.play("cluster", "--limit", "cordoba_nodes", "--tags", "cluster", *words, *arguments, **environment)

    def as_root(self, *arguments: str) -> Run:
        root = {"PVE_USER": "root@pam", "PVE_PASSWORD": PASSWORD}
        return self.play("site", "--limit", "cordoba", "--tags", "access", *arguments, **root)

    def as_automation(self) -> Run:
        secret = (self.secrets / TOKEN).read_text().strip()
        done = self.play("site", "--limit", "cordoba", PVE_TOKEN_ID=TOKEN, PVE_TOKEN_SECRET=secret)
        assert secret not in done.text
        return done

    @property
    def done(self) -> int:
        """How many writes were not refused."""
        return sum(request.status == 200 for request in self.formation.writes)

    @property
    def members(self) -> list[list[str]]:
        found = [self.formation.machines[name].corosync for name in NAMES]
        return [sorted(corosync.members) if corosync else [] for corosync in found]


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    with Formation(NODES, outage=2, settling=0.2) as formation:
        yield Hospital(formation, tmp_path)


def test_four_bare_nodes_become_the_hospital_and_the_second_time_nothing_changes(hospital: Hospital) -> None:
    formed = hospital.form()
    assert formed.code == 0, formed.text
    assert hospital.members == [NAMES] * 4

    access = hospital.as_root()
    assert access.code == 0, access.text
    secret = hospital.secrets / TOKEN
    assert (secret.stat().st_mode & 0o777, hospital.secrets.stat().st_mode & 0o777) == (0o600, 0o700)
    assert secret.read_text().strip() not in access.text

    made = hospital.as_automation()
    assert made.code == 0, made.text
    machine = hospital.formation.machines["pve4"]
    assert len(machine.by_vmid) == 15 and "ds3524" in machine.storages, "another member tells the same"
    assert "9 guests of 15 survive it" in made.text and "access : " not in made.text

    writes = hospital.done
    for again in (hospital.form(), hospital.as_root(), hospital.as_automation()):
        assert (again.code, again.changed) == (0, set()), again.text
    more = '{"access_acl": [{"path": "/access", "ugid": "automation@pve", "roleid": "Administrator"}]}'
    login = {"PVE_TOKEN_ID": TOKEN, "PVE_TOKEN_SECRET": secret.read_text().strip()}
    refused = hospital.play("site", "--limit", "cordoba", "--tags", "access", "-e", more, **login)
    assert refused.code != 0 and "Permissions.Modify" in refused.text, "automation gives itself nothing"
    assert hospital.done == writes


def test_a_token_whose_secret_nobody_would_have_is_not_made(hospital: Hospital) -> None:
    refused = hospital.as_root("-e", "access_tokens_directory=")
    assert refused.code != 0 and "Say access_tokens_directory" in refused.text
    assert hospital.formation.writes == []


def test_a_password_that_is_not_set_is_named(hospital: Hospital) -> None:
    refused = hospital.form(CORDOBA_ROOT_PASSWORD="")
    assert refused.code != 0 and "cluster_root_password of pve1 is empty" in refused.text
    assert hospital.members == [[]] * 4 and hospital.formation.writes == []


def test_nodes_of_which_the_inventory_says_nothing_are_left_as_they_are(hospital: Hospital) -> None:
    """A machine that is only in the group nodes: neither base nor cluster, and nobody logs in to it."""
    (hospital.folder / "other.yml").write_text(
        yaml.safe_dump({"nodes": {"hosts": {"plain": {"ansible_host": "192.0.2.1"}}}})
    )
    done = hospital.play("cluster", "--limit", "plain", inventory="other.yml")
    assert done.code == 0, done.text
    assert done.recap["plain"]["changed"] == done.recap["plain"]["unreachable"] == 0
    assert done.recap["plain"]["skipped"] == 2
