# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a summary must not get wrong: whether the survivors fit, and which guests nobody backs up."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.pve.summary import GIB, cluster_summary


def config(**kinds: Any) -> dict[str, Any]:
    return {
        "vm": [],
        "container": [],
        "pool": [],
        "storage": [],
        "backup_job": [],
        "ha_resource": [],
        "ha_rule": [],
        **kinds,
    }


def vm(vmid: int, name: str, gigabytes: int = 2, **more: Any) -> dict[str, Any]:
    return {"vmid": vmid, "name": name, "memory": gigabytes * 1024, **more}


def node(name: str, gigabytes: int, **more: Any) -> dict[str, Any]:
    return {"pve_type": "node", "pve_node": name, "pve_status": "online", "pve_maxmem": gigabytes * GIB, **more}


def said(found: dict[str, Any], hosts: list[dict[str, Any]] | None = None, health: Any = ()) -> str:
    return "\n".join(cluster_summary(found, list(health), hosts or [], "A hospital"))


@pytest.mark.parametrize(
    ("survivor", "other", "verdict"),
    [
        (16, 4, "all of them fit"),
        (16, 16, "the survivors fit, the others only in part"),
        (32, 1, "THE SURVIVORS DO NOT FIT"),
    ],
)
def test_the_loss_of_the_largest_node_is_added_up(survivor: int, other: int, verdict: str) -> None:
    guests = config(
        vm=[vm(100, "records", survivor), vm(101, "wiki", other)], ha_resource=[{"sid": "vm:100", "state": "started"}]
    )
    hosts = [node("small", 32, memory_reserved=8), node("large", 64, memory_reserved=8)]
    text = " ".join(said(guests, hosts).split())
    assert f"without large, 24 GB of memory are left: the survivors need {survivor} GB" in text
    assert text.count(verdict) == 1


def test_a_stopped_resource_does_not_survive_anything() -> None:
    guests = config(vm=[vm(100, "records")], ha_resource=[{"sid": "vm:100", "state": "stopped"}])
    assert "none is under high availability" in said(guests)


@pytest.mark.parametrize(
    ("job", "missing"),
    [
        ({"all": True}, "none"),
        ({"all": True, "exclude": [101]}, "wiki"),
        ({"vmid": [101]}, "records"),
        ({"pool": "clinical"}, "wiki"),
        ({"pool": "gone"}, "records, wiki"),
        ({"all": True, "enabled": False}, "records, wiki"),
    ],
)
def test_guests_that_no_job_backs_up_are_named(job: dict[str, Any], missing: str) -> None:
    found = config(
        vm=[vm(100, "records"), vm(101, "wiki"), vm(900, "debian", template=True)],
        pool=[{"poolid": "clinical", "vms": [100]}],
        backup_job=[{"id": "nightly", "schedule": "22:00", "storage": "backup", **job}],
    )
    assert f"guests in no backup: {missing}\n" in said(found)


def test_disks_that_backups_leave_out_are_named() -> None:
    found = config(
        vm=[
            vm(
                100,
                "cameras",
                disks=[
                    {"slot": "scsi0"},
                    {"slot": "scsi1", "backup": False},
                    {"slot": "ide2", "media": "cdrom", "backup": False},
                ],
            )
        ],
        container=[
            {
                "vmid": 101,
                "hostname": "files",
                "disks": [{"slot": "rootfs"}, {"slot": "mp0"}, {"slot": "mp1", "backup": True}],
            }
        ],
        backup_job=[{"id": "nightly", "all": True}],
    )
    assert "disks left out on purpose: cameras scsi1, files mp0\n" in said(found)


def test_what_is_wrong_is_said() -> None:
    assert "Nothing is wrong." in said(config())
    text = said(config(), health=[{"message": "Node pve2 is not there."}])
    assert "Node pve2 is not there." in text
    assert "Nothing is wrong." not in text


def test_high_availability_on_a_disk_of_one_node_is_called_in_vain() -> None:
    disk = {"slot": "scsi0", "size": "8G"}
    found = config(
        vm=[
            vm(100, "records", disks=[{**disk, "storage": "san"}, {**disk, "slot": "unused0", "storage": "local"}]),
            vm(101, "wiki", disks=[{**disk, "storage": "local"}]),
        ],
        storage=[{"storage": "san", "type": "lvm", "shared": True}, {"storage": "local", "type": "dir"}],
        ha_resource=[{"sid": "vm:100", "state": "started"}, {"sid": "vm:101", "state": "started"}],
    )
    text = " ".join(said(found).split())
    assert "1 guest of 2 survives it: records" in text
    assert "wiki: UNDER HIGH AVAILABILITY IN VAIN: its disks are on local" in text


def test_the_nodes_own_storage_is_told_with_what_it_cannot_do() -> None:
    layouts = [
        [{"type": "disk", "disks": ["scsi-1"]}],
        [{"type": "raidz2", "disks": list("abcd")}, {"type": "disk", "class": "cache", "disks": ["e"]}],
    ]
    box = {
        "shared_storage_targets": [{"target": "iqn.x", "portals": list("wxyz")}],
        "shared_storage_volume_group": "guests",
    }
    export = {
        "target": "iqn.t",
        "groups": [{"initiators": ["iqn.i"], "luns": [{"lun": 0, "device": "A"}, {"lun": 1, "device": "B"}]}],
    }
    hosts = [
        node("one", 64, backup_pool_name="backup", backup_pool_layout=layouts[0], **box),
        node("two", 64, backup_pool_name="backup", backup_pool_layout=layouts[1], tape_export_targets=[export], **box),
    ]
    text = " ".join(said(config(), hosts).split())
    assert "on one: pool backup, 1 disk; damage is found and cannot be repaired by ZFS" in text
    assert "on two: pool backup, raidz2 of 4 disks, with cache; what is damaged is repaired" in text
    assert "on one, two: volume group guests over 4 iSCSI paths" in text
    assert "on two: 2 devices of the tape library, exported as iqn.t to iqn.i" in text


def test_nothing_is_said_of_storage_that_is_not_described() -> None:
    assert "Nodes' storage" not in said(config(), [node("one", 64)])
