# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Moving guests: by a task of their node, or by asking the HA manager for it."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import NotFound, PveError, TaskFailed
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.backend import (
    GuestOperations,
    task_failed,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.cluster import (
    LXC,
    QEMU,
    RESOURCES,
    Cluster,
    Guest,
    cluster_of,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.migration import (
    MigrationOperation,
    Situation,
    by_manager,
    terms_of,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.moving import (
    Ground,
    Move,
    Preconditions,
    Room,
    kept_to,
    of_container,
    of_vm,
)

_RULES = "/cluster/ha/rules"
_GUESTS = f"{RESOURCES}?type=vm"


class MigrationBackend(GuestOperations):
    def __init__(self, client: Client, params: Mapping[str, Any]) -> None:
        super().__init__(client, params)
        self._workers = int(params["max_workers"])
        self._vmids: tuple[int, ...] = ()
        self._ran: frozenset[int] = frozenset()
        self._came_from: dict[int, str] = {}
        self._seconds: dict[int, float] = {}

    @property
    def parallel(self) -> int:
        """How many guests are on their way at a time."""
        return self._workers

    # -- reading ----------------------------------------------------------------------------------------------------

    def observe(
        self, operation: MigrationOperation, order: Order, keys: Collection[Key] | None = None
    ) -> Mapping[Key, Thing]:
        cluster = self.cluster()
        if keys is None:
            self.order, self._vmids = order, operation.chosen(cluster, order)
        cluster = self.as_they_are(cluster, self._vmids)
        leaving = operation.leaving(cluster, self._vmids, order)
        ground = self._ground(cluster, leaving, order) if keys is None else Ground(cluster)
        if keys is None:
            self._ran = frozenset(guest.vmid for guest in leaving if guest.running)
        return operation.things(Situation(ground, dict(self._seconds), dict(self._came_from), self._ran), self._vmids)

    def _ground(self, cluster: Cluster, leaving: Sequence[Guest], order: Order) -> Ground:
        """PVE API: GET /nodes/{node}/qemu|lxc/{vmid}/migrate, /nodes/{node}/storage, /cluster/ha/rules"""
        paths = [f"{guest.path}/migrate" for guest in leaving]
        paths += [f"{guest.path}/config" for guest in leaving if guest.kind == LXC]
        paths += [_RULES] if any(guest.ha for guest in leaving) else []
        answers = self.tried(paths)
        shared = {store.name for store in cluster.stores if store.shared}
        known: dict[int, Preconditions] = {}
        for guest in leaving:
            told = answers[f"{guest.path}/migrate"]
            if guest.kind == QEMU:
                known[guest.vmid] = of_vm(told, guest)
            else:
                known[guest.vmid] = of_container(told, answers[f"{guest.path}/config"], guest, shared)
        rules = answers.get(_RULES)
        kept = kept_to(None if isinstance(rules, PveError) else rules, leaving)
        rooms: dict[tuple[str, str], Room] = {}
        if terms_of(order).local_disks and any(one.disks for one in known.values()):
            rooms = self._rooms(cluster)
        return Ground(cluster, known, rooms, kept)

    def _rooms(self, cluster: Cluster) -> dict[tuple[str, str], Room]:
        paths = {node: f"/nodes/{node}/storage?enabled=1" for node in cluster.online}
        answers = self.tried(list(paths.values()))
        rooms = {}
        for node, path in paths.items():
            if isinstance(answers[path], PveError):
                continue
            for row in answers[path] or ():
                if row.get("active"):
                    left = int(row["avail"]) if row.get("avail") is not None else None
                    rooms[node, str(row["storage"])] = Room(tuple(str(row.get("content") or "").split(",")), left)
        return rooms

    def precheck(self, operation: MigrationOperation, plan: Plan, order: Order) -> Sequence[str]:
        return self.untested_release() or operation.problems(plan)

    def verify(self, operation: MigrationOperation, things: Mapping[Key, Thing], order: Order) -> Sequence[Unmet]:
        unmet = operation.unmet(things, order)
        if not unmet:
            return ()
        # Looked at again: a guest that has just arrived may still be starting.
        cluster = self.as_they_are(self.cluster(), self._vmids)
        again = operation.things(Situation(Ground(cluster), ran=self._ran), self._vmids)
        return operation.unmet(again, order)

    # -- writing ----------------------------------------------------------------------------------------------------

    def apply(self, operation: MigrationOperation, step: Step) -> Sequence[str]:
        move: Move = step.facts["move"]
        began = time.monotonic()
        warnings = self._by_manager(move) if by_manager(move) else self._by_node(operation, move)
        self._seconds[move.guest.vmid] = time.monotonic() - began
        self._came_from[move.guest.vmid] = move.guest.node
        return warnings

    def _by_node(self, operation: MigrationOperation, move: Move) -> Sequence[str]:
        """PVE API: POST /nodes/{node}/qemu|lxc/{vmid}/migrate"""
        parameters = operation.parameters(move, self.order)
        try:
            done = self.write("POST", f"{move.guest.path}/migrate", parameters, operation)
        except NotFound:
            if self._node_of(move.guest.vmid) != move.target:
                raise
            return ("somebody else had moved it there meanwhile",)
        except TaskFailed as problem:
            raise self._failed(move, problem) from None
        return done.warnings if done else ()

    def _by_manager(self, move: Move) -> Sequence[str]:
        """Ask, then look until it is there: the manager acts in its own time, and no task tells of it.
        PVE API: POST /cluster/ha/resources/{sid}/migrate"""
        guest = move.guest
        answer = self.client.post(f"/cluster/ha/resources/{guest.sid}/migrate", {"node": move.target})
        blocking = (answer or {}).get("blocking-resources") if isinstance(answer, Mapping) else None
        if blocking:
            apart = ", ".join(sorted(str(one.get("sid")) for one in blocking))
            raise PveError(f"The HA manager does not move {guest.described}: a rule keeps it apart from {apart}.")

        def arrived(rows: Any) -> bool:
            now = cluster_of(rows).guests.get(guest.vmid)
            return now is not None and now.node == move.target

        if not self.client.until(_GUESTS, arrived, timeout=self.timeout):
            raise PveError(
                f"{guest.described} is not on {move.target} {self.timeout:g} s after the HA manager was asked for it.",
                hint="See the HA status and the task history of its node for what the manager tried.",
            )
        if guest.running:
            there = replace(guest, node=move.target)
            back = self.client.until(
                f"{there.path}/status/current", lambda now: now.get("status") == "running", timeout=self.timeout
            )
            if not back:
                raise PveError(f"The HA manager moved {guest.described}, and it does not run on {move.target}.")
        return ("the HA manager moves it without bwlimit",) if self.order.options.get("bwlimit") else ()

    def _node_of(self, vmid: int) -> str:
        found = self.cluster().guests.get(vmid)
        return found.node if found else ""

    def _failed(self, move: Move, problem: TaskFailed) -> PveError:
        said = [line.strip() for line in problem.log if "ERROR" in line or "can't" in line]
        at = f"It is on {self._node_of(move.guest.vmid)}."
        return task_failed(f"{move.guest.described} did not get to {move.target}", problem, said, at)
