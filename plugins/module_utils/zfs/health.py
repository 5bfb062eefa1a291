# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Whether a pool is well: a verdict with its reasons, from what `zpool status` and its properties say. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout import (
    DATA,
    NORMAL,
    SPARE,
    Row,
    unstable,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout_plan import (
    redundancy,
    sickness,
    survives,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout_status import PoolStatus, row_of
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.pool_import import Waiting

OK, WARNING, CRITICAL = VERDICTS = ("ok", "warning", "critical")
# Percent. Above the first ZFS gets slow, above the second little is left to free space with.
FILLING, FULL = 80, 95
# Debian scrubs once a month; a few days of grace.
SCRUB_SECONDS = 35 * 86400
DAY = 86400
_THERE = ("ONLINE", "DEGRADED", "AVAIL", "INUSE")
UNSTABLE = (
    "Disk {} has no name below /dev/disk/by-id and may be called otherwise after the next boot, so zfs_pool does not "
    "take it in layout. Give it a serial number, or a partition with a name of its own."
)
NO_REDUNDANCY = (
    "No redundancy in ZFS: its checksums detect damage and cannot repair it. Whatever is below (a hardware RAID) must "
    "survive a failing disk, and backups a failing volume."
)


def health(
    pool: PoolStatus,
    *,
    capacity: Optional[int],
    last_scrub: Optional[int],
    created: int,
    now: float,
    unread: Sequence[str] = (),
) -> dict[str, Any]:
    """The verdict of a pool. capacity in percent; last_scrub, created and now in seconds since the epoch. unread: what
    could not be read of it, and why.

    What only should be known (a pool without redundancy by design) is among the reasons and leaves the verdict `ok`.
    """
    found: list[tuple[str, str]] = []
    left = redundancy(pool)
    _state(pool, found)
    found.extend((CRITICAL, text) for text in unread)
    found.extend((WARNING, f"{text[0].upper()}{text[1:]}.") for text in sickness(pool))
    _redundancy(pool, found)
    found.extend((WARNING, UNSTABLE.format(disk)) for disk in _unstable(pool))
    for vdev in (*pool.leaves,):
        if any(vdev.errors):
            read, write, checksum = vdev.errors
            found.append((WARNING, f"Disk {vdev.disk} has errors: {read} read, {write} write, {checksum} checksum."))
    if any(pool.errors) and not any(any(leaf.errors) for leaf in pool.leaves):
        read, write, checksum = pool.errors
        found.append((WARNING, f"It has errors: {read} read, {write} write, {checksum} checksum."))
    if pool.data_errors:
        found.append((CRITICAL, f"{pool.data_errors} data errors: files are damaged; zpool status -v names them."))
    if pool.errors_hidden:
        found.append((WARNING, f"Whether its data has errors cannot be told: {pool.errors_hidden}."))
    _capacity(capacity, found)
    age = _scrub(pool, last_scrub, created, now, found)
    spares = [
        {"disk": vdev.disk, "state": {"AVAIL": "available", "INUSE": "in use"}.get(vdev.state, vdev.state)}
        for vdev in pool.of_class(SPARE)
    ]
    read, write, checksum = _total(pool)
    return {
        "pool": pool.name,
        "state": pool.state,
        "verdict": max((verdict for verdict, _text in found), key=VERDICTS.index, default=OK),
        "reasons": list(dict.fromkeys(text for _verdict, text in found)),
        "errors": {"read": read, "write": write, "checksum": checksum, "data": pool.data_errors},
        "scan": {
            "function": pool.scan.function,
            "state": pool.scan.state,
            "errors": pool.scan.errors,
            "resilvering": pool.scan.resilvering,
        },
        "scrub_age": age,
        "capacity": capacity,
        "spares": spares,
        "redundancy": left,
    }


def not_imported(pool: Waiting) -> dict[str, Any]:
    """The verdict of a pool that is not imported (pool_import.Waiting)."""
    # Pools of several hosts may have one name: only the number says which of them it is.
    reasons = [f"It is on the disks of this host and not imported (its number is {pool.guid}): {pool.described}"]
    if pool.foreign:
        reasons.append(f"It was last used by another host{f' ({pool.last_host})' if pool.last_host else ''}.")
    return {
        "pool": pool.name,
        "state": pool.state,
        "verdict": CRITICAL if not pool.usable else WARNING,
        "reasons": reasons,
        "errors": {"read": 0, "write": 0, "checksum": 0, "data": 0},
        "scan": {"function": "", "state": "", "errors": 0, "resilvering": False},
        "scrub_age": None,
        "capacity": None,
        "spares": [],
        "redundancy": 0,
    }


def _redundancy(pool: PoolStatus, found: list[tuple[str, str]]) -> None:
    """What of a pool has no redundancy, or none left: each vdev by itself, as the loss of one is the loss of all."""
    rows = [(row_of(vdev, which), survives(vdev, which)) for which in DATA for vdev in pool.of_class(which)]
    if not rows:
        found.append((CRITICAL, "Its vdevs could not be read."))
    elif not any(row.tolerates for row, _left in rows):
        found.append((OK, NO_REDUNDANCY))
    else:
        for row, _left in rows:
            if not row.tolerates:
                found.append((WARNING, f"The {_called(row)} has no redundancy: if it fails, the whole pool is lost."))
    used_up = [row for row, left in rows if row.tolerates and left <= 0]
    for row in used_up:
        where = f" in the {_called(row)}" if len(rows) > 1 else ""
        found.append((CRITICAL, f"No further disk may fail{where}: what redundancy there was is used up."))


def _called(row: Row) -> str:
    return row.described if row.vdev_class != NORMAL or len(row.disks) > 1 else f"disk {row.disks[0]}"


def _unstable(pool: PoolStatus) -> list[str]:
    """Disks that go by the kernel's names, because they have no others."""
    # The name of one that is missing was not looked up: another disk may have it now.
    names = [leaf.disk for leaf in pool.leaves if leaf.state in _THERE]
    return sorted({name for name in names if not name.isdigit() and unstable(name)})


def _state(pool: PoolStatus, found: list[tuple[str, str]]) -> None:
    if pool.state == "ONLINE":
        if pool.status and "feature" not in pool.status:
            found.append((WARNING, pool.status))
        return
    verdict = WARNING if pool.state == "DEGRADED" else CRITICAL
    found.append((verdict, " ".join(part for part in (f"The pool is {pool.state}.", pool.status, pool.action) if part)))


def _capacity(capacity: Optional[int], found: list[tuple[str, str]]) -> None:
    if capacity is None:
        return
    if capacity >= FULL:
        found.append((CRITICAL, f"It is full to {capacity} percent: writing fails soon. Free space or add vdevs."))
    elif capacity >= FILLING:
        found.append((WARNING, f"It is full to {capacity} percent; above {FILLING} percent ZFS gets slow."))


def _scrub(
    pool: PoolStatus, last_scrub: Optional[int], created: int, now: float, found: list[tuple[str, str]]
) -> Optional[int]:
    """Seconds since the last scrub ended (0 while one runs), None where there never was one."""
    scan = pool.scan
    if scan.errors:
        found.append((WARNING, f"The last {scan.function} met {scan.errors} errors."))
    if scan.function == "scrub" and scan.state in ("scanning", "paused"):
        since = max(0, int(now - scan.start)) if scan.start else 0
        if since > SCRUB_SECONDS:
            found.append((WARNING, f"A scrub was begun {since // DAY} days ago and is not over ({scan.state})."))
        return since if scan.state == "paused" else 0
    ended = scan.end if scan.function == "scrub" and scan.state == "finished" else last_scrub
    if ended is None:
        if now - created > SCRUB_SECONDS:
            found.append((WARNING, "It was never scrubbed: damage to what nobody reads stays undetected."))
        return None
    age = max(0, int(now - ended))
    if age > SCRUB_SECONDS:
        found.append((WARNING, f"The last scrub was {age // DAY} days ago; once a month is usual."))
    return age


def _total(pool: PoolStatus) -> tuple[int, int, int]:
    """Of all vdevs: the counters of the root do not count everything that its disks met."""
    leaves = [leaf.errors for leaf in pool.leaves] or [(0, 0, 0)]
    sums = [sum(column) for column in zip(*leaves)]
    return (
        max(sums[0], pool.errors[0]),
        max(sums[1], pool.errors[1]),
        max(sums[2], pool.errors[2]),
    )
