# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Making backups: one task a guest, and a node makes one at a time."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import TaskFailed
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.archives import (
    Report,
    errors_in,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.backend import (
    GuestOperations,
    task_failed,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.backup import (
    SNAPSHOT,
    BackupOperation,
    Situation,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.cluster import Guest


class BackupBackend(GuestOperations):
    def __init__(self, client: Client, params: Mapping[str, Any]) -> None:
        super().__init__(client, params)
        self._reports: dict[int, Report] = {}

    # -- reading ----------------------------------------------------------------------------------------------------

    def observe(
        self, operation: BackupOperation, order: Order, keys: Collection[Key] | None = None
    ) -> Mapping[Key, Thing]:
        self.order = order
        cluster = self.cluster()
        if order.options["mode"] != SNAPSHOT and keys is None:
            cluster = self.as_they_are(cluster, order.options["vmid"])
        archives, missed = self.archives(cluster, (str(order.options["storage"]),))
        return operation.things(Situation(cluster, archives, missed, dict(self._reports), time.time()), order)

    # -- writing ----------------------------------------------------------------------------------------------------

    def apply(self, operation: BackupOperation, step: Step) -> Sequence[str]:
        """PVE API: POST /nodes/{node}/vzdump"""
        guest: Guest = step.facts["guest"]
        parameters = operation.parameters(step, self.order)
        with self.turn(guest.node):
            try:
                done = self.write("POST", f"/nodes/{guest.node}/vzdump", parameters, operation)
            except TaskFailed as problem:
                what, left = f"{guest.described} was not backed up", operation.left(step, self.order)
                raise task_failed(what, problem, errors_in(problem.log), left) from None
        self._reports[guest.vmid] = operation.report(guest, self.log_of(done.upid) if done else ())
        return done.warnings if done else ()
