# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a disk is, what is on it and who uses it: read from lsblk and wipefs, told in a user's words. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.zfs.errors import ZfsError

COLUMNS = "NAME,KNAME,TYPE,SIZE,RO,FSTYPE,LABEL,UUID,PTTYPE,MOUNTPOINTS"

_SYSTEM = ("/", "/boot", "/boot/efi", "/usr", "/var", "/etc")
# What sits on a disk and keeps it in use, by lsblk's TYPE.
_HOLDERS = {
    "lvm": "the LVM volume {}",
    "crypt": "the encrypted device {}",
    "mpath": "the multipath device {}, by whose own name it is to be used",
    "dm": "the device-mapper device {}",
    "md": "the software RAID {}",
    "raid": "the software RAID {}",
}
# What is found on disks, by the names of wipefs and lsblk.
_FOUND = {
    "gpt": "a partition table (gpt)",
    "dos": "a partition table (dos)",
    "PMBR": "a partition table (gpt)",
    "atari": "a partition table (atari)",
    "LVM2_member": "an LVM physical volume",
    "linux_raid_member": "a member of a software RAID",
    "mpath_member": "a path of a multipath device",
    "crypto_LUKS": "encrypted data (LUKS)",
    "swap": "swap space",
}


@dataclass(frozen=True)
class Device:
    """A disk or partition as lsblk shows it. path: by the kernel's own name, which links are resolved to; a mapped
    device is /dev/dm-0, and `name` is what people call it. size in bytes."""

    path: str
    type: str
    name: str = ""
    size: int = 0
    readonly: bool = False
    fstype: str = ""
    label: str = ""
    uuid: str = ""
    table: str = ""
    mountpoints: tuple[str, ...] = ()
    children: tuple[Device, ...] = ()

    def walk(self) -> Iterator[Device]:
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True)
class Signature:
    """Something that wipefs recognises, on which device, by its path."""

    path: str
    type: str
    label: str = ""


def parsed_devices(text: str) -> list[Device]:
    """`lsblk --json --bytes --output COLUMNS`. Raises ZfsError."""
    try:
        return [_device(raw) for raw in json.loads(text or "{}").get("blockdevices", ())]
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise ZfsError(
            f"lsblk answered what cannot be read ({problem}).", hint="util-linux 2.37 or later is needed."
        ) from None


def _device(raw: Mapping[str, Any]) -> Device:
    return Device(
        path=f"/dev/{raw.get('kname') or raw['name']}",
        type=str(raw.get("type") or ""),
        name=str(raw["name"]),
        size=int(raw.get("size") or 0),
        readonly=bool(raw.get("ro")) and str(raw.get("ro")) != "0",
        fstype=str(raw.get("fstype") or ""),
        label=str(raw.get("label") or ""),
        uuid=str(raw.get("uuid") or ""),
        table=str(raw.get("pttype") or ""),
        mountpoints=tuple(str(point) for point in raw.get("mountpoints") or () if point),
        children=tuple(_device(child) for child in raw.get("children") or ()),
    )


