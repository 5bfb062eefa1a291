# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""MySQL's plugin clone, in place."""

from __future__ import annotations

import contextlib
import time

from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialect import BOTH
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialects import dialect_of
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.errors import MysqlError, Unreachable
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.seed_operation import Side
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.seeding import Seeding

# A clone ends with a restart of the server, and that with a recovery.
_RESTARTING = 600.0
_PAUSE = 0.2
# "Restart server failed (mysqld is not managed by supervisor process)": it was cloned, and only shut down.
_NOT_SUPERVISED = 3707


class CloneSeeding(Seeding):
    def fill(self, here: Side) -> None:
        login, client = self.donor.login, self.client
        dialect = dialect_of(client)
        self.stop_channels()
        before = client.row("SELECT @@global.clone_valid_donor_list AS list")["list"]
        place = f"{login.host}:{login.port}"
        self.do(f"SET GLOBAL clone_valid_donor_list = {client.literal(place)}", "to accept the donor")
        who = f"{client.literal(login.user)}@{client.literal(login.host)}:{login.port}"
        statement = f"CLONE INSTANCE FROM {who} IDENTIFIED BY {client.literal(login.password)}"
        # The clone drops what is here first, as an administrator would. The restart that ends it puts this back.
        locked = here.server.super_read_only
        for each in dialect.keep_others_out(super_read_only=True) if locked else ():
            self.do(each, "to let only administrators write")
        client.close()
        self.donor.close()
        usual, client.patience = client.patience, 86400
        try:
            client.write(f"{statement}{' REQUIRE SSL' if login.ca else ''}", asked=f"to clone {place}")
        except Unreachable:
            # The restart that ends it.
            pass
        except MysqlError as problem:
            if problem.number != _NOT_SUPERVISED:
                with contextlib.suppress(MysqlError):
                    self.do(f"SET GLOBAL clone_valid_donor_list = {client.literal(before or '')}", "to put that back")
                    if locked:
                        self.do(dialect.stop_writing(), "to make it read-only again")
                raise
        client.close()
        client.patience = usual
        self._await_restart()
        # They came from the donor with the rest, and are its own. The restart has started them, or is about to.
        for name in dialect.read(client).channels:
            self.do(dialect.stop(name, BOTH, client.literal), f"to stop the donor's channel {name or 'default'}")
            for text in dialect.forget(name, (), client.literal):
                self.do(text, f"to remove the donor's channel {name or 'default'}")

    def _await_restart(self) -> None:
        deadline = time.monotonic() + _RESTARTING
        while True:
            with contextlib.suppress(MysqlError):
                row = self.client.row(
                    "SELECT STATE AS state, ERROR_MESSAGE AS text FROM performance_schema.clone_status"
                )
                if row.get("state") == "Completed":
                    return
                if row.get("state") == "Failed":
                    break
            self.client.close()
            if time.monotonic() > deadline:
                break
            time.sleep(_PAUSE)
        raise MysqlError(
            f"The server was cloned, and did not come back within {_RESTARTING / 60:.0f} minutes.",
            hint="Start it, look at its error log, and remove the donor's channels (RESET REPLICA ALL).",
        )
