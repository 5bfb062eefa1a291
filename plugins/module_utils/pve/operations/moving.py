# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Where a guest can be moved to, and what stands against it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import NodeOffline, PveError
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.cluster import (
    LXC,
    QEMU,
    Cluster,
    Guest,
    size_of,
)

ONLINE, OFFLINE, RESTART, BY_HA = "online", "offline", "restarted", "by HA"
_MOUNT = re.compile(r"^(?:rootfs|mp\d+)$")
_DEVICE = re.compile(r"^dev\d+$")
_SIZE = re.compile(r"(?:^|,)size=(\d+(?:\.\d+)?)([KMGT]?)")


@dataclass(frozen=True)
class Disk:
    """A volume that is on the guest's node only. cd: an image in its drive."""

    slot: str
    volid: str
    size: int = 0
    cd: bool = False

    @property
    def storage(self) -> str:
        return self.volid.partition(":")[0]


@dataclass(frozen=True)
class Preconditions:
    """What PVE says of moving one guest. bound: devices of its node.  frozen: mapped devices that keep it from moving
    while it runs.  refused: why it does not go to a node.  unknown: why nothing is known."""

    bound: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    disks: tuple[Disk, ...] = ()
    refused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unknown: str = ""


@dataclass(frozen=True)
class Room:
    """A storage on a node. left: bytes, None where that is not told."""

    content: tuple[str, ...]
    left: int | None = None


@dataclass(frozen=True)
class Terms:
    """How guests are to be moved: by the options of the module."""

    local_disks: bool = False
    mapping: Mapping[str, str] = field(default_factory=dict)
    everything_to: str = ""

    def goes_to(self, storage: str) -> str:
        return self.mapping.get(storage, self.everything_to or storage)


@dataclass(frozen=True)
class Move:
    """One guest's way. problems: why it cannot be begun."""

    guest: Guest
    target: str = ""
    how: str = OFFLINE
    problems: tuple[str, ...] = ()
    takes_disks: bool = False


@dataclass(frozen=True)
class Ground:
    """All that is known. rooms: by node and storage.  kept: by guest, the nodes that strict HA rules keep it to."""

    cluster: Cluster
    preconditions: Mapping[int, Preconditions] = field(default_factory=dict)
    rooms: Mapping[tuple[str, str], Room] = field(default_factory=dict)
    kept: Mapping[int, frozenset[str]] = field(default_factory=dict)


def of_vm(answer: Any, guest: Guest) -> Preconditions:
    """GET /nodes/{node}/qemu/{vmid}/migrate, or the error in its place."""
    unknown = not_told(answer, guest)
    if unknown:
        return Preconditions(unknown=unknown)
    mapped = answer.get("mapped-resource-info") or {}
    disks = tuple(
        Disk(
            slot=str(row.get("drivename") or "unused"),
            volid=str(row["volid"]),
            size=int(row.get("size") or 0),
            cd=bool(row.get("cdrom")) and not row.get("is_cloudinit"),
        )
        for row in answer.get("local_disks") or ()
        if not row.get("shared")
    )
    return Preconditions(
        bound=tuple(sorted(map(str, answer.get("local_resources") or ()))),
        frozen=tuple(sorted(name for name, row in mapped.items() if not row.get("live-migration"))),
        disks=tuple(sorted(disks, key=lambda disk: (disk.slot, disk.volid))),
        refused=_refused(answer.get("not_allowed_nodes") or {}),
    )


def of_container(answer: Any, config: Any, guest: Guest, shared: Iterable[str]) -> Preconditions:
    """GET /nodes/{node}/lxc/{vmid}/migrate, which says nothing of its volumes, and its configuration. `shared`: the
    storages that are."""
    unknown = not_told(answer, guest) or not_told(config, guest)
    if unknown:
        return Preconditions(unknown=unknown)
    everywhere, disks, bound = set(shared), [], []
    for slot, value in sorted(config.items()):
        text = str(value)
        volume = text.partition(",")[0].removeprefix("volume=") if _MOUNT.match(slot) else ""
        if volume.startswith("/") and not re.search(r"(?:^|,)shared=1(?:,|$)", text):
            bound.append(f"{slot} ({volume})")
        elif ":" in volume and volume.partition(":")[0] not in everywhere:
            disks.append(Disk(slot, volume, _size_in(text)))
        if _DEVICE.match(slot):
            bound.append(slot)
    return Preconditions(tuple(bound), disks=tuple(disks), refused=_refused(answer.get("not-allowed-nodes") or {}))


def not_told(answer: Any, guest: Guest) -> str:
    if isinstance(answer, NodeOffline):
        return f"its node {guest.node} is offline"
    return answer.message.rstrip(".") if isinstance(answer, PveError) else ""


def _size_in(value: str) -> int:
    found = _SIZE.search(value)
    return int(float(found[1]) * int(1024 ** "_KMGT".index(found[2] or "_"))) if found else 0


