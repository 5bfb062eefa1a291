# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A client that writes increasing numbers through the floating address and remembers what was acknowledged."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass

import pymysql

# The application's database and account of examples/silvercreek.
DATABASE, TABLE, USER = "record", "failover_numbers", "record"
# As an application that wants to know soon sets them.
_CONNECT_SECONDS, _ANSWER_SECONDS = 0.3, 1.0
_BETWEEN_WRITES, _BETWEEN_ATTEMPTS = 0.005, 0.02


@dataclass(frozen=True)
class Acknowledged:
    """`when`: seconds of the monotonic clock."""

    when: float
    number: int


@dataclass(frozen=True)
class Pause:
    """The time between two acknowledged writes."""

    last: float
    first: float

    @property
    def seconds(self) -> float:
        return self.first - self.last


class Client(threading.Thread):
    """What was not acknowledged is not written again: it may or may not be there, and nobody was told."""

    def __init__(self, address: str, password: str, first: int = 0) -> None:
        super().__init__(name="client", daemon=True)
        self._address, self.password = address, password
        self.number = first
        self._over = threading.Event()
        self._writing = threading.Event()
        self._writing.set()
        self._idle = threading.Event()
        self.acknowledged: list[Acknowledged] = []
        self.errors: list[tuple[float, str]] = []

    def run(self) -> None:
        connection: pymysql.Connection | None = None
        while not self._over.is_set():
            if not self._writing.is_set():
                self._idle.set()
                self._writing.wait(0.1)
                continue
            self._idle.clear()
            self.number += 1
            try:
                connection = connection or self._connect()
                with connection.cursor() as cursor:
                    cursor.execute(f"INSERT INTO {TABLE} (n) VALUES (%s)", (self.number,))
                self.acknowledged.append(Acknowledged(time.monotonic(), self.number))
                time.sleep(_BETWEEN_WRITES)
            except (pymysql.MySQLError, OSError) as error:
                self.errors.append((time.monotonic(), str(error)))
                _close(connection)
                connection = None
                time.sleep(_BETWEEN_ATTEMPTS)
        _close(connection)

    def _connect(self) -> pymysql.Connection:
        return pymysql.connect(
            host=self._address,
            user=USER,
            password=self.password,
            database=DATABASE,
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_ANSWER_SECONDS,
            write_timeout=_ANSWER_SECONDS,
            autocommit=True,
        )

    def pause(self) -> None:
        """Returns when nothing is under way any more."""
        self._idle.clear()
        self._writing.clear()
        self._idle.wait(10)

    def resume(self) -> None:
        self._writing.set()

    def stop(self) -> None:
        self._over.set()
        self._writing.set()
        self.join(10)

    # ------------------------------------------------------------ what was seen

    def since(self, moment: float) -> list[Acknowledged]:
        """Acknowledged after that moment."""
        found = []
        for each in reversed(self.acknowledged):
            if each.when < moment:
                break
            found.append(each)
        return found[::-1]

    def served_for(self, seconds: float) -> bool:
        """Whether writes have been acknowledged all the time for the last `seconds`."""
        now = time.monotonic()
        recent = [each.when for each in self.since(now - seconds - 0.5)]
        return bool(recent) and longest(recent, now).seconds < 0.4 and recent[0] <= now - seconds + 0.4

    def longest_pause(self, since: float) -> Pause:
        """The longest one that began after `since`, or was under way then."""
        before = [each.when for each in self.acknowledged if each.when < since][-1:]
        moments = before + [each.when for each in self.since(since)]
        if not moments:
            raise ValueError("nothing was acknowledged yet")
        return longest(moments)

    def missing(self, present: Collection[int], since: float = 0.0) -> list[int]:
        """Acknowledged after `since` and not there."""
        return [each.number for each in self.since(since) if each.number not in present]


def longest(moments: list[float], until: float | None = None) -> Pause:
    """`until`: also what has been going on up to then counts."""
    ends = [*moments, until] if until is not None else moments
    pauses = [Pause(one, other) for one, other in itertools.pairwise(ends)]
    return max(pauses, key=lambda pause: pause.seconds, default=Pause(moments[-1], moments[-1]))


def _close(connection: pymysql.Connection | None) -> None:
    """A connection that is gone cannot be ended in good order."""
    if connection is not None:
        connection._force_close()
