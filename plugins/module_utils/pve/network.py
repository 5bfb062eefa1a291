# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The engine's I/O for the network of nodes. PVE API: /nodes/{node}/network.

There is one pending file a node, and everybody writes to it. So the plan of a node is one unit, and what others have
staged is never applied or taken back unasked.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Callable, Optional
from urllib.parse import urlsplit

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing, Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.converge import Clock, admitted
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    Consent,
    Plan,
    Step,
    Thing,
    label,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.network import guard
from ansible_collections.hospital.continuity.plugins.module_utils.network.management import ManagementPath
from ansible_collections.hospital.continuity.plugins.module_utils.pve import network_path
from ansible_collections.hospital.continuity.plugins.module_utils.pve.backend import PveBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import Connection
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import NodeOffline, NotPermitted, PveError
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network import PENDING, NetworkKind
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_checks import problems
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_requests import collection
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_types import TYPES
from ansible_collections.hospital.continuity.plugins.module_utils.pve.network_apply import (
    Application,
    read_listing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.network_bonds import changes_members
from ansible_collections.hospital.continuity.plugins.module_utils.pve.network_node import Node
from ansible_collections.hospital.continuity.plugins.module_utils.pve.network_pending import (
    about_pending,
    changed_interfaces,
    pending_is_left,
    shortened,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.network_problems import cannot_be_kept, no_card
from ansible_collections.hospital.continuity.plugins.module_utils.pve.network_states import (
    Listing,
    States,
    after_steps,
    states_of,
    things_of,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.permissions import holds

# What shows a bridge in the list of a node's interfaces.
_SEEN_WITH = ("SDN.Audit", "SDN.Use")
_SEEN_AT = "/sdn/zones/localnetwork"
_CLOCK = Clock()


class NetworkBackend(PveBackend[NetworkKind]):
    """One client, and the nodes as far as they can be reached past it.

    patience: seconds to wait for a node that does not answer any more.  management_address: the one through which the
    nodes are managed, where the API's own answers do not tell."""

    def __init__(
        self,
        client: Client,
        *,
        node: Callable[[str], Node] = Node.of_name,
        patience: float = 60.0,
        management_address: str = "",
        clock: Clock = _CLOCK,
    ) -> None:
        super().__init__(client)
        self._node_of = node
        self._nodes: dict[str, Node] = {}
        self._patience, self._clock = patience, clock
        self._management_address = management_address
        self._declared: Optional[Declaration] = None

    @property
    def writes(self) -> int:
        return self.client.writes + sum(node.writes for node in self._nodes.values())

    def node(self, name: str) -> Node:
        if name not in self._nodes:
            self._nodes[name] = self._node_of(name)
        return self._nodes[name]

    def listing(self, node: str) -> Listing:
        return read_listing(self.client, node)

    # -- observe ----------------------------------------------------------------------------------------------------

    def observe(self, kind: NetworkKind, keys: Collection[Key] | None, options: Collection[str]) -> Mapping[Key, Thing]:
        if keys is None:
            return self._observe_all(kind)
        result: dict[Key, Thing] = {}
        for node in sorted({str(key[0]) for key in keys}):
            found = things_of(kind, node, self.listing(node))
            wanted = [key for key in keys if key[0] == node]
            self._require_sight(node, [key for key in wanted if key not in found])
            result.update({key: found[key] for key in wanted if key in found})
        return result

    def _observe_all(self, kind: NetworkKind) -> Mapping[Key, Thing]:
        """Everything this collection describes, of the nodes that are there."""
        nodes = [str(row["node"]) for row in self.client.get("/nodes") if row.get("status") != "offline"]
        answers = self.client.run_parallel([partial(self.listing, node) for node in nodes])
        result: dict[Key, Thing] = {}
        for node, answer in zip(nodes, answers):
            if isinstance(answer, NodeOffline):
                continue
            if isinstance(answer, Exception):
                raise answer
            result.update(things_of(kind, node, answer))
        return {key: thing for key, thing in result.items() if thing.state.get("type") in TYPES}

    def _require_sight(self, node: str, unseen: Sequence[Key]) -> None:
        """PVE leaves bridges out of the list that one may not see. Raises NotPermitted where that may be so."""
        permissions = self.client.get("/access/permissions") if unseen else {}
        for key in unseen:
            place = f"{_SEEN_AT}/{key[1]}"
            if not holds(permissions, place, _SEEN_WITH):
                who, wanted = self.client.connection.identity, " or ".join(_SEEN_WITH)
                raise NotPermitted(
                    f"{who} sees no {key[1]} on {node}, which does not mean that there is none: it lacks {wanted} on "
                    f"{place}.",
                    privilege="|".join(_SEEN_WITH),
                    path=place,
                    hint=f"Give {who} the role PVEAuditor, or another one with that privilege, on {_SEEN_AT}.",
                )

    # -- before the first write -------------------------------------------------------------------------------------

    def precheck(self, kind: NetworkKind, plan: Plan, declared: Declaration) -> Sequence[str]:
        self._declared = declared
        untested = self.untested_release()
        if untested:
            return untested
        nodes = sorted({str(step.key[0]) for step in plan})
        if len(nodes) > 1:
            text = f"there is something to do on {' and '.join(nodes)}, and the network is changed one node at a time"
            return (f"{text}: make it one task a node (a play with serial: 1)",)
        (node,) = nodes
        steps = _real(plan)
        listing = self.listing(node)
        before = states_of(kind, node, listing)
        found = [
            *problems(before, after_steps(before, steps), {str(step.key[1]) for step in steps}),
            *(problem for step in steps for problem in (*cannot_be_kept(step), *no_card(step))),
            *self._unreachable_bonds(node, steps, listing),
        ]
        path = self._management_path(node, before)
        touches = _touches(plan, before, listing, declared, path)
        return [*found, *self._unguarded(node, touches, path)] if guard.hits(touches, path) else found

    def _unreachable_bonds(self, node: str, steps: Sequence[Step], listing: Listing) -> Iterator[str]:
        """Members of bonds that run can only be changed on the node itself."""
        for step in steps:
            bridge = listing.rows.get(str((step.before or {}).get("ovs_bridge")), {})
            runs = bridge.get("active") or bridge.get("autostart")
            if changes_members(step) and runs and not self.node(node).has_switch:
                yield (
                    f"{label(step.key)}: ovs_bonds: ifupdown2 does not change the members of a bond that runs, so it "
                    f"has to be done on the node: name it with node_host, for example ssh://root@{node}"
                )

    def _unguarded(self, node: str, touches: guard.Touches, path: ManagementPath) -> Sequence[str]:
        why = f"name it with node_host (for example ssh://root@{node}), and give allow: [{guard.WORD}]"
        if self.node(node).is_reachable:
            try:
                return guard.problems(touches, path, self.node(node).checkpoint())
            except SubsystemError as problem:
                why = f"{problem.message.rstrip('.')}"
        names = ", ".join(sorted({name for hit in guard.hits(touches, path).values() for name in hit}))
        return (
            Missing(
                f"{names}: on the path through which {node} is managed ({path.reason}), and whether a network "
                f"checkpoint is armed can only be asked on {node} itself: {why}"
            ),
        )

    def consents(self, kind: NetworkKind, plan: Plan, declared: Declaration) -> Mapping[Key, Sequence[Consent]]:
        first = next(iter(plan)).key
        node = str(first[0])
        listing = self.listing(node)
        states = states_of(kind, node, listing)
        path = self._management_path(node, states)
        touches = _touches(plan, states, listing, declared, path)
        result = {key: [*wanted] for key, wanted in guard.consents(touches, path).items()}
        if listing.changes:
            result.setdefault(first, []).append(about_pending(node, listing.changes, declared))
        return result

    def _management_path(self, node: str, states: States) -> ManagementPath:
        hosts = {urlsplit(host).hostname or "" for host in self.client.connection.hosts}
        addresses = hosts | {address for host in hosts for address in _resolved(host)}
        with contextlib.suppress(PveError):
            rows = self.client.get("/cluster/status")
            addresses |= {str(row.get("ip")) for row in rows if row.get("type") == "node" and row.get("name") == node}
        return network_path.find(states, addresses, stated=self._management_address)

    # -- apply ------------------------------------------------------------------------------------------------------

    def apply(self, kind: NetworkKind, step: Step) -> Sequence[str]:
        return self.apply_all(kind, (step,))

    def apply_all(self, kind: NetworkKind, steps: Sequence[Step]) -> Sequence[str]:
        node = str(steps[0].key[0])
        listing = self.listing(node)
        if listing.changes:
            listing, steps = self._with_pending(kind, node, listing, steps)
        steps = _real(steps)
        if not steps and not listing.changes:
            return ()
        patience, clock = self._patience, self._clock
        return Application(self.client, kind, self.node(node), listing, steps, patience=patience, clock=clock).run()

    def _with_pending(
        self, kind: NetworkKind, node: str, listing: Listing, steps: Sequence[Step]
    ) -> tuple[Listing, Sequence[Step]]:
        """Somebody else's pending changes: taken along or dropped, as the user said; else nothing is done."""
        declared = self._declared
        allow = declared.allow if declared else frozenset()
        if declared and f"discard_pending:{node}" in allow:
            self.client.delete(collection(node))
            # The plan was made against what is dropped now.
            again = kind.plan(self.observe(kind, declared.keys, ()), declared)
            admitted(kind, self, again, declared, check=False)
            return self.listing(node), tuple(again)
        if f"apply_pending:{node}" in allow:
            return listing, steps
        raise SubsystemError(
            f"Meanwhile somebody has staged changes on {node}: {shortened(listing.changes)}",
            hint="Nothing was done. Run again to see what to do about them.",
        )

    # -- verify -----------------------------------------------------------------------------------------------------

    def verify(self, kind: NetworkKind, things: Mapping[Key, Thing], declared: Declaration) -> Sequence[Unmet]:
        result: list[Unmet] = []
        for node in sorted({str(key[0]) for key in things}):
            listing = self.listing(node)
            found = things_of(kind, node, listing)
            present = {key: found[key] for key in sorted(things) if key[0] == node and key in found}
            if listing.changes:
                # What is staged says nothing of what is up.
                result.append(pending_is_left(node, listing.changes))
                continue
            for key, thing in present.items():
                result.extend(kind.unmet_of(key, thing))
            result.extend(self.node(node).unmet({str(key[1]): thing.state for key, thing in present.items()}))
        return result


def _touches(
    plan: Plan, states: States, listing: Listing, declared: Declaration, path: ManagementPath
) -> dict[Key, set[str]]:
    """What the plan may interrupt, and with its first step what somebody else has staged, where that is applied too."""
    touches = network_path.touched(_real(plan), states)
    first = next(iter(plan)).key
    if listing.changes and f"discard_pending:{first[0]}" not in declared.allow:
        theirs = changed_interfaces(listing.changes)
        touches.setdefault(first, set()).update(path.interfaces if theirs is None else theirs)
    return touches


def _real(steps: Sequence[Step] | Plan) -> tuple[Step, ...]:
    """The steps that change something of ours."""
    return tuple(step for step in steps if step.options != (PENDING,))


def _resolved(host: str) -> set[str]:
    """The addresses of a name; none where it has none."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None)}
    except OSError:
        return set()


def open_backend(params: Mapping[str, Any]) -> NetworkBackend:
    """The backend that the module's options describe. Raises InvalidInput."""
    where = {"node_host": params["node_host"] or "", "database": params["database"] or ""}
    return NetworkBackend(
        Client(Connection.from_options(params)),
        node=partial(Node.of_name, **where),
        patience=float(params["verify_timeout"]),
        management_address=params["management_address"] or "",
    )
