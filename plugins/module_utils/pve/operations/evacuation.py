# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Whether a node can be emptied: where each guest that runs there would go, what keeps one back, and whether there is
room, also when another node is lost meanwhile. Pure.

Memory is counted as promised, not as used: a guest may want all it was given the moment after it has moved.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import consent
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.cluster import (
    Cluster,
    Guest,
    Node,
    size_of,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.moving import (
    Ground,
    Move,
    Terms,
    assigned,
    interrupts,
)

RESTART_GUEST, STOP_GUEST = "restart_guest", "stop_guest"
WORDS = (RESTART_GUEST, STOP_GUEST)
STOPPED = "shut down"


@dataclass(frozen=True)
class Votes:
    """What the quorum is counted from. A QDevice is one."""

    by_node: Mapping[str, int] = field(default_factory=dict)
    device: int = 0

    def quorate_without(self, nodes: Collection[str]) -> bool:
        every = sum(self.by_node.values()) + self.device
        left = self.device + sum(votes for name, votes in self.by_node.items() if name not in nodes)
        return 2 * left > every


@dataclass(frozen=True)
class Way:
    """What becomes of one guest. how: as a Move has it, or STOPPED.  word: consent that it takes, given or not.
    problems: why it stays."""

    guest: Guest
    how: str
    target: str = ""
    word: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evacuation:
    """refused: why it cannot be begun.  missing: words of consent that it lacks.  warnings: what is so, and no reason
    to stop."""

    node: str
    ways: tuple[Way, ...] = ()
    refused: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def memory(self) -> int:
        return sum(way.guest.memory for way in self.ways)


def promised(cluster: Cluster, reserved: Mapping[str, int], default: int) -> Cluster:
    """The same, with the memory of each node that nobody was promised. reserved: bytes a node keeps for itself."""
    taken: dict[str, int] = {}
    for guest in cluster.guests.values():
        if guest.running:
            taken[guest.node] = taken.get(guest.node, 0) + guest.memory
    nodes = {
        name: replace(node, memory=node.total - reserved.get(name, default) - taken.get(name, 0))
        for name, node in cluster.nodes.items()
    }
    return replace(cluster, nodes=nodes)


def leaving(cluster: Cluster, node: str) -> tuple[Guest, ...]:
    """The guests that run on it, the largest first: what is left over then still finds a place."""
    here = [guest for guest in cluster.guests.values() if guest.node == node and guest.running]
    return tuple(sorted(here, key=lambda guest: (-guest.memory, guest.vmid)))


def evacuation(
    node: str, ground: Ground, terms: Terms, votes: Votes, allow: Collection[str], *, alone: bool = False
) -> Evacuation:
    """ground: with the memory that is not promised, see promised().  alone: there is no other node at all."""
    moves = assigned(leaving(ground.cluster, node), ground, terms, away_from=node)
    ways = tuple(_way(move, allow) for move in moves)
    refused = [f"{way.guest.described} cannot leave {node}: {', '.join(way.problems)}" for way in ways if way.problems]
    missing = tuple(way.word for way in ways if way.word and not consent.given(way.word, allow))
    refused += [
        f"{way.guest.described} {_loses(way)} (needs {way.word})"
        for way in ways
        if way.word in missing and not way.problems
    ]
    if not alone and not votes.quorate_without([node]):
        refused.insert(0, f"without {node} the cluster has no quorum")
    state = ground.cluster.nodes.get(node)
    if state is not None and not state.online:
        refused.insert(0, f"{node} is offline")
    warnings = () if alone or refused else tuple(_another_loss(node, ways, ground.cluster, votes))
    return Evacuation(node, ways, tuple(refused), missing, warnings)


def _way(move: Move, allow: Collection[str]) -> Way:
    guest = move.guest
    if move.problems:
        stop = f"{STOP_GUEST}:{guest.vmid}"
        # The power of what the HA manager looks after is not ours, and a locked guest is in the middle of something.
        if guest.ha or guest.lock:
            return Way(guest, move.how, problems=move.problems)
        if stop in allow:
            return Way(guest, STOPPED, word=stop)
        offer = f"it could be shut down meanwhile (needs {stop})"
        return Way(guest, STOPPED, word=stop, problems=(*move.problems, offer))
    word = f"{RESTART_GUEST}:{guest.vmid}" if interrupts(guest) else ""
    return Way(guest, move.how, move.target, word)


def _loses(way: Way) -> str:
    return "is a container that runs, and is stopped and started again on each of its two ways"


def _another_loss(node: str, ways: Sequence[Way], cluster: Cluster, votes: Votes) -> list[str]:
    """What would happen to guests under high availability if another node were lost while this one is away."""
    others = [name for name in cluster.online if name != node]
    if any(not votes.quorate_without([node, other]) for other in others):
        return [
            f"while {node} is away, the loss of one more node takes the quorum: nothing is restarted elsewhere then"
        ]
    placed = {way.guest.vmid: way.target for way in ways if way.target}
    guests = [replace(guest, node=placed.get(vmid, guest.node)) for vmid, guest in cluster.guests.items()]
    free = {name: cluster.nodes[name].memory for name in others}
    for way in ways:
        if way.target in free:
            free[way.target] -= way.guest.memory
    found = []
    for lost in others:
        orphans = [guest for guest in guests if guest.node == lost and guest.running and guest.ha]
        homeless = unplaced(orphans, {name: room for name, room in free.items() if name != lost})
        if homeless:
            names = ", ".join(guest.described for guest in homeless)
            found.append(f"while {node} is away, the loss of {lost} as well leaves no room for {names}")
    return found


def unplaced(guests: Sequence[Guest], free: Mapping[str, int]) -> list[Guest]:
    """Those that find no node with enough memory; the largest choose first, and take the roomiest."""
    left, out = dict(free), []
    for guest in sorted(guests, key=lambda guest: (-guest.memory, guest.vmid)):
        best = max(left, key=lambda name: (left[name], name), default="")
        if not best or left[best] < guest.memory:
            out.append(guest)
        else:
            left[best] -= guest.memory
    return out


def told(one: Evacuation, state: Node | None) -> dict[str, Any]:
    """As the module returns it."""
    return {
        "node": one.node,
        "maintenance": bool(state and state.maintenance),
        "memory": one.memory,
        "guests": [
            {
                "vmid": way.guest.vmid,
                "name": way.guest.name,
                "type": "vm" if way.guest.kind == "qemu" else "container",
                "ha": way.guest.ha,
                "memory": way.guest.memory,
                "how": way.how,
                "target": way.target,
                "word": way.word,
                "problems": list(way.problems),
            }
            for way in sorted(one.ways, key=lambda way: way.guest.vmid)
        ],
        "refused": list(one.refused),
        "missing": list(one.missing),
        "warnings": list(one.warnings),
        "says": says(one),
    }


def says(one: Evacuation) -> list[str]:
    """What would happen, a line a guest."""
    lines = []
    for way in sorted(one.ways, key=lambda way: way.guest.vmid):
        if way.problems:
            lines.append(f"{way.guest.described} stays: {', '.join(way.problems)}")
        elif way.how == STOPPED:
            lines.append(f"{way.guest.described} is shut down, and started again afterwards")
        else:
            where = "by the HA manager" if way.guest.ha else f"to {way.target}, {way.how}"
            lines.append(f"{way.guest.described} ({size_of(way.guest.memory)}) moves {where}")
    return lines
