# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The machine's SCSI hardware: a tape library with two drives, and a disk, as recorded. It outlives a restart."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

DISK, TAPE, CHANGER = 0, 1, 8
KINDS = {DISK: "disk", TAPE: "tape", CHANGER: "changer"}
DISKS = "pci0000:00/0000:00:01.0/virtio0/host{host}"
_BAR_CODE = 36  # characters mtx prints of a volume tag, blanks included


@dataclass(frozen=True)
class Device:
    """A logical unit as the kernel's SCSI layer knows it. `serial` as the unit answers it, blanks at its end included;
    naa: the 16 digits of its worldwide name, empty where page 0x83 has none (then the vendor's text is its name)."""

    hcil: str
    type: int
    vendor: str
    model: str
    revision: str
    serial: str
    naa: str = ""
    present: bool = True
    generic: int = 0  # of /dev/sgN; st and sch are counted from these
    adapter: str = "mhvtl_pseudo/adapter0/host{host}"  # below /sys/devices

    @property
    def parent(self) -> str:
        """Below /sys/devices."""
        host, channel, target, _lun = self.hcil.split(":")
        return f"{self.adapter.format(host=host)}/target{host}:{channel}:{target}"

    @property
    def by_id(self) -> str:
        """What udev's scsi_id makes of page 0x83: the worldwide name, else the vendor's text."""
        if self.naa:
            return f"scsi-3{self.naa}"
        text = f"{self.vendor:8}{self.model:16}{self.serial}"
        return f"scsi-1{'_'.join(text.split())}"

    def page80(self) -> bytes:
        """Unit serial number: header of 4 bytes, then the text."""
        body = self.serial.encode()
        return bytes([self.type, 0x80, len(body) >> 8, len(body) & 255]) + body

    def page83(self) -> bytes:
        """Device identification: the vendor's text, and the worldwide name where there is one."""
        text = f"{self.vendor:8}{self.model:16}{self.serial}".encode()
        body = bytes([2, 1, 0, len(text)]) + text
        if self.naa:
            body += bytes([1, 3, 0, 8]) + bytes.fromhex(self.naa)
        return bytes([self.type, 0x83, len(body) >> 8, len(body) & 255]) + body


@dataclass
class Library:
    """What is where. `drives` and `slots` hold bar codes or nothing; `origin`: the slot a drive's medium came from."""

    drives: list[str] = field(default_factory=lambda: ["", ""])
    slots: list[str] = field(default_factory=list)
    origin: list[int] = field(default_factory=lambda: [0, 0])
    import_export: int = 1  # the last so many slots
    jammed: bool = False  # a fault: the robot moves nothing

    def move(self, source: list[Any], destination: list[Any]) -> None:
        """["slot", 3] (from 1), ["drive", 0]. That it is possible was asked before."""
        places = {"slot": (self.slots, -1), "drive": (self.drives, 0)}
        (from_list, from_base), (to_list, to_base) = places[source[0]], places[destination[0]]
        to_list[destination[1] + to_base] = from_list[source[1] + from_base]
        from_list[source[1] + from_base] = ""
        if destination[0] == "drive":
            self.origin[destination[1]] = source[1] if source[0] == "slot" else self.origin[source[1]]
        if source[0] == "drive":
            self.origin[source[1]] = 0

    def status(self, name: str) -> str:
        """As mtx prints it."""
        counts = f"{len(self.drives)} Drives, {len(self.slots)} Slots ( {self.import_export} Import/Export )"
        lines = [f"  Storage Changer {name}:{counts}"]
        for number, code in enumerate(self.drives):
            origin = self.origin[number]
            source = f"Storage Element {origin} Loaded" if origin else "Unknown Storage Element Loaded"
            full = f"Full ({source}):VolumeTag = {code:{_BAR_CODE}}"
            lines.append(f"Data Transfer Element {number}:{full if code else 'Empty'}")
        for number, code in enumerate(self.slots, 1):
            mail = " IMPORT/EXPORT" if number > len(self.slots) - self.import_export else ""
            full = f"Full :VolumeTag={code:{_BAR_CODE}}"
            lines.append(f"      Storage Element {number}{mail}:{full if code else 'Empty'}")
        return "\n".join(lines) + "\n"


def _devices() -> list[Device]:
    tape = ("IBM", "ULT3580-TD5", "2160")
    return [
        Device("0:0:1:0", DISK, "HOSPITAL", "BKPDISK", "2.5+", "BKP0001", "5000c50000000001", generic=0, adapter=DISKS),
        Device("7:0:1:1", CHANGER, "IBM", "3573-TL", "6.50", "HOSLIB0001      ", generic=8),
        Device("7:0:1:0", TAPE, *tape, "HOSDRV01  ", "50050763120a0001", generic=9),
        Device("7:0:2:0", TAPE, *tape, "HOSDRV02  ", "50050763120a0002", generic=10),
    ]


def _library() -> Library:
    return Library(slots=["HOS001L5", "HOS002L5", "HOS003L5", "HOS004L5", "CLN001L5", "", "", "", ""])


@dataclass
class Hardware:
    devices: list[Device] = field(default_factory=_devices)
    library: Library = field(default_factory=_library)

    def present(self) -> list[Device]:
        return [device for device in self.devices if device.present]

    def find(self, name: str) -> Device:
        """By H:C:I:L or serial; LookupError."""
        for device in self.devices:
            if name in (device.hcil, device.serial.strip(), device.by_id):
                return device
        raise LookupError(f"no device {name} in this machine")

    def change(self, device: Device, **fields: object) -> Device:
        changed = replace(device, **fields)  # type: ignore[arg-type]
        self.devices[self.devices.index(device)] = changed
        return changed

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, path: Path) -> Hardware:
        if not path.exists():
            return cls()
        data = json.loads(path.read_text())
        return cls([Device(**entry) for entry in data["devices"]], Library(**data["library"]))


def numbered(devices: list[Device], kind: int) -> Callable[[Device], int]:
    """The N of stN or schN: in the order the devices were found."""
    found = [device.hcil for device in sorted(devices, key=lambda one: one.generic) if device.type == kind]
    return lambda device: found.index(device.hcil)
