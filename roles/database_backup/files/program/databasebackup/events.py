# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Binary logs, read as files: which transactions are in them, when each was committed, and from where to where it is.

Sources: MariaDB Knowledge Base, "Replication Protocol: Binlog Events"; MySQL, "Binary Log Event" of its internals
manual. Only headers and the events that name transactions are looked into; every event's checksum is.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from databasebackup.gtid import GtidSet, GtidState
from databasebackup.positions import Position, Transaction, joined
from databasebackup.settings import MARIADB, Refused

MAGIC = b"\xfebin"
_HEADER = struct.Struct("<IBIIIH")
_QUERY, _STOP, _ROTATE, _FORMAT, _XID, _XA_PREPARE, _PAYLOAD = 2, 3, 4, 15, 16, 38, 40
_MYSQL_GTID, _MYSQL_ANONYMOUS, _MYSQL_PREVIOUS, _MYSQL_TAGGED = 33, 34, 35, 42
_MARIADB_GTID, _MARIADB_LIST, _MARIADB_QUERY_COMPRESSED = 162, 163, 165
_STANDALONE = 1


class Damaged(Refused):
    """A log's content is not what was written."""


@dataclass
class Group:
    """A transaction in a log. time: the newest second in it, which is its commit's.  start, end: bytes in the file.
    complete: false for one that was cut off."""

    transaction: Transaction
    time: int
    start: int
    end: int
    complete: bool = False
    standalone: bool = False
    explicit: bool = False
    statements: int = 0


@dataclass(frozen=True)
class Summary:
    """What a log holds. previous: all that came before it; contained: with what is in it.  size: bytes up to the end
    of its last complete transaction.  created: when which server began it: two logs of the same name are the same log
    when these are.  known: whether it says what was before it; one that was cut off at once does not."""

    previous: Position
    contained: Position
    groups: int
    first_time: int
    last_time: int
    size: int
    created: str
    known: bool
    groups_list: tuple[Group, ...] = field(default=(), repr=False)


def summary(path: Path, dialect: str, *, keep: bool = False) -> Summary:
    """Raises Damaged; an end that was cut off is none. keep: with all its transactions."""
    previous: Position = GtidState() if dialect == MARIADB else GtidSet()
    found: list[Group] = []
    size, created, known = 0, "", False
    for what in _read(path, dialect):
        if isinstance(what, Group):
            found.append(what)
        elif isinstance(what, (GtidState, GtidSet)):
            previous, known = what, True
        elif isinstance(what, str):
            created = what
        elif isinstance(what, int):
            size = what
    whole = [group for group in found if group.complete]
    previous = _reached_back(previous, whole)
    contained = _contained(previous, whole)
    return Summary(
        previous=previous,
        contained=contained,
        groups=len(whole),
        first_time=whole[0].time if whole else 0,
        last_time=max((group.time for group in whole), default=0),
        size=size,
        created=created,
        known=known,
        groups_list=tuple(whole) if keep else (),
    )


def _reached_back(previous: Position, groups: list[Group]) -> Position:
    """A MariaDB server that was filled from a copy may not say what was before its first log: the first number does."""
    if not isinstance(previous, GtidState):
        return previous
    last, domains = dict(previous.last), {domain for domain, _server in previous.last}
    for group in groups:
        one = group.transaction
        if one.domain not in domains and one.number > 1:
            last[one.domain, one.server] = one.number - 1
        domains.add(one.domain)
    return GtidState(last)


def _contained(previous: Position, groups: list[Group]) -> Position:
    if isinstance(previous, GtidState):
        last = dict(previous.last)
        for group in groups:
            key = (group.transaction.domain, group.transaction.server)
            last[key] = max(group.transaction.number, last.get(key, 0))
        return GtidState(last)
    runs: dict[str, list[tuple[int, int]]] = {}
    for group in groups:
        mine = runs.setdefault(group.transaction.source, [])
        number = group.transaction.number
        if mine and mine[-1][1] + 1 == number:
            mine[-1] = (mine[-1][0], number)
        else:
            mine.append((number, number))
    return joined(previous, GtidSet({}) | GtidSet({name: tuple(run) for name, run in runs.items()}))


def _read(path: Path, dialect: str) -> Iterator[object]:
    """The log's Groups, its Position before, its creation as text, and how far it is whole, in bytes."""
    if path.stat().st_size <= len(MAGIC):
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] != MAGIC:
            raise Damaged(f"{path} is no binary log, or an encrypted one.")
        yield from _Reader(path.name, data, dialect).read()


