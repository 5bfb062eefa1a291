# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Devices as PVE writes them and as a user does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.disk import DISKS
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.family import Family
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.mount_point import MOUNT_POINTS
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.nic import (
    CONTAINER_NICS,
    DEVICES,
    VM_NICS,
)

GIB = 1024**3


@pytest.mark.parametrize(
    ("family", "slot", "raw", "state"),
    [
        (
            DISKS,
            "scsi0",
            "local:100/vm-100-disk-0.raw,discard=on,size=1G,ssd=1",
            {"storage": "local", "file": "local:100/vm-100-disk-0.raw", "discard": "on", "size": GIB, "ssd": True},
        ),
        (DISKS, "ide2", "none,media=cdrom", {"media": "cdrom", "file": "none"}),
        (DISKS, "ide2", "media=cdrom,file=local:iso/x.iso,size=98K", {"media": "cdrom", "file": "local:iso/x.iso"}),
        (
            DISKS,
            "ide2",
            "local:300/vm-300-cloudinit.qcow2,media=cdrom,size=4M",
            {"media": "cloudinit", "storage": "local", "file": "local:300/vm-300-cloudinit.qcow2"},
        ),
        (DISKS, "scsi3", "/dev/disk/by-id/x,size=1G", {"file": "/dev/disk/by-id/x", "size": GIB}),
        (
            VM_NICS,
            "net0",
            "virtio=bc:24:11:00:00:04,bridge=vmbr0,trunks=30-40;20",
            {"model": "virtio", "macaddr": "BC:24:11:00:00:04", "bridge": "vmbr0", "trunks": ("20", "30-40")},
        ),
        (
            CONTAINER_NICS,
            "net0",
            "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:04,host-managed=1,ip=dhcp,type=veth",
            {"name": "eth0", "bridge": "vmbr0", "hwaddr": "BC:24:11:00:00:04", "host_managed": True, "ip": "dhcp"},
        ),
        (
            MOUNT_POINTS,
            "mp0",
            "local:600/vm-600-disk-1.raw,mp=/data,mountoptions=noatime;nodev,size=512M",
            {
                "storage": "local",
                "volume": "local:600/vm-600-disk-1.raw",
                "mp": "/data",
                "mountoptions": ("noatime", "nodev"),
                "size": GIB // 2,
            },
        ),
        (MOUNT_POINTS, "mp1", "/srv,mp=/mnt/h", {"volume": "/srv", "mp": "/mnt/h"}),
        (DEVICES, "dev0", "/dev/fuse,mode=0660,uid=100", {"path": "/dev/fuse", "mode": "0660", "uid": 100}),
    ],
)
def test_what_pve_writes_is_understood_and_written_again(
    family: Family, slot: str, raw: str, state: dict[str, Any]
) -> None:
    assert family.decode(slot, raw) == state
    assert family.decode(slot, family.encode(slot, state, raw)) == state


@pytest.mark.parametrize(
    ("family", "slot", "device", "raw"),
    [
        (DISKS, "scsi0", {"storage": "shared", "size": 32 * GIB, "ssd": True}, "shared:32,ssd=1"),
        (DISKS, "scsi0", {"storage": "shared", "size": GIB // 2, "format": "qcow2"}, "shared:0.5,format=qcow2"),
        (DISKS, "scsi0", {"storage": "s", "import_from": "s:import/a.raw"}, "s:0,import-from=s:import/a.raw"),
        (
            DISKS,
            "efidisk0",
            {"storage": "s", "efitype": "4m", "pre_enrolled_keys": True},
            "s:1,efitype=4m,pre-enrolled-keys=1",
        ),
        (DISKS, "tpmstate0", {"storage": "s", "version": "v2.0"}, "s:4,version=v2.0"),
        (DISKS, "ide2", {"media": "cloudinit", "storage": "s"}, "s:cloudinit"),
        (DISKS, "ide2", {"media": "cdrom", "file": "local:iso/a.iso"}, "local:iso/a.iso,media=cdrom"),
        (VM_NICS, "net0", {"model": "e1000", "bridge": "vmbr0", "tag": 7}, "e1000,bridge=vmbr0,tag=7"),
        (MOUNT_POINTS, "mp0", {"storage": "s", "size": GIB, "mp": "/x"}, "s:1,mp=/x"),
        (DEVICES, "dev0", {"path": "/dev/fuse", "mode": "0660"}, "/dev/fuse,mode=0660"),
    ],
)
def test_new_devices_are_written_as_pve_reads_them(family: Family, slot: str, device: dict[str, Any], raw: str) -> None:
    assert family.encode(slot, device, None) == raw


def test_what_no_option_is_for_stays() -> None:
    raw = "local:100/vm-100-disk-0.raw,size=1G,future=7"
    assert DISKS.encode("scsi0", {**DISKS.decode("scsi0", raw), "ssd": True}, raw) == (
        "local:100/vm-100-disk-0.raw,future=7,size=1G,ssd=1"
    )


@given(
    now=st.integers(1, 4096),
    asked=st.integers(1, 4096),
)
def test_a_disk_never_shrinks(now: int, asked: int) -> None:
    held = {"storage": "s", "file": "s:vm-1-disk-0", "size": now * GIB}
    if asked < now:
        with pytest.raises(InvalidInput, match="shrink"):
            DISKS.settled("scsi0", {"slot": "scsi0", "size": asked * GIB}, held)
    else:
        assert DISKS.settled("scsi0", {"slot": "scsi0", "size": asked * GIB}, held)["size"] == asked * GIB


_DRIVE_OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "backup": st.booleans(),
        "cache": st.sampled_from(["none", "writeback", "directsync"]),
        "iops_rd": st.integers(0, 10**6),
        "mbps": st.integers(0, 10**4),
        "serial": st.text("abc 12%,=", min_size=1, max_size=8),
        "ssd": st.booleans(),
    },
)


@given(device=_DRIVE_OPTIONS, change=_DRIVE_OPTIONS)
def test_changed_options_are_what_is_read_afterwards(device: dict[str, Any], change: dict[str, Any]) -> None:
    raw = DISKS.encode("scsi0", {"file": "s:vm-1-disk-0", **device}, None) + ",size=4G"
    wanted = {**DISKS.decode("scsi0", raw), **change}
    after = DISKS.decode("scsi0", DISKS.encode("scsi0", wanted, raw))
    assert after == wanted
    assert after["file"] == "s:vm-1-disk-0"
    assert after["size"] == 4 * GIB
