# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The role backup_pool on a machine with a real OpenZFS, and the storage of Proxmox VE on its pool.

The cluster's API is simulated, its node is the machine: what the API lists as backups are files in the machine's pool,
and whether the storage can be used is looked at there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from lab.machine import STORAGE, Machine
from lab.pve import Lab
from tests.contract.playbook import Played, play_file
from tests.machine.plays import until

POOL, VMID = "backup", 101
NOT_MOUNTED = "directory is expected to be a mount point but is not mounted: '/backup/pve'"
API = {
    name: f"{{{{ hostvars[cluster_host].pve_{name} }}}}"
    for name in ("api_host", "api_port", "api_token_id", "api_token_secret", "ca_path")
}
BOOK = [
    {
        "hosts": "nodes",
        "gather_facts": False,
        "module_defaults": {"group/hospital.continuity.pve": API},
        "roles": ["hospital.continuity.backup_pool"],
    }
]


class Node:
    """pve1 of a cluster of two: a machine with eight disks. There is nothing behind pve2's address."""

    def __init__(self, machine: Machine, lab: Lab, folder: Path) -> None:
        self.machine, self.lab, self.folder = machine, lab, folder
        self.disks = [machine.disk(f"bay{number}").by_id for number in range(1, 9)]
        (folder / "play.yml").write_text(yaml.safe_dump(BOOK, sort_keys=False))

    def described(self) -> dict[str, Any]:
        return {
            "backup_pool_name": POOL,
            "backup_pool_layout": [
                {"type": "raidz2", "disks": self.disks[:6]},
                {"type": "disk", "class": "spare", "disks": [self.disks[6]]},
                {"type": "disk", "class": "log", "disks": [self.disks[7]]},
            ],
            "backup_pool_datasets": [{"name": f"{POOL}/pve", "recordsize": "1M"}],
            "backup_pool_snapshots": [{"dataset": f"{POOL}/pve", "prefix": "auto", "daily": 7}],
            "backup_pool_storage": {"storage": "backup", "prune_backups": "keep-daily=7"},
        }

    def run(self, *arguments: str, others: bool = False, **variables: Any) -> Played:
        """The role on the node. others: on the whole cluster. variables: in place of what is described."""
        asked = self.lab.environment()
        cluster = {
            "pve_api_host": asked["PVE_HOST"],
            "pve_api_port": asked["PVE_PORT"],
            "pve_api_token_id": asked["PVE_TOKEN_ID"],
            "pve_api_token_secret": asked["PVE_TOKEN_SECRET"],
            "pve_ca_path": asked["PVE_CA"],
        }
        described = {"cluster_host": "cluster", **self.described(), **variables}
        nodes: dict[str, Mapping[str, Any]] = {
            "pve1": {**self.machine.variables(), **described},
            "pve2": {"ansible_host": "127.0.0.1", "ansible_port": 1, **described},
        }
        inventory = {"all": {"children": {"clusters": {"hosts": {"cluster": cluster}}, "nodes": {"hosts": nodes}}}}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(inventory))
        limit = () if others else ("--limit", "pve1")
        fast = {"ANSIBLE_PIPELINING": "1", "ANSIBLE_TIMEOUT": "5"}
        return play_file(
            self.folder / "play.yml", fast, self.folder, "-i", str(self.folder / "hosts.yml"), *limit, *arguments
        )

    def api(self, method: str, path: str, **parameters: Any) -> Any:
        """Somebody at the web interface; a task's id comes back when the task has ended well."""
        answer = requests.request(
            method,
            f"{self.lab.url}/api2/json/nodes/pve1{path}",
            params=parameters if method == "GET" else None,
            data=parameters if method != "GET" else None,
            headers={"Authorization": f"PVEAPIToken={self.lab.token_id}={self.lab.token_secret}"},
            verify=self.lab.ca,
            timeout=60,
        )
        if not answer.ok:
            raise Refused(answer.json()["message"])
        data = answer.json()["data"]
        if isinstance(data, str) and data.startswith("UPID:"):
            status = self.api("GET", f"/tasks/{data}/status")
            if status["exitstatus"] != "OK":
                raise Refused(status["exitstatus"])
        return data

    def backups(self) -> list[str]:
        return [item["volid"] for item in self.api("GET", "/storage/backup/content", content="backup")]

    def active(self) -> bool:
        return bool(self.api("GET", "/storage/backup/status")["active"])

    def used_on_the_root(self) -> int:
        """Bytes."""
        return int(self.machine.sh("sync; df --output=used -B1 / | tail -n 1"))

    def timers(self) -> set[str]:
        """The scrub timers that are enabled and waiting."""
        listed = self.machine.sh("systemctl list-timers --all --no-legend 'zfs-scrub-*' || true")
        names = set(re.findall(r"zfs-scrub-\S+\.timer", listed))
        return {
            name for name in names if self.machine.ssh("systemctl", "is-enabled", name, check=False).returncode == 0
        }


