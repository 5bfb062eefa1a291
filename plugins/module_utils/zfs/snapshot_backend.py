# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The engine's I/O for snapshot policies."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import ABSENT, Declaration
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.backend import require_pools
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import (
    CommandLine,
    Properties,
    Snapshot,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.snapshot import (
    PROPERTY,
    REPLICA,
    Managed,
    SnapshotKind,
    decoded,
    with_names,
)


class SnapshotBackend:
    # ZFS syncs one change of a pool after another anyway.
    parallel = 1

    def __init__(self, command_line: CommandLine) -> None:
        self._zfs = command_line
        self._now: Optional[int] = None
        self._declared: dict[Key, bool] = {}
        self._removing = False
        self._managed: dict[Key, Managed] = {}
        self._seen: dict[tuple[str, bool], frozenset[str]] = {}

    @property
    def writes(self) -> int:
        return self._zfs.writes

    def close(self) -> None:
        """There is no connection to keep."""

    def resolve(self, kind: SnapshotKind, declared: Declaration) -> Declaration:
        self._removing = declared.state == ABSENT
        self._declared = {item.key: bool(item.options.get("recursive")) for item in declared.items}
        return declared

    def observe(
        self, kind: SnapshotKind, keys: Collection[Key] | None, options: Collection[str]
    ) -> Mapping[Key, Thing]:
        names = None if keys is None else sorted({str(key[0]) for key in keys})
        found = self._zfs.properties(names)
        require_pools(self._zfs, [name for name in names or () if name not in found], removing=self._removing)
        stored = stored_policies(found)
        return {key: self._observed(key, stored.get(key, {}), found) for key in (stored if keys is None else keys)}

    def precheck(self, kind: SnapshotKind, plan: Plan, declared: Declaration) -> Sequence[str]:
        return kind.problems(plan, self._zfs.pools(), self._managed)

    def apply(self, kind: SnapshotKind, step: Step) -> Sequence[str]:
        warnings: list[str] = []
        for command in kind.commands(step):
            warnings.extend(self._zfs.write(command.argv))
        return warnings

    def verify(self, kind: SnapshotKind, things: Mapping[Key, Thing], declared: Declaration) -> Sequence[Unmet]:
        return kind.unmet(things)

    def _observed(self, key: Key, state: Mapping[str, object], found: Mapping[str, Properties]) -> Thing:
        dataset, prefix = map(str, key)
        if self._now is None:
            # One moment for the whole run: an hour that begins meanwhile makes nothing due that was not planned.
            self._now = self._zfs.now()
        managed = Managed(self._now, exists=False)
        if dataset in found:
            recursive = bool(state.get("recursive")) or self._declared.get(key, False)
            replica = REPLICA in found[dataset]
            below = self._below(dataset, prefix, replica=replica) if recursive else {dataset: True}
            managed = Managed(
                now=self._now,
                datasets=tuple(name for name, mine in below.items() if mine),
                whole=all(below.values()),
                replica=replica,
                snapshots=self._snapshots(dataset, recursive=recursive),
            )
        self._managed[key] = managed
        return Thing(with_names(state, managed.names(prefix)), {"managed": managed})

    def _snapshots(self, dataset: str, *, recursive: bool) -> tuple[Snapshot, ...]:
        """The snapshots. One that was made since this run first looked is of the moment it was planned for: a day that
        began in between changes nothing of the plan."""
        found = self._zfs.snapshots(dataset, recursive=recursive)
        seen = self._seen.setdefault((dataset, recursive), frozenset(one.guid for one in found))
        moment = self._now or 0
        return tuple(one if one.guid in seen else replace(one, created=moment) for one in found)

    def _below(self, dataset: str, prefix: str, *, replica: bool) -> dict[str, bool]:
        """A dataset and all below it, and whether a recursive policy of the first is for them: not where another
        policy of the same prefix is nearer, and not where a replication is received."""
        prop = f"{PROPERTY}{prefix}"
        marks = self._zfs.marks(dataset, (REPLICA, prop))
        policies = {name: bool(decoded(own[prop]).get("recursive")) for name, own in marks.items() if prop in own}
        if not self._removing:
            policies.update({str(key[0]): mine for key, mine in self._declared.items() if key[1] == prefix})
        replicas = {name for name, own in marks.items() if REPLICA in own} if not replica else set()

        def others(name: str) -> bool:
            above = [one for one in _lineage(name) if len(one) > len(dataset)]
            return name in policies or any(policies.get(one, False) or one in replicas for one in above)

        return {name: name == dataset or not others(name) for name in marks}


def policies(zfs: CommandLine, pool: str) -> dict[Key, dict[str, Any]]:
    """The policies that are kept at the datasets of a pool."""
    return stored_policies(zfs.local_properties(pool))


def stored_policies(found: Mapping[str, Properties]) -> dict[Key, dict[str, Any]]:
    """The policies among properties. Only what is set at a dataset itself is one: what it inherits is another's, and
    what it received is the sender's."""
    return {
        (name, prop[len(PROPERTY) :]): decoded(value.value)
        for name, properties in found.items()
        for prop, value in properties.items()
        if prop.startswith(PROPERTY) and value.source == "local"
    }


def _lineage(name: str) -> list[str]:
    """A dataset and those above it."""
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
