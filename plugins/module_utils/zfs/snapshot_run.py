# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The program that takes and prunes snapshots when nobody runs Ansible. It needs nothing but Python:

    snapshots.pyz

Every policy that is kept at a dataset of this host is applied as module zfs_snapshot applies it that is given dataset
and prefix alone. Whatever goes wrong with one policy, the others have their turn.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Optional, TextIO

from ansible_collections.hospital.continuity.plugins.module_utils.command import CommandTimedOut
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.converge import converge
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import label
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import ANSWERING, CommandLine, Pool
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.snapshot import SNAPSHOTS
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.snapshot_backend import (
    SnapshotBackend,
    policies,
)

# Seconds for one run of zfs. Nobody waits for this program.
_PATIENCE = 600


def main(argv: Optional[Sequence[str]] = None) -> int:
    """The exit code: 1 where something could not be done, of which there is a line each."""
    if len(sys.argv if argv is None else argv) != 1:
        sys.stderr.write("usage: snapshots.pyz\n")
        return 2
    return Run(CommandLine(timeout=_PATIENCE)).all()


class Run:
    """One run over all pools. done: where it says what it did; failed: where it says what it could not do."""

    def __init__(self, zfs: CommandLine, done: TextIO = sys.stdout, failed: TextIO = sys.stderr) -> None:
        self._zfs = zfs
        self._done, self._failed = done, failed
        self._failures = 0

    def all(self) -> int:
        try:
            pools = self._zfs.pools()
        except SubsystemError as problem:
            self._fail("the pools", str(problem))
            return 1
        for name in sorted(pools):
            self._pool(pools[name])
        return 1 if self._failures else 0

    def _pool(self, pool: Pool) -> None:
        if pool.health not in ANSWERING:
            self._fail(f"pool {pool.name}", f"It is {pool.health}: no policy of snapshots is applied there.")
            return
        try:
            kept = policies(self._zfs, pool.name)
        except SubsystemError as problem:
            self._fail(f"pool {pool.name}", str(problem))
            return
        for key in sorted(kept):
            try:
                self._policy(key)
            except CommandTimedOut as problem:
                self._fail(label(key), f"{problem} The other policies of pool {pool.name} are left out.")
                return
            except SubsystemError as problem:
                self._fail(label(key), str(problem))
            except Exception as problem:  # noqa: BLE001 - the other policies must have their turn
                self._fail(label(key), f"{type(problem).__name__}: {problem}")

    def _policy(self, key: Key) -> None:
        declared = SNAPSHOTS.declare({"config": [{"dataset": key[0], "prefix": key[1]}]})
        outcome = converge(SNAPSHOTS, declared, SnapshotBackend(self._zfs), verify_timeout=0)
        for result in outcome.results:
            self._say(self._done, result.line)
        for text in (*outcome.warnings, *outcome.unmet):
            self._say(self._done, f"{label(key)}: {text}")
        if outcome.failure:
            self._fail(label(key), outcome.failure)

    def _fail(self, what: str, why: str) -> None:
        self._failures += 1
        self._say(self._failed, f"{what}: {why}")

    @staticmethod
    def _say(where: TextIO, text: str) -> None:
        """One line, at once: the journal has a time for each."""
        where.write(f"{' '.join(text.split())}\n")
        where.flush()
