# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Making backups: one task a guest, and a node makes one at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import listed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import PveError, TaskFailed
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.archives import (
    Archive,
    Report,
    errors_in,
    moment,
    report_of,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.backend import GuestOperations
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.backup import (
    SNAPSHOT,
    BackupOperation,
    Situation,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.cluster import Cluster, Guest


class BackupBackend(GuestOperations):
    def __init__(self, client: Client, params: Mapping[str, Any]) -> None:
        super().__init__(client, float(params["timeout"]))
        self._reports: dict[int, Report] = {}
        self._nodes: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self._order: Order | None = None

    # -- reading ----------------------------------------------------------------------------------------------------

    def observe(
        self, operation: BackupOperation, order: Order, keys: Collection[Key] | None = None
    ) -> Mapping[Key, Thing]:
        self._order = order
        cluster = self.cluster()
        if order.options["mode"] != SNAPSHOT and keys is None:
            cluster = self._as_they_run(cluster, order.options["vmid"])
        archives, missed = self.archives(cluster, (str(order.options["storage"]),))
        return operation.things(Situation(cluster, archives, missed, dict(self._reports), time.time()), order)

    def _as_they_run(self, cluster: Cluster, vmids: Sequence[int]) -> Cluster:
        """What the list of resources says of a guest's power is some seconds old, and here it matters."""
        guests = {vmid: cluster.guests[vmid] for vmid in vmids if vmid in cluster.guests}
        answers = self.tried([f"{guest.path}/status/current" for guest in guests.values()])
        fresh = dict(cluster.guests)
        for vmid, guest in guests.items():
            now = answers[f"{guest.path}/status/current"]
            if not isinstance(now, PveError):
                fresh[vmid] = replace(guest, status=str(now.get("status") or ""))
        return replace(cluster, guests=fresh)

    def precheck(self, operation: BackupOperation, plan: Plan, order: Order) -> Sequence[str]:
        untested = self.untested_release()
        return untested or operation.problems(plan, order, self.tried(operation.paths(plan, order)))

    def verify(self, operation: BackupOperation, things: Mapping[Key, Thing], order: Order) -> Sequence[Unmet]:
        return operation.unmet(things, order)

    # -- writing ----------------------------------------------------------------------------------------------------

    def apply(self, operation: BackupOperation, step: Step) -> Sequence[str]:
        """PVE API: POST /nodes/{node}/vzdump"""
        guest: Guest = step.facts["guest"]
        order = self._order or Order({})
        with self._guard:
            turn = self._nodes.setdefault(guest.node, threading.Lock())
        with turn:
            try:
                done = self.write("POST", f"/nodes/{guest.node}/vzdump", operation.parameters(step, order), operation)
            except TaskFailed as problem:
                raise _failed(guest, step.facts["last"], problem, str(order.options["storage"])) from None
        report = report_of(self.log_of(done.upid)) if done else Report()
        if report.seconds is None:
            raise PveError(
                f"The task ended well, but {guest.described} was not backed up by it.",
                hint=f"It is not on {guest.node} any more, or its backups are excluded. Run again.",
            )
        self._reports[guest.vmid] = report
        return done.warnings if done else ()


def _failed(guest: Guest, last: Archive | None, problem: TaskFailed, storage: str) -> PveError:
    """The task's own words, and what there is instead."""
    said = errors_in(problem.log)
    text = listed(said).rstrip(".") if said else problem.message.rstrip(".")
    left = f"Its last one there is of {moment(last.time)}." if last else f"It has none on {storage}."
    error = PveError(f"{guest.described} was not backed up: {text}. {left}", hint=f"See task {problem.upid}.")
    error.affects_everything = problem.affects_everything
    return error
