# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The lab's backups, restores and moves: what a task says, what it leaves, what can go wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from client import Client
from recordings import load

from lab.pve import Lab

GIB = 1024**3
OF_100 = ("vmid", "100")


@pytest.fixture(scope="module")
def started() -> Iterator[Lab]:
    with Lab(nodes=["pve1", "pve2"]) as lab:
        yield lab


@pytest.fixture
def lab(started: Lab) -> Lab:
    started.reset()
    started.time_scale = 0
    started.add_guests(1)
    return started


@pytest.fixture
def client(lab: Lab) -> Iterator[Client]:
    client = Client(lab).token(lab.token_id, lab.token_secret)
    yield client
    client.close()


def done(client: Client, method: str, path: str, *params: tuple[str, str]) -> tuple[str, list[str]]:
    """(exit status, log) of the task that a request starts."""
    answer = client.call(method, path, list(params))
    assert answer.status == 200, answer.text
    upid = answer.body["data"]
    at = f"/nodes/{upid.split(':')[1]}/tasks/{upid}"
    lines = [line["t"] for line in client.call("GET", f"{at}/log").body["data"]]
    return client.call("GET", f"{at}/status").body["data"]["exitstatus"], lines


def backups(client: Client, node: str = "pve1") -> list[dict[str, Any]]:
    rows = client.call("GET", f"/nodes/{node}/storage/local/content?content=backup").body["data"]
    return [row for row in rows if row["content"] == "backup"]


def config(client: Client, vmid: int) -> dict[str, Any]:
    found: dict[str, Any] = client.call("GET", f"/nodes/pve1/qemu/{vmid}/config").body["data"]
    return found


def test_a_backup_that_fails_says_what_the_recorded_one_said(client: Client) -> None:
    recorded = next(e for e in load("23-tasks.txt") if ("vmid", "99999") in e.params and "vzdump" in e.path)
    status, lines = done(client, "POST", "/nodes/pve1/vzdump", ("vmid", "99999"), ("storage", "local"))
    assert status == recorded.exitstatus == "job errors"
    assert lines[0] == "INFO: starting new backup job: vzdump 99999 --storage local --node pve1"
    assert "ERROR: Backup of VM 99999 failed - unable to find VM '99999'" in lines
    assert lines[-2:] == ["INFO: Backup job finished with errors", "TASK ERROR: job errors"]


def test_a_backup_is_on_the_node_that_made_it(client: Client) -> None:
    status, lines = done(client, "POST", "/nodes/pve1/vzdump", OF_100, ("storage", "local"), ("compress", "zstd"))
    assert status == "OK" and "INFO: Backup job finished successfully" in lines
    (row,) = backups(client)
    assert row["vmid"] == 100 and row["volid"].startswith("local:backup/vzdump-qemu-100-")
    assert row["volid"].endswith(".vma.zst") and row["size"] > 0
    assert backups(client, "pve2") == []


def test_old_ones_go_as_they_are_told_to_but_protected_ones_stay(client: Client) -> None:
    done(client, "POST", "/nodes/pve1/vzdump", OF_100, ("storage", "local"), ("protected", "1"))
    for _time in range(3):
        done(client, "POST", "/nodes/pve1/vzdump", OF_100, ("storage", "local"), ("prune-backups", "keep-last=1"))
    assert len(backups(client)) == 2


def test_a_full_storage_takes_no_backup(lab: Lab, client: Client) -> None:
    lab.storage_room("local", 1000)
    status, lines = done(client, "POST", "/nodes/pve1/vzdump", OF_100, ("storage", "local"))
    assert status == "job errors"
    assert any("No space left on device" in line for line in lines)
    assert backups(client) == []


def test_a_task_can_fail_ten_minutes_later(lab: Lab, client: Client) -> None:
    lab.time_scale = 0.0005
    lab.fail_tasks("vzdump", "job errors", after=600)
    began = time.monotonic()
    upid = client.call("POST", "/nodes/pve1/vzdump", [OF_100, ("storage", "local")]).body["data"]
    state = f"/nodes/pve1/tasks/{upid}/status"
    assert client.call("GET", state).body["data"]["status"] == "running"
    while client.call("GET", state).body["data"]["status"] == "running" and time.monotonic() < began + 20:
        time.sleep(0.02)
    assert client.call("GET", state).body["data"]["exitstatus"] == "job errors"
    assert time.monotonic() - began >= 0.3


