# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The layout of a pool: as a user writes it, and as one value it is compared by. Terms as in zpoolconcepts(7)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

NORMAL, SPECIAL, DEDUP, LOG, CACHE, SPARE = CLASSES = ("normal", "special", "dedup", "log", "cache", "spare")
# Classes whose loss is the loss of the pool.
DATA = (NORMAL, SPECIAL, DEDUP)
DISK, MIRROR = "disk", "mirror"
RAIDZ = ("raidz1", "raidz2", "raidz3")
DRAID = ("draid1", "draid2", "draid3")
TYPES = (DISK, MIRROR, *RAIDZ, *DRAID)
PRESENT, ABSENT = "present", "absent"

BY_ID = "/dev/disk/by-id/"
# Names that the kernel gives in the order in which it finds disks, and which move.
_UNSTABLE = re.compile(r"^(/dev/)?(sd[a-z]+|vd[a-z]+|xvd[a-z]+|hd[a-z]+|nvme\d+n\d+|dm-\d+|md\d+|loop\d+)(p?\d+)?$")
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.:+@=#~-]*$")


@dataclass(frozen=True, order=True)
class Row:
    """One vdev, or the disks of a class that stand alone. `disks` are names below /dev/disk/by-id, in no order."""

    vdev_class: str
    type: str
    disks: tuple[str, ...]
    draid_data: int = 0
    draid_spares: int = 0
    state: str = PRESENT

    @property
    def tolerates(self) -> int:
        """How many of its disks may fail before it does."""
        if self.type == DISK:
            return 0
        return len(self.disks) - 1 if self.type == MIRROR else int(self.type[-1])

    @property
    def described(self) -> str:
        """As a person reads it: log mirror of a, b."""
        name = self.type if self.vdev_class == NORMAL else f"{self.vdev_class} {self.type}"
        return f"{name} of {', '.join(self.disks)}"

    @property
    def words(self) -> tuple[str, ...]:
        """Its part of the command line of zpool create and zpool add, without its class."""
        if self.type == DISK:
            head: tuple[str, ...] = ()
        elif self.type in DRAID:
            data = f":{self.draid_data}d" if self.draid_data else ""
            head = (f"{self.type}{data}:{len(self.disks)}c:{self.draid_spares}s",)
        else:
            head = (self.type,)
        return (*head, *(BY_ID + disk for disk in self.disks))


Rows = tuple[Row, ...]


def command_words(rows: Iterable[Row]) -> list[str]:
    """Rows as zpool create and zpool add take them: data first, then each class behind its word, which may stand there
    once. Disks that stand alone come before vdevs with a word of their own, which would swallow them."""
    result: list[str] = []
    ordered = sorted(rows, key=lambda row: (CLASSES.index(row.vdev_class), row.type != DISK, row))
    current = NORMAL
    for row in ordered:
        if row.vdev_class != current:
            current = row.vdev_class
            result.append(current)
        result += row.words
    return result


def merged(rows: Iterable[Row]) -> Rows:
    """The one value of a layout: the disks of a class that stand alone are one row, and order means nothing."""
    alone: dict[tuple[str, str], set[str]] = {}
    result: list[Row] = []
    for row in rows:
        if row.type == DISK:
            alone.setdefault((row.vdev_class, row.state), set()).update(row.disks)
        else:
            result.append(Row(**{**row.__dict__, "disks": tuple(sorted(row.disks))}))
    result += [Row(which, DISK, tuple(sorted(disks)), state=state) for (which, state), disks in alone.items()]
    return tuple(sorted(result, key=lambda row: (CLASSES.index(row.vdev_class), row)))


def unstable(name: str) -> bool:
    """Whether the kernel gave a name in the order in which it found disks."""
    return bool(_UNSTABLE.match(name))


def disk_name(value: Any) -> str:
    """The by-id name of a disk that a user wrote. ValueError says why it is none."""
    text = str(value).strip()
    name = text[len(BY_ID) :] if text.startswith(BY_ID) else text
    if unstable(name):
        raise ValueError(f"{text!r} may be another disk after the next boot; write its name below {BY_ID}")
    if not _NAME.match(name) or name.isdigit() or len(name) > 200:
        raise ValueError(f"{text!r} is no name below {BY_ID}, as scsi-35000c500a0000001")
    return name


@dataclass(frozen=True)
class Layout:
    """The form of the option `layout`: a list of vdevs."""

    def canonical(self, value: Any) -> Optional[Rows]:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{value!r} is not a list of vdevs")
        rows = merged(one if isinstance(one, Row) else _row(one) for one in value)
        if not rows:
            raise ValueError("it is empty; list the vdevs of the pool")
        seen: set[str] = set()
        for row in rows:
            for disk in row.disks:
                if disk in seen:
                    raise ValueError(f"disk {disk} is in two places")
                seen.add(disk)
        return rows

    def wire(self, value: Any) -> Any:
        return value

    def shown(self, value: Rows) -> list[dict[str, Any]]:
        return [_shown(row) for row in value]