def _refused(nodes: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Why not, by node; an empty entry says nothing."""
    result = {}
    for node, row in nodes.items():
        why = [f"storage {name} is not there" for name in sorted(row.get("unavailable_storages") or ())]
        why += [f"resource {name} is not there" for name in sorted(row.get("unavailable-resources") or ())]
        apart = sorted(str(one.get("sid")) for one in row.get("blocking-ha-resources") or ())
        if apart:
            why.append(f"an HA rule keeps it apart from {', '.join(apart)}")
        if why:
            result[str(node)] = tuple(why)
    return result


def kept_to(rules: Sequence[Mapping[str, Any]] | None, guests: Iterable[Guest]) -> dict[int, frozenset[str]]:
    """The nodes that strict HA rules keep guests to. PVE API: GET /cluster/ha/rules"""
    result: dict[int, frozenset[str]] = {}
    for rule in rules or ():
        if rule.get("type") != "node-affinity" or not rule.get("strict") or rule.get("disable"):
            continue
        nodes = frozenset(name.partition(":")[0] for name in str(rule.get("nodes") or "").split(",") if name)
        sids = set(str(rule.get("resources") or "").split(","))
        for guest in guests:
            if guest.sid in sids:
                result[guest.vmid] = result.get(guest.vmid, nodes) & nodes
    return result


def manner(guest: Guest) -> str:
    if guest.ha:
        return BY_HA
    if not guest.running:
        return OFFLINE
    return ONLINE if guest.kind == QEMU else RESTART


def interrupts(guest: Guest) -> bool:
    """A container cannot be moved while it runs: it is stopped and started again."""
    return guest.running and guest.kind == LXC


def against(guest: Guest, ground: Ground, terms: Terms) -> list[str]:
    """What keeps a guest where it is, whatever the node."""
    known = ground.preconditions.get(guest.vmid, Preconditions())
    if known.unknown:
        return [known.unknown]
    found = []
    if guest.lock:
        found.append(f"it is locked ({guest.lock})")
    if known.bound:
        found.append(f"it uses what only its node has: {', '.join(known.bound)}")
    if known.frozen and guest.running:
        found.append(f"it runs with devices that cannot move with it: {', '.join(known.frozen)}")
    found += [
        f"{disk.slot} holds a CD image of its node ({disk.volid}): take it out" for disk in known.disks if disk.cd
    ]
    left = [f"{disk.slot} ({disk.volid})" for disk in known.disks if not disk.cd]
    if left and not terms.local_disks:
        found.append(f"its disks are on its node only: {', '.join(left)}; with_local_disks moves them along")
    if guest.ha and (terms.mapping or terms.everything_to):
        found.append("the HA manager moves it, which takes no targetstorage")
    return found


def needs(known: Preconditions, terms: Terms) -> dict[str, int]:
    """The bytes its local disks take, by the storage they go to."""
    found: dict[str, int] = {}
    for disk in known.disks if terms.local_disks else ():
        if not disk.cd:
            place = terms.goes_to(disk.storage)
            found[place] = found.get(place, 0) + disk.size
    return found


def against_node(guest: Guest, node: str, ground: Ground, terms: Terms) -> list[str]:
    """Why this node cannot take it."""
    state = ground.cluster.nodes.get(node)
    if state is None:
        return ["there is no such node"]
    if not state.online:
        return [f"{node} is offline"]
    if state.maintenance:
        return [f"{node} is in maintenance"]
    known = ground.preconditions.get(guest.vmid, Preconditions())
    kept = ground.kept.get(guest.vmid)
    found = list(known.refused.get(node, ()))
    if kept is not None and node not in kept:
        found.append(f"a strict HA rule keeps it to {', '.join(sorted(kept)) or 'no node at all'}")
    content = "images" if guest.kind == QEMU else "rootdir"
    for place, size in sorted(needs(known, terms).items()):
        found += _no_room(place, size, node, content, ground)
    return found


def _no_room(place: str, size: int, node: str, content: str, ground: Ground) -> list[str]:
    room = ground.rooms.get((node, place))
    if room is None:
        return [f"storage {place} is not active on {node}"]
    if content not in room.content:
        return [f"storage {place} does not hold {content}"]
    if room.left is not None and room.left < size:
        return [f"storage {place} has {size_of(max(0, room.left))} left on {node}, and its disks take {size_of(size)}"]
    return []


def assigned(
    guests: Sequence[Guest], ground: Ground, terms: Terms, *, target: str = "", away_from: str = ""
) -> tuple[Move, ...]:
    """Where each goes, in the order given. Away from a node: to the one with the most memory left. What was sent there
    before counts, for memory and for disks."""
    free = {name: node.memory for name, node in ground.cluster.nodes.items()}
    moves = []
    for guest in guests:
        known = ground.preconditions.get(guest.vmid, Preconditions())
        problems = against(guest, ground, terms)
        chosen = target
        if target:
            problems += against_node(guest, target, ground, terms)
        elif not problems:
            chosen, problems = _roomiest(guest, away_from, free, ground, terms)
        if not problems and chosen in free:
            free[chosen] -= guest.memory if guest.running else 0
            ground = _with_disks(ground, chosen, needs(known, terms))
        takes = any(not disk.cd for disk in known.disks)
        moves.append(Move(guest, chosen, manner(guest), tuple(problems), takes_disks=takes))
    return tuple(moves)


def _with_disks(ground: Ground, node: str, sizes: Mapping[str, int]) -> Ground:
    """The same with so much less room on a node's storages."""
    rooms = dict(ground.rooms)
    for place, size in sizes.items():
        room = rooms.get((node, place))
        if room is not None and room.left is not None:
            rooms[node, place] = replace(room, left=room.left - size)
    return replace(ground, rooms=rooms)


def _roomiest(
    guest: Guest, source: str, free: Mapping[str, int], ground: Ground, terms: Terms
) -> tuple[str, list[str]]:
    problems = []
    for node in sorted(free, key=lambda name: (-free[name], name)):
        if node == source:
            continue
        why = against_node(guest, node, ground, terms)
        if not why and guest.running and guest.memory > free[node]:
            why = [f"{node} has {size_of(max(0, free[node]))} of memory left, and it may use {size_of(guest.memory)}"]
        if not why:
            return node, []
        problems.append(f"not to {node}: {', '.join(why)}")
    return "", problems or ["there is no other node"]
