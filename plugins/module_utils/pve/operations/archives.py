# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Backups as the storages list them, and what a backup task's log says. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.cluster import LXC, QEMU, Cluster

# A clock that is a little ahead of ours has made nothing in the future.
SKEW = 300
_FILE = re.compile(r"(?:^|/)vzdump-(?P<kind>qemu|lxc)-(?P<vmid>\d+)-")
_SERVER = re.compile(r"^backup/(?P<kind>vm|ct)/(?P<vmid>\d+)/")
_MODE = re.compile(r"^INFO: backup mode: (?P<mode>\w+)")
_FINISHED = re.compile(r"^INFO: Finished Backup of VM \d+ \((?P<hours>\d+):(?P<minutes>\d+):(?P<seconds>\d+)\)")
_ERROR = "ERROR: "


@dataclass(frozen=True)
class Archive:
    """One backup. nodes: those that can read it, as far as they were asked.  time: seconds since 1970.
    broken: a verification of the Proxmox Backup Server failed."""

    volid: str
    vmid: int
    kind: str
    storage: str
    nodes: tuple[str, ...] = ()
    shared: bool = False
    time: int = 0
    size: int = 0
    broken: bool = False

    @property
    def described(self) -> str:
        return f"{self.volid} of {moment(self.time)}"


@dataclass(frozen=True)
class Report:
    """What a task's log says of one guest's backup. mode: the one that was used.  seconds: None where it made none."""

    mode: str = ""
    seconds: int | None = None


def moment(seconds: float) -> str:
    """A time in UTC, as people and programs read it."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def archives_of(
    storage: str, node: str, rows: Iterable[Mapping[str, Any]] | None, *, shared: bool = False
) -> list[Archive]:
    """The backups in GET /nodes/{node}/storage/{storage}/content; what is no guest's is left out."""
    found = []
    for row in rows or ():
        if row.get("content", "backup") != "backup":
            continue
        volid = str(row["volid"])
        named = _FILE.search(volid) or _SERVER.match(volid.partition(":")[2])
        if not named:
            continue
        found.append(
            Archive(
                volid=volid,
                vmid=int(row.get("vmid") or named["vmid"]),
                kind={"vm": QEMU, "ct": LXC}.get(named["kind"], named["kind"]),
                storage=storage,
                nodes=(node,),
                shared=shared,
                time=int(row.get("ctime") or 0),
                size=int(row.get("size") or 0),
                broken=(row.get("verification") or {}).get("state") == "failed",
            )
        )
    return found


def reachable(archives: Sequence[Archive], cluster: Cluster) -> tuple[Archive, ...]:
    """The same, newest first; one on a shared storage can be read by every node that is on and has the storage."""
    everywhere: dict[str, tuple[str, ...]] = {}
    for store in cluster.stores:
        if store.shared and store.node in cluster.online:
            everywhere[store.name] = (*everywhere.get(store.name, ()), store.node)
    spread = [replace(one, nodes=everywhere.get(one.storage, one.nodes)) if one.shared else one for one in archives]
    return tuple(sorted(spread, key=lambda one: (-one.time, one.volid)))


def newest(archives: Iterable[Archive], now: float) -> Archive | None:
    """The newest that is whole and not of the future."""
    usable = [one for one in archives if not one.broken and one.time <= now + SKEW]
    return max(usable, key=lambda one: one.time, default=None)


def is_newer(archive: Archive | None, now: float, limit: float | None) -> bool:
    """Whether there is one, and it is younger than so many seconds."""
    return archive is not None and limit is not None and now - archive.time < limit


def report_of(lines: Iterable[str]) -> Report:
    """How one guest's backup went, by its task's log."""
    mode, seconds = "", None
    for line in lines:
        told = _MODE.match(line)
        if told:
            mode = told["mode"]
        ended = _FINISHED.match(line)
        if ended:
            seconds = int(ended["hours"]) * 3600 + int(ended["minutes"]) * 60 + int(ended["seconds"])
    return Report(mode, seconds)


def errors_in(lines: Iterable[str]) -> list[str]:
    """The lines in which a backup's log says what went wrong, without the mark, each once."""
    return list(dict.fromkeys(line.strip()[len(_ERROR) :] for line in lines if line.strip().startswith(_ERROR)))
