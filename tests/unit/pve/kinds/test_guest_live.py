# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a running guest takes at once."""

from __future__ import annotations

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.live import container_waits, vm_waits

DISK = "shared:vm-100-disk-0,size=1G"


@pytest.mark.parametrize(
    ("key", "old", "new", "config", "waits"),
    [
        ("tags", "a", "b", {}, False),
        ("cores", "1", "2", {}, True),
        ("memory", "512", "1024", {}, True),
        ("memory", "512", "1024", {"hotplug": "memory,network", "numa": 1}, False),
        ("memory", "512", "1024", {"hotplug": "memory"}, True),
        ("vcpus", "1", "2", {"hotplug": "cpu"}, False),
        ("net0", "virtio=A,bridge=vmbr0", "virtio=A,bridge=vmbr1", {}, False),
        ("net0", "virtio=A,bridge=vmbr0", "virtio=A,bridge=vmbr1", {"hotplug": "disk"}, True),
        ("net0", None, "virtio,bridge=vmbr0", {"hotplug": "0"}, True),
        ("scsi1", None, "shared:1", {"hotplug": "1"}, False),
        ("scsi1", DISK, None, {}, False),
        ("sata1", None, "shared:1", {}, True),
        ("scsi0", DISK, f"{DISK},backup=0", {}, False),
        ("scsi0", DISK, f"{DISK},cache=writeback", {}, True),
        ("ide2", "none,media=cdrom", "local:iso/a.iso,media=cdrom", {}, False),
        ("ipconfig0", None, "ip=dhcp", {}, False),
        ("bios", "seabios", "ovmf", {}, True),
        ("tablet", None, "0", {"hotplug": "network"}, True),
    ],
)
def test_vms(key: str, old: str | None, new: str | None, config: dict[str, object], waits: bool) -> None:
    assert vm_waits(key, old, new, config) is waits


@pytest.mark.parametrize(
    ("key", "old", "new", "waits"),
    [
        ("memory", "512", "1024", False),
        ("memory", "512", None, True),
        ("hostname", "a", "b", False),
        ("tty", "2", "4", True),
        ("net0", "name=eth0,bridge=vmbr0", "name=eth0,bridge=vmbr1", False),
        ("mp0", None, "shared:1,mp=/x", False),
        ("mp0", "shared:a,mp=/x", "shared:a,mp=/x,ro=1", True),
        ("mp0", "shared:a,mp=/x", None, True),
        ("nameserver", None, "10.0.0.1", True),
    ],
)
def test_containers(key: str, old: str | None, new: str | None, waits: bool) -> None:
    assert container_waits(key, old, new, {}) is waits
