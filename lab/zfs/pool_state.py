# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A pool of the stand-in, its properties and how it is. Properties are those of the recorded `zpool get`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.zfs.disks import LabDisk, LabVdev

GROUPS = ("normal", "dedup", "special", "log", "cache", "spare")
# What cannot be set, and what can: the values allowed (empty: any) and the default.
READ_ONLY = (
    *("size", "capacity", "altroot", "health", "guid", "version", "dedupratio", "free", "allocated", "readonly"),
    *("expandsize", "freeing", "fragmentation", "leaked", "checkpoint", "load_guid"),
)
SETTABLE: dict[str, tuple[tuple[str, ...], str]] = {
    "delegation": (("on", "off"), "on"),
    "autoreplace": (("on", "off"), "off"),
    "cachefile": ((), "-"),
    "failmode": (("wait", "continue", "panic"), "wait"),
    "listsnapshots": (("on", "off"), "off"),
    "autoexpand": (("on", "off"), "off"),
    "ashift": ((), "0"),
    "comment": ((), "-"),
    "multihost": (("on", "off"), "off"),
    "autotrim": (("on", "off"), "off"),
    "compatibility": ((), "off"),
}
_WORST = ("UNAVAIL", "FAULTED", "REMOVED", "OFFLINE", "DEGRADED", "ONLINE")


@dataclass
class Pool:
    """health: what it is beside what its vdevs say.  hostid, exported: who had it last, and whether it let go."""

    health: str = "ONLINE"
    readonly: bool = False
    imported: bool = True
    guid: int = 6934250136762663862
    free: int = 1815526528
    action: str = "The pool can be imported using its name or numeric identifier."
    vdevs: dict[str, list[LabVdev]] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    ashift: int = 12
    hostid: int = 0
    hostname: str = "lab"
    exported: bool = True
    capacity: int = 0
    scan: str = ""
    resilver: bool = False
    scrubbed: int = 0
    data_errors: int = 0
    history: list[str] = field(default_factory=list)
    next_number: int = 0
    # Programs that ask for it wait: "data" for what is in it, "all" for zpool status as well.
    hanging: str = ""

    @property
    def leaves(self) -> list[LabVdev]:
        return [leaf for group in self.vdevs.values() for vdev in group for leaf in vdev.leaves]

    @property
    def rows(self) -> list[tuple[str, LabVdev]]:
        return [(group, vdev) for group in GROUPS for vdev in self.vdevs.get(group, [])]

    def state(self, disks: Mapping[str, LabDisk]) -> str:
        tops = [
            vdev_state(vdev, disks)
            for group in ("normal", "special", "dedup", "log")
            for vdev in self.vdevs.get(group, [])
        ]
        found = [self.health, *("DEGRADED" if one not in ("ONLINE", "UNAVAIL") else one for one in tops)]
        return min(found, key=_WORST.index) if all(one in _WORST for one in found) else self.health


def vdev_state(vdev: LabVdev, disks: Mapping[str, LabDisk]) -> str:
    if not vdev.children:
        if vdev.state != "ONLINE":
            return vdev.state
        return "ONLINE" if vdev.disk in disks and disks[vdev.disk].present else "UNAVAIL"
    states = [vdev_state(child, disks) for child in vdev.children]
    bad = sum(state not in ("ONLINE", "DEGRADED") for state in states)
    if all(state == "ONLINE" for state in states):
        return "ONLINE"
    if vdev.sort in ("replacing", "spare"):
        return "DEGRADED" if bad < len(states) else "UNAVAIL"
    return "DEGRADED" if bad <= vdev.parity else "UNAVAIL"
