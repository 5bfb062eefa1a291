# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What zfs_info returns: the kinds asked for in `config`'s own form, the snapshots, and how the pools are."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Callable

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import Kind
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Thing, label
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.backend import DatasetBackend
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import CommandLine
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.dataset import DATASET
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.health import health, not_imported
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout_status import PoolStatus
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.pool import POOL
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.pool_backend import PoolBackend
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.pool_reading import PoolReading
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.snapshot import SNAPSHOTS
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.snapshot_backend import SnapshotBackend

SNAPSHOT = "snapshot"
KINDS = (POOL.name, DATASET.name, SNAPSHOT)


def gather(
    zfs: CommandLine, kinds: Collection[str], patterns: Collection[str], *, now: Callable[[], float] = time.time
) -> dict[str, Any]:
    """`config` by kind, `health` of every pool. patterns: shell patterns of names. Raises SubsystemError."""
    config: dict[str, Any] = {}
    backend = PoolBackend(zfs)
    reading = backend.reading
    pools = backend.observe(POOL, None, frozenset(row.name for row in POOL.option_rows))
    if POOL.name in kinds:
        config[POOL.name] = _visible(POOL, pools, patterns)
    if DATASET.name in kinds:
        datasets = DatasetBackend(zfs).observe(DATASET, None, frozenset(row.name for row in DATASET.option_rows))
        config[DATASET.name] = _visible(DATASET, datasets, patterns)
    taken: list[dict[str, Any]] = []
    if SNAPSHOT in kinds:
        policies = SnapshotBackend(zfs).observe(SNAPSHOTS, None, ())
        config[SNAPSHOT] = [
            SNAPSHOTS.config(key, policies[key].state) for key in sorted(policies) if _matches(str(key[0]), patterns)
        ]
        taken = [row for row in snapshots(zfs) if _matches(row["dataset"], patterns)]
    verdicts = [_health(reading, pools[key], now()) for key in sorted(pools)]
    verdicts += [not_imported(pool) for pool in reading.waiting()]
    return {"config": config, "snapshots": taken, "health": verdicts}


def _visible(kind: Kind, things: Mapping[Key, Thing], patterns: Collection[str]) -> list[Any]:
    return [kind.visible(key, things[key].state) for key in sorted(things) if _matches(label(key), patterns)]


def _matches(name: str, patterns: Collection[str]) -> bool:
    return not patterns or any(fnmatchcase(name, str(pattern)) for pattern in patterns)


def snapshots(zfs: CommandLine) -> list[dict[str, Any]]:
    """Every snapshot: whose it is, when it was taken (seconds since the epoch), what it alone uses, who holds it."""
    columns = "name,creation,used,referenced,guid,userrefs"
    rows: Sequence[str] = zfs.read(("zfs", "list", "-Hp", "-t", "snapshot", "-o", columns)).splitlines()
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


def _health(reading: PoolReading, thing: Thing, now: float) -> dict[str, Any]:
    pool: PoolStatus = thing.facts["status"]
    capacity = thing.facts.get("capacity")
    scanned = pool.scan.function == "scrub" and pool.scan.state in ("scanning", "paused", "finished")
    last = None if scanned else reading.last_scrub(pool.name)
    return health(pool, capacity=capacity, last_scrub=last, created=reading.created(pool.name), now=now)
