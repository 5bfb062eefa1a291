# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The nodes' own storage in words, as the inventory describes it: pools, the volume that all see, the tape library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# What stands between a pool and the loss of its data, by the type of its vdevs.
_REDUNDANT = ("mirror", "raidz", "draid")


def storage_lines(hosts: Iterable[Mapping[str, Any]]) -> list[str]:
    """hosts: the variables of the nodes, of which those of the roles backup_pool, shared_storage and tape_export are
    read; empty where the inventory says nothing of them."""
    nodes = sorted((host for host in hosts if host.get("pve_type") == "node"), key=lambda host: str(host["pve_node"]))
    pools: dict[str, list[str]] = {}
    volumes: dict[str, list[str]] = {}
    libraries = []
    for node in nodes:
        name = str(node["pve_node"])
        if node.get("backup_pool_layout"):
            pools.setdefault(_pool(node), []).append(name)
        if node.get("shared_storage_targets"):
            volumes.setdefault(_volume(node), []).append(name)
        libraries += [f"on {name}: {_export(target)}" for target in node.get("tape_export_targets") or ()]
    return [
        *(f"on {', '.join(names)}: {text}" for text, names in pools.items()),
        *(f"on {', '.join(names)}: {text}" for text, names in volumes.items()),
        *libraries,
    ]


def _pool(node: Mapping[str, Any]) -> str:
    rows = [row for row in node["backup_pool_layout"] if row.get("class", "normal") == "normal"]
    shape = " and ".join(_vdev(row) for row in rows)
    helpers = sorted(
        {str(row["class"]) for row in node["backup_pool_layout"] if row.get("class", "normal") != "normal"}
    )
    beside = f", with {', '.join(helpers)}" if helpers else ""
    repairs = all(str(row.get("type")).startswith(_REDUNDANT) for row in rows)
    able = "what is damaged is repaired" if repairs else "damage is found and cannot be repaired by ZFS"
    return f"pool {node.get('backup_pool_name')}, {shape}{beside}; {able}"


def _vdev(row: Mapping[str, Any]) -> str:
    count = len(row.get("disks") or ())
    disks = "1 disk" if count == 1 else f"{count} disks"
    return disks if row.get("type") == "disk" else f"{row.get('type')} of {disks}"


def _volume(node: Mapping[str, Any]) -> str:
    targets: Sequence[Mapping[str, Any]] = node["shared_storage_targets"]
    paths = sum(len(target.get("portals") or ()) for target in targets)
    return f"volume group {node.get('shared_storage_volume_group') or '-'} over {paths} iSCSI {_plural(paths, 'path')}"


def _export(target: Mapping[str, Any]) -> str:
    groups = target.get("groups") or ()
    devices = {str(lun.get("device")) for group in groups for lun in group.get("luns") or ()}
    clients = [str(one) for group in groups for one in group.get("initiators") or ()]
    return (
        f"{len(devices)} {_plural(len(devices), 'device')} of the tape library, exported as {target.get('target')} "
        f"to {', '.join(clients) or 'nobody'}"
    )


def _plural(number: int, one: str) -> str:
    return one if number == 1 else f"{one}s"
