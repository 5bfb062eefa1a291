# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""I/O of going back to a snapshot of a guest."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet, placed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step, Thing, named
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.backend import PveBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import NodeOffline, PveError
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import PveKind, Request
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.snapshot import CURRENT, path_of
from ansible_collections.hospital.continuity.plugins.module_utils.pve.rollback_operation import (
    RollbackOperation,
    ended_well,
    went_back_to,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.snapshots import Places

_TASKS = {"qemu": "qmrollback", "lxc": "vzrollback"}


class RollbackBackend:
    """One guest: where it is, its snapshots, and what became of it lately."""

    parallel = 1

    def __init__(self, client: Client, _params: Mapping[str, Any]) -> None:
        self.client = client
        self._pve: PveBackend[PveKind] = PveBackend(client)
        self._places = Places(client)

    @property
    def writes(self) -> int:
        return self.client.writes

    def close(self) -> None:
        self.client.close()

    def observe(
        self, operation: RollbackOperation, order: Order, keys: Collection[Key] | None = None
    ) -> Mapping[Key, Thing]:
        vmid = int(order.options["vmid"])
        self._places.read()
        row = self._places.rows.get(vmid)
        if row is None:
            return {}
        place = self._places.path(vmid)
        answers = self._pve.read([f"{place}/snapshot", f"{place}/status/current"])
        snapshots = {str(each["name"]): each for each in answers[f"{place}/snapshot"]}
        ended = self._rollbacks(vmid, _TASKS[str(row["type"])])
        state = {
            "parent": (snapshots.get(CURRENT) or {}).get("parent"),
            "went_back_to": went_back_to(snapshots, ended),
            "status": answers[f"{place}/status/current"].get("status"),
        }
        facts = {"name": row.get("name"), "place": place, "snapshots": snapshots}
        return {(vmid,): Thing({name: value for name, value in state.items() if value}, facts)}

    def _rollbacks(self, vmid: int, kind: str) -> list[int]:
        """When rollbacks of the guest ended well, on whichever node it was then. PVE API: GET /nodes/{node}/tasks"""
        nodes = sorted(str(row["node"]) for row in self.client.get("/nodes") or ())
        answers = self.client.get_many([f"/nodes/{node}/tasks?vmid={vmid}&typefilter={kind}" for node in nodes])
        found: list[int] = []
        for answer in answers:
            if isinstance(answer, NodeOffline):
                continue
            if isinstance(answer, PveError):
                raise answer
            found += ended_well(answer or ())
        return found

    def precheck(self, operation: RollbackOperation, plan: Plan, order: Order) -> Sequence[str]:
        problems = list(self._pve.untested_release())
        for step in plan:
            problems += [placed(named(step.kind, step.key), each) for each in operation.problems(step)]
        return problems

    def apply(self, operation: RollbackOperation, step: Step) -> Sequence[str]:
        path = f"{path_of(str(step.facts['place']), step.options[0])}/rollback"
        return self._pve.write(Request("POST", path, {"start": 1} if step.inputs.get("start") else {}))

    def verify(self, operation: RollbackOperation, things: Mapping[Key, Thing], order: Order) -> Sequence[Unmet]:
        fresh = self.observe(operation, order) if order.options["start"] else things
        return operation.unmet(fresh, order)
