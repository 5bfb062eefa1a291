# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The SCSI devices of this host, and what each is called by that does not move.

H:C:I:L is the only name SCST knows, and host numbers change from boot to boot; so does /dev/sgN. A device is known by
its serial number (VPD page 0x80), its NAA (page 0x83) or its link below /dev/tape/by-id, looked up at every run.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from ansible_collections.hospital.continuity.plugins.module_utils.scst.errors import ScstError
from ansible_collections.hospital.continuity.plugins.module_utils.scst.names import ADDRESS

TYPES: Mapping[int, str] = {0: "disk", 1: "tape drive", 5: "CD drive", 8: "medium changer"}
_BY_ID = ("dev/tape/by-id", "dev/disk/by-id")
_CLASSES = ("scsi_tape", "scsi_changer", "scsi_generic", "block")
_SESSION = re.compile(r"/session\d+/")
_NAA, _BINARY = 3, 1


class Ambiguous(ScstError):
    """A name that several devices bear."""


@dataclass(frozen=True)
class ScsiDevice:
    """address: H:C:I:L.  generic: its /dev/sgN, empty where there is none.  imported: this host itself gets it by iSCSI
    from another one."""

    address: str
    type: int
    vendor: str = ""
    model: str = ""
    serial: str = ""
    naa: str = ""
    by_id: tuple[str, ...] = ()
    generic: str = ""
    imported: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All that it is called by and that does not move, the best first."""
        return tuple(name for name in (self.serial, self.naa, *self.by_id) if name)

    @property
    def sort(self) -> str:
        return TYPES.get(self.type, f"device of type {self.type}")


@dataclass(frozen=True)
class Inventory:
    devices: tuple[ScsiDevice, ...] = ()

    def at(self, address: str) -> Optional[ScsiDevice]:
        return next((device for device in self.devices if device.address == address), None)

    def find(self, name: str) -> Optional[ScsiDevice]:
        """The device with this name; None where there is none. Raises Ambiguous.

        One that this host imports counts only where no other is meant: the same drive, exported by this host and
        imported again, bears the same serial."""
        called = [device for device in self.devices if name in device.names or name == device.naa.partition(".")[2]]
        found = [device for device in called if not device.imported] or called
        if len(found) > 1 and len({(device.naa, device.serial, device.type) for device in found}) > 1:
            raise Ambiguous(
                f"{name} is the name of {' and of '.join(f'a {device.sort} ({device.address})' for device in found)}.",
                hint="Use a name below /dev/tape/by-id, which only one of them bears.",
            )
        return found[0] if found else None

    def identity(self, address: str) -> str:
        """What to call a device by: its best name that leads back to it; where it has none, its address."""
        device = self.at(address)
        if device is None:
            return address
        for name in device.names:
            try:
                found = self.find(name)
            except Ambiguous:
                continue
            if found is not None and found.address == address:
                return name
        return address


def lasting(device: ScsiDevice) -> list[str]:
    """The names to remember a device by: those of its own, and links only where it has none, for those come late."""
    own = [name for name in (device.serial, device.naa) if name]
    return own or list(device.by_id)


def gather(root: str = "/", *, only: Collection[int] = ()) -> Inventory:
    """The devices below `root`, in the order of their addresses; `only` of some SCSI types."""
    base = Path(root, "sys/bus/scsi/devices")
    addresses = [name for name in _names(base) if ADDRESS.fullmatch(name)]
    links = _links(root)
    found = []
    for address in sorted(addresses, key=lambda text: tuple(map(int, text.split(":")))):
        where = base / address
        number = _text(where, "type")
        if not number.isdigit() or (only and int(number) not in only):
            continue
        generic = _names(where / "scsi_generic")
        found.append(
            ScsiDevice(
                address,
                int(number),
                _text(where, "vendor"),
                _text(where, "model"),
                serial_number(_bytes(where, "vpd_pg80")),
                naa_name(_bytes(where, "vpd_pg83")),
                tuple(sorted(links.get(address, ()))),
                f"/dev/{generic[0]}" if generic else "",
                bool(_SESSION.search(f"{where.resolve()}/")),
            )
        )
    return Inventory(tuple(found))


def serial_number(page: bytes) -> str:
    """The unit serial number in VPD page 0x80 (SPC-4, 7.8.19). Its text is padded with blanks."""
    if len(page) < 4:
        return ""
    length = int.from_bytes(page[2:4], "big")
    text = page[4 : 4 + length].decode("ascii", "replace").strip("\x00 \t\n")
    return text if text.isprintable() and text.isascii() else ""


def naa_name(page: bytes) -> str:
    """The NAA of the logical unit in VPD page 0x83 (SPC-4, 7.8.6), as naa.5000…; empty where it has none."""
    position = 4
    while position + 4 <= len(page):
        code_set, kind, length = page[position] & 0xF, page[position + 1], page[position + 3]
        value = page[position + 4 : position + 4 + length]
        # Association 0 is the logical unit; others are the port it is seen through.
        if kind & 0xF == _NAA and (kind >> 4) & 3 == 0 and code_set == _BINARY and len(value) in (8, 16):
            return f"naa.{value.hex()}"
        position += 4 + length
    return ""


def _links(root: str) -> dict[str, list[str]]:
    """The names below /dev/…/by-id, by the address of what they lead to."""
    result: dict[str, list[str]] = {}
    for folder in _BY_ID:
        where = Path(root, folder)
        for name in _names(where):
            try:
                node = (where / name).readlink().name
            except OSError:
                continue
            for sort in _CLASSES:
                device = Path(root, "sys/class", sort, node, "device")
                if device.exists():
                    result.setdefault(device.resolve().name, []).append(name)
                    break
    return result


def _names(where: Path) -> Sequence[str]:
    try:
        return sorted(path.name for path in where.iterdir())
    except OSError:
        return ()


def _bytes(where: Path, name: str) -> bytes:
    try:
        return (where / name).read_bytes()
    except OSError:
        return b""


def _text(where: Path, name: str) -> str:
    return _bytes(where, name).decode("ascii", "replace").strip()