def test_a_restored_guest_is_the_one_that_was_saved(lab: Lab, client: Client) -> None:
    done(client, "POST", "/nodes/pve1/vzdump", OF_100, ("storage", "local"))
    lab.set_config(100, memory="4096", description="after")
    archive = ("archive", backups(client)[0]["volid"])
    assert done(client, "POST", "/nodes/pve1/qemu", ("vmid", "200"), archive, ("unique", "1"))[0] == "OK"
    there, here = config(client, 200), config(client, 100)
    assert there["memory"] == "1024" and "description" not in there
    assert there["scsi0"].startswith("shared:vm-200-disk-0")
    assert there["net0"] != here["net0"] and there["vmgenid"] != here["vmgenid"]
    same = client.call("POST", "/nodes/pve1/qemu", [("vmid", "100"), archive])
    assert same.status == 500 and "already exists" in same.reason
    assert done(client, "POST", "/nodes/pve1/qemu", OF_100, archive, ("force", "1"))[0] == "OK"
    assert config(client, 100)["memory"] == "1024"
    assert config(client, 100)["net0"] == here["net0"]


def test_a_restore_onto_a_full_storage_leaves_nothing(lab: Lab, client: Client) -> None:
    done(client, "POST", "/nodes/pve1/vzdump", OF_100, ("storage", "local"))
    lab.storage_room("shared", GIB)
    archive = ("archive", backups(client)[0]["volid"])
    status, _lines = done(client, "POST", "/nodes/pve1/qemu", ("vmid", "200"), archive)
    assert "No space left" in status
    assert client.call("GET", "/nodes/pve1/qemu/200/config").status == 500
    assert lab.call(lambda: [name for name in lab.cluster.storages["shared"]["volumes"] if "200" in name]) == []


def test_the_configuration_in_an_archive(lab: Lab, client: Client) -> None:
    lab.set_config(100, description="PACS\nward 7")
    done(client, "POST", "/nodes/pve1/vzdump", OF_100, ("storage", "local"))
    at = f"/nodes/pve1/vzdump/extractconfig?volume={backups(client)[0]['volid']}"
    text = client.call("GET", at).body["data"]
    assert text.startswith("#PACS\n#ward 7\n")
    assert "scsi0: shared:vm-100-disk-0,size=8G\n" in text


def test_a_running_guest_with_a_local_disk_needs_to_be_told_to_take_it_along(lab: Lab, client: Client) -> None:
    (vmid,) = lab.add_guests(1, first_vmid=110, running=True, storage="local-lvm")
    move = ("POST", f"/nodes/pve1/qemu/{vmid}/migrate", ("target", "pve2"), ("online", "1"))
    status, lines = done(client, *move)
    assert status == "migration aborted" and any("with-local-disks" in line for line in lines)
    status, _lines = done(client, *move, ("with-local-disks", "1"), ("targetstorage", "local-lvm:shared"))
    assert status == "OK"
    moved = client.call("GET", f"/nodes/pve2/qemu/{vmid}/config").body["data"]
    assert moved["scsi0"].startswith("shared:")


def test_what_stands_against_a_move_is_told_beforehand(lab: Lab, client: Client) -> None:
    lab.set_config(100, hostpci0="0000:01:00.0")
    told = client.call("GET", "/nodes/pve1/qemu/100/migrate?target=pve2").body["data"]
    assert told["local_resources"] == ["hostpci0"]
    assert done(client, "POST", "/nodes/pve1/qemu/100/migrate", ("target", "pve2"))[0] == "migration aborted"
    lab.set_config(100, hostpci0=None)
    lab.call(lambda: lab.cluster.storages["shared"].__setitem__("nodes", "pve1"))
    told = client.call("GET", "/nodes/pve1/qemu/100/migrate?target=pve2").body["data"]
    assert told["not_allowed_nodes"] == {"pve2": {"unavailable_storages": ["shared"]}}
