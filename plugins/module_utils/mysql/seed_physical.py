# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A copy of the donor's files by mariadb-backup, which takes the place of what the server has when it is complete."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from ansible_collections.hospital.continuity.plugins.module_utils.command import run, shown
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialects import dialect_of
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.errors import LoginRefused, MysqlError
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.physical_copy import PhysicalCopy
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.seed_operation import COPY, Side
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.seeding import Seeding
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.server import MARK

# Seconds for a server to stop or to start, and to answer.
_STARTING = 300.0
_PAUSE = 0.2


class PhysicalSeeding(Seeding):
    def fill(self, here: Side) -> None:
        """The copy is made beside while this server goes on, and takes its place when it is complete."""
        client, dialect = self.client, dialect_of(self.client)
        data = Path(str(client.row("SELECT @@global.datadir AS path")["path"]))
        copy = PhysicalCopy(data, data / COPY, kept=(MARK,))
        # The donor's history as of before the copy, for what its position alone does not tell.
        history = dialect.history(self.donor).has
        client.close()
        self.donor.close()
        self.transfers += 1
        try:
            position = copy.fetch(self.commands["backup"])
        except SubsystemError as problem:
            problem.message = self.donor.without_secrets(problem.message)
            raise
        self._exchange(copy, here)
        for statement in dialect.keep_others_out(super_read_only=False):
            self.do(statement, "to let only administrators write")
        for statement in dialect.forget_transactions():
            self.do(statement, "to forget its transactions")
        self.do(f"SET GLOBAL gtid_slave_pos = {client.literal(position)}", "to take over the donor's position")
        for statement in dialect.remember_transactions(client, history):
            self.do(statement, "to remember the donor's transactions")
        copy.forget()
        self.unmark()

    def _exchange(self, copy: PhysicalCopy, here: Side) -> None:
        """Raises the error that says what became of it."""
        self.stop_channels()
        self.mark()
        if here.emptied or not here.databases:
            self.mark_as_emptied()
        try:
            self._stop()
            copy.exchange()
            self._start()
        except SubsystemError as problem:
            try:
                with contextlib.suppress(SubsystemError):
                    self._stop()
                copy.revert()
                self._start()
                if here.server.read_only:
                    # It is not, after a start, where its configuration does not say so.
                    self.do(dialect_of(self.client).stop_writing(), "to make it read-only again")
                copy.forget()
                if not here.unfinished:
                    self.unmark()
            except SubsystemError as another:
                problem.message += f" It could not be given its old data again: {another.message}"
            else:
                problem.message += " It has its old data again, and its channels stand still."
            problem.message = f"The copy could not take the place of the old data: {problem.message}"
            raise

    def _stop(self) -> None:
        self.client.close()
        self._program("stop")

    def _start(self) -> None:
        self._program("start")
        deadline = time.monotonic() + _STARTING
        while True:
            try:
                self.client.row("SELECT 1 AS one")
            except MysqlError as problem:
                if isinstance(problem, LoginRefused) or time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE)
            else:
                return

    def _program(self, word: str) -> None:
        command = self.commands[word]
        self.transfers += 1
        done = run(command, timeout=_STARTING)
        if done.status:
            said = (done.errors or done.output).strip()[-600:].rstrip(".") or f"exit code {done.status}"
            raise MysqlError(f"{word}_command ({shown(command)}) failed: {said}.")
