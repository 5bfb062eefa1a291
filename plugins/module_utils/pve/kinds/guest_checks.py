# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What can be known to fail before a guest is written: nodes, storages, pools, templates. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import CREATE, UPDATE, Plan, Step
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import NodeOffline, NoQuorum
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest import GuestKind
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.volume import Volumes, storage_of

_NAMES = re.compile(r"[,; ]+")
# Storages whose volumes have no copy-on-write children.
_WITHOUT_CLONES = ("lvm", "iscsi", "iscsidirect")


@dataclass(frozen=True)
class Need:
    """A step needs `storage` to hold `content` on `node`; `option` is what the user wrote it in."""

    step: Step
    option: str
    node: str
    storage: str
    content: str


def storage_needs(kind: GuestKind, plan: Plan) -> list[Need]:
    """The storages that the plan's new volumes need."""
    needs: list[Need] = []
    for step in plan:
        if step.action not in (CREATE, UPDATE):
            continue
        cloning = step.action == CREATE and "clone" in step.inputs
        node = step.facts["node"]
        if not cloning:
            needs.extend(_device_needs(kind, step, node))
        storage = step.inputs.get("storage")
        content = "images" if kind.guest_type == "qemu" else "rootdir"
        if cloning and storage:
            needs.append(Need(step, "storage", node, storage, content))
        elif _unlisted_rootfs(kind, step):
            option = "storage" if storage else "storage (not given, so Proxmox VE's default)"
            needs.append(Need(step, option, node, storage or "local", content))
        template = step.inputs.get("ostemplate")
        if template:
            needs.append(Need(step, "ostemplate", node, storage_of(template) or "", "vztmpl"))
    return needs


def _unlisted_rootfs(kind: GuestKind, step: Step) -> bool:
    """Whether Proxmox VE makes the root file system without being told how."""
    made = step.action == CREATE and "clone" not in step.inputs
    return made and kind.guest_type == "lxc" and "rootfs" not in ((step.after or {}).get("disks") or {})


def _device_needs(kind: GuestKind, step: Step, node: str) -> Iterable[Need]:
    for family in kind.families:
        if not isinstance(family, Volumes):
            continue
        before = (step.before or {}).get(family.option) or {}
        for slot, device in ((step.after or {}).get(family.option) or {}).items():
            if slot in before and before[slot].get(family.volume) == device.get(family.volume):
                continue
            found = family.allocation(slot, device)
            if found is not None:
                yield Need(step, f"{family.option} {slot}", node, *found)


def nodes_of(plan: Plan) -> dict[str, Step]:
    """The nodes the plan writes to, with the first step there."""
    result: dict[str, Step] = {}
    for step in plan:
        for node in (step.facts.get("node"), step.inputs.get("clone_node")):
            if node:
                result.setdefault(str(node), step)
    return result


def check_cluster(kind: GuestKind, plan: Plan, status: Sequence[Mapping[str, Any]]) -> list[str]:
    """GET /cluster/status. Raises NoQuorum and NodeOffline; returns unknown nodes."""
    for entry in status:
        if entry.get("type") == "cluster" and not int(entry.get("quorate", 1)):
            raise NoQuorum(
                "The cluster has no quorum: guests can be read but not changed. Nothing was changed.",
                hint="Start the missing nodes, or see `pvecm status`.",
            )
    online = {str(entry["name"]): int(entry.get("online", 1)) for entry in status if entry.get("type") == "node"}
    problems = []
    for node, step in nodes_of(plan).items():
        if node not in online:
            known = ", ".join(sorted(online))
            problems.append(f"{kind.described(step.key)}: node: the cluster has no node {node}; it has {known}")
        elif not online[node]:
            raise NodeOffline(
                f"{kind.described(step.key)}: the node {node} is offline; nothing was changed.",
                node=node,
                hint=f"Start {node}, or choose another node for what is to be created.",
            )
    return problems