def parsed_signatures(text: str, devices: Sequence[Device]) -> list[Signature]:
    """`wipefs --no-act --json DEVICE...`, which names devices without their folder."""
    paths = {device.path.rpartition("/")[2]: device.path for root in devices for device in root.walk()}
    try:
        found = json.loads(text).get("signatures", ()) if text.strip() else ()
        return [
            Signature(
                paths.get(str(raw["device"]), f"/dev/{raw['device']}"), str(raw["type"]), str(raw.get("label") or "")
            )
            for raw in found
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise ZfsError(f"wipefs answered what cannot be read ({problem}).", hint="Run again.") from None


@dataclass(frozen=True)
class Disk:
    """A disk that somebody means. name: as it was written, below /dev/disk/by-id.  device: None where there is none.
    pools: imported pools by the path of a device in them.  groups: volume groups of LVM that it belongs to.
    unreadable: why it could not be looked at."""

    name: str
    device: Optional[Device]
    signatures: tuple[Signature, ...] = ()
    pools: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    unreadable: str = ""

    @property
    def uses(self) -> list[str]:
        """Why nobody may have it, whatever they consent to; empty where it is free."""
        if self.device is None:
            return [f"is not there: there is no /dev/disk/by-id/{self.name}"]
        result: list[str] = []
        for one in self.device.walk():
            pool = self.pools.get(one.path)
            if pool is not None:
                result.append(f"belongs to the imported pool {pool}")
            result.extend(self._mounted(one))
            if one is not self.device:
                holder = _HOLDERS.get("raid" if one.type.startswith("raid") else one.type)
                if holder:
                    result.append(f"holds {holder.format(one.name)}")
        result.extend(
            f"belongs to the volume group {group} (vgremove or vgreduce comes first)" for group in self.groups
        )
        if self.unreadable:
            result.append(f"cannot be looked at, so nobody knows what is on it ({self.unreadable})")
        if self.device.readonly:
            result.append("is read-only")
        if self.device.type in ("rom", "tape", "loop"):
            result.append(f"is no disk but a device of type {self.device.type}")
        return list(dict.fromkeys(result))

    def _mounted(self, one: Device) -> Iterator[str]:
        system = [point for point in one.mountpoints if point in _SYSTEM]
        if system:
            yield f"is the disk that the running system is on ({', '.join(system)})"
        for point in one.mountpoints:
            if point == "[SWAP]":
                yield "is in use as swap space"
            elif point not in system:
                yield f"is mounted at {point}"

    @property
    def carries(self) -> list[str]:
        """What is on it and would be lost; empty for a blank one."""
        if self.device is None:
            return []
        result: list[str] = []
        told: set[tuple[str, str]] = set()
        for one in self.device.walk():
            partition = "" if one is self.device else f" in partition {one.path.rpartition('/')[2]}"
            found = [(sign.type, sign.label or one.label) for sign in self.signatures if sign.path == one.path]
            if one.fstype:
                found.append((one.fstype, one.label))
            if one.table and one is self.device:
                found.append((one.table, ""))
            for sort, label in found:
                text = _described(sort, label)
                if (one.path, text) not in told:
                    told.add((one.path, text))
                    result.append(f"{text}{partition}")
        partitions = [one for one in self.device.children if one.type == "part"]
        if partitions and not any("partition table" in text for text in result):
            result.insert(0, "a partition table")
        return result

    @property
    def pool_guids(self) -> set[str]:
        """The GUIDs of the pools whose labels it has."""
        return (
            {one.uuid for one in self.device.walk() if one.fstype == "zfs_member" and one.uuid}
            if self.device
            else set()
        )

    @property
    def wiping(self) -> list[tuple[str, ...]]:
        """The programs that take away what it carries: what is in partitions first, then the table itself."""
        if self.device is None:
            return []
        commands: list[tuple[str, ...]] = []
        for one in reversed(list(self.device.walk())):
            kinds = {sign.type for sign in self.signatures if sign.path == one.path} | {one.fstype}
            if "zfs_member" in kinds:
                commands.append(("zpool", "labelclear", "-f", one.path))
            if kinds - {""} or one is self.device:
                commands.append(("wipefs", "--all", one.path))
        return commands


def _described(sort: str, label: str) -> str:
    if sort == "zfs_member":
        return f"a label of the ZFS pool {label}" if label else "a label of ZFS"
    text = _FOUND.get(sort) or f"{'an' if sort[:1] in 'aeiou' else 'a'} {sort} filesystem"
    return f"{text} named {label}" if label else text


def partition_of(name: str) -> str:
    """The disk that a name below /dev/disk/by-id is a partition of; empty where it is none."""
    found = re.match(r"^(.+)-part\d+$", name)
    return found.group(1) if found else ""


def shared_disks(groups: Iterable[Collection[str]], where: Mapping[str, str]) -> list[str]:
    """Which of the groups of disks, each of which shall survive the loss of one, have two partitions of one disk, and
    which disk is there whole and in part. `where`: the device's path by by-id name, for disks of partitions too."""
    problems = []
    everything: set[str] = set()
    for group in groups:
        everything |= set(group)
        parts: dict[str, list[str]] = {}
        for name in group:
            disk = partition_of(name)
            if disk:
                parts.setdefault(where.get(disk) or disk, []).append(name)
        problems += [
            f"{' and '.join(sorted(several))} are partitions of one disk, with which both are lost"
            for several in parts.values()
            if len(several) > 1
        ]
    whole = {where.get(name) or name: name for name in everything if not partition_of(name)}
    for name in sorted(everything):
        parent = partition_of(name)
        disk = whole.get(where.get(parent) or parent, "")
        if disk:
            problems.append(f"{name} is a partition of {disk}, which is listed as a whole")
    return sorted(set(problems))


def same_disk(names: Mapping[str, str]) -> list[str]:
    """Which names mean one disk. `names`: the device's path by by-id name."""
    by_path: dict[str, list[str]] = {}
    for name, path in names.items():
        if path:
            by_path.setdefault(path, []).append(name)
    return [
        f"{' and '.join(sorted(several))} are names of one disk ({path})"
        for path, several in sorted(by_path.items())
        if len(several) > 1
    ]
