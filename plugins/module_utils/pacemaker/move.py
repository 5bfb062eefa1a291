# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The operation behind the module pacemaker_move: its options, its plan, what it returns. Pure."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput, listed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Operation, Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key, Number
from ansible_collections.hospital.continuity.plugins.module_utils.pacemaker.cluster import (
    Node,
    Placement,
    banning,
    bans,
    behind,
    constraint_there,
    failures,
    preferring,
    quorate,
    together,
)

MOVE, CLEAR = "move", "clear"
_MOVABLE = ("resource", "group")


@dataclass(frozen=True)
class Situation:
    """cib: the cluster's information base.  now: where everything is.  seconds: how long the last move took."""

    cib: ET.Element
    now: Placement
    seconds: float = 0.0


@dataclass(frozen=True)
class MoveOperation(Operation):
    def check(self, order: Order) -> None:
        if bool(order.options.get("node")) == bool(order.options.get("away_from")):
            raise InvalidInput("Give either node or away_from.", hint="It is moved to a node, or away from one.")
        if not 1 <= order.options["timeout"] <= 3600:
            raise InvalidInput(
                f"timeout: {order.options['timeout']} s is not between 1 and 3600.", hint="60 suits nearly everywhere."
            )

    def plan(self, observed: Mapping[Key, Thing], order: Order) -> Plan:
        ((key, thing),) = observed.items()
        situation: Situation = thing.facts["situation"]
        name, target = str(key[0]), str(order.options.get("node") or "")
        source = str(order.options.get("away_from") or "")
        self._known(situation.now, name, target or source)
        here = situation.now.where(name)
        left = preferring(name) if target else banning(name, source)
        if here == (target,) or (source and here and source not in here):
            if not constraint_there(situation.cib, left):
                return Plan()
            where = target or source
            return Plan((Step(CLEAR, "constraint", key, thing.state, thing.state, (left,), facts={"node": where}),))
        problems = obstacles(situation, name, target, source)
        if problems:
            where = f"to {target}" if target else f"away from {source}"
            raise InvalidInput(
                f"{name} cannot be moved {where}: {listed(problems).rstrip('.')}.", hint="Nothing was changed."
            )
        after = {"nodes": (target or self._elsewhere(situation.now, source),)}
        text = f"to {target}" if target else f"away from {source}"
        facts = {"situation": situation, "target": target, "source": source}
        return Plan((Step(MOVE, "resource", key, thing.state, after, (text,), facts=facts),))

    @staticmethod
    def _known(now: Placement, name: str, node: str) -> None:
        found = now.resources.get(name)
        if found is None:
            raise InvalidInput(
                f"resource: there is no {name}.", hint=f"There are: {', '.join(sorted(now.resources)) or 'none'}."
            )
        if found.kind not in _MOVABLE:
            raise InvalidInput(f"resource: {name} is a {found.kind}.", hint="Resources and groups can be moved.")
        if node not in now.nodes:
            raise InvalidInput(f"There is no node {node}.", hint=f"There are: {', '.join(sorted(now.nodes))}.")

    @staticmethod
    def _elsewhere(now: Placement, source: str) -> str:
        """Where it goes when it must go: in a cluster of two, the other one; else the scheduler chooses."""
        others = [name for name, node in sorted(now.nodes.items()) if name != source and _why_not(node) == ""]
        return others[0] if len(others) == 1 else "another node"

    def values(self, observed: Mapping[Key, Thing], order: Order) -> Mapping[str, Any]:
        ((key, thing),) = observed.items()
        situation: Situation = thing.facts["situation"]
        return {
            "nodes": list(situation.now.where(str(key[0]))),
            "together": list(together(situation.cib, str(key[0])))[1:],
            "seconds": round(situation.seconds, 3),
        }


def _why_not(node: Node) -> str:
    if not node.online:
        return "is offline" if not node.unclean else "is gone, and not switched off for certain"
    if node.unclean:
        return "is to be switched off by the cluster"
    if node.standby:
        return "is in standby"
    return "is in maintenance" if node.maintenance else ""


def obstacles(situation: Situation, name: str, target: str, source: str) -> list[str]:
    """What stands against it, in the words of whoever has to do something about it."""
    cib, now = situation.cib, situation.now
    problems = []
    if not quorate(cib):
        problems.append("this part of the cluster has no quorum")
    names = together(cib, name)
    unmanaged = [one for one in names if one in now.resources and not now.resources[one].managed]
    if unmanaged:
        problems.append(f"the cluster leaves {', '.join(unmanaged)} alone (is-managed, maintenance)")
    if source:
        usable = [node for node, state in now.nodes.items() if node != source and not _why_not(state)]
        if not usable:
            others = [f"{node} {_why_not(state)}" for node, state in sorted(now.nodes.items()) if node != source]
            problems.append(f"there is no other node: {', '.join(others) or 'it has one only'}")
        elif len(usable) == 1:
            problems += against(cib, usable[0], names, name)
        return problems
    reason = _why_not(now.nodes[target])
    if reason:
        problems.append(f"{target} {reason}")
    return [*problems, *against(cib, target, names, name)]


def against(cib: ET.Element, node: str, names: Sequence[str], name: str) -> Sequence[str]:
    """What the cluster remembers of that node."""
    problems = [
        f"{node} is marked as behind ({attribute}): it may lack acknowledged transactions until it has caught up"
        for attribute in behind(cib, node, names)
    ]
    problems += [
        f"{one} failed on {node} ({why.rstrip('.')}): when that is mended, crm_resource --cleanup --resource {one}"
        for one, why in failures(cib, node, names).items()
    ]
    problems += [f"the constraint {identity} keeps it from {node}" for identity in bans(cib, node, {*names, name})]
    return problems


def arrival(now: Placement, then: Placement, name: str, names: Sequence[str], target: str, source: str) -> str:
    """Why it does not arrive, as the scheduler has it; empty where it and all that runs with it would."""
    there = then.where(name)
    if target and there != (target,):
        return f"Pacemaker would have {name} {_at(there)}"
    if source and (not there or source in there):
        return f"Pacemaker would have {name} {_at(there)}"
    lost = [one for one in names if now.where(one) and not then.where(one)]
    return f"{', '.join(lost)} would not run any more" if lost else ""


def _at(nodes: Sequence[str]) -> str:
    return f"on {', '.join(nodes)}" if nodes else "nowhere"


MOVING = MoveOperation(
    name="move",
    fields=(
        Field("resource", required=True),
        Field("node"),
        Field("away_from"),
        Field("timeout", form=Number(), type="int", default=60),
    ),
)
