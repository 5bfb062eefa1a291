# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Sets of transactions of either dialect, with what a restoration asks of them. Pure.

MariaDB says of a dump only the last transaction of each domain; numbers rise within a domain whoever writes there. So
whether a dump has something is asked by domain there, and whether two histories are the same by exact transactions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

from databasebackup.gtid import GtidSet, GtidState
from databasebackup.settings import MARIADB

Position = Union[GtidSet, GtidState]


@dataclass(frozen=True)
class Transaction:
    """domain and server: MariaDB's; source: MySQL's UUID, and empty on MariaDB."""

    number: int
    domain: int = 0
    server: int = 0
    source: str = ""

    def __str__(self) -> str:
        return f"{self.source}:{self.number}" if self.source else f"{self.domain}-{self.server}-{self.number}"

    @property
    def alone(self) -> Position:
        """The set of just this one."""
        if self.source:
            return GtidSet({self.source: ((self.number, self.number),)})
        return GtidState({(self.domain, self.server): self.number})


def parse(dialect: str, text: str) -> Position:
    """ValueError for what is no such set."""
    return GtidState.parse(text) if dialect == MARIADB else GtidSet.parse(text)


def joined(one: Position, other: Position) -> Position:
    if isinstance(one, GtidState) and isinstance(other, GtidState):
        return one | other
    if isinstance(one, GtidSet) and isinstance(other, GtidSet):
        return one | other
    raise ValueError("positions of two dialects")


def includes(position: Position, transaction: Transaction) -> bool:
    """Whether exactly this transaction is in what a log says was before it."""
    if isinstance(position, GtidState):
        return transaction.number <= position.last.get((transaction.domain, transaction.server), 0)
    intervals = position.intervals.get(transaction.source, ())
    return any(first <= transaction.number <= last for first, last in intervals)


def dumped(position: Position, transaction: Transaction) -> bool:
    """Whether a dump with this position has the transaction."""
    if isinstance(position, GtidState):
        return transaction.number <= position.highest().get(transaction.domain, 0)
    return includes(position, transaction)


def within(one: Position, other: Position) -> bool:
    """Whether all of one is in other, both from logs."""
    if isinstance(one, GtidState) and isinstance(other, GtidState):
        return one <= other
    return isinstance(one, GtidSet) and isinstance(other, GtidSet) and one <= other


def begins_within(start: Position, dump: Position) -> bool:
    """Whether a dump has everything that came before a log."""
    if isinstance(start, GtidState) and isinstance(dump, GtidState):
        has = dump.highest()
        return all(number <= has.get(domain, 0) for domain, number in start.highest().items())
    return within(start, dump)


def last_by_domain(position: Position, transactions: list[Transaction]) -> str:
    """What gtid_slave_pos is after a dump with this position and then these transactions, in order; on MySQL the
    whole set."""
    if isinstance(position, GtidSet):
        everything: Position = position
        for one in transactions:
            everything = joined(everything, one.alone)
        return str(everything)
    last: dict[int, tuple[int, int]] = {}
    for (domain, server), number in position.last.items():
        if number >= last.get(domain, (0, 0))[1]:
            last[domain] = (server, number)
    for one in transactions:
        last[one.domain] = (one.server, one.number)
    return ",".join(f"{domain}-{server}-{number}" for domain, (server, number) in sorted(last.items()))
