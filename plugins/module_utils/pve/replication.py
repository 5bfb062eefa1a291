# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""I/O for replication jobs: how they go, each node tells of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.backend import TableBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import NodeOffline, PveError
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import RestKind


class ReplicationBackend(TableBackend):
    """A node that is off tells nothing, which is told and no failure."""

    def verify(self, kind: RestKind, things: Mapping[Key, Thing], declared: Declaration) -> Sequence[Unmet]:
        paths = list(kind.verify_paths(things, declared))
        answers = {}
        away = []
        for path, answer in zip(paths, self.client.get_many(paths)):
            if isinstance(answer, NodeOffline):
                away.append(answer.node)
            elif isinstance(answer, PveError):
                raise answer
            else:
                answers[path] = answer
        reached = {key: thing for key, thing in things.items() if thing.facts.get("source") not in away}
        silent = [Unmet(f"node {node} is off: nothing is replicated from there") for node in away]
        return [*kind.unmet(reached, declared, answers), *silent]
