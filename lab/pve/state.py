# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a freshly started lab holds: nodes, storages, bridges, a container template; no guests."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

GIB = 1024**3
TEMPLATE = "vztmpl/debian-12-standard_12.7-1_amd64.tar.zst"


@dataclass(frozen=True)
class NodeSpec:
    """A node's name and hardware.

    `nics`: its network cards, the first of which is in vmbr0; `physical`: they are hardware, which the API says with
    `exists` and lists without a stanza too (the recorded cluster's were virtual); `interfaces`: the text of its
    /etc/network/interfaces in place of the usual one.
    """

    name: str
    cpus: int = 16
    memory_bytes: int = 64 * GIB
    disk_bytes: int = 100 * GIB
    nics: tuple[str, ...] = ("eno1", "eno2", "eno3", "eno4")
    physical: bool = True
    interfaces: str | None = None


def node_specs(nodes: int | list[str] | list[NodeSpec]) -> list[NodeSpec]:
    """Nodes given as a number (pve1, pve2, …), as names, with hardware as in 'pve4:8:32' (cores, GiB of memory), or as
    specifications."""
    if isinstance(nodes, int):
        return [NodeSpec(f"pve{n}") for n in range(1, nodes + 1)]
    return [n if isinstance(n, NodeSpec) else named(n) for n in nodes]


def named(text: str) -> NodeSpec:
    """'pve4' or 'pve4:8:32'."""
    name, *hardware = text.split(":")
    if not hardware:
        return NodeSpec(name)
    cores, gibibytes = map(int, hardware)
    return NodeSpec(name, cpus=cores, memory_bytes=gibibytes * GIB)


def fingerprint(name: str) -> str:
    """A certificate fingerprint that is the node's own in every run."""
    digest = hashlib.sha256(name.encode()).hexdigest().upper()
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))


def storages() -> dict[str, dict[str, Any]]:
    """storage.cfg of a fresh lab; 'files', 'active', 'volumes', 'total' are the lab's own bookkeeping."""

    def store(**options: Any) -> dict[str, Any]:
        return {**options, "active": 1, "files": set(), "volumes": {}}

    local = store(type="dir", path="/var/lib/vz", content="iso,vztmpl,backup,snippets,import", total=2048 * GIB)
    local["volumes"][TEMPLATE] = {"content": "vztmpl", "format": "tzst", "size": 126 * 1024**2, "ctime": 1767225600}
    return {
        "local": local,
        "local-lvm": store(type="lvmthin", vgname="pve", thinpool="data", content="images,rootdir", total=4096 * GIB),
        "shared": store(type="lvm", vgname="shared", content="images,rootdir", shared=1, total=65536 * GIB),
    }
