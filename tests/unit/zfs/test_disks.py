# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What is on a disk and who uses it, in a user's words, from what lsblk and wipefs print."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.zfs.disks import (
    Disk,
    parsed_devices,
    parsed_signatures,
    same_disk,
    shared_disks,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.errors import ZfsError

NAME = "scsi-35000c500a0000001"


def block(name: str = "sda", sort: str = "disk", **more: Any) -> dict[str, Any]:
    """One entry of lsblk --json."""
    return {
        "name": name,
        "path": f"/dev/{name}",
        "type": sort,
        "size": 1 << 30,
        "ro": False,
        "mountpoints": [None],
        **more,
    }


def disk(entry: dict[str, Any], *signatures: tuple[str, str], **more: Any) -> Disk:
    (device,) = parsed_devices(json.dumps({"blockdevices": [entry]}))
    rows = [{"device": where, "type": sort, "label": None} for where, sort in signatures]
    found = parsed_signatures(json.dumps({"signatures": rows}), [device])
    return Disk(NAME, device, tuple(found), **more)


def part(name: str = "sda1", **more: Any) -> dict[str, Any]:
    return block(name, "part", **more)


def test_a_blank_disk_is_free() -> None:
    blank = disk(block())
    assert (blank.uses, blank.carries) == ([], [])


@pytest.mark.parametrize(
    ("entry", "signatures", "carries"),
    [
        (block(fstype="ext4", label="films"), [("sda", "ext4")], ["an ext4 filesystem named films"]),
        (block(fstype="xfs"), [("sda", "xfs")], ["a xfs filesystem"]),
        (block(fstype="LVM2_member"), [("sda", "LVM2_member")], ["an LVM physical volume"]),
        (block(fstype="crypto_LUKS"), [], ["encrypted data (LUKS)"]),
        (block(), [("sda", "linux_raid_member")], ["a member of a software RAID"]),
        (block(pttype="gpt"), [("sda", "gpt"), ("sda", "PMBR")], ["a partition table (gpt)"]),
        (
            block(pttype="gpt", children=[part(fstype="zfs_member", label="backup"), part("sda9")]),
            [("sda", "gpt"), ("sda1", "zfs_member")],
            ["a partition table (gpt)", "a label of the ZFS pool backup in partition sda1"],
        ),
        (
            block(pttype="dos", children=[part(fstype="vfat")]),
            [("sda", "dos")],
            ["a partition table (dos)", "a vfat filesystem in partition sda1"],
        ),
        (block(children=[part()]), [], ["a partition table"]),
    ],
)
def test_what_it_carries_is_said(entry: dict[str, Any], signatures: list[tuple[str, str]], carries: list[str]) -> None:
    found = disk(entry, *signatures)
    assert found.carries == carries
    assert found.uses == []


@pytest.mark.parametrize(
    ("entry", "uses"),
    [
        (block(children=[part(mountpoints=["/"])]), "is the disk that the running system is on (/)"),
        (block(children=[part(mountpoints=["/boot/efi", None])]), "running system is on (/boot/efi)"),
        (block(mountpoints=["/srv/films"]), "is mounted at /srv/films"),
        (block(children=[part(mountpoints=["[SWAP]"])]), "is in use as swap space"),
        (block(children=[block("guests-root", "lvm")]), "holds the LVM volume guests-root"),
        (block(children=[part(children=[block("md0", "raid1")])]), "holds the software RAID md0"),
        (block(children=[block("mpatha", "mpath")]), "holds the multipath device mpatha"),
        (block(children=[block("secret", "crypt")]), "holds the encrypted device secret"),
        (block(ro=True), "is read-only"),
        (block(type="rom"), "is no disk but a device of type rom"),
    ],
)
def test_who_uses_it_is_said(entry: dict[str, Any], uses: str) -> None:
    assert any(uses in text for text in disk(entry).uses)


def test_a_disk_of_an_imported_pool() -> None:
    entry = block(children=[part(fstype="zfs_member"), part("sda9")])
    assert disk(entry, pools={"/dev/sda1": "backup"}).uses == ["belongs to the imported pool backup"]


def test_a_mapped_device_goes_by_the_name_that_links_lead_to() -> None:
    multipath = disk(block("mpatha", "mpath", kname="dm-3"), pools={"/dev/dm-3": "backup"})
    assert multipath.device is not None and multipath.device.path == "/dev/dm-3"
    assert multipath.uses == ["belongs to the imported pool backup"]


def test_what_cannot_be_looked_at_or_is_lvm_s_is_not_free() -> None:
    assert "nobody knows what is on it" in disk(block(), unreadable="Input/output error").uses[0]
    assert "volume group guests" in disk(block(fstype="LVM2_member"), groups=("guests",)).uses[0]


def test_a_disk_that_is_not_there() -> None:
    assert Disk(NAME, None).uses == [f"is not there: there is no /dev/disk/by-id/{NAME}"]
    assert Disk(NAME, None).wiping == []


def test_wiping_begins_in_the_partitions_and_ends_with_the_table() -> None:
    entry = block(pttype="gpt", children=[part(fstype="zfs_member", label="backup"), part("sda9")])
    assert disk(entry, ("sda", "gpt"), ("sda1", "zfs_member")).wiping == [
        ("zpool", "labelclear", "-f", "/dev/sda1"),
        ("wipefs", "--all", "/dev/sda1"),
        ("wipefs", "--all", "/dev/sda"),
    ]


def test_two_names_of_one_disk() -> None:
    assert same_disk({"scsi-3": "/dev/sda", "wwn-0x3": "/dev/sda", "scsi-4": "/dev/sdb", "gone": "", "lost": ""}) == [
        "scsi-3 and wwn-0x3 are names of one disk (/dev/sda)"
    ]


@pytest.mark.parametrize("text", ["nonsense", '{"blockdevices": [5]}', '{"blockdevices": [{"size": "much"}]}'])
def test_what_lsblk_may_answer_instead(text: str) -> None:
    with pytest.raises(ZfsError):
        parsed_devices(text)


WHERE = {"A": "/dev/sda", "wwn-A": "/dev/sda", "B": "/dev/sdb"}


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ([("A-part1", "A-part2")], "A-part1 and A-part2 are partitions of one disk"),
        ([("A-part3", "wwn-A-part2")], "A-part3 and wwn-A-part2 are partitions of one disk"),
        ([("gone-part1", "gone-part2")], "partitions of one disk"),
        ([("A", "B"), ("wwn-A-part2",)], "wwn-A-part2 is a partition of A, which is listed as a whole"),
        ([("A-part1", "B-part1"), ("A-part2", "B-part2")], ""),
        ([("A-part1",), ("A-part2",)], ""),
        ([("A", "B")], ""),
    ],
)
def test_one_disk_in_two_parts(groups: list[tuple[str, ...]], told: str) -> None:
    """A mirror of two partitions of one disk is lost with it; halves of two disks that mirror each other are not."""
    found = shared_disks(groups, WHERE)
    assert (told in found[0] and len(found) == 1) if told else not found
