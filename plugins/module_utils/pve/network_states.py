# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A node's interfaces together: as PVE lists them, and as they will be after a plan. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    DELETE,
    Step,
    Thing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network import NetworkKind
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_requests import is_made_again
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_types import (
    CARDS,
    ETH,
    OVS_BRIDGE,
    TYPES,
    parents,
)

State = Mapping[str, Any]
States = dict[str, State]


@dataclass(frozen=True)
class Listing:
    """What GET shows of a node's network: the pending file where there is one, and how it differs from the other."""

    rows: Mapping[str, Mapping[str, Any]]
    changes: str = ""


def things_of(kind: NetworkKind, node: str, listing: Listing) -> dict[Key, Thing]:
    decoded = {name: kind.decode(row) for name, row in listing.rows.items()}
    users: dict[str, list[str]] = {}
    for name, thing in decoded.items():
        for parent in parents(thing.state):
            users.setdefault(parent, []).append(name)
    return {
        (node, name): replace(
            thing,
            facts={
                **thing.facts,
                "pending": bool(listing.changes),
                # The ports of a bridge are told by the bridge.
                "used_by": sorted(
                    user
                    for user in users.get(name, ())
                    if thing.state.get("type") != OVS_BRIDGE or decoded[user].state.get("ovs_bridge") != name
                ),
            },
        )
        for name, thing in decoded.items()
    }


def states_of(kind: NetworkKind, node: str, listing: Listing) -> States:
    return {str(key[1]): thing.state for key, thing in things_of(kind, node, listing).items()}


def after_steps(before: Mapping[str, State], steps: Sequence[Step]) -> States:
    """A node's interfaces once all steps are done."""
    result = dict(before)
    for name in _left_alone(before, steps):
        # With their bridge Open vSwitch's own ports go, and cards are only cards again.
        if before[name].get("type") in CARDS:
            kept = TYPES[ETH].options
            result[name] = {"type": ETH, **{key: value for key, value in before[name].items() if key in kept}}
        else:
            result.pop(name)
    for step in steps:
        name = str(step.key[1])
        if step.after is not None:
            result[name] = step.after
        elif (step.before or {}).get("type") in CARDS:
            result[name] = {"type": ETH}
        else:
            result.pop(name, None)
    return result


def _left_alone(states: Mapping[str, State], steps: Sequence[Step]) -> set[str]:
    """Ports whose Open vSwitch bridge goes without a step of their own."""
    gone = {str(step.key[1]) for step in steps if step.action == DELETE or is_made_again(step)}
    stepped = {str(step.key[1]) for step in steps}
    return {name for name, state in states.items() if state.get("ovs_bridge") in gone and name not in stepped}


def lost(
    kind: NetworkKind, node: str, before: Mapping[str, State], steps: Sequence[Step], found: Mapping[str, State]
) -> list[str]:
    """In what `found` differs from what the steps make of `before`."""
    wanted = after_steps(before, steps)
    by_name = {str(step.key[1]): step for step in steps}
    result: list[str] = []
    for name in sorted({*wanted, *found}):
        step = by_name.get(name)
        emptied = step is not None and step.action == DELETE and name in wanted
        if name in wanted and name in found:
            differing = kind.differences(wanted[name], found[name])
            if step is None or emptied:
                # A card is started with what uses it, and goes on when that is gone.
                differing = [option for option in differing if option != "autostart"]
            if differing:
                result.append(f"{node}/{name}: {', '.join(differing)}")
        elif name in wanted and not emptied:
            result.append(f"{node}/{name} is not there")
        elif name in found:
            result.append(f"{node}/{name} is still there")
    return result
