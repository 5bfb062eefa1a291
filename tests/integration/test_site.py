# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The main job as a person runs it: Córdoba's inventory and the playbook hospital.continuity.site, on two labs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from lab.pve import Lab
from lab.run import Run

ROOT = Path(__file__).resolve().parents[2]
CORDOBA = ROOT / "examples" / "cordoba"
NODES = ["pve1:16:64", "pve2:16:64", "pve3:16:64", "pve4:8:32"]
HOSTS = ("cordoba", "cordoba_test")


@dataclass
class Hospital:
    """Both clusters, and how to run a playbook on them."""

    cluster: Lab
    trials: Lab
    directory: Path

    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if "PVE_" not in name}
        trials = self.trials.environment()
        return {
            **clean,
            **self.cluster.environment(),
            "CORDOBA_TEST_PVE_HOST": f"{trials['PVE_HOST']}:{trials['PVE_PORT']}",
            "CORDOBA_TEST_PVE_TOKEN_ID": trials["PVE_TOKEN_ID"],
            "CORDOBA_TEST_PVE_TOKEN_SECRET": trials["PVE_TOKEN_SECRET"],
            "CORDOBA_TEST_PVE_CA": trials["PVE_CA"],
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_HOME": str(self.directory),
        }

    def site(self, *arguments: str, **environment: str) -> Run:
        """The clusters only: the lab has no machines to log in to."""
        limit = () if "--limit" in arguments else ("--limit", "clusters")
        return play("hospital.continuity.site", *limit, *arguments, environment={**self.environment(), **environment})

    def reset_counters(self) -> None:
        self.cluster.reset_counters()
        self.trials.reset_counters()


def program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def play(playbook: str, *arguments: str, environment: Mapping[str, str]) -> Run:
    command = [program("ansible-playbook"), playbook, "-i", str(CORDOBA), *arguments]
    done = subprocess.run(
        command,
        env=dict(environment),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return Run(done.returncode, done.stdout)


def api(lab: Lab, method: str, where: str, /, **parameters: Any) -> Any:
    """Somebody else at the web interface."""
    answer = requests.request(
        method,
        f"{lab.url}/api2/json{where}",
        params=parameters if method in ("GET", "DELETE") else None,
        data=parameters if method in ("POST", "PUT") else None,
        headers={"Authorization": f"PVEAPIToken={lab.token_id}={lab.token_secret}"},
        verify=lab.ca,
        timeout=30,
    )
    assert answer.ok, f"{method} {where}: {answer.status_code} {answer.reason}"
    return answer.json()["data"]


def described(name: str) -> dict[str, Any]:
    """What Córdoba's inventory says in that file of its cluster."""
    loaded: dict[str, Any] = yaml.safe_load((CORDOBA / "host_vars" / "cordoba" / f"{name}.yml").read_text("utf-8"))
    return loaded


def described_guests() -> list[dict[str, Any]]:
    found = described("guests")
    return [*found["guests_vms"], *found["guests_containers"]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hospital, Run]]:
    """The hospital after the first run, and that run."""
    with Lab(nodes=NODES) as cluster, Lab(nodes=["pvetest:4:16"]) as trials:
        hospital = Hospital(cluster, trials, tmp_path_factory.mktemp("ansible"))
        yield hospital, hospital.site()


@pytest.fixture
def hospital(built: tuple[Hospital, Run]) -> Hospital:
    hospital, first = built
    assert first.code == 0, first.text
    hospital.reset_counters()
    return hospital


def test_the_first_run_builds_what_is_described(hospital: Hospital, built: tuple[Hospital, Run]) -> None:
    assert all(built[1].recap[host]["changed"] > 0 for host in HOSTS)
    there = {row["vmid"]: row for row in api(hospital.cluster, "GET", "/cluster/resources", type="vm")}
    assert {vmid: row["name"] for vmid, row in there.items()} == {
        guest["vmid"]: guest.get("name") or guest["hostname"] for guest in described_guests()
    }
    assert [row["name"] for row in there.values() if row["status"] != "running"] == []
    assert {row["storage"] for row in api(hospital.cluster, "GET", "/storage")} >= {"ds3524", "backup", "local"}
    protected = {row["sid"] for row in api(hospital.cluster, "GET", "/cluster/ha/resources")}
    assert protected == {row["sid"] for row in described("high_availability")["high_availability_resources"]}
    assert {row["vmid"] for row in api(hospital.trials, "GET", "/cluster/resources", type="vm")} == {901, 902}


