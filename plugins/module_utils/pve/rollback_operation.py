# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Going back to a snapshot of a guest, once. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing, Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Operation, Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Consent, Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Boolean, Key, Number
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.precheck import UNSEEN
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.snapshot import (
    CURRENT,
    check_name,
    check_vmid,
)

ROLLBACK = "rollback"
RUNNING = "running"


@dataclass(frozen=True)
class RollbackOperation(Operation):
    """Nothing is to be done where the guest went back to that snapshot, and to or from no other since.

    A Thing's state is `parent` (the snapshot the guest comes from), `went_back_to` (the same, if it went back to it)
    and `status`; its facts are `name` and `snapshots` (the rows of the list, by name).
    """

    def check(self, order: Order) -> None:
        check_vmid(int(order.options["vmid"]))
        check_name(str(order.options["snapname"]))

    def plan(self, observed: Mapping[Key, Thing], order: Order) -> Plan:
        vmid, name = order.options["vmid"], str(order.options["snapname"])
        thing = observed.get((vmid,))
        if thing and not order.options["again"] and thing.state.get("went_back_to") == name:
            return Plan()
        status = (thing.state if thing else {}).get("status")
        if status is not None:
            # With the RAM in the snapshot it runs on.
            on = order.options["start"] or thing_of(thing, name).get("vmstate")
            status = RUNNING if on else "stopped"
        after = {"parent": name, "went_back_to": name, **({"status": status} if status else {})}
        step = Step(
            ROLLBACK,
            "guest",
            (vmid,),
            before=thing.state if thing else None,
            after=after,
            options=(name,),
            inputs={"start": order.options["start"]},
            facts=thing.facts if thing else {},
        )
        return Plan((step,))

    def consents(self, step: Step) -> Sequence[Consent]:
        (vmid,), (name,) = step.key, step.options
        row = (step.facts.get("snapshots") or {}).get(name) or {}
        called = f" ({step.facts['name']})" if step.facts.get("name") else ""
        taken = f" of {moment(row['snaptime'])}" if row.get("snaptime") else ""
        text = f"guest {vmid}{called} goes back to {name}{taken}: what was written to its disks and changed in its "
        text += "configuration since is lost"
        if (step.before or {}).get("status") == RUNNING:
            text += ", and it is stopped"
        return (Consent(f"rollback_guest:{vmid}", text),)

    def problems(self, step: Step) -> Sequence[str]:
        """What is not there."""
        (vmid,), (name,) = step.key, step.options
        if step.before is None:
            return (Missing(f"vmid: guest {vmid} {UNSEEN}"),)
        names = sorted(set(step.facts["snapshots"]) - {CURRENT})
        if name not in names:
            return (Missing(f"snapname: guest {vmid} has no snapshot {name}, it has {', '.join(names) or 'none'}"),)
        return ()

    def unmet(self, things: Mapping[Key, Thing], order: Order) -> Sequence[Unmet]:
        if not order.options["start"]:
            return ()
        return [
            Unmet(f"guest {key[0]} is to run and is {thing.state.get('status')}", passing=True)
            for key, thing in things.items()
            if thing.state.get("status") != RUNNING
        ]


def thing_of(thing: Thing | None, name: str) -> Mapping[str, Any]:
    """A snapshot's row in the list."""
    row: Mapping[str, Any] = (thing.facts["snapshots"] if thing else {}).get(name) or {}
    return row


def went_back_to(snapshots: Mapping[str, Mapping[str, Any]], ended: Iterable[int]) -> str | None:
    """The snapshot that the guest went back to, if that is the last that happened to its snapshots. A guest also comes
    from a snapshot that has just been taken; then no rollback has ended since."""
    parent = (snapshots.get(CURRENT) or {}).get("parent")
    taken = (snapshots.get(str(parent)) or {}).get("snaptime")
    if taken is None or not any(moment >= taken for moment in ended):
        return None
    return str(parent)


def ended_well(tasks: Iterable[Mapping[str, Any]]) -> list[int]:
    """When tasks ended that did what they were to do."""
    good = [task for task in tasks if str(task.get("status", "")).startswith(("OK", "WARNINGS"))]
    return [int(task.get("endtime") or task["starttime"]) for task in good]


def moment(seconds: Any) -> str:
    """A time for people, the same everywhere."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(int(seconds)))


GOING_BACK = RollbackOperation(
    name="rollback",
    words=("rollback_guest",),
    fields=(
        Field("vmid", Number(), type="int", required=True),
        Field("snapname", required=True),
        Field("start", Boolean(), type="bool", default=False),
        Field("again", Boolean(), type="bool", default=False),
    ),
)
