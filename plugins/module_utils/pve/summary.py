# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A cluster in words for the people who depend on it. Pure: from what pve_info and the inventory tell."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.pve.summary_storage import storage_lines

GIB = 1024**3
DEFAULT_MEMORY_MIB = 512
# Kept for Proxmox VE where the inventory does not say how much (memory_reserved).
DEFAULT_RESERVED_GB = 4
LABEL_WIDTH, LINE_WIDTH = 17, 120
_KEPT = ("last", "hourly", "daily", "weekly", "monthly", "yearly")


@dataclass(frozen=True)
class Guest:
    """memory: GB."""

    vmid: int
    name: str
    memory: float
    container: bool
    unsaved_disks: tuple[str, ...]
    storages: tuple[str, ...]


@dataclass(frozen=True)
class Node:
    """memory, reserved: GB.  guests: the vmids of those that are on it."""

    name: str
    status: str
    cores: int
    memory: float
    reserved: float
    model: str
    guests: tuple[int, ...]

    @property
    def room(self) -> float:
        return max(self.memory - self.reserved, 0)


def cluster_summary(
    config: Mapping[str, Any],
    health: Sequence[Mapping[str, Any]],
    hosts: Iterable[Mapping[str, Any]],
    title: str,
) -> list[str]:
    """Lines of text. config, health: as pve_info returns them.  hosts: the variables of the cluster's nodes and guests
    as the inventory plugin sets them, with memory_reserved (GB), hardware_model and what the roles of storage take,
    where they are known; may be empty.
    """
    machines = list(hosts)
    guests = {guest.vmid: guest for guest in _guests(config)}
    nodes = [_node(host, machines, guests) for host in machines if host.get("pve_type") == "node"]
    nodes.sort(key=lambda node: node.name)
    running = sum(1 for host in machines if host.get("pve_status") == "running" and host.get("pve_vmid") in guests)
    managed = [guests[vmid] for vmid in sorted(_managed(config)) if vmid in guests]
    lines = [title, "=" * len(title)]
    lines += _section("Nodes", [_node_line(node, guests) for node in nodes])
    lines += _section("Guests", _guest_lines(config, guests, running if machines else None))
    lines += _section("If a node is lost", _loss_lines(config, guests, nodes, managed))
    lines += _section("Backups", _backup_lines(config, guests))
    lines += _section("Storages", [_storage_line(row) for row in config.get("storage") or ()])
    lines += _section("Nodes' storage", storage_lines(machines))
    lines += _section("Health", [str(row.get("message")) for row in health] or ["Nothing is wrong."])
    return lines