def test_check_mode_foresees_the_first_run(built: tuple[Hospital, Run], tmp_path: Path) -> None:
    """Each task needs what the one before would have made."""
    with Lab(nodes=NODES) as cluster, Lab(nodes=["pvetest:4:16"]) as trials:
        foreseen = Hospital(cluster, trials, tmp_path).site("--check")
        assert (cluster.writes, trials.writes) == ([], [])
    assert foreseen.code == 0, foreseen.text
    assert foreseen.changed == built[1].changed
    assert "planned as if an earlier task made what is missing" in foreseen.text


def test_the_second_run_finds_nothing_to_do(hospital: Hospital) -> None:
    again = hospital.site()
    assert again.code == 0, again.text
    assert set(again.recap) == set(HOSTS)
    for host in HOSTS:
        assert (again.recap[host]["changed"], again.recap[host]["failed"]) == (0, 0), again.text
    assert (hospital.cluster.writes, hospital.trials.writes) == ([], [])


def test_check_mode_finds_nothing_to_do_either(hospital: Hospital) -> None:
    looked = hospital.site("--check", "--diff")
    assert looked.code == 0, looked.text
    assert looked.changed == set()
    assert (hospital.cluster.writes, hospital.trials.writes) == ([], [])


def test_what_somebody_changed_is_repaired_and_nothing_else_is_touched(hospital: Hospital) -> None:
    cluster = hospital.cluster
    cluster.set_config(124, onboot="0")
    api(cluster, "PUT", "/pools", poolid="imaging", vms="102", delete=1)
    api(cluster, "DELETE", "/cluster/ha/rules/directory-apart")
    api(cluster, "PUT", "/cluster/backup/cordoba-imaging", enabled=0)
    api(cluster, "PUT", "/storage/local", content="iso,vztmpl,snippets,backup")
    # Not described, so not ours; a job with our prefix is.
    api(cluster, "POST", "/cluster/backup", id="theirs", all=1, storage="backup", schedule="12:00")
    api(cluster, "POST", "/cluster/backup", id="cordoba-forgotten", all=1, storage="backup", schedule="13:00")
    hospital.reset_counters()

    repaired = hospital.site()

    assert repaired.code == 0, repaired.text
    assert repaired.changed == {
        "cordoba: storages : Define the storages",
        "cordoba: guests : Define the virtual machines",
        "cordoba: pools : Define the pools",
        "cordoba: high_availability : Say where they may run",
        "cordoba: backup_jobs : Schedule the backups",
    }
    assert sorted((write.method, write.path) for write in cluster.writes) == [
        ("DELETE", "/cluster/backup/cordoba-forgotten"),
        ("POST", "/cluster/ha/rules"),
        ("PUT", "/cluster/backup/cordoba-imaging"),
        ("PUT", "/nodes/pve3/qemu/124/config"),
        ("PUT", "/pools"),
        ("PUT", "/storage/local"),
    ]
    assert hospital.trials.writes == []
    assert str(cluster.config(124)["onboot"]) == "1"
    assert {job["id"] for job in api(cluster, "GET", "/cluster/backup")} >= {"theirs", "cordoba-imaging"}


def test_the_summary_says_what_matters(hospital: Hospital, tmp_path: Path) -> None:
    done = play(
        "hospital.continuity.summary", "-e", f"summary_directory={tmp_path}", environment=hospital.environment()
    )
    assert done.code == 0, done.text
    assert all(done.recap[host]["changed"] == 0 for host in HOSTS)
    text = " ".join((tmp_path / "cordoba.txt").read_text("utf-8").split())
    assert "Hospital Municipal de Urgencias, Córdoba: cluster cordoba" in text
    assert "9 guests of 15 survive it: pacs1, pacs2, dc1, dc2, database, patients, laboratory, lamp, wireless" in text
    assert "dc1 and dc2: never on the same node" in text
    assert "without pve3, 138 GB of memory are left" in text
    assert "the survivors need 92 GB, all guests 127 GB; all of them fit" in text
    assert "guests in no backup: none" in text
    assert "guests in no backup: restored, next" in (tmp_path / "cordoba_test.txt").read_text("utf-8")
    assert hospital.cluster.token_secret not in done.text


