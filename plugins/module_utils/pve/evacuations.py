# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What pve_evacuation_info returns: reads the cluster, and asks for each node whether it can be emptied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import consent
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.pve import health
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import PveError
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.cluster import Cluster
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.evacuation import (
    WORDS,
    Votes,
    evacuation,
    leaving,
    promised,
    told,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.migration import MIGRATION, terms_of
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.migration_backend import (
    MigrationBackend,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.moving import Ground

GIB = 1024**3
_MEMBERS, _DEVICE = "/cluster/config/nodes", "/cluster/config/qdevice"


def gather(client: Client, params: Mapping[str, Any]) -> dict[str, Any]:
    """Raises SubsystemError."""
    allow = frozenset(params.get("allow") or ())
    consent.validate(allow, WORDS)
    reserved, default = _reserved(params.get("memory_reserved") or {}), params["memory_reserved_default"] * GIB
    if default < 0:
        raise InvalidInput("memory_reserved_default: it is less than nothing.", hint="Give GiB.")
    backend = MigrationBackend(client, {"timeout": 60, "max_workers": 1})
    cluster = backend.cluster()
    nodes = list(params.get("nodes") or sorted(cluster.nodes))
    for node in nodes:
        if node not in cluster.nodes:
            known = ", ".join(sorted(cluster.nodes)) or "none that the token sees"
            raise InvalidInput(f"nodes: {node} is no node of this cluster.", hint=f"It has {known}.")
    votes = _votes(client, cluster)
    # Nothing of this collection would move a guest there, and half of an evacuation is none.
    untested = tuple(backend.untested_release())
    found = []
    for node in nodes:
        going = [guest.vmid for guest in leaving(cluster, node)]
        order = MIGRATION.order(
            {
                "away_from": node,
                "vmid": going,
                "with_local_disks": params["with_local_disks"],
                "targetstorage": params.get("targetstorage"),
            }
        )
        ground = Ground(cluster)
        if going:
            situation = next(iter(backend.observe(MIGRATION, order).values())).facts["situation"]
            ground = situation.ground
        ground = replace(ground, cluster=promised(ground.cluster, reserved, default))
        one = evacuation(node, ground, terms_of(order), votes, allow, alone=len(cluster.nodes) == 1)
        found.append(told(replace(one, refused=(*untested, *one.refused)), cluster.nodes[node]))
    return {
        "evacuations": found,
        "nodes": [
            {"node": node.name, "online": node.online, "maintenance": node.maintenance, "memory": node.total}
            for _name, node in sorted(cluster.nodes.items())
        ],
        "guests": [
            {
                "vmid": vmid,
                "name": guest.name,
                "type": "vm" if guest.kind == "qemu" else "container",
                "node": guest.node,
                "running": guest.running,
                "ha": guest.ha,
            }
            for vmid, guest in sorted(cluster.guests.items())
        ],
        "health": _health(client),
    }


def _reserved(given: Mapping[str, Any]) -> dict[str, int]:
    result = {}
    for node, gib in given.items():
        try:
            result[str(node)] = int(float(gib) * GIB)
        except (TypeError, ValueError, OverflowError):
            raise InvalidInput(f"memory_reserved: {gib!r} of {node} is no number of GiB.", hint="Write 8.") from None
        if result[str(node)] < 0:
            raise InvalidInput(f"memory_reserved: {gib!r} of {node} is less than nothing.", hint="Write 8.")
    return result


def _votes(client: Client, cluster: Cluster) -> Votes:
    """PVE API: GET /cluster/config/nodes, /cluster/config/qdevice"""
    members, device = client.get_many([_MEMBERS, _DEVICE])
    if isinstance(members, PveError):
        raise members
    by_node = {str(row["node"]): int(row.get("quorum_votes") or 1) for row in members or ()}
    connected = isinstance(device, Mapping) and str(device.get("State") or "") == "Connected"
    return Votes(by_node or dict.fromkeys(cluster.nodes, 1), int(connected))


def _health(client: Client) -> Sequence[Mapping[str, Any]]:
    answers = dict(zip(health.PATHS, client.get_many(health.PATHS)))
    further = health.further_paths(answers)
    answers.update(zip(further, client.get_many(further)))
    return [asdict(finding) for finding in health.findings(answers)]
