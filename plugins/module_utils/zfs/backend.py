# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The engine's I/O for datasets: all that are wanted in one read, one step after another."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Optional

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import ABSENT, Declaration
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import listed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    DELETE,
    Plan,
    Step,
    Thing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import CommandLine, Pool
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.dataset import (
    DatasetKind,
    ancestors,
    dependants,
    mounts,
    pool_of,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.errors import (
    DatasetMissing,
    PoolMissing,
    ZfsError,
)


class DatasetBackend:
    # ZFS syncs one change of a pool after another anyway.
    parallel = 1

    def __init__(self, command_line: CommandLine) -> None:
        self._zfs = command_line
        self._removing = False
        self._xattr_on: Optional[str] = None

    @property
    def writes(self) -> int:
        return self._zfs.writes

    def close(self) -> None:
        """There is no connection to keep."""

    def resolve(self, kind: DatasetKind, declared: Declaration) -> Declaration:
        # What is below a dataset matters, and is read, only when the dataset is to go.
        self._removing = declared.state == ABSENT
        items = [
            replace(item, options={**item.options, "xattr": self._on_means()})
            if item.options.get("xattr") == "on"
            else item
            for item in declared.items
        ]
        return replace(declared, items=tuple(items))

    def observe(self, kind: DatasetKind, keys: Collection[Key] | None, options: Collection[str]) -> Mapping[Key, Thing]:
        names = None if keys is None else sorted(str(key[0]) for key in keys)
        found = self._zfs.properties(names)
        require_pools(self._zfs, [name for name in names or () if name not in found], removing=self._removing)
        on_means = self._on_means() if found and "xattr" in options else "on"
        return {
            (name,): kind.decode(
                name,
                properties,
                xattr_on=on_means,
                below=self._zfs.dependants(name) if self._removing else (),
            )
            for name, properties in found.items()
        }

    def precheck(self, kind: DatasetKind, plan: Plan, declared: Declaration) -> Sequence[str]:
        new = [str(step.key[0]) for step in plan if step.action == CREATE]
        parents = sorted({ancestors(name)[0] for name in new})
        problems = [*kind.problems(plan, self._zfs.pools(), self._zfs.types(parents))]
        places = mounts(plan, self._zfs.mountpoints(parents))
        # ZFS mounts over what is in a directory, which nobody sees then: a backup of before, or a full root.
        problems += [
            f"{places[where]}: the directory {where} is not empty, and what is in it would be hidden; move it away, or "
            "give overlay: true"
            for where in sorted(self._zfs.occupied(sorted(places)))
        ]
        return problems

    def apply(self, kind: DatasetKind, step: Step) -> Sequence[str]:
        if step.action == DELETE:
            return self._destroy(kind, step)
        warnings: list[str] = []
        for command in kind.commands(step):
            warnings.extend(self._zfs.write(command.argv, secret=command.secret))
        return warnings

    def verify(self, kind: DatasetKind, things: Mapping[Key, Thing], declared: Declaration) -> Sequence[Unmet]:
        return kind.unmet(things)

    def _destroy(self, kind: DatasetKind, step: Step) -> Sequence[str]:
        """Destroy what was consented to and nothing that came since. What went meanwhile is no obstacle."""
        consented = {one.name for one in dependants(step.facts)}
        try:
            below = self._zfs.dependants(str(step.key[0]))
        except DatasetMissing:
            return ()
        new = [one.name for one in below if one.name not in consented]
        if new:
            raise ZfsError(
                f"Below {step.key[0]} there is now also {listed(new)}, to which nobody consented.", hint="Run again."
            )
        current = replace(step, facts={**step.facts, "below": tuple(below)})
        warnings: list[str] = []
        for command in kind.commands(current):
            warnings.extend(self._zfs.write(command.argv))
        return warnings

    def _on_means(self) -> str:
        """What xattr=on stands for. OpenZFS 2.3 shows sa as on; before, on was dir."""
        if self._xattr_on is None:
            self._xattr_on = "sa" if self._zfs.version() >= (2, 3) else "dir"
        return self._xattr_on


def require_pools(zfs: CommandLine, missing: Sequence[str], *, removing: bool = False) -> None:
    """A dataset of a pool that is not imported is neither absent nor to be created. `missing`: datasets that were not
    found; `removing`: they shall not exist. Raises PoolMissing."""
    wanted = sorted({pool_of(name) for name in missing})
    imported = zfs.pools() if wanted else {}
    lost = [name for name in wanted if name not in imported]
    if not lost:
        return
    importable = zfs.importable()
    for name in lost:
        if name in importable:
            raise _not_imported(importable[name])
        if not removing:
            raise PoolMissing(
                f"There is no pool {name}, and no disk here that belongs to one.",
                hint="Correct the name, or attach the pool's disks. Nothing was changed.",
            )


def _not_imported(pool: Pool) -> PoolMissing:
    usable = pool.health in ("ONLINE", "DEGRADED")
    return PoolMissing(
        f"Pool {pool.name} is on the disks of this host and not imported (state {pool.health}: {pool.action}).".replace(
            "..)", ".)"
        ),
        hint=f"Import it first: zpool import {pool.name}. Nothing was changed."
        if usable
        else "Attach or mend its missing disks, then import it. Do not create it anew: its data may be whole. "
        "Nothing was changed.",
    )