def _row(raw: Any) -> Row:
    if not isinstance(raw, Mapping):
        raise ValueError(f"{raw!r} is not a vdev; write type and disks")
    given = {name: value for name, value in raw.items() if value is not None}
    vdev_class, sort = str(given.get("class", NORMAL)), str(given.get("type", DISK))
    if vdev_class not in CLASSES:
        raise ValueError(f"class {vdev_class!r} is none of {', '.join(CLASSES)}")
    if sort not in TYPES:
        raise ValueError(f"type {sort!r} is none of {', '.join(TYPES)}")
    listed = given.get("disks") or []
    if not isinstance(listed, (list, tuple)):
        raise ValueError(f"disks {listed!r} is not a list")
    disks = [disk_name(disk) for disk in listed]
    twice = {disk for disk in disks if disks.count(disk) > 1}
    if twice:
        raise ValueError(f"disk {sorted(twice)[0]} is in two places")
    data, spares = _count(given, "draid_data"), _count(given, "draid_spares")
    row = Row(vdev_class, sort, tuple(sorted(disks)), data, spares, str(given.get("state", PRESENT)))
    _check(row, typed="type" in given)
    return row


def _count(given: Mapping[str, Any], name: str) -> int:
    try:
        number = int(given.get(name, 0))
    except (TypeError, ValueError):
        raise ValueError(f"{name} {given[name]!r} is not a number") from None
    if not 0 <= number <= 255:
        raise ValueError(f"{name} {number} is not between 0 and 255")
    return number


def _check(row: Row, *, typed: bool) -> None:
    if row.type == DISK and len(row.disks) > 1 and row.vdev_class in DATA and not typed:
        raise ValueError("several disks need a type; write type: disk if they shall stand alone, without redundancy")
    if not row.disks:
        raise ValueError(f"the {row.vdev_class} {row.type} has no disks")
    if row.state not in (PRESENT, ABSENT):
        raise ValueError(f"state {row.state!r} is neither present nor absent")
    allowed: Collection[str] = {CACHE: (DISK,), SPARE: (DISK,), LOG: (DISK, MIRROR)}.get(row.vdev_class, TYPES)
    if row.type not in allowed:
        raise ValueError(f"class {row.vdev_class} is made of {' or '.join(allowed)}, not of {row.type}")
    if row.type not in DRAID and (row.draid_data or row.draid_spares):
        raise ValueError(f"draid_data and draid_spares are for draid, not for {row.type}")
    least = {DISK: 1, MIRROR: 2}.get(row.type, 0)
    if row.type in RAIDZ:
        least = row.tolerates + 1
    if row.type in DRAID:
        least = row.tolerates + max(row.draid_data, 1) + row.draid_spares
    if len(row.disks) < least:
        raise ValueError(f"{row.type} takes at least {least} disks, and has {len(row.disks)}")
    if row.state == ABSENT and row.vdev_class == NORMAL:
        raise ValueError("state absent is for special, dedup, log, cache and spare; data vdevs are never removed here")


def _shown(row: Row) -> dict[str, Any]:
    result: dict[str, Any] = {"type": row.type}
    if row.vdev_class != NORMAL:
        result["class"] = row.vdev_class
    result["disks"] = list(row.disks)
    for name in ("draid_data", "draid_spares"):
        if getattr(row, name):
            result[name] = getattr(row, name)
    if row.state != PRESENT:
        result["state"] = row.state
    return result


def mismatch(rows: Sequence[Row]) -> str:
    """Why ZFS would not make a pool of these vdevs unless it were forced, which is never done; empty where it would.

    zpool(8): "mismatched replication level". A raidz beside a mirror is fine when as many disks of each may fail.
    """
    data = [row for row in split(rows) if row.vdev_class in DATA and row.state == PRESENT]
    for one in data[1:]:
        first = data[0]
        if one.tolerates != first.tolerates:
            return (
                f"{first.described} survives the loss of {first.tolerates} disks and {one.described} of "
                f"{one.tolerates}: the weaker would decide over the whole pool"
            )
        if one.type == first.type and len(one.disks) != len(first.disks) and one.type != DISK:
            return f"{first.described} and {one.described} differ in width"
    return ""


def split(rows: Iterable[Row]) -> list[Row]:
    """Every top-level vdev by itself."""
    result: list[Row] = []
    for row in rows:
        if row.type == DISK:
            result += [Row(row.vdev_class, DISK, (disk,), state=row.state) for disk in row.disks]
        else:
            result.append(row)
    return result