def test_the_inventory_knows_machines_and_guests(hospital: Hospital) -> None:
    done = subprocess.run(
        [program("ansible-inventory"), "-i", str(CORDOBA), "--graph"],
        env=hospital.environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    groups, path = {}, [""]
    for line in done.stdout.splitlines():
        depth, name = line.count("|  "), line.rpartition("--")[2].strip(":")
        if name.startswith("@"):
            path[depth:] = [name[1:]]
            groups.setdefault(name[1:], set())
        else:
            groups[path[depth - 1]].add(name)
    assert groups["cordoba_nodes"] == {"pve1", "pve2", "pve3", "pve4"}
    assert groups["cordoba_test_nodes"] == {"pvetest"}
    assert groups["routers"] == {"pfsense"}
    assert groups["pve_cordoba_pool_imaging"] == {"pacs1", "pacs2"}
    survivors = [guest for guest in described_guests() if "ha" in guest["tags"]]
    assert groups["pve_tag_ha"] == {guest.get("name") or guest["hostname"] for guest in survivors}
    assert {"restored", "next"} <= groups["pve_cluster_cordoba_test"]
    assert done.stderr == ""


def test_a_cluster_that_is_not_set_is_named_and_the_other_is_done(hospital: Hospital) -> None:
    done = hospital.site("--tags", "pools", CORDOBA_TEST_PVE_HOST="")
    assert done.code != 0
    assert "pve_api_host of cordoba_test is empty" in done.text
    assert "--limit '!cordoba_test'" in done.text
    assert done.recap["cordoba"]["failed"] == 0
    assert hospital.trials.requests == []


def test_one_part_can_be_run_alone(hospital: Hospital) -> None:
    hospital.cluster.set_config(124, onboot="0")
    api(hospital.cluster, "PUT", "/cluster/backup/cordoba-office", comment="something else")
    only = hospital.site("--tags", "backup_jobs", "--limit", "cordoba")
    assert only.changed == {"cordoba: backup_jobs : Schedule the backups"}, only.text
    assert hospital.cluster.config(124)["onboot"] == "0"
    hospital.cluster.set_config(124, onboot=1)


def test_the_description_holds_together() -> None:
    """Each guest in one pool, each pool in a backup, all on the shared storage, and room for all with a node lost."""
    guests = {guest["vmid"]: guest for guest in described_guests()}
    pools = {pool["poolid"]: pool["vms"] for pool in described("pools")["pools_config"]}
    assert sorted(vmid for members in pools.values() for vmid in members) == sorted(guests)
    assert {job["pool"] for job in described("backup_jobs")["backup_jobs_config"]} == set(pools)

    chosen = described("high_availability")["high_availability_resources"]
    survivors = {int(row["sid"].split(":")[1]) for row in chosen}
    assert survivors == {vmid for vmid, guest in guests.items() if "ha" in guest["tags"]}
    assert all(disk["storage"] == "ds3524" for guest in guests.values() for disk in guest["disks"])
    assert all("status" not in guests[vmid] for vmid in survivors), "the HA resource governs their power"
    assert all(guests[vmid].get("status") == "running" for vmid in set(guests) - survivors)

    nodes = [yaml.safe_load((CORDOBA / "host_vars" / f"pve{n}.yml").read_text("utf-8")) for n in (1, 2, 3, 4)]
    room = [node["hardware_memory"] - node["memory_reserved"] for node in nodes]
    assert sum(guest["memory"] for guest in guests.values()) / 1024 <= sum(room) - max(room)


def test_the_nodes_network_is_planned_from_the_installers_and_nothing_is_touched(hospital: Hospital) -> None:
    """What bin/demo shows: both bonds of every node, the node's address moved into its VLAN, in one plan a node."""
    hospital.reset_counters()
    words = {"node_network_allow": ["cut_bridge:vmbr0"], "node_network_node_host": ""}
    arguments = ("--limit", "cordoba_nodes", "--skip-tags", "tunnels", "--check", "--diff")
    planned = play(
        "hospital.continuity.network", *arguments, "-e", json.dumps(words), environment=hospital.environment()
    )
    assert planned.code == 0, planned.text
    for node, number in (("pve1", 11), ("pve2", 12), ("pve3", 13), ("pve4", 14)):
        for bond in ("bond0", "bond1"):
            assert f'+    "{node}/{bond}": {{' in planned.text
        assert f'+        "cidr": "10.10.10.{number}/24",' in planned.text
    assert planned.text.count('"bond_mode": "lacp-balance-tcp"') == 8
    assert "whether a network checkpoint is armed can only be asked on pve1 itself" in planned.text.replace("\n", " ")
    refused = play("hospital.continuity.network", *arguments, environment=hospital.environment())
    assert refused.code != 0
    assert "cut_bridge:vmbr0" in refused.text
    assert "pve2 " not in refused.text.partition("PLAY RECAP")[2], "it stops at the first node"
    assert not hospital.cluster.writes
    assert all(hospital.cluster.network(node).pending is None for node in ("pve1", "pve2", "pve3", "pve4"))
