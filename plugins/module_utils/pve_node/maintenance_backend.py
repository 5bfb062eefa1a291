# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Maintenance by ha-manager, on any node of the cluster."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.command import CommandFailed, Runner, run
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    Consent,
    Plan,
    Step,
    Thing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve_node.maintenance import (
    HaStatus,
    MaintenanceKind,
    parsed,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve_node.programs import program, said

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0


class MaintenanceBackend:
    parallel = 1

    def __init__(self, timeout: float = 60.0, runner: Runner = run) -> None:
        self.writes = 0
        self._timeout, self._run = timeout, runner

    def close(self) -> None:
        """There is no connection to give back."""

    def resolve(self, kind: MaintenanceKind, declared: Declaration) -> Declaration:
        return declared

    def observe(
        self, kind: MaintenanceKind, keys: Optional[Collection[Key]], options: Collection[str]
    ) -> Mapping[Key, Thing]:
        things = kind.things(self._status())
        return {key: thing for key, thing in things.items() if keys is None or key in keys}

    def precheck(self, kind: MaintenanceKind, plan: Plan, declared: Declaration) -> Sequence[str]:
        return kind.problems(plan, self._status())

    def consents(self, kind: MaintenanceKind, plan: Plan, declared: Declaration) -> Mapping[Key, Sequence[Consent]]:
        status = self._status()
        return {step.key: kind.interrupted(step, status) for step in plan}

    def apply(self, kind: MaintenanceKind, step: Step) -> Sequence[str]:
        argv = kind.argv(step)
        self.writes += 1
        done = self._run(argv, timeout=self._timeout)
        if done.status != 0:
            raise CommandFailed(f"{' '.join(argv)} said: {said(done)}.", completed=done)
        self._await(str(step.key[0]), step.action == CREATE)
        return ()

    def _await(self, node: str, wanted: bool) -> None:
        """The order is only written down by then: the manager carries it out in its next rounds."""
        deadline, pause = time.monotonic() + self._timeout, _FIRST_PAUSE
        while self._status().maintained(node) != wanted:
            if time.monotonic() > deadline:
                raise CommandFailed(
                    f"The HA manager has not {'put' if wanted else 'taken'} {node} "
                    f"{'into' if wanted else 'out of'} maintenance within {self._timeout:g} s.",
                    hint="The order stays. Look at ha-manager status; is pve-ha-crm running on the master?",
                )
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def verify(self, kind: MaintenanceKind, things: Mapping[Key, Thing], declared: Declaration) -> Sequence[Unmet]:
        return kind.unmet(things, self._status())

    def _status(self) -> HaStatus:
        return parsed(program(self._run, ("ha-manager", "status"), self._timeout))


def open_backend(params: Mapping[str, Any]) -> MaintenanceBackend:
    return MaintenanceBackend(float(params["timeout"]))