class Refused(Exception):
    """The API or a task of it said no."""


def changed(played: Played) -> list[str]:
    return [result["task"].rpartition(" : ")[2] for result in played.results if result.get("changed")]


def good(played: Played) -> Played:
    assert played.code == 0, played.output
    return played


def why(played: Played) -> str:
    assert played.code != 0, played.output
    assert "Traceback" not in played.output
    return " ".join(str(result.get("msg")) for result in played.results if result["outcome"] == "failed")


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with Machine("pve1", STORAGE) as machine, Lab(nodes=["pve1", "pve2"]) as lab:
        lab.real_directories("pve1", machine)
        yield Node(machine, lab, tmp_path_factory.mktemp("node"))


@pytest.fixture(scope="module")
def node(blank: Node) -> Node:
    """With its pool, as one run of the role made it."""
    good(blank.run())
    return blank


def test_check_mode_foresees_the_pool_and_touches_nothing(blank: Node) -> None:
    foreseen = good(blank.run("--check"))
    assert changed(foreseen) == ["Make the pool", "Define the storage"]
    assert blank.machine.sh("zpool list -H; zpool import 2>&1 || true").strip() in ("", "no pools available to import")
    assert blank.lab.writes == []


def test_the_storage_waits_for_every_node(blank: Node) -> None:
    """pve2 does not answer. pve1 gets its pool, and the cluster no storage that would not be there on pve2."""
    made = blank.run(others=True)
    assert why(made) == "The storage backup was not touched: the pool is not mounted on pve2."
    assert blank.machine.sh(f"findmnt -no FSTYPE -M /{POOL}").strip() == "zfs"
    assert blank.lab.writes == []


def test_one_run_makes_it_and_a_second_one_changes_nothing(node: Node) -> None:
    assert node.machine.sh(f"zpool list -Ho health {POOL}").strip() == "ONLINE"
    assert node.machine.sh(f"zfs get -Hpo value recordsize,compression,atime {POOL}/pve").split() == [
        "1048576",
        "on",
        "off",
    ]
    assert node.timers() == {f"zfs-scrub-monthly@{POOL}.timer"}
    assert len(node.machine.sh(f"zfs list -Ho name -t snapshot {POOL}/pve").splitlines()) == 1
    assert node.active()
    node.lab.reset_counters()
    again = good(node.run())
    assert changed(again) == []
    assert node.lab.writes == []


def test_the_node_takes_its_snapshots_itself(node: Node) -> None:
    unit = "hospital-continuity-snapshots"
    assert node.machine.sh(f"systemctl is-enabled {unit}.timer; systemctl is-active {unit}.timer").split() == [
        "enabled",
        "active",
    ]
    taken = node.machine.sh(f"zfs list -Ho name -t snapshot {POOL}/pve")
    node.machine.sh(f"systemctl start {unit}.service")
    assert node.machine.sh(f"zfs list -Ho name -t snapshot {POOL}/pve") == taken, "the day has one"
    node.machine.sh(f"zfs destroy {POOL}/pve@%; systemctl start {unit}.service")
    assert node.machine.sh(f"zfs list -Ho name -t snapshot {POOL}/pve") == taken


