# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""SCSI disks of a machine, plugged in while it runs: sparse files in its own folder, gone with it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.machine.programs import CannotRun
from lab.machine.qemu import Qemu

_CONTROLLER = "scsi-disks"
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True)
class Disk:
    """A disk's names. Where it is (sda, 2:0:3:0) changes with every push."""

    name: str
    serial: str
    wwn: str  # 16 hexadecimal digits
    file: Path

    @property
    def by_id(self) -> str:
        """Its name in /dev/disk/by-id, made of the WWN, as of a SAS disk."""
        return f"scsi-3{self.wwn}"

    @property
    def path(self) -> str:
        return f"/dev/disk/by-id/{self.by_id}"


class Disks:
    """The machine's disks, in its drive bays or pulled out of them."""

    def __init__(self, machine: str, folder: Path, qemu: Qemu) -> None:
        self._machine = machine
        self._folder = folder
        self._qemu = qemu
        self._disks: dict[str, tuple[Disk, dict[str, Any]]] = {}
        self._bay = 0

    def add(self, name: str, size: str, serial: str, wwn: str, properties: dict[str, Any]) -> Disk:
        """A new one of that size ("1G"), in a bay. Without serial and wwn it gets its own, always the same ones."""
        if name in self._disks:
            raise CannotRun(f"{self._machine} already has a disk {name}")
        if not self._disks:
            self._qemu.do("device_add", driver="virtio-scsi-pci", id=_CONTROLLER)
        number = zlib.crc32(f"{self._machine} {name}".encode())
        wwn = (wwn or f"5000c500{number:08x}").removeprefix("0x").lower()
        disk = Disk(name, serial or f"LAB{number:08X}", wwn, self._folder / f"{name}.raw")
        with disk.file.open("wb") as file:
            file.truncate(int(size[:-1]) * _UNITS[size[-1]])
        self._qemu.do(
            "blockdev-add",
            driver="raw",
            **{"node-name": f"disk-{name}", "discard": "unmap", "cache": {"direct": False, "no-flush": True}},
            file={"driver": "file", "filename": str(disk.file), "locking": "off"},
        )
        self._disks[name] = disk, properties
        self.push(name)
        return disk

    def push(self, name: str) -> Disk:
        """Into the next bay, so its address is new."""
        disk, properties = self._disks[name]
        self._bay += 1
        self._qemu.do(
            "device_add",
            driver="scsi-hd",
            id=f"disk-{name}-in-bay",
            drive=f"disk-{name}",
            bus=f"{_CONTROLLER}.0",
            lun=0,
            serial=disk.serial,
            wwn=int(disk.wwn, 16),
            **{"scsi-id": self._bay, **properties},
        )
        return disk

    def pull(self, name: str) -> Disk:
        self._qemu.do("device_del", id=f"disk-{name}-in-bay")
        return self._disks[name][0]