class _Reader:
    def __init__(self, name: str, data: mmap.mmap, dialect: str) -> None:
        self.name, self.data, self.dialect = name, data, dialect
        self.checksum = 0
        self.group: Optional[Group] = None

    def read(self) -> Iterator[object]:
        position, whole, end = len(MAGIC), len(MAGIC), len(self.data)
        while position + _HEADER.size <= end:
            time, kind, server, length, _next, _flags = _HEADER.unpack_from(self.data, position)
            if length < _HEADER.size:
                raise Damaged(f"The log {self.name} is damaged at byte {position}.")
            if position + length > end:
                break
            if kind == _FORMAT:
                self.checksum = 4 if self.data[position + length - 5] == 1 else 0
                yield f"{time}-{server}"
            self._check(position, length)
            body = (position + _HEADER.size, position + length - self.checksum)
            if kind in (_MARIADB_GTID, _MYSQL_GTID, _MYSQL_ANONYMOUS, _MYSQL_TAGGED):
                if self.group is not None:
                    self.group.complete = True
                    yield self.group
                self.group = Group(self._transaction(kind, server, body), time, position, position + length)
                self.group.standalone = kind == _MARIADB_GTID and bool(self.data[body[0] + 12] & _STANDALONE)
            elif kind in (_STOP, _ROTATE):
                if self.group is not None:
                    self.group.complete = True
                    yield self.group
                self.group = None
                whole = position + length
            elif kind == _MARIADB_LIST:
                yield self._state(body[0])
            elif kind == _MYSQL_PREVIOUS:
                yield self._set(body[0])
            elif self.group is not None:
                self._add(self.group, time, kind, body, position + length)
            position += length
            if self.group is None or self.group.complete:
                whole = position
        if self.group is not None:
            yield self.group
        yield whole

    def _check(self, position: int, length: int) -> None:
        if not self.checksum:
            return
        end = position + length - 4
        (wanted,) = struct.unpack_from("<I", self.data, end)
        if zlib.crc32(self.data[position:end]) != wanted and self.data[position + 4] != _FORMAT:
            raise Damaged(f"The log {self.name} is damaged at byte {position}: its checksum is not what was written.")

    def _transaction(self, kind: int, server: int, body: tuple[int, int]) -> Transaction:
        if kind == _MARIADB_GTID:
            number, domain = struct.unpack_from("<QI", self.data, body[0])
            return Transaction(number, domain=domain, server=server)
        if kind == _MYSQL_GTID:
            (number,) = struct.unpack_from("<q", self.data, body[0] + 17)
            return Transaction(number, source=_uuid(self.data[body[0] + 1 : body[0] + 17]))
        if kind == _MYSQL_TAGGED:
            raise Refused(f"The log {self.name} has transactions with tags, which cannot be restored by this program.")
        raise Refused(f"The log {self.name} has transactions without a GTID: set gtid_mode=ON on the server.")

    def _add(self, group: Group, time: int, kind: int, body: tuple[int, int], end: int) -> None:
        group.end, group.time = end, max(group.time, time)
        if kind in (_XID, _XA_PREPARE, _PAYLOAD):
            group.complete = True
        elif kind in (_QUERY, _MARIADB_QUERY_COMPRESSED):
            text = self._query(body) if kind == _QUERY else b""
            group.statements += 1
            if text == b"BEGIN" or text.startswith(b"XA START"):
                group.explicit = True
            elif (
                text in (b"COMMIT", b"ROLLBACK") or group.standalone or (self.dialect != MARIADB and not group.explicit)
            ):
                group.complete = True

    def _query(self, body: tuple[int, int]) -> bytes:
        _thread, _seconds, database, _error, variables = struct.unpack_from("<IIBHH", self.data, body[0])
        begin = body[0] + 13 + variables + database + 1
        return bytes(self.data[begin : min(body[1], begin + 16)])

    def _state(self, start: int) -> GtidState:
        (count,) = struct.unpack_from("<I", self.data, start)
        rows = [struct.unpack_from("<IIQ", self.data, start + 4 + 16 * row) for row in range(count & 0x0FFFFFFF)]
        return GtidState({(domain, server): number for domain, server, number in rows})

    def _set(self, start: int) -> GtidSet:
        (count,) = struct.unpack_from("<Q", self.data, start)
        if count >> 56:
            raise Refused(f"The log {self.name} has transactions with tags, which cannot be restored by this program.")
        position, found = start + 8, {}
        for _number in range(count):
            name = _uuid(self.data[position : position + 16])
            (intervals,) = struct.unpack_from("<Q", self.data, position + 16)
            position += 24
            rows = [struct.unpack_from("<qq", self.data, position + 16 * row) for row in range(intervals)]
            position += 16 * intervals
            found[name] = tuple((first, after - 1) for first, after in rows)
        return GtidSet(found)


def _uuid(raw: bytes) -> str:
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
