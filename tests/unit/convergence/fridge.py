# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A subsystem that lives in memory, to try the engine on: blood fridges with trays, as hospitals have them too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import Kind
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import DELETE, Consent, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import ASSIGNED, Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import (
    Boolean,
    Lines,
    Number,
    Properties,
    Size,
    Unordered,
)


@dataclass(frozen=True)
class FridgeKind(Kind):
    def consents(self, step):
        return (Consent("detach_disk", "blood gets warm"),) if step.action == DELETE else ()


FRIDGE = FridgeKind(
    name="fridge",
    identity=("name",),
    words=("detach_disk", "destroy_disk"),
    scope=("name", "ward", "alarm"),
    fields=(
        Field("name"),
        Field("ward"),
        Field("model", create_only=True, choices=("upright", "chest")),
        Field("degrees", Number(), type="int", default=4),
        Field("alarm", Boolean(), type="bool", default=True),
        Field("groups", Unordered(), type="list", elements="str"),
        Field("volume", Size(unit="G")),
        Field("note", Lines()),
        Field("logger", Properties(default_key="model", forms={"every": Number()}, defaults={"every": 60})),
        Field("serial", assigned=True),
        Field("pin", write_only=True),
        Field(
            "trays",
            type="list",
            elements="dict",
            key="slot",
            kept=True,
            fields=(
                Field("slot"),
                Field("bags", Number(), type="int", default=0),
                Field("tag", assigned=True),
                Field("state", choices=("present", "absent")),
            ),
        ),
    ),
)


class Broken(SubsystemError):
    pass


class PowerCut(SubsystemError):
    affects_everything = True


@dataclass
class Cellar:
    """The backend: what stands in the cellar, and what goes wrong there."""

    things: dict[tuple, dict[str, Any]] = field(default_factory=dict)
    failing: dict[tuple, Exception] = field(default_factory=dict)
    forgets: set[str] = field(default_factory=set)
    complaints: list[list[Unmet]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    parallel: int = 4
    writes: int = 0
    observed: list[Any] = field(default_factory=list)
    pins: dict[tuple, str] = field(default_factory=dict)
    verified: int = 0

    def resolve(self, kind, declared):
        return declared

    def observe(self, kind, keys, options):
        self.observed.append(keys)
        return {key: Thing(dict(state)) for key, state in self.things.items() if keys is None or key in keys}

    def precheck(self, kind, plan, declared):
        return self.refusals

    def apply(self, kind, step):
        if step.key in self.failing:
            raise self.failing[step.key]
        self.writes += 1
        if step.action == DELETE:
            del self.things[step.key]
            return ()
        state = {name: value for name, value in step.after.items() if name not in self.forgets}
        if state.get("serial") == ASSIGNED:
            state["serial"] = f"SN{len(self.things)}"
        self.things[step.key] = state
        self.pins.update({step.key: step.secrets["pin"]} if "pin" in step.secrets else {})
        return ()

    def verify(self, kind, things, declared):
        self.verified += 1
        return self.complaints.pop(0) if self.complaints else ()

    def close(self):
        pass
