# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What all ways to fill a server from another have: the two servers, and the mark of a copy that is not complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.hospital.continuity.plugins.module_utils.mysql.client import Client, identifier
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialect import BOTH
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialects import dialect_of
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.seed_operation import EMPTIED, Side
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.server import MARK


class Seeding:
    """client: of the server that is filled.  donor: of the other.  commands: the user's programs, by word.  transfers:
    how often something but a statement changed anything."""

    def __init__(self, client: Client, donor: Client, commands: Mapping[str, Sequence[str]]) -> None:
        self.client, self.donor, self.commands = client, donor, commands
        self.transfers = 0

    @property
    def writes(self) -> int:
        return self.client.writes + self.transfers

    def fill(self, here: Side) -> None:
        """Do it. Raises SubsystemError."""
        raise NotImplementedError

    def do(self, statement: str, asked: str) -> None:
        self.client.write(statement, asked=asked)

    def stop_channels(self, *, emptied: bool = False) -> None:
        """emptied: what they received before is thrown away. They themselves stay."""
        dialect, literal = dialect_of(self.client), self.client.literal
        for name, channel in dialect.read(self.client).channels.items():
            if channel.threads:
                self.do(dialect.stop(name, BOTH, literal), f"to stop the channel {name or 'default'}")
            if emptied:
                self.do(dialect.forget_received(name, literal), f"to empty the channel {name or 'default'}")

    def mark(self) -> None:
        self.client.rows("SET SESSION sql_log_bin = 0")
        self.do(f"CREATE DATABASE IF NOT EXISTS {identifier(MARK)}", "to mark that it is being seeded")

    def mark_as_emptied(self) -> None:
        # MariaDB knows the files of this engine again, whatever the server around them is.
        table, engine = f"{identifier(MARK)}.{identifier(EMPTIED)}", dialect_of(self.client).plain_engine
        statement = f"CREATE TABLE IF NOT EXISTS {table} (at INT) ENGINE = {engine}"
        self.do(statement, "to note that it has no data of its own any more")

    def unmark(self) -> None:
        self.client.close()
        self.client.rows("SET SESSION sql_log_bin = 0")
        self.do(f"DROP DATABASE IF EXISTS {identifier(MARK)}", "to end the mark")
