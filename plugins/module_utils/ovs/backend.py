# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The engine's I/O for Open vSwitch: everything wanted in one read, everything planned in one transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import Optional

from ansible_collections.hospital.continuity.plugins.module_utils.command import Runner, run
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Consent, Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.network import checkpoint, guard, management
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.changes import operations
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.database import Database, Tables
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.host import Host
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.kind import OvsKind
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.released import let_go

# Always read: whether ovs-vswitchd keeps up.
_SWITCH = ("cur_cfg", "next_cfg")


class OvsBackend:
    """runner: how programs are run on the host of the database.  management_address: see network/management.py."""

    # The database takes one transaction after another anyway.
    parallel = 1

    def __init__(self, database: Database, *, runner: Runner = run, management_address: str = "") -> None:
        self.database = database
        self.run = runner
        self.management_address = management_address
        self._path: Optional[management.ManagementPath] = None

    @property
    def writes(self) -> int:
        return self.database.writes

    def close(self) -> None:
        """There is no connection to keep: every ovs-vsctl has its own."""

    def resolve(self, kind: OvsKind, declared: Declaration) -> Declaration:
        return declared

    def observe(self, kind: OvsKind, keys: Collection[Key] | None, options: Collection[str]) -> Mapping[Key, Thing]:
        found = kind.decode(self.tables(kind))
        return {key: thing for key, thing in found.items() if keys is None or key in keys}

    def precheck(self, kind: OvsKind, plan: Plan, declared: Declaration) -> Sequence[str]:
        problems = list(kind.problems(plan, self.tables(kind), self.host()))
        touches = _touches(kind, plan)
        if touches:
            path = self._management_path()
            if guard.hits(touches, path):
                problems.extend(guard.problems(touches, path, checkpoint.armed(self.run)))
        return problems

    def consents(self, kind: OvsKind, plan: Plan, declared: Declaration) -> Mapping[Key, Sequence[Consent]]:
        touches = _touches(kind, plan)
        return guard.consents(touches, self._management_path()) if touches else {}

    def apply(self, kind: OvsKind, step: Step) -> Sequence[str]:
        return self.apply_all(kind, (step,))

    def apply_all(self, kind: OvsKind, steps: Sequence[Step]) -> Sequence[str]:
        """Every step in one transaction, so that a member can go from one bond to another, and nothing is half done."""
        host = self.host()
        steps = [kind.prepared(step, host) for step in steps]
        with let_go(self.run, host, _released(kind, steps)) as warnings:
            said = self._written(kind, steps)
        again = [step for step in steps if kind.wants_another_look(step)]
        if again:
            # The change is made; if this fails, verify says what is wrong with it.
            with contextlib.suppress(SubsystemError):
                self.database.write((), f"{_comment(again)} (looked at once more)")
        return [*said, *warnings]

    def _written(self, kind: OvsKind, steps: Sequence[Step]) -> Sequence[str]:
        if any(kind.confidential(step) for step in steps):
            changes = [change for number, step in enumerate(steps) for change in kind.changes(step, f"s{number}")]
            return self.database.write(operations(changes), _comment(steps))
        commands = [command for number, step in enumerate(steps) for command in kind.commands(step, f"s{number}")]
        return self.database.transact(commands)

    def verify(self, kind: OvsKind, things: Mapping[Key, Thing], declared: Declaration) -> Sequence[Unmet]:
        if not self.database.switch_runs():
            return (Unmet("ovs-vswitchd is not running: the configuration is in the database and nothing acts on it."),)
        tables = self.tables(kind)
        switch = tables["Open_vSwitch"][0] if tables["Open_vSwitch"] else dict.fromkeys(_SWITCH, 0)
        behind = switch["cur_cfg"] < switch["next_cfg"]
        late = [Unmet("ovs-vswitchd has not taken up the last change of the configuration.", passing=True)]
        return [*(late if behind else []), *kind.unmet(things, declared, tables, self.host())]

    def tables(self, kind: OvsKind) -> Tables:
        return self.database.read(dict(kind.tables))

    def host(self) -> Host:
        """The host as it is now."""
        return Host(self.run, self.database.address)

    def _management_path(self) -> management.ManagementPath:
        if self._path is None:
            self._path = management.find(self.run, address=self.management_address, database=self.database.address)
        return self._path


def _comment(steps: Sequence[Step]) -> str:
    return f"hospital.continuity: {'; '.join(step.line for step in steps)}"


def _released(kind: OvsKind, steps: Sequence[Step]) -> set[str]:
    """What leaves an LACP bond, and is in no other bond or port afterwards."""
    taken = {name for step in steps for name in ((step.after or {}).get("members") or ())}
    return {name for step in steps for name in kind.releases(step)} - taken


def _touches(kind: OvsKind, plan: Plan) -> dict[Key, set[str]]:
    result: dict[Key, set[str]] = {}
    for step in plan:
        names = set(kind.touches(step)) - {""}
        if names:
            result.setdefault(step.key, set()).update(names)
    return result
