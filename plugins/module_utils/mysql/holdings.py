# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Which transactions a server holds, of MySQL's or MariaDB's sort, and what one has beyond another. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Union

from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialect import SQL, Channel
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.gtid import GtidSet, GtidState
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.server import Server

Transactions = Union[GtidSet, GtidState]


def transactions(server: Server, text: str) -> Transactions:
    """A set as the server's dialect writes it. ValueError for what is none."""
    return GtidState.parse(text) if server.dialect == "MariaDB" else GtidSet.parse(text)


def seen(server: Server) -> Transactions:
    """All that a server has applied or received."""
    return union(transactions(server, server.has), transactions(server, server.received))


def applied_by_itself(server: Server) -> Transactions:
    """What a server has, and what it will have without anybody's help: a channel that stands still applies nothing."""
    return with_received(server, (one for one in server.channels if SQL in one.threads and not one.sql.error))


def with_received(server: Server, channels: Iterable[Channel]) -> Transactions:
    """What a server has, and what these channels of it have received."""
    received = ",".join(one.received for one in channels if one.received)
    return union(transactions(server, server.has), transactions(server, received))


def union(one: Transactions, other: Transactions) -> Transactions:
    if isinstance(one, GtidState) and isinstance(other, GtidState):
        return one | other
    if isinstance(one, GtidSet) and isinstance(other, GtidSet):
        return one | other
    raise TypeError("transactions of MySQL and of MariaDB cannot be put together")


def more(one: Transactions, other: Transactions) -> Transactions:
    """What `one` has beyond the other."""
    if isinstance(one, GtidState) and isinstance(other, GtidState):
        return one - other
    if isinstance(one, GtidSet) and isinstance(other, GtidSet):
        return one - other
    raise TypeError("transactions of MySQL and of MariaDB cannot be compared")


def number(one: Transactions, other: Transactions) -> int:
    """How many transactions `one` has beyond the other. MariaDB numbers them through within a domain."""
    beyond = more(one, other)
    if isinstance(beyond, GtidSet):
        return beyond.count
    if isinstance(one, GtidState) and isinstance(other, GtidState):
        here = other.highest()
        return sum(max(last - here.get(domain, 0), 0) for domain, last in one.highest().items()) or len(beyond.last)
    return 0
