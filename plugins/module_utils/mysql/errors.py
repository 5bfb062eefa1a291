# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What can go wrong with MySQL and MariaDB, as types, and what to do about it."""

from __future__ import annotations

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError


class MysqlError(SubsystemError):
    """A server refused something. `number` is its error number, 0 where there is none."""

    def __init__(self, message: str, *, hint: str = "", number: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.number = number


class Unreachable(MysqlError):
    """No connection, or it was lost: nothing further can succeed either."""

    affects_everything = True


class LoginRefused(Unreachable):
    """The server is there and does not let us in."""


class Unsupported(MysqlError):
    """A server that is too old, or a Python without PyMySQL."""

    affects_everything = True


_PRIVILEGES = (
    "The login needs, on MySQL, REPLICATION_SLAVE_ADMIN, REPLICATION CLIENT, SYSTEM_VARIABLES_ADMIN and SELECT on "
    "performance_schema; on MariaDB, REPLICATION SLAVE ADMIN, REPLICA MONITOR and, for filters and semi_sync, "
    "REPLICATION SLAVE ADMIN or SUPER."
)
_HINTS: dict[int, str] = {
    1044: _PRIVILEGES,
    1142: _PRIVILEGES,
    1227: _PRIVILEGES,
    1193: "This version of the server does not have the setting.",
    1200: "Give the server a server_id of its own, and look at its error log.",
    1201: "Look at the server's error log: the files of the channel cannot be read or written.",
    1290: "The server was started with an option that forbids it.",
    1872: "Look at the server's error log: the tables of replication cannot be read or written.",
    3021: "Somebody started the channel meanwhile; run again.",
    3081: "Somebody started the channel meanwhile; run again.",
    3085: "Somebody started the channel meanwhile; run again.",
    1198: "Somebody started the channel meanwhile; run again.",
}
# The server went away, was shut down or killed the connection.
LOST = frozenset({1053, 1077, 1079, 1152, 1158, 1159, 1160, 1161, 1184, 2006, 2013, 2055, 4031})
# What a channel is answered for a wrong password, a missing privilege, a purged log: nothing that passes by itself.
LASTING = frozenset({1045, 1130, 1227, 1236, 1593, 1698, 2061, 3118})
NO_ACCESS = frozenset({1045, 1130, 1698, 1820, 1862, 3118, 3159, 4151})


def refused(number: int, text: str, *, asked: str = "") -> MysqlError:
    """The error that a server's answer means. `asked`: what it was asked, without anything secret."""
    what = f"The server refused {asked}" if asked else "The server answered"
    said = f"{what}: {text.rstrip('.')} ({number})." if number else f"{what}: {text.rstrip('.')}."
    if number in LOST:
        return Unreachable(said, hint="Look whether the server runs, and at its error log.", number=number)
    return MysqlError(said, hint=_HINTS.get(number, "Look at the server's error log."), number=number)
