# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Node maintenance: the HA manager lets guests leave a node and starts none there. Pure.

Proxmox VE has it on the command line only: ha-manager crm-command node-maintenance enable|disable NODE, seen by
ha-manager status.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import Kind
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    Consent,
    Plan,
    Step,
    Thing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key

_LRM = re.compile(r"^lrm (?P<node>\S+) \((?P<mood>[^)]*)\)")
_SERVICE = re.compile(r"^service (?P<sid>\S+) \((?P<node>[^,)]+), (?P<state>[^,)]+)")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
# Services that the manager does not run anywhere, so there is nothing to move.
_RESTING = ("stopped", "ignored", "disabled")


@dataclass(frozen=True)
class Service:
    """A guest under high availability: `vm:100` or `ct:101`, where it is, and what the manager has it do."""

    sid: str
    node: str
    state: str


@dataclass(frozen=True)
class HaStatus:
    """nodes: what each one's local manager is at, by name."""

    quorum: str = ""
    nodes: Mapping[str, str] = field(default_factory=dict)
    services: tuple[Service, ...] = ()

    @property
    def quorate(self) -> bool:
        return self.quorum == "OK"

    def maintained(self, node: str) -> bool:
        return self.nodes.get(node, "").startswith("maintenance")

    def dead(self, node: str) -> bool:
        return "dead?" in self.nodes.get(node, "")

    def at_work_on(self, node: str) -> list[str]:
        """What the manager runs there."""
        return sorted(one.sid for one in self.services if one.node == node and one.state not in _RESTING)

    def refuges(self, node: str) -> list[str]:
        """The other nodes that can take guests in."""
        return [
            name for name in sorted(self.nodes) if name != node and not self.maintained(name) and not self.dead(name)
        ]


def parsed(text: str) -> HaStatus:
    """What `ha-manager status` says: a line for the quorum, the master, each node and each service."""
    quorum, nodes, services = "", {}, []
    for line in text.splitlines():
        if line.startswith("quorum "):
            quorum = line[len("quorum ") :].strip()
        elif found := _LRM.match(line):
            nodes[found["node"]] = found["mood"]
        elif found := _SERVICE.match(line):
            services.append(Service(found["sid"], found["node"], found["state"].strip()))
    return HaStatus(quorum, nodes, tuple(services))


@dataclass(frozen=True)
class MaintenanceKind(Kind):
    """Present means that the node is in maintenance."""

    def check(self, item: Item) -> None:
        if not _NAME.fullmatch(str(item.key[0])):
            raise InvalidInput(f"node: {item.key[0]!r} is no node's name.", hint="Name a node of this cluster.")

    def things(self, status: HaStatus) -> dict[Key, Thing]:
        return {(node,): Thing({}, {"status": status}) for node in status.nodes if status.maintained(node)}

    def argv(self, step: Step) -> Sequence[str]:
        verb = "enable" if step.action == CREATE else "disable"
        return ("ha-manager", "crm-command", "node-maintenance", verb, str(step.key[0]))

    def problems(self, plan: Plan, status: HaStatus) -> list[str]:
        found = []
        if not status.quorate:
            found.append(f"the HA manager has no quorum ({status.quorum or 'it does not say'}): bring nodes back first")
        for step in plan:
            node = str(step.key[0])
            if node not in status.nodes:
                known = ", ".join(sorted(status.nodes))
                found.append(f"node: {node} is no node of this cluster, which has {known or 'none'}")
            elif step.action == CREATE and status.dead(node):
                found.append(f"node: {node} is offline; the HA manager has taken over what it ran already")
        leaving = {str(step.key[0]) for step in plan if step.action == CREATE}
        stranded = [
            node for node in sorted(leaving) if not set(status.refuges(node)) - leaving and node in status.nodes
        ]
        if stranded:
            found.append(
                f"no other node is left to take in what {', '.join(stranded)} runs: end maintenance elsewhere first"
            )
        return found

    def interrupted(self, step: Step, status: HaStatus) -> Sequence[Consent]:
        """Virtual machines move while they run. Containers cannot."""
        node = str(step.key[0])
        containers = [sid for sid in status.at_work_on(node) if sid.startswith("ct:")]
        if step.action != CREATE or not containers:
            return ()
        return (Consent("restart_guest", f"{', '.join(containers)} stop on {node} and start on another node"),)

    def unmet(self, things: Mapping[Key, Thing], status: HaStatus) -> Sequence[Unmet]:
        found = []
        for key in things:
            node = str(key[0])
            left = status.at_work_on(node)
            if left:
                found.append(Unmet(f"{node} still runs {', '.join(left)}.", passing=True))
        return found


MAINTENANCE = MaintenanceKind(
    name="node_maintenance", identity=("node",), words=("restart_guest",), fields=(Field("node"),)
)
