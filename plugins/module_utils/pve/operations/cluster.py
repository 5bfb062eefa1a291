# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What GET /cluster/resources tells of a cluster, in types. Figures and states in it are some seconds old. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.precheck import UNSEEN

RESOURCES = "/cluster/resources"
QEMU, LXC = "qemu", "lxc"
RUNNING = "running"
# What the HA manager says of a guest that it leaves alone.
_NOT_MANAGED = ("", "unmanaged", "ignored")
_MAINTENANCE = "maintenance"


@dataclass(frozen=True)
class Node:
    """memory: bytes that nothing uses; 0 where that is not told.  total: all that it has."""

    name: str
    online: bool = True
    maintenance: bool = False
    memory: int = 0
    total: int = 0


@dataclass(frozen=True)
class Guest:
    """memory: the most it may use, in bytes.  ha: the HA manager looks after it."""

    vmid: int
    kind: str = QEMU
    node: str = ""
    name: str = ""
    status: str = ""
    template: bool = False
    lock: str = ""
    pool: str = ""
    tags: tuple[str, ...] = ()
    memory: int = 0
    ha: bool = False

    @property
    def running(self) -> bool:
        return self.status == RUNNING

    @property
    def path(self) -> str:
        return f"/nodes/{self.node}/{self.kind}/{self.vmid}"

    @property
    def sid(self) -> str:
        """The name that the HA manager has for it."""
        return f"{'vm' if self.kind == QEMU else 'ct'}:{self.vmid}"

    @property
    def described(self) -> str:
        return f"guest {self.vmid} ({self.name or 'without a name'})"


@dataclass(frozen=True)
class Store:
    """A storage as one node has it."""

    name: str
    node: str
    content: tuple[str, ...] = ()
    shared: bool = False


@dataclass(frozen=True)
class Cluster:
    nodes: Mapping[str, Node] = field(default_factory=dict)
    guests: Mapping[int, Guest] = field(default_factory=dict)
    stores: tuple[Store, ...] = ()

    @property
    def online(self) -> tuple[str, ...]:
        return tuple(sorted(name for name, node in self.nodes.items() if node.online))

    @property
    def offline(self) -> tuple[str, ...]:
        return tuple(sorted(name for name, node in self.nodes.items() if not node.online))


def cluster_of(rows: Sequence[Mapping[str, Any]] | None) -> Cluster:
    """GET /cluster/resources as types."""
    nodes, guests, stores = {}, {}, []
    for row in rows or ():
        if row.get("type") == "node":
            nodes[str(row["node"])] = _node(row)
        elif row.get("type") in (QEMU, LXC):
            guests[int(row["vmid"])] = guest_of(row)
        elif row.get("type") == "storage":
            content = tuple(sorted(filter(None, str(row.get("content") or "").split(","))))
            stores.append(Store(str(row["storage"]), str(row["node"]), content, bool(row.get("shared"))))
    return Cluster(nodes, guests, tuple(sorted(stores, key=lambda store: (store.name, store.node))))


def _node(row: Mapping[str, Any]) -> Node:
    return Node(
        name=str(row["node"]),
        online=row.get("status") == "online",
        maintenance=str(row.get("hastate") or "") == _MAINTENANCE,
        memory=max(0, int(row.get("maxmem") or 0) - int(row.get("mem") or 0)),
        total=int(row.get("maxmem") or 0),
    )


def guest_of(row: Mapping[str, Any]) -> Guest:
    return Guest(
        vmid=int(row["vmid"]),
        kind=str(row["type"]),
        node=str(row["node"]),
        name=str(row.get("name") or ""),
        status=str(row.get("status") or ""),
        template=bool(row.get("template")),
        lock=str(row.get("lock") or ""),
        pool=str(row.get("pool") or ""),
        tags=tuple(filter(None, re.split(r"[;,\s]+", str(row.get("tags") or "")))),
        memory=int(row.get("maxmem") or 0),
        ha=str(row.get("hastate") or "") not in _NOT_MANAGED,
    )


def unseen(vmid: int) -> str:
    return f"guest {vmid} {UNSEEN}"


def size_of(number: float) -> str:
    """Bytes for people."""
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if number >= 1024**power:
            return f"{number / 1024**power:.1f} {unit}"
    return f"{number:.0f} bytes"
