# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The operation behind the module network_checkpoint: arm a way back, confirm the change, or go back at once. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Operation, Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import (
    Key,
    Number,
    Text,
    Unordered,
)
from ansible_collections.hospital.continuity.plugins.module_utils.network.checkpoint import (
    ARMED,
    CONFIRMED,
    ROLLED_BACK,
    ROLLING_BACK,
    Checkpoint,
)
from ansible_collections.hospital.continuity.plugins.module_utils.network.peers import peer
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.database import DEFAULT_ADDRESS

ARM, CONFIRM, ROLL_BACK, STATUS = "arm", "confirm", "roll_back", "status"
KEY: Key = ("checkpoint",)
SHORTEST, LONGEST = 5, 600
# A node that loses its cluster is reset by its watchdog after 60 s: the way back has to be shorter.
LONGEST_WITH_WATCHDOG = 50


@dataclass(frozen=True)
class CheckpointOperation(Operation):
    def check(self, order: Order) -> None:
        timeout = order.options["timeout"]
        if not SHORTEST <= timeout <= LONGEST:
            raise InvalidInput(
                f"timeout: {timeout} s is not between {SHORTEST} and {LONGEST}.", hint="45 suits nearly everywhere."
            )
        if order.options["reach_timeout"] < 1:
            raise InvalidInput("reach_timeout: it is not a number of seconds.", hint="Give 1 or more.")
        if not str(order.options["interfaces_file"]).startswith("/"):
            raise InvalidInput("interfaces_file: it is not the absolute path of a file.", hint="Correct the value.")
        if not str(order.options["database"]).startswith(("unix:/", "tcp:")):
            raise InvalidInput(
                f"database: {order.options['database']!r} is no address of an Open vSwitch database on this host.",
                hint=f"Write unix:PATH or tcp:HOST:PORT; the usual one is {DEFAULT_ADDRESS}.",
            )
        for text in order.options.get("peers") or ():
            try:
                peer(text)
            except ValueError as problem:
                raise InvalidInput(f"peers: {problem}.", hint="Correct the value.") from None

    def plan(self, observed: Mapping[Key, Thing], order: Order) -> Plan:
        action = order.options["action"]
        before = observed[KEY].state if KEY in observed else None
        was = before["state"] if before else ""
        if action == STATUS or (action, was) in ((CONFIRM, CONFIRMED), (ROLL_BACK, ROLLED_BACK)):
            return Plan()
        if action == ARM:
            after = {"state": ARMED, "timeout": order.options["timeout"], "peers": order.options.get("peers") or ()}
        else:
            after = {**(before or {}), "state": CONFIRMED if action == CONFIRM else ROLLED_BACK}
        inputs = {name: order.options[name] for name in ("interfaces_file", "database")}
        return Plan((Step(action, "network", KEY, before, after, inputs=inputs),))

    def values(self, observed: Mapping[Key, Thing], order: Order) -> Mapping[str, Any]:
        found: Optional[Checkpoint] = observed[KEY].facts["checkpoint"] if KEY in observed else None
        return {"checkpoint": shown(found)}


def thing(checkpoint: Checkpoint) -> Thing:
    """A checkpoint as the engine compares it; what depends on the moment is left out."""
    state = {"state": checkpoint.state, "timeout": checkpoint.timeout, "peers": tuple(sorted(checkpoint.peers))}
    return Thing(state, {"checkpoint": checkpoint})


def shown(checkpoint: Optional[Checkpoint]) -> dict[str, Any]:
    """A checkpoint as the module returns it."""
    if checkpoint is None:
        return {"state": "none"}
    return {
        "state": checkpoint.state,
        "armed_at": checkpoint.armed_at,
        "by": checkpoint.by,
        "timeout": checkpoint.timeout,
        "remaining": int(checkpoint.remaining) if checkpoint.state == ARMED else 0,
        "peers": list(checkpoint.peers),
        "ended_at": checkpoint.ended_at,
        "reason": checkpoint.reason,
        "notes": list(checkpoint.notes),
    }


def told(checkpoint: Optional[Checkpoint]) -> str:
    """What has become of a checkpoint, in one sentence without its full stop."""
    if checkpoint is None:
        return "no network checkpoint has been armed on this host"
    if checkpoint.state == ARMED:
        left = f"it rolls back in {int(checkpoint.remaining)} s" if checkpoint.protects else "its time is over"
        return f"a network checkpoint was armed at {checkpoint.armed_at} by {checkpoint.by}, and {left}"
    if checkpoint.state == ROLLING_BACK:
        return f"the network is being put back at this moment, because {checkpoint.reason}"
    if checkpoint.state == ROLLED_BACK:
        text = (
            f"the network was rolled back at {checkpoint.ended_at}, because {checkpoint.reason}: "
            "this host has its old configuration"
        )
        return f"{text} ({'; '.join(checkpoint.notes)})" if checkpoint.notes else text
    return f"the last network checkpoint was confirmed at {checkpoint.ended_at}"


CHECKPOINT = CheckpointOperation(
    name="checkpoint",
    fields=(
        Field("action", choices=(ARM, CONFIRM, ROLL_BACK, STATUS), required=True),
        Field("timeout", form=Number(), type="int", default=45),
        Field("peers", form=Unordered(), type="list", elements="str"),
        Field("reach_timeout", form=Number(), type="int", default=300),
        Field("interfaces_file", form=Text(), type="path", default="/etc/network/interfaces"),
        Field("database", form=Text(), default=DEFAULT_ADDRESS),
    ),
)
