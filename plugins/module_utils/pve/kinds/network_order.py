# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""In which order the steps of a node are staged, so that every state in between is one that PVE takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import CREATE, DELETE, UPDATE, Step
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_checks import STANDARD_MTU
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_types import (
    ALIAS,
    BRIDGE,
    OVS_BRIDGE,
    OVS_PORT,
    VLAN,
    carried,
    members,
    parents,
)

# Between steps that do not depend on each other: what is at the bottom first.
_RANK = {"eth": 0, OVS_BRIDGE: 1, "bond": 2, "OVSBond": 2, "OVSPort": 2, "OVSIntPort": 3, VLAN: 3, BRIDGE: 4, ALIAS: 5}


def in_order(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps of all nodes, each after those it depends on. Raises InvalidInput where they depend on each other."""
    left = sorted(steps, key=_rank)
    placed: list[Step] = []
    while left:
        ready = next((step for step in left if not any(_before(other, step) for other in left)), None)
        if ready is None:
            names = ", ".join(str(step.key[1]) for step in left)
            raise InvalidInput(
                f"The changes of {names} each need another one to be made first.",
                hint="Make them in two tasks: first take away, then give.",
            )
        left.remove(ready)
        placed.append(ready)
    return tuple(placed)


def _rank(step: Step) -> tuple[Any, ...]:
    state = step.after if step.after is not None else step.before or {}
    rank = _RANK.get(str(state.get("type")), 9)
    # What goes, goes from the top.
    return (str(step.key[0]), 0, -rank, step.key) if step.action == DELETE else (str(step.key[0]), 1, rank, step.key)


def _before(one: Step, other: Step) -> bool:
    """Whether `one` has to come before `other`."""
    if one is other or one.key[0] != other.key[0]:
        return False
    if _mtu_first(one, other):
        return True
    name, another = str(one.key[1]), str(other.key[1])
    if one.action == DELETE:
        if other.action == DELETE:
            return _stands_on(one.before, another)
        # What is taken away gives its members free, unless it is just that which has to let go of it first.
        return bool(_released(one) & _taken(other)) or (_stands_on(one.before, another) and _type_changes(other))
    if other.action == DELETE:
        # An update that lets go of it.
        return _stands_on(one.before, another) and not _stands_on(one.after, another)
    if one.action == CREATE and _stands_on(other.after, name):
        return True
    if _released(one) & _taken(other):
        return True
    # An interface of another type may be what something else wants to stand on.
    return _type_changes(one) and _stands_on(other.after, name) and not _stands_on(other.before, name)


def _stands_on(state: Mapping[str, Any] | None, name: str) -> bool:
    return state is not None and name in parents(state)


def _released(step: Step) -> set[str]:
    return _uses(step, step.before) - _uses(step, step.after)


def _taken(step: Step) -> set[str]:
    return _uses(step, step.after) - _uses(step, step.before)


def _uses(step: Step, state: Mapping[str, Any] | None) -> set[str]:
    """What nobody else can have at the same time: members, a card that is a port itself, and the default gateway."""
    if state is None:
        return set()
    used = {str(step.key[1])} if state.get("type") == OVS_PORT else set(members(state))
    # No interface is called so: there is a blank in it.
    return used | {f"the {option}" for option in ("gateway", "gateway6") if state.get(option)}


def _type_changes(step: Step) -> bool:
    return step.action == UPDATE and "type" in step.options


def _mtu_first(one: Step, other: Step) -> bool:
    """What carries grows first and shrinks last; and while one does not carry the other, nothing matters."""
    return _parted_first(one, other) or _changed_first(one, other)


def _parted_first(owner: Step, partner: Step) -> bool:
    """Whether `owner` has to let go of `partner` before that one's MTU changes."""
    had, has = _relations(owner, partner)
    return any(_widens(partner, pair) for pair in had - has)


def _changed_first(partner: Step, owner: Step) -> bool:
    """Whether `partner` has to have its new MTU before `owner` is joined with it, or changes its own."""
    for first, second in ((partner, owner), (owner, partner)):
        had, has = _relations(second, first)
        for lower, _upper in had & has:
            if lower == partner.key[1] and _grows(partner) > 0:
                return True
            if lower != partner.key[1] and _grows(partner) < 0:
                return True
    had, has = _relations(owner, partner)
    return any(_narrows(partner, pair) for pair in has - had)


def _relations(owner: Step, partner: Step) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """(what carries, what is carried) between the two, by what the first one says of itself: before and after."""
    name, other = str(owner.key[1]), str(partner.key[1])
    had, has = ({pair for pair in carried(name, state or {}) if other in pair} for state in (owner.before, owner.after))
    return had, has


def _widens(step: Step, pair: tuple[str, str]) -> bool:
    """Whether a step's new MTU would be too much for the other one of a pair."""
    return _grows(step) < 0 if pair[0] == step.key[1] else _grows(step) > 0


def _narrows(step: Step, pair: tuple[str, str]) -> bool:
    """Whether a pair fits only with a step's new MTU."""
    return _grows(step) > 0 if pair[0] == step.key[1] else _grows(step) < 0


def _grows(step: Step) -> int:
    before, after = (int((state or {}).get("mtu") or STANDARD_MTU) for state in (step.before, step.after))
    return after - before