def check_storages(kind: GuestKind, needs: Sequence[Need], storages: Sequence[Mapping[str, Any]]) -> list[str]:
    """GET /storage: the storages exist, are enabled on the node and take the content."""
    by_name = {str(storage["storage"]): storage for storage in storages}
    problems = []
    for need in needs:
        where = f"{kind.described(need.step.key)}: {need.option}"
        storage = by_name.get(need.storage)
        if storage is None:
            known = ", ".join(sorted(by_name)) or "none that this user or token may see"
            text = f"{where}: there is no storage {need.storage or 'in that volume id'}; there is {known}"
            problems.append(Missing(text) if need.storage else text)
            continue
        nodes = [name for name in _NAMES.split(str(storage.get("nodes") or "")) if name]
        content = [name for name in _NAMES.split(str(storage.get("content") or "")) if name]
        if str(storage.get("disable", 0)) == "1":
            problems.append(f"{where}: the storage {need.storage} is disabled")
        elif nodes and need.node not in nodes:
            problems.append(
                f"{where}: the storage {need.storage} is not for node {need.node}, only for {', '.join(nodes)}"
            )
        elif need.content not in content:
            problems.append(
                f"{where}: the storage {need.storage} does not take {need.content} (its content is "
                f"{', '.join(sorted(content)) or 'none'}); add it with pve_storage or use another storage"
            )
    return list(dict.fromkeys(problems))


def linked(plan: Plan) -> list[Step]:
    return [step for step in plan if step.inputs.get("linked")]


def check_linked(kind: GuestKind, plan: Plan, storages: Sequence[Mapping[str, Any]]) -> list[str]:
    """GET /storage: the disks of templates that are to be cloned linked can be."""
    types = {str(storage["storage"]): str(storage.get("type")) for storage in storages}
    return [
        f"{kind.described(step.key)}: full: the disk {slot} of {step.inputs['clone']} is on {device['storage']} "
        f"({types[device['storage']]}), which has no linked clones; set full: true"
        for step in linked(plan)
        for family in kind.families
        if isinstance(family, Volumes)
        for slot, device in ((step.after or {}).get(family.option) or {}).items()
        if types.get(device.get("storage")) in _WITHOUT_CLONES
    ]


def moved(plan: Plan) -> list[Step]:
    """Clones that come to another node than their original's."""
    return [step for step in plan if step.inputs.get("clone_node") not in (None, step.facts.get("node"))]


def check_moved(kind: GuestKind, plan: Plan, storages: Sequence[Mapping[str, Any]]) -> list[str]:
    """GET /storage: what is cloned to another node is on storages that both reach."""
    local = {str(storage["storage"]) for storage in storages if str(storage.get("shared", 0)) != "1"}
    return [
        f"{kind.described(step.key)}: node: {step.inputs['clone']} is on {step.inputs['clone_node']} and has disks on "
        f"{', '.join(kept)}, which other nodes do not reach; clone it there (leave node out) and migrate the clone"
        for step in moved(plan)
        for kept in [[name for name in step.inputs.get("clone_storages", ()) if name in local]]
        if kept
    ]


def check_pools(kind: GuestKind, plan: Plan, pools: Sequence[Mapping[str, Any]]) -> list[str]:
    """GET /pools: PVE would answer 403 for a pool that does not exist."""
    known = {str(pool["poolid"]) for pool in pools}
    return [
        Missing(f"{kind.described(step.key)}: pool: there is no pool {step.inputs['pool']}; make it with pve_pool")
        for step in pooled(plan)
        if step.inputs["pool"] not in known
    ]


def pooled(plan: Plan) -> list[Step]:
    return [step for step in plan if step.action == CREATE and step.inputs.get("pool")]


def image_paths(plan: Plan) -> dict[str, list[Step]]:
    """The listings in which the plan's container templates must be, with the steps that need them."""
    result: dict[str, list[Step]] = {}
    for step in plan:
        template = step.inputs.get("ostemplate")
        storage = storage_of(template) if template else None
        if storage:
            path = f"/nodes/{step.facts['node']}/storage/{storage}/content?content=vztmpl"
            result.setdefault(path, []).append(step)
    return result


def check_images(kind: GuestKind, steps: Sequence[Step], listing: Sequence[Mapping[str, Any]]) -> list[str]:
    held = sorted(str(entry["volid"]) for entry in listing)
    return [
        f"{kind.described(step.key)}: ostemplate: {step.inputs['ostemplate']} is not there; "
        f"there is {', '.join(held) or 'no template on that storage'}"
        for step in steps
        if step.inputs["ostemplate"] not in held
    ]
