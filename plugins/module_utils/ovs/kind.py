# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A kind of thing in Open vSwitch: which tables it is read from, and which part of a transaction a step takes.

Pure: the backend reads the tables and runs the transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import Kind
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.changes import Change, words
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.database import Command, Tables
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.host import Host


@dataclass(frozen=True)
class OvsKind(Kind):
    """What the backend asks of a kind beyond planning. tables: (table, columns) it is read from."""

    tables: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def decode(self, tables: Tables) -> Mapping[Key, Thing]:
        """All things of this kind that the tables hold."""
        raise TypeError(f"{self.name} does not say how it is read")

    def commands(self, step: Step, tag: str) -> Sequence[Command]:
        """The commands of a step. `tag` makes the names of new rows differ from those of other steps' rows, since all
        steps are one transaction."""
        return words(self.changes(step, tag))

    def changes(self, step: Step, tag: str) -> Sequence[Change]:
        """The rows that a step changes, for a kind that writes no commands of its own."""
        raise TypeError(f"{self.name} does not say how a step is written")

    def confidential(self, step: Step) -> bool:
        """Whether a step writes something that must be in no command line and no log."""
        return any(row.secret and row.name in step.options and (step.after or {}).get(row.name) for row in self.fields)

    def wants_another_look(self, step: Step) -> bool:
        """Whether ovs-vswitchd has to look at the database a second time to carry a step out."""
        return False

    def prepared(self, step: Step, host: Host) -> Step:
        """The step with what has to be known of the running switch to write it. Reads only."""
        return step

    def releases(self, step: Step) -> Collection[str]:
        """The network interfaces that a step takes out of an LACP bond."""
        return ()

    def touches(self, step: Step) -> Collection[str]:
        """The interfaces, bridges, bonds and ports through which a step can interrupt somebody."""
        return ()

    def problems(self, plan: Plan, tables: Tables, host: Host) -> Sequence[str]:
        """What would be refused, or taken and never done, in the user's words."""
        return ()

    def unmet(self, things: Mapping[Key, Thing], declared: Declaration, tables: Tables, host: Host) -> Sequence[Unmet]:
        """What does not hold although everything is as declared."""
        return ()
