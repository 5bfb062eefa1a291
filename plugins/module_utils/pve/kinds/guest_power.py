# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The power of a guest: starting, stopping, restarting, and what stands in the way. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import consent
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration, Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import State
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Consent, Step, Thing, label
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import Locked
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest_requests import (
    PAUSE,
    RESTART,
    RESUME,
    START,
    GuestRequests,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest_table import PAUSED, RUNNING, STOPPED
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest_values import Ranged
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import boolean

SUSPENDED = "suspended"  # the lock of a hibernated VM


def power_fields(*statuses: str) -> tuple[Field, ...]:
    return (
        Field("status", choices=statuses, kept=True),
        Field("shutdown_timeout", Ranged(least=0), type="int", creating=True),
        boolean("force_stop", creating=True),
    )


@dataclass(frozen=True)
class GuestPower(GuestRequests):
    """A guest that can be switched on and off."""

    def _check_power(self, item: Item, thing: Thing) -> None:
        target, status = item.options.get("status"), thing.facts.get("status")
        template = bool(thing.state.get("template"))
        if item.options.get("template") is False and template:
            raise InvalidInput("is a template and cannot become a guest again.", hint="Clone it instead.")
        if template and target in (RUNNING, PAUSED):
            raise InvalidInput("is a template and cannot run.", hint="Clone it, or leave status out.")
        if item.options.get("template") and not template and status in (RUNNING, PAUSED) and target != STOPPED:
            raise InvalidInput("runs and cannot become a template.", hint="Add status: stopped.")
        if target is not None and target != status and thing.facts.get("ha"):
            raise InvalidInput(
                f"status is {status} and its power belongs to high availability, which would undo {target}.",
                hint=f"Set state: {'started' if target == RUNNING else 'stopped'} with pve_ha_resource, and leave "
                "status out here.",
            )

    def _power_step(
        self, action: str, item: Item, before: State, after: State, facts: Mapping[str, Any], *, stops: bool = False
    ) -> Step:
        name = before.get(self.named_by, "without a name")
        loses = f"{name} on {facts['node']} stops working"
        return Step(
            action,
            self.name,
            item.key,
            before=before,
            after=after,
            inputs=_shutdown_inputs(item),
            facts=facts,
            consent=(Consent(f"stop_guest:{label(item.key)}", loses),) if stops else (),
        )

    def _power_up(self, item: Item, state: State, status: str, target: str, facts: Mapping[str, Any]) -> list[Step]:
        """From `status` to running or paused."""
        steps: list[Step] = []
        if status not in (RUNNING, PAUSED):
            after = {**state, "status": RUNNING}
            steps.append(self._power_step(START, item, state, after, facts))
            state, status = after, RUNNING
        if target == RUNNING and status == PAUSED:
            steps.append(self._power_step(RESUME, item, state, {**state, "status": RUNNING}, facts))
        elif target == PAUSED and status == RUNNING:
            steps.append(self._power_step(PAUSE, item, state, {**state, "status": PAUSED}, facts, stops=not steps))
        return steps

    def _restart_step(self, item: Item, state: State, facts: Mapping[str, Any]) -> Step:
        name = state.get(self.named_by, "without a name")
        return Step(
            RESTART,
            self.name,
            item.key,
            before=state,
            after=state,
            inputs=_shutdown_inputs(item),
            facts=facts,
            consent=(Consent(f"restart_guest:{label(item.key)}", f"{name} is down while it restarts"),),
        )

    @staticmethod
    def _may_restart(item: Item, declared: Declaration) -> bool:
        return consent.given(f"restart_guest:{label(item.key)}", declared.allow)

    def _to_restart(self, thing: Thing, after: State, options: Sequence[str], mine: frozenset[str] | None) -> bool:
        """Whether something of the item's waits for a restart, or will. `mine` are the item's wire names."""
        if any(self.concerns(key, mine) for key in thing.facts.get("waiting", {})):
            return True
        raw = thing.facts.get("raw", {})
        return any(self.waits(key, old, new, raw) for key, old, new in self.changes(options, after, raw))

    def _refuse_locked(self, item: Item, facts: Mapping[str, Any], steps: Sequence[Step]) -> None:
        lock = facts.get("lock")
        if not lock or not steps:
            return
        if lock == SUSPENDED and [step.action for step in steps] == [START]:
            return
        if lock == SUSPENDED:
            hint = "It is hibernated: start it first (status: running, in a task of its own)."
        else:
            hint = (
                f"Wait until its {lock} has finished. If none is running, release it with `qm unlock` or `pct unlock`."
            )
        raise Locked(
            f"{self.described(item.key)} is locked ({lock}) on {facts.get('node')}; nothing was changed.",
            waitable=False,
            lock=lock,
            hint=hint,
        )


def _shutdown_inputs(item: Item) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    if item.options.get("shutdown_timeout") is not None:
        inputs["timeout"] = item.options["shutdown_timeout"]
    if item.options.get("force_stop"):
        inputs["forceStop"] = 1
    return inputs
