# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A kind of thing in Open vSwitch: which tables it is read from, and which commands of one transaction a step takes.

Pure: the backend reads the tables and runs the transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import Kind
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.database import Command, Tables


@dataclass(frozen=True)
class OvsKind(Kind):
    """What the backend asks of a kind beyond planning. tables: (table, columns) it is read from."""

    tables: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def decode(self, tables: Tables) -> Mapping[Key, Thing]:
        """All things of this kind that the tables hold."""
        raise TypeError(f"{self.name} does not say how it is read")

    def commands(self, step: Step) -> Sequence[Command]:
        """The commands of a step, which make one transaction."""
        raise TypeError(f"{self.name} does not say how a step is written")

    def problems(self, plan: Plan, tables: Tables) -> Sequence[str]:
        """What would be refused, or taken and never done, in the user's words."""
        return ()

    def unmet(self, things: Mapping[Key, Thing], declared: Declaration, tables: Tables) -> Sequence[Unmet]:
        """What does not hold although everything is as declared."""
        return ()
