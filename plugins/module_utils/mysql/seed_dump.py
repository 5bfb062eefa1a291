# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A dump of the donor that goes straight into the server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ansible_collections.hospital.continuity.plugins.module_utils.command import Completed
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.client import Client, identifier
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialect import Dialect
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialects import dialect_of
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.errors import MysqlError
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.option_file import option_file
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.seed_operation import Side
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.seeding import Seeding
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.transfer import transfer


class DumpSeeding(Seeding):
    def fill(self, here: Side) -> None:
        """Until it is complete, a mark says that it is not."""
        dialect = dialect_of(self.client)
        with self._open(dialect, here):
            self.mark()
            self.stop_channels(emptied=True)
            # Tables of one database may refer to those of another that goes first.
            self.client.rows("SET SESSION foreign_key_checks = 0")
            for name in here.databases:
                self.do(f"DROP DATABASE {identifier(name)}", f"to drop the database {name}")
            self.mark_as_emptied()
            for statement in dialect.forget_transactions():
                self.do(statement, "to forget its transactions")
            # The donor's history as of before the copy, for what its position alone does not tell.
            history = dialect.history(self.donor).has
            try:
                self._copy(dialect)
            except MysqlError:
                # The position came first, and half of the data belongs to none.
                self.client.close()
                with contextlib.suppress(MysqlError):
                    for statement in dialect.forget_transactions():
                        self.do(statement, "to forget its transactions")
                raise
            self.client.close()
            self.client.rows("SET SESSION sql_log_bin = 0")
            for statement in dialect.remember_transactions(self.client, history):
                self.do(statement, "to remember the donor's transactions")
            self.stop_channels(emptied=True)
            self.unmark()

    @contextlib.contextmanager
    def _open(self, dialect: Dialect, here: Side) -> Iterator[None]:
        """Writable for this login, and for nobody who has no such privilege."""
        statements = dialect.keep_others_out(super_read_only=here.server.super_read_only)
        for statement in statements:
            self.do(statement, "to let only administrators write")
        try:
            yield
        except MysqlError as problem:
            try:
                self.do(dialect.stop_writing(), "to make it read-only again")
            except MysqlError as another:
                problem.message += f" Nor could it be made read-only again: {another.message}"
            raise
        self.do(dialect.stop_writing(), "to make it read-only again")

    def _copy(self, dialect: Dialect) -> None:
        mysql = dialect.name == "MySQL"
        self.transfers += 1
        with self._options_for(self.donor, mysql=mysql) as theirs, self._options_for(self.client, mysql=mysql) as mine:
            # Idle for as long as it takes, a connection would not be there any more.
            self.donor.close()
            self.client.close()
            dump, client = self.commands["dump"], self.commands["client"]
            sender = [
                *(dump or dialect.programs[0]),
                f"--defaults-file={theirs}",
                *dialect.dump_options(),
            ]
            receiver = [*(client or dialect.programs[1]), f"--defaults-file={mine}"]
            # A dump of another server's accounts must not be what this login is judged by in the middle.
            receiver += ["--binary-mode", "--init-command=SET SESSION sql_log_bin = 0, foreign_key_checks = 0"]
            done = transfer(sender, receiver)
        if done.sender.status or done.receiver.status or done.stalled:
            raise self._failed(done.sender, done.receiver)

    @staticmethod
    def _options_for(client: Client, *, mysql: bool) -> contextlib.AbstractContextManager[str]:
        return option_file(client.login, mysql=mysql, tls=client.encrypted)

    def _failed(self, sender: Completed, receiver: Completed) -> MysqlError:
        cause, side = (sender, "the donor's dump") if sender.status else (receiver, "this server")
        if receiver.status and receiver.errors.strip():
            cause, side = receiver, "this server"
        said = self.client.without_secrets(self.donor.without_secrets(cause.errors.strip())) or "nothing"
        return MysqlError(
            f"The dump did not arrive: {side} says: {said[-600:].rstrip('.')}.",
            hint="This server has no data now, and is marked as unfinished. Mend the cause and run again.",
        )
