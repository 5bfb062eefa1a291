# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The QDevice by pvecm, on any node of the cluster."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.command import CommandFailed, Runner, run, shown
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import CREATE, Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve_node.corosync_conf import parsed
from ansible_collections.hospital.continuity.plugins.module_utils.pve_node.programs import program, said
from ansible_collections.hospital.continuity.plugins.module_utils.pve_node.qdevice import (
    Configured,
    QdeviceKind,
    Votes,
    configured,
    votes_of,
)


class QdeviceBackend:
    parallel = 1

    def __init__(self, conf_path: str, timeout: float = 180.0, runner: Runner = run) -> None:
        self.writes = 0
        self._conf_path, self._timeout, self._run = Path(conf_path), timeout, runner

    def close(self) -> None:
        """There is no connection to give back."""

    def resolve(self, kind: QdeviceKind, declared: Declaration) -> Declaration:
        return declared

    def observe(
        self, kind: QdeviceKind, keys: Optional[Collection[Key]], options: Collection[str]
    ) -> Mapping[Key, Thing]:
        things = kind.things(self._configured())
        return {key: thing for key, thing in things.items() if keys is None or key in keys}

    def precheck(self, kind: QdeviceKind, plan: Plan, declared: Declaration) -> Sequence[str]:
        return kind.problems(plan, self._configured(), self._votes())

    def apply(self, kind: QdeviceKind, step: Step) -> Sequence[str]:
        argv = kind.argv(step)
        self.writes += 1
        done = self._run(argv, timeout=self._timeout)
        if done.status != 0:
            hint = "Is corosync-qnetd installed there, corosync-qdevice on every node, and may root log in by key?"
            raise CommandFailed(
                f"{shown(argv)} said: {said(done)}.", hint=hint if step.action == CREATE else "", completed=done
            )
        return ()

    def verify(self, kind: QdeviceKind, things: Mapping[Key, Thing], declared: Declaration) -> Sequence[Unmet]:
        return kind.unmet(self._votes())

    def _configured(self) -> Configured:
        try:
            return configured(parsed(self._conf_path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise InvalidInput(
                f"This host is in no cluster: there is no {self._conf_path}.", hint="Create the cluster first."
            ) from None
        except (OSError, ValueError) as problem:
            raise InvalidInput(
                f"{self._conf_path} cannot be read: {problem}.", hint="Look at it on this host."
            ) from None

    def _votes(self) -> Votes:
        return votes_of(program(self._run, ("pvecm", "status"), self._timeout))


def open_backend(params: Mapping[str, Any]) -> QdeviceBackend:
    return QdeviceBackend(str(params["conf_path"]), float(params["timeout"]))
