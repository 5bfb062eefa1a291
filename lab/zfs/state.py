# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What the stand-in remembers between two programs: pools and datasets."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from lab.zfs.disks import BY_ID, LabDisk, first_disks
from lab.zfs.pool_state import Pool
from lab.zfs.properties import NATIVE

RELEASE = "2.3.9-0+deb13u1"
# What an empty filesystem holds on the recorded pool.
EMPTY = 142848


@dataclass
class Snapshot:
    """created: seconds since 1970.  order: the transaction it was made in.  size: of what is in its stream."""

    guid: int
    holds: list[str] = field(default_factory=list)
    clones: list[str] = field(default_factory=list)
    created: int = 0
    order: int = 0
    size: int = EMPTY


@dataclass
class Partial:
    """A snapshot of which only a part was received: whose it is, and how many lines of its stream there are."""

    token: str
    source: str
    guid: int
    lines: int


@dataclass
class Dataset:
    type: str
    local: dict[str, str] = field(default_factory=dict)
    received: dict[str, str] = field(default_factory=dict)
    fixed: dict[str, str] = field(default_factory=dict)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    mounted: bool = False
    busy: bool = False
    origin: str = ""
    key: str = ""
    key_loaded: bool = True
    # Bytes written since the newest snapshot, and what of a snapshot was received so far.
    written: int = 0
    partial: Partial | None = None


@dataclass
class State:
    release: str = RELEASE
    hostid: int = 0x3D12120F
    hostname: str = "lab"
    disks: dict[str, LabDisk] = field(default_factory=first_disks)
    # Resilvers go on until `zpool wait`; otherwise they are over at once.
    slow: bool = False
    pools: dict[str, Pool] = field(default_factory=dict)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    # One a program that may write: its arguments, with nothing of its standard input.
    log: list[list[str]] = field(default_factory=list)
    fail_at: int = 0
    lost: bool = False
    next_guid: int = 2821745473833429140
    transaction: int = 100
    # The clock of the host, where a test has stopped it.
    stopped_at: int = 0
    # Streams are cut off after so many lines; 0: they are not.
    cut_after: int = 0
    # What streams that were cut off began with, by their token.
    streams: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def visible(self) -> dict[str, Dataset]:
        """The datasets of imported pools, in the order of their names."""
        names = sorted(name for name in self.datasets if self.pools[name.partition("/")[0]].imported)
        return {name: self.datasets[name] for name in names}

    def guid(self) -> int:
        self.next_guid += 7919
        return self.next_guid

    def device(self, path: str) -> tuple[str, str] | None:
        """A disk by the kernel's name, and the number of its partition, of a path or of a name below /dev."""
        if path.startswith(BY_ID):
            head, _dash, number = path[len(BY_ID) :].partition("-part")
            name = next((name for name, disk in self.disks.items() if head in disk.ids), "")
        else:
            name = path.removeprefix("/dev/").rstrip("0123456789")
            number = path.removeprefix("/dev/")[len(name) :]
        if name not in self.disks or not self.disks[name].present:
            return None
        return (name, number) if not number or number in self.disks[name].signatures else None

    def now(self) -> int:
        return self.stopped_at or int(time.time())

    def snapshot(self, **more: int) -> Snapshot:
        """A snapshot made now."""
        self.transaction += 1
        return Snapshot(**{"guid": self.guid(), "created": self.now(), **more}, order=self.transaction)

    def below(self, name: str) -> list[str]:
        """The datasets below one, the deepest first."""
        return sorted((one for one in self.visible if one.startswith(f"{name}/")), reverse=True)

    # -- values -----------------------------------------------------------------------------------------------------

    def value(self, name: str, prop: str) -> tuple[str, str] | None:
        """A property's value as `-p` shows it, and its source. None where the dataset has no such property."""
        dataset = self.datasets[name]
        if ":" in prop:
            return self._inherited(name, prop)
        row = NATIVE.get(prop)
        if row is None or not row.applies(dataset.type):
            return None
        if row.how == "read":
            value = self._statistic(name, prop)
            return value, "default" if value == "none" else "-"
        if prop == "volsize":
            return dataset.local[prop], "local"
        if row.how == "once":
            if prop == "volblocksize":
                return dataset.fixed.get(prop, row.default), "-" if prop in dataset.fixed else "default"
            return dataset.fixed.get(prop, row.default), "-" if row.of == "f" or prop in dataset.fixed else "default"
        found = self._inherited(name, prop)
        if found is not None:
            return found
        if prop == "mountpoint":
            return f"/{name}", "default"
        return row.default, "default"

    def _inherited(self, name: str, prop: str) -> tuple[str, str] | None:
        own = self.datasets[name]
        for source, values in (("local", own.local), ("received", own.received)):
            if prop in values:
                return values[prop], source
        if prop in NATIVE and NATIVE[prop].how == "own":
            return None
        parts = name.split("/")
        for count in range(len(parts) - 1, 0, -1):
            above = "/".join(parts[:count])
            values = {**self.datasets[above].received, **self.datasets[above].local}
            if prop in values:
                value = values[prop]
                if prop == "mountpoint" and value.startswith("/"):
                    value = "/".join([value.rstrip("/"), *parts[count:]])
                return value, f"inherited from {above}"
        return None

    def used(self, name: str) -> int:
        return self._own(name) + self._children(name)

    def _own(self, name: str) -> int:
        return int(self.datasets[name].fixed.get("used", EMPTY))

    def _children(self, name: str) -> int:
        """What is below, and in a pool's root also what the pool needs for itself."""
        overhead = int(self.datasets[name].fixed.get("overhead", "0"))
        return overhead + sum(self._own(one) for one in self.below(name))

    def available(self, name: str) -> int:
        """What the pool has left, or less where a quota says so."""
        free = self.pools[name.partition("/")[0]].free
        parts = name.split("/")
        for count in range(len(parts), 0, -1):
            above = "/".join(parts[:count])
            quota = int(self.datasets[above].local.get("quota", "0"))
            if quota:
                free = min(free, quota - self.used(above))
        return free

    def _statistic(self, name: str, prop: str) -> str:
        dataset = self.datasets[name]
        if prop in dataset.fixed and prop != "used":
            return dataset.fixed[prop]
        if prop == "type":
            return dataset.type
        if prop == "mounted":
            return "yes" if dataset.mounted else "no"
        if prop == "used":
            return str(self.used(name))
        if prop == "available":
            return str(self.available(name))
        if prop == "written" and dataset.snapshots:
            return str(dataset.written)
        if prop in ("referenced", "usedbydataset", "written", "logicalused", "logicalreferenced"):
            return str(self._own(name))
        if prop == "usedbychildren":
            return str(self._children(name))
        default = NATIVE[prop].default
        return "0" if default == "-" else default
