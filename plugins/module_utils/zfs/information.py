# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What zfs_info returns: the kinds asked for in `config`'s own form, the snapshots, and how the pools are."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Callable, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.command import CommandTimedOut
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import Kind
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Thing, label
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.backend import DatasetBackend
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import ANSWERING, CommandLine
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.dataset import DATASET
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.health import health, not_imported
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout_status import PoolStatus
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.pool import POOL
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.pool_backend import PoolBackend
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.pool_import import Waiting
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.snapshot import SNAPSHOTS
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.snapshot_backend import policies

SNAPSHOT = "snapshot"
KINDS = (POOL.name, DATASET.name, SNAPSHOT)


def gather(
    zfs: CommandLine, kinds: Collection[str], patterns: Collection[str], *, now: Callable[[], float] = time.time
) -> dict[str, Any]:
    """`config` by kind, `health` of every pool. patterns: shell patterns of names. Raises SubsystemError.

    A pool that does not answer is left out of `config`, and its health says why: the others are told all the same.
    """
    reading = _Reading(zfs, now)
    found: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    taken: list[dict[str, Any]] = []
    for name, status in sorted(reading.pools.items()):
        with reading.of(name):
            reading.look(name, status)
            found[POOL.name] += _visible(POOL, reading.things(name), patterns)
            if not reading.answers(name):
                continue
            if DATASET.name in kinds:
                found[DATASET.name] += _visible(DATASET, reading.datasets(name), patterns)
            if SNAPSHOT in kinds:
                mine = policies(zfs, name)
                found[SNAPSHOT] += [
                    SNAPSHOTS.config(key, mine[key]) for key in sorted(mine) if _matches(str(key[0]), patterns)
                ]
                taken += [row for row in snapshots(zfs, name) if _matches(row["dataset"], patterns)]
    verdicts = [reading.health(name) for name in sorted(reading.pools)]
    verdicts += [not_imported(pool) for pool in reading.waiting()]
    return {
        "config": {kind: found[kind] for kind in KINDS if kind in kinds},
        "snapshots": taken,
        "health": verdicts,
        "warnings": reading.warnings,
    }


@dataclass
class _Reading:
    """What is read, pool by pool. unread: what could not be, and why, by pool."""

    zfs: CommandLine
    now: Callable[[], float]
    unread: dict[str, list[str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    _seen: dict[str, Thing] = field(default_factory=dict)
    _scrubs: dict[str, tuple[Optional[int], int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._backend = PoolBackend(self.zfs)
        self.pools = self._backend.reading.pools()

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """What of a pool does not answer in time ends the reading of this pool only."""
        try:
            yield
        except CommandTimedOut as problem:
            self.unread.setdefault(name, []).append(f"It does not answer: {problem.message}")

    def look(self, name: str, status: PoolStatus) -> None:
        """The pool itself. What is read of one that cannot be used would wait for ever."""
        if status.unread:
            self.unread[name] = [f"It does not answer: {status.unread}"]
            return
        options = frozenset(row.name for row in POOL.option_rows)
        self._seen[name] = self._backend.observe(POOL, {(name,)}, options)[(name,)]
        if status.state in ANSWERING:
            scanned = status.scan.function == "scrub" and status.scan.state in ("scanning", "paused", "finished")
            last = None if scanned else self._backend.reading.last_scrub(name)
            self._scrubs[name] = (last, self._backend.reading.created(name))
        else:
            self.unread[name] = [f"Its datasets and snapshots were not read, because it is {status.state}."]

    def answers(self, name: str) -> bool:
        return name not in self.unread

    def things(self, name: str) -> Mapping[Key, Thing]:
        return {(name,): self._seen[name]} if name in self._seen else {}

    def datasets(self, name: str) -> Mapping[Key, Thing]:
        names = {(one,) for one in self.zfs.below(name)}
        return DatasetBackend(self.zfs).observe(DATASET, names, frozenset(row.name for row in DATASET.option_rows))

    def health(self, name: str) -> dict[str, Any]:
        now = self.now()
        capacity = self._seen[name].facts.get("capacity") if name in self._seen else None
        # Of one that was not read it is not known, and not said, when it was scrubbed.
        last, created = self._scrubs.get(name, (None, int(now)))
        unread = self.unread.get(name, [])
        return health(self.pools[name], capacity=capacity, last_scrub=last, created=created, now=now, unread=unread)

    def waiting(self) -> Sequence[Waiting]:
        try:
            return self._backend.reading.waiting()
        except CommandTimedOut as problem:
            self.warnings.append(f"Which pools wait to be imported is not known: {problem.message}")
            return ()


def _visible(kind: Kind, things: Mapping[Key, Thing], patterns: Collection[str]) -> list[Any]:
    return [kind.visible(key, things[key].state) for key in sorted(things) if _matches(label(key), patterns)]


def _matches(name: str, patterns: Collection[str]) -> bool:
    return not patterns or any(fnmatchcase(name, str(pattern)) for pattern in patterns)


def snapshots(zfs: CommandLine, pool: str) -> list[dict[str, Any]]:
    """The snapshots of a pool: whose, taken when (seconds since the epoch), what each alone uses, how many hold it."""
    columns = "name,creation,used,referenced,guid,userrefs"
    rows: Sequence[str] = zfs.read(("zfs", "list", "-Hp", "-r", "-t", "snapshot", "-o", columns, pool)).splitlines()
    result = []
    for row in rows:
        name, creation, used, referenced, guid, holds = [*row.split("\t"), *[""] * 6][:6]
        result.append(
            {
                "name": name,
                "dataset": name.partition("@")[0],
                "creation": _number(creation),
                "used": _number(used),
                "referenced": _number(referenced),
                "guid": guid,
                "holds": _number(holds),
            }
        )
    return result


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
