# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What the stand-in remembers between two programs: pools and datasets."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.zfs.properties import NATIVE

RELEASE = "2.3.9-0+deb13u1"
# What an empty filesystem holds on the recorded pool.
EMPTY = 142848


@dataclass
class Snapshot:
    guid: int
    holds: list[str] = field(default_factory=list)
    clones: list[str] = field(default_factory=list)


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


@dataclass
class Pool:
    health: str = "ONLINE"
    readonly: bool = False
    imported: bool = True
    guid: int = 6934250136762663862
    free: int = 1815526528
    action: str = "The pool can be imported using its name or numeric identifier."


@dataclass
class State:
    release: str = RELEASE
    pools: dict[str, Pool] = field(default_factory=dict)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    # One a program that may write: its arguments, with nothing of its standard input.
    log: list[list[str]] = field(default_factory=list)
    fail_at: int = 0
    lost: bool = False
    next_guid: int = 2821745473833429140

    @property
    def visible(self) -> dict[str, Dataset]:
        """The datasets of imported pools, in the order of their names."""
        names = sorted(name for name in self.datasets if self.pools[name.partition("/")[0]].imported)
        return {name: self.datasets[name] for name in names}

    def guid(self) -> int:
        self.next_guid += 7919
        return self.next_guid

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
        if prop in ("referenced", "usedbydataset", "written", "logicalused", "logicalreferenced"):
            return str(self._own(name))
        if prop == "usedbychildren":
            return str(self._children(name))
        default = NATIVE[prop].default
        return "0" if default == "-" else default