def _section(label: str, entries: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for entry in entries:
        lines += textwrap.wrap(entry, LINE_WIDTH - LABEL_WIDTH - 4, subsequent_indent="  ", drop_whitespace=True)
    labels = [label] + [""] * len(lines)
    return [f"  {label:<{LABEL_WIDTH}}  {line}" for label, line in zip(labels, lines)]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows with aligned columns; the last one is as wide as it is."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)] if rows else []
    return ["  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths)), row[-1]]).rstrip() for row in rows]


def _names(guests: Iterable[Guest]) -> str:
    return ", ".join(guest.name for guest in guests)


def _gb(amount: float) -> str:
    return f"{amount:.0f} GB"


def _count(number: int, one: str, more: str = "") -> str:
    return f"{number} {one if number == 1 else more or one + 's'}"


# -- what there is ----------------------------------------------------------------------------------------------------


def _guests(config: Mapping[str, Any]) -> Iterable[Guest]:
    """Templates are not among them: they never run."""
    for kind, named_by in (("vm", "name"), ("container", "hostname")):
        for row in config.get(kind) or ():
            if row.get("template"):
                continue
            yield Guest(
                vmid=int(row["vmid"]),
                name=str(row.get(named_by) or f"guest {row['vmid']}"),
                memory=int(row.get("memory") or DEFAULT_MEMORY_MIB) / 1024,
                container=kind == "container",
                unsaved_disks=tuple(_unsaved(row.get("disks") or (), container=kind == "container")),
                storages=tuple(_storages(row.get("disks") or ())),
            )


def _unsaved(disks: Iterable[Mapping[str, Any]], *, container: bool) -> Iterable[str]:
    """Disks that backups leave out: of a VM those that say so, of a container the mount points that do not ask."""
    for disk in disks:
        slot = str(disk["slot"])
        if slot == "rootfs" or slot.startswith("unused") or disk.get("media", "disk") != "disk":
            continue
        if not disk.get("backup", not container):
            yield slot


def _storages(disks: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """Where what a guest cannot start without is."""
    for disk in disks:
        in_use = not str(disk["slot"]).startswith("unused") and disk.get("media", "disk") == "disk"
        if in_use and disk.get("storage"):
            yield str(disk["storage"])


def _node(host: Mapping[str, Any], machines: Iterable[Mapping[str, Any]], guests: Mapping[int, Guest]) -> Node:
    name = str(host.get("pve_node"))
    here = [
        int(machine["pve_vmid"])
        for machine in machines
        if machine.get("pve_node") == name and machine.get("pve_type") != "node" and machine.get("pve_vmid") in guests
    ]
    return Node(
        name=name,
        status=str(host.get("pve_status") or "unknown"),
        cores=int(host.get("pve_maxcpu") or 0),
        memory=int(host.get("pve_maxmem") or 0) / GIB,
        reserved=float(host.get("memory_reserved", DEFAULT_RESERVED_GB)),
        model=str(host.get("hardware_model") or ""),
        guests=tuple(sorted(here)),
    )


def _managed(config: Mapping[str, Any]) -> list[int]:
    """The guests that the HA manager keeps running."""
    return [
        int(str(row["sid"]).rpartition(":")[2])
        for row in config.get("ha_resource") or ()
        if row.get("state") in (None, "started", "enabled")
    ]


# -- what to say about it ---------------------------------------------------------------------------------------------


def _node_line(node: Node, guests: Mapping[int, Guest]) -> str:
    here = [guests[vmid] for vmid in node.guests]
    load = f"{_names(here)} ({_gb(sum(guest.memory for guest in here))})" if here else "no guests"
    model = f", {node.model}" if node.model else ""
    return f"{node.name} ({node.status}, {_count(node.cores, 'core')}, {_gb(node.memory)}{model}): {load}"


def _guest_lines(config: Mapping[str, Any], guests: Mapping[int, Guest], running: int | None) -> list[str]:
    containers = sum(1 for guest in guests.values() if guest.container)
    state = "" if running is None else f"; {running} of them running"
    memory = _gb(sum(guest.memory for guest in guests.values()))
    kinds = f"{_count(len(guests) - containers, 'virtual machine')} and {_count(containers, 'container')}"
    lines = [f"{len(guests)}: {kinds}, {memory} of memory{state}"]
    rows = []
    for pool in config.get("pool") or ():
        members = [guests[vmid] for vmid in map(int, pool.get("vms") or ()) if vmid in guests]
        rows.append((str(pool["poolid"]), _names(members) or "empty"))
    return lines + _table(rows)


def _loss_lines(
    config: Mapping[str, Any], guests: Mapping[int, Guest], nodes: Sequence[Node], managed: Sequence[Guest]
) -> list[str]:
    if not managed:
        return ["its guests stay down: none is under high availability"]
    local = {str(row["storage"]) for row in config.get("storage") or () if not row.get("shared")}
    survivors = [guest for guest in managed if local.isdisjoint(guest.storages)]
    verb = "survives" if len(survivors) == 1 else "survive"
    lines = [f"{_count(len(survivors), 'guest')} of {len(guests)} {verb} it: {_names(survivors) or 'none'}"]
    for guest in managed:
        kept = sorted(local & set(guest.storages))
        if kept:
            lines.append(
                f"{guest.name}: UNDER HIGH AVAILABILITY IN VAIN: its disks are on {', '.join(kept)}, which other nodes "
                "do not reach, unless it is replicated"
            )
    for rule in config.get("ha_rule") or ():
        if rule.get("disable"):
            continue
        vmids = [int(str(sid).rpartition(":")[2]) for sid in rule.get("resources") or ()]
        members = " and ".join(guests[vmid].name if vmid in guests else f"guest {vmid}" for vmid in vmids)
        lines.append(f"{members}: {_rule(rule)}")
    if len(nodes) > 1:
        lines.append(_fit(guests, nodes, survivors))
    return lines


def _rule(rule: Mapping[str, Any]) -> str:
    if rule.get("type") == "node-affinity":
        word = "only" if rule.get("strict") else "preferably"
        return f"{word} on {', '.join(map(str, rule.get('nodes') or ()))}"
    return "never on the same node" if rule.get("affinity") == "negative" else "always on the same node"


def _fit(guests: Mapping[int, Guest], nodes: Sequence[Node], survivors: Sequence[Guest]) -> str:
    """The sums only: that each guest also finds a node where it fits is not promised."""
    worst = max(nodes, key=lambda node: (node.room, node.name))
    left = sum(node.room for node in nodes) - worst.room
    must = sum(guest.memory for guest in survivors)
    everything = sum(guest.memory for guest in guests.values())
    if everything <= left:
        verdict = "all of them fit"
    elif must <= left:
        verdict = "the survivors fit, the others only in part"
    else:
        verdict = "THE SURVIVORS DO NOT FIT"
    return (
        f"without {worst.name}, {_gb(left)} of memory are left: the survivors need {_gb(must)}, "
        f"all guests {_gb(everything)}; {verdict}"
    )


def _backup_lines(config: Mapping[str, Any], guests: Mapping[int, Guest]) -> list[str]:
    rows, saved = [], set()
    pools = {row["poolid"]: row.get("vms") or () for row in config.get("pool") or ()}
    for job in config.get("backup_job") or ():
        off = job.get("enabled") is False
        chosen = _chosen(job, pools, guests)
        saved |= set() if off else chosen
        rows.append(
            (
                _selection(job),
                "switched off" if off else str(job.get("schedule") or ""),
                f"to {job.get('storage') or 'the default storage'}, keeps {_kept(job.get('prune_backups'))}",
            )
        )
    missing = [guest for vmid, guest in guests.items() if vmid not in saved]
    lines = _table(rows)
    lines.append(f"guests in no backup: {_names(missing) or 'none'}")
    disks = [f"{guest.name} {slot}" for guest in guests.values() if guest.vmid in saved for slot in guest.unsaved_disks]
    if disks:
        lines.append(f"disks left out on purpose: {', '.join(disks)}")
    return lines


def _chosen(job: Mapping[str, Any], pools: Mapping[str, Any], guests: Mapping[int, Guest]) -> set[int]:
    chosen: Iterable[Any] = guests if job.get("all") else job.get("vmid") or ()
    if job.get("pool"):
        chosen = pools.get(job["pool"], ())
    return {int(vmid) for vmid in chosen} - {int(vmid) for vmid in job.get("exclude") or ()}


def _selection(job: Mapping[str, Any]) -> str:
    if job.get("pool"):
        return str(job["pool"])
    return "all guests" if job.get("all") else ", ".join(map(str, job.get("vmid") or ()))


def _kept(rules: Any) -> str:
    if not isinstance(rules, Mapping) or not rules:
        return "what the storage says"
    if rules.get("keep-all"):
        return "everything"
    return ", ".join(f"{rules[f'keep-{span}']} {span}" for span in _KEPT if rules.get(f"keep-{span}"))


def _storage_line(row: Mapping[str, Any]) -> str:
    place = row.get("path") or row.get("vgname") or row.get("pool") or row.get("server") or row.get("datastore") or ""
    shared = "shared" if row.get("shared") else "each node its own"
    mounted = ", only while it is mounted" if row.get("is_mountpoint") else ""
    off = ", switched off" if row.get("disable") else ""
    content = ", ".join(map(str, row.get("content") or ()))
    return f"{row['storage']} ({row['type']} {place}, {shared}{mounted}{off}): {content}"
