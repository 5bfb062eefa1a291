# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The engine's I/O for Open vSwitch: everything wanted in one read, every step in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.database import Database, Tables
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.kind import OvsKind


class OvsBackend:
    # The database takes one transaction after another anyway.
    parallel = 1

    def __init__(self, database: Database) -> None:
        self.database = database

    @property
    def writes(self) -> int:
        return self.database.writes

    def close(self) -> None:
        """There is no connection to keep: every ovs-vsctl has its own."""

    def resolve(self, kind: OvsKind, declared: Declaration) -> Declaration:
        return declared

    def observe(self, kind: OvsKind, keys: Collection[Key] | None, options: Collection[str]) -> Mapping[Key, Thing]:
        found = kind.decode(self._tables(kind))
        return {key: thing for key, thing in found.items() if keys is None or key in keys}

    def precheck(self, kind: OvsKind, plan: Plan, declared: Declaration) -> Sequence[str]:
        return kind.problems(plan, self._tables(kind))

    def apply(self, kind: OvsKind, step: Step) -> Sequence[str]:
        return self.database.transact(kind.commands(step))

    def verify(self, kind: OvsKind, things: Mapping[Key, Thing], declared: Declaration) -> Sequence[Unmet]:
        if not self.database.switch_runs():
            return (Unmet("ovs-vswitchd is not running: the configuration is in the database and nothing acts on it."),)
        return kind.unmet(things, declared, self._tables(kind))

    def _tables(self, kind: OvsKind) -> Tables:
        return self.database.read(dict(kind.tables))
