# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The disks of the stand-in's host, and the vdevs that are made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

GIB = 1024**3
BY_ID = "/dev/disk/by-id/"
# Part of the name of every disk the host begins with; the rest is its number.
FIRST = "scsi-35000c500a000000"


@dataclass
class LabDisk:
    """ids: its names below /dev/disk/by-id.  signatures: what wipefs finds, by partition (`` is the disk itself), each
    a pair of type and label.  mountpoint, holder: who has it in use; a holder is a pair of lsblk's type and a name.
    group: LVM's volume group.  broken: it cannot be read.  late: it is found when somebody waits for udev."""

    ids: tuple[str, ...]
    size: int = GIB
    present: bool = True
    signatures: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    mountpoint: str = ""
    holder: tuple[str, str] = ("", "")
    group: str = ""
    broken: bool = False
    late: bool = False


def first_disks(count: int = 12) -> dict[str, LabDisk]:
    """sda, sdb … with two names each."""
    return {
        f"sd{chr(ord('a') + number)}": LabDisk(
            (f"{FIRST}{number + 1:x}", f"wwn-0x5000c500a000000{number + 1:x}"),
        )
        for number in range(count)
    }


@dataclass
class LabVdev:
    """sort: disk, mirror, raidz2, draid1:2d:4c:0s, replacing or spare.  disk: its name by the kernel.  shown: the path
    under which it came into the pool.  state: what it was made by somebody, beside what follows from its disks."""

    sort: str
    guid: int
    number: int = 0
    disk: str = ""
    shown: str = ""
    state: str = "ONLINE"
    children: list[LabVdev] = field(default_factory=list)
    resilvering: bool = False
    errors: tuple[int, int, int] = (0, 0, 0)

    @property
    def leaves(self) -> list[LabVdev]:
        return [leaf for child in self.children for leaf in child.leaves] if self.children else [self]

    def walk(self) -> Iterator[LabVdev]:
        yield self
        for child in self.children:
            yield from child.walk()

    @property
    def parity(self) -> int:
        if self.sort == "mirror":
            return len(self.children) - 1
        digits = self.sort.removeprefix("raidz").removeprefix("draid")[:1]
        return int(digits) if self.sort.startswith(("raidz", "draid")) else 0

    @property
    def family(self) -> str:
        return self.sort.rstrip("123") if self.sort.startswith("raidz") else self.sort.partition(":")[0].rstrip("123")

    @property
    def name(self) -> str:
        """As zpool status shows it: a whole disk without its partition."""
        if self.children:
            return f"{self.sort}-{self.number}"
        return self.shown.rpartition("/")[2]

    @property
    def path(self) -> str:
        return f"{self.shown}-part1" if self.shown.startswith(BY_ID) else f"{self.shown}1"
