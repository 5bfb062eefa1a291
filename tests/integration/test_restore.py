# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The playbook hospital.continuity.restore as a person runs it, on a simulated cluster of two nodes, each of which
keeps its own backups; and what can be wrong then."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.pve import Lab
from lab.run import Run
from tests.contract.playbook import program
from tests.integration.test_site import api

GIB = 1024**3
PACS, COPY = 110, 9110


@dataclass
class Hospital:
    """A cluster with one guest on pve1, and that guest's backups."""

    lab: Lab
    folder: Path

    def restore(self, *arguments: str, clusters: tuple[str, ...] = ("hospital",), **variables: Any) -> Run:
        python = "{{ ansible_playbook_python }}"
        common = {"ansible_connection": "local", "ansible_python_interpreter": python}
        inventory = {"clusters": {"hosts": {name: {} for name in clusters}, "vars": common}}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(inventory))
        clean = {name: value for name, value in os.environ.items() if "PVE_" not in name}
        done = subprocess.run(
            [
                program("ansible-playbook"),
                "hospital.continuity.restore",
                "-i",
                "hosts.yml",
                "-e",
                json.dumps(variables),
                *arguments,
            ],
            env={
                **clean,
                **self.lab.environment(),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_HOME": str(self.folder / "ansible"),
            },
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
        assert "Traceback" not in done.stdout
        return Run(done.returncode, done.stdout)

    def back_up(self, node: str = "pve1", hours_ago: float = 0) -> str:
        """Its volume id."""
        before = set(self.backups)
        api(self.lab, "POST", f"/nodes/{node}/vzdump", vmid=PACS, storage="backup")
        (made,) = set(self.backups) - before

        def age() -> None:
            self.lab.cluster.storages["backup"]["volumes"][made]["ctime"] -= int(hours_ago * 3600)

        self.lab.call(age)
        return f"backup:{made}"

    @property
    def backups(self) -> dict[str, Any]:
        volumes: dict[str, Any] = self.lab.cluster.storages["backup"]["volumes"]
        return {name: row for name, row in volumes.items() if row["content"] == "backup"}

    @property
    def guests(self) -> dict[int, str]:
        return {row["vmid"]: row["status"] for row in api(self.lab, "GET", "/cluster/resources", type="vm")}

    def memory(self, vmid: int) -> int:
        return int(self.lab.config(vmid)["memory"])


@pytest.fixture(scope="module")
def cluster() -> Iterator[Lab]:
    with Lab(nodes=["pve1", "pve2"]) as lab:
        yield lab


@pytest.fixture
def hospital(cluster: Lab, tmp_path: Path) -> Hospital:
    """The guest runs with a memory of 64 MiB, as its backup of yesterday has it."""
    cluster.reset()
    api(cluster, "POST", "/storage", storage="backup", type="dir", path="/backup/pve", content="backup")
    api(
        cluster,
        "POST",
        "/nodes/pve1/qemu",
        vmid=PACS,
        name="pacs",
        memory=64,
        scsi0="shared:1",
        net0="virtio,bridge=vmbr0",
    )
    api(cluster, "POST", f"/nodes/pve1/qemu/{PACS}/status/start")
    found = Hospital(cluster, tmp_path)
    found.back_up(hours_ago=26.5)
    cluster.reset_counters()
    return found


def said(run: Run) -> str:
    """All that was printed, in one line."""
    return re.sub(r'\s+|",\s*"', " ", run.text)


def test_a_copy_beside_it_says_what_it_is_and_how_old(hospital: Hospital) -> None:
    foreseen = hospital.restore("--check", restore_guest=PACS, restore_newid=COPY, restore_start=True)
    assert (foreseen.code, hospital.lab.writes) == (0, []), foreseen.text
    assert "Guest 9110 would be the backup backup:backup/vzdump-qemu-110-" in said(foreseen)
    done = hospital.restore(restore_guest=PACS, restore_newid=COPY, restore_start=True)
    assert done.code == 0, done.text
    assert hospital.guests == {PACS: "running", COPY: "running"}
    assert "link_down=1" in hospital.lab.config(COPY)["net0"]
    assert f"Guest {COPY} is the backup backup:backup/vzdump-qemu-110-" in said(done)
    assert "on pve1, running." in said(done)
    assert "Recovery point: " in said(done) and "1 d 2 h 30 min ago" in said(done)
    assert done.changed == foreseen.changed == {"hospital: Restore it"}


def test_the_second_run_finds_the_copy_and_does_nothing(hospital: Hospital) -> None:
    assert hospital.restore(restore_guest=PACS, restore_newid=COPY).code == 0
    hospital.lab.reset_counters()
    again = hospital.restore(restore_guest=PACS, restore_newid=COPY)
    assert (again.code, again.changed, hospital.lab.writes) == (0, set(), []), again.text
    assert "It was so before: nothing was done." in said(again)


def test_without_the_word_of_consent_nothing_is_changed(hospital: Hospital) -> None:
    hospital.lab.set_config(PACS, memory="128")
    for arguments in ((), ("--check",)):
        refused = hospital.restore(*arguments, restore_guest=PACS)
        assert refused.code != 0 and hospital.lab.writes == []
        assert f"replace_guest:{PACS}" in said(refused) and "is destroyed" in said(refused)
    assert (hospital.guests, hospital.memory(PACS)) == ({PACS: "running"}, 128)
    elsewhere = hospital.restore(restore_guest=PACS, restore_allow="replace_guest:111")
    assert elsewhere.code != 0 and hospital.lab.writes == []


def test_in_its_place_it_is_beside_it_first_and_then_it_runs_again(hospital: Hospital) -> None:
    hospital.lab.set_config(PACS, memory="128")
    done = hospital.restore(restore_guest=PACS, restore_allow=f"replace_guest:{PACS}")
    assert done.code == 0, done.text
    assert (hospital.guests, hospital.memory(PACS)) == ({PACS: "running"}, 64)
    made = [int(write.params["vmid"]) for write in hospital.lab.writes if write.path == "/nodes/pve1/qemu"]
    assert len(made) == 2 and made[0] != PACS and made[1] == PACS
    assert f"Guest {PACS} is the backup" in said(done) and "1 d 2 h 30 min ago" in said(done)
    again = hospital.restore(restore_guest=PACS, restore_allow=f"replace_guest:{PACS}")
    assert again.code == 0, again.text
    assert (hospital.guests, hospital.memory(PACS)) == ({PACS: "running"}, 64)


def test_consent_may_be_a_list_as_everywhere(hospital: Hospital) -> None:
    done = hospital.restore(restore_guest=PACS, restore_allow=[f"replace_guest:{PACS}"], restore_start=False)
    assert done.code == 0, done.text
    assert hospital.guests == {PACS: "stopped"}


def test_the_newest_is_found_on_another_node(hospital: Hospital) -> None:
    hospital.lab.move_guest(PACS, "pve2")
    hospital.lab.set_config(PACS, memory="128")
    newest = hospital.back_up("pve2", hours_ago=1)
    done = hospital.restore(restore_guest=PACS, restore_newid=COPY)
    assert done.code == 0, done.text
    assert newest in said(done) and "on pve2," in said(done) and hospital.memory(COPY) == 128


def test_when_the_holder_of_the_newest_is_down_the_next_newest_is_taken_and_that_is_said(hospital: Hospital) -> None:
    hospital.lab.move_guest(PACS, "pve2")
    hospital.lab.set_config(PACS, memory="128")
    newest = hospital.back_up("pve2", hours_ago=1)
    hospital.lab.node_offline("pve2")
    done = hospital.restore(restore_guest=PACS, restore_newid=COPY)
    assert done.code == 0, done.text
    assert newest not in said(done) and hospital.memory(COPY) == 64
    assert "1 d 2 h 30 min ago" in said(done)
    assert "Not looked at for a newer backup: node pve2 is offline." in said(done)


def test_a_given_backup_is_taken_although_there_is_a_newer_one(hospital: Hospital) -> None:
    (old,) = hospital.backups
    hospital.lab.set_config(PACS, memory="128")
    hospital.back_up(hours_ago=1)
    done = hospital.restore(restore_guest=PACS, restore_newid=COPY, restore_backup=f"backup:{old}")
    assert done.code == 0 and hospital.memory(COPY) == 64, done.text


def test_nothing_older_than_is_asked_for(hospital: Hospital) -> None:
    refused = hospital.restore(restore_guest=PACS, restore_newid=COPY, restore_newer_than="26h")
    assert refused.code != 0 and "older than newer_than allows" in said(refused) and hospital.lab.writes == []


def test_disks_go_to_the_storage_that_is_said_and_the_copy_has_its_name(hospital: Hospital) -> None:
    done = hospital.restore(
        restore_guest=PACS, restore_newid=COPY, restore_storage="local-lvm", restore_name="drill", restore_node="pve1"
    )
    assert done.code == 0, done.text
    config = hospital.lab.config(COPY)
    assert config["scsi0"].startswith("local-lvm:") and config["name"] == "drill"


@pytest.mark.parametrize("in_place", [False, True])
def test_onto_a_full_storage_nothing_is_left_and_the_guest_runs_on(hospital: Hospital, in_place: bool) -> None:
    hospital.lab.storage_room("shared", GIB // 2)
    where = {"restore_allow": f"replace_guest:{PACS}"} if in_place else {"restore_newid": COPY}
    refused = hospital.restore(restore_guest=PACS, **where)
    assert refused.code != 0 and "512.0 MiB left" in said(refused)
    assert (hospital.guests, hospital.lab.writes) == ({PACS: "running"}, [])


@pytest.mark.parametrize("in_place", [False, True])
def test_onto_a_storage_that_turns_out_to_be_full(hospital: Hospital, in_place: bool) -> None:
    """A thin pool tells only while it is written."""
    hospital.lab.storage_room("local-lvm", GIB // 2)
    volumes = set(hospital.lab.cluster.storages["local-lvm"]["volumes"])
    where = {"restore_allow": f"replace_guest:{PACS}"} if in_place else {"restore_newid": COPY}
    failed = hospital.restore(restore_guest=PACS, restore_storage="local-lvm", **where)
    assert failed.code != 0 and "No space left on device" in said(failed) and "Nothing of it is left" in said(failed)
    assert hospital.guests == {PACS: "running"} and "shared:" in hospital.lab.config(PACS)["scsi0"]
    assert set(hospital.lab.cluster.storages["local-lvm"]["volumes"]) == volumes


def test_a_guest_that_is_lost_comes_back_without_consent(hospital: Hospital) -> None:
    api(hospital.lab, "POST", f"/nodes/pve1/qemu/{PACS}/status/stop")
    api(hospital.lab, "DELETE", f"/nodes/pve1/qemu/{PACS}")
    done = hospital.restore(restore_guest=PACS, restore_start=True)
    assert done.code == 0, done.text
    assert (hospital.guests, hospital.memory(PACS)) == ({PACS: "running"}, 64)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "missing required arguments: restore_guest"),
        ({"restore_guest": "pacs"}, "restore_guest"),
        ({"restore_guest": PACS, "restore_backup_storage": "backup"}, "is a list, and was given as text"),
        ({"restore_guest": PACS, "restore_cluster": "other"}, "not in the group clusters (hospital)"),
        ({"restore_guest": 111, "restore_newid": COPY}, "no backup of guest 111"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_done(
    hospital: Hospital, variables: dict[str, Any], words: str
) -> None:
    refused = hospital.restore(**variables)
    assert refused.code != 0 and words in said(refused), refused.text
    assert hospital.lab.writes == []


def test_of_several_clusters_one_has_to_be_said(hospital: Hospital) -> None:
    both = ("hospital", "trials")
    refused = hospital.restore(clusters=both, restore_guest=PACS, restore_newid=COPY)
    assert refused.code != 0 and "Say restore_cluster: one of hospital, trials" in said(refused)
    assert hospital.lab.writes == []
    done = hospital.restore(clusters=both, restore_guest=PACS, restore_newid=COPY, restore_cluster="trials")
    assert done.code == 0 and set(done.recap) == {"localhost", "trials"}, done.text