def test_debian_does_not_scrub_it_a_second_time(node: Node) -> None:
    """By its monthly cron, in the middle of the month."""
    node.machine.sh("/usr/lib/zfs-linux/scrub")
    assert "scrub" not in node.machine.sh(f"zpool status {POOL}")
    node.machine.sh(f"zfs set org.debian:periodic-scrub=auto {POOL}; /usr/lib/zfs-linux/scrub")
    assert "scrub" in node.machine.sh(f"zpool status {POOL}")
    node.machine.sh(f"zpool wait -t scrub {POOL}; zfs set org.debian:periodic-scrub=disable {POOL}")


def test_the_timer_scrubs_the_pool(node: Node) -> None:
    node.machine.sh(f"systemctl start zfs-scrub@{POOL}.service")
    assert "scrub repaired 0B" in node.machine.sh(f"zpool status {POOL}")


def test_a_backup_is_still_listed_after_the_pool_was_away(node: Node) -> None:
    """While it is away the storage refuses, and nothing is written to the system disk."""
    node.lab.add_guests(1, first_vmid=VMID)
    node.api("POST", "/vzdump", vmid=VMID, storage="backup")
    (backup,) = node.backups()
    assert backup.startswith(f"backup:backup/vzdump-qemu-{VMID}-")

    node.machine.sh(f"zpool export {POOL}")
    used = node.used_on_the_root()
    with pytest.raises(Refused, match=re.escape(NOT_MOUNTED)):
        node.api("POST", "/vzdump", vmid=VMID, storage="backup")
    with pytest.raises(Refused, match=re.escape(NOT_MOUNTED)):
        node.backups()
    assert not node.active()
    assert node.machine.sh(f"find /{POOL} -type f 2>/dev/null || true") == ""
    assert node.used_on_the_root() - used < 1 << 20

    assert changed(good(node.run())) == ["Make the pool"]  # imported: it is this host's own
    assert node.backups() == [backup]
    assert node.active()


def test_it_is_all_there_after_a_reset(node: Node) -> None:
    before = node.backups()
    assert before
    node.machine.reset()
    until(node.active, 120, lambda: node.machine.sh("zpool status; zfs mount; systemctl --failed"))
    assert node.backups() == before
    assert node.timers() == {f"zfs-scrub-monthly@{POOL}.timer"}


def test_another_rhythm_leaves_no_second_timer(node: Node) -> None:
    assert changed(good(node.run(backup_pool_scrub="weekly"))) == ["Leave no second timer", "Start the scrub timer"]
    assert node.timers() == {f"zfs-scrub-weekly@{POOL}.timer"}


def test_mail_needs_a_program_that_sends_it(node: Node) -> None:
    assert "read by a shell" in why(node.run(backup_pool_mail="$(reboot)@hospital.example"))
    assert "There is no program nobody-sends" in why(
        node.run(backup_pool_mail="root", backup_pool_mail_program="nobody-sends")
    )


def test_a_pool_that_is_not_mounted_is_no_place_for_backups(node: Node) -> None:
    node.machine.sh(f"zfs unmount {POOL}/pve; zfs unmount {POOL}")
    try:
        assert "Whatever is written there now goes to the system disk" in why(node.run())
        with pytest.raises(Refused, match=re.escape(NOT_MOUNTED)):
            node.api("POST", "/vzdump", vmid=VMID, storage="backup")
    finally:
        node.machine.sh("zfs mount -a")
    assert node.active()


def test_a_sick_pool_is_shown_and_left_alone(node: Node) -> None:
    """A disk is pulled: the pool is degraded. Nothing about it is planned, and only who asks for more fails."""
    node.machine.pull("bay1")
    node.machine.sh(f"zpool scrub {POOL} || true")  # so that ZFS notices, if it has not
    until(
        lambda: node.machine.sh(f"zpool list -Ho health {POOL}").strip() == "DEGRADED",
        60,
        lambda: node.machine.sh("zpool status"),
    )
    node.machine.sh(f"sleep 3; zpool wait -t resilver,scrub {POOL}")  # the spare may have taken its place by itself
    layout = node.machine.sh(f"zpool list -Hv {POOL} | cut -f2")
    looked = node.run(backup_pool_health_required="ok")
    assert "warning, DEGRADED" in why(looked)
    assert changed(looked) == []
    assert node.machine.sh(f"zpool list -Hv {POOL} | cut -f2") == layout
    assert node.active()
