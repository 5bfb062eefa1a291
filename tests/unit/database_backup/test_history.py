# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Which backup and which parts of which logs make the database of a given second."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from databasebackup.events import Group
from databasebackup.gtid import GtidSet, GtidState
from databasebackup.history import LATEST, Backup, Impossible, Log, Recipe, Session, recipe
from databasebackup.positions import Position, Transaction, joined
from hypothesis import given
from hypothesis import strategies as st

UUIDS = {
    1: "00000000-0000-0000-0000-000000000001",
    2: "00000000-0000-0000-0000-000000000002",
    3: "00000000-0000-0000-0000-000000000003",
}


@dataclasses.dataclass(frozen=True)
class Written:
    one: Transaction
    time: int


def state(dialect: str, those: Sequence[Written], before: Position | None = None) -> Position:
    everything = before if before is not None else (GtidState() if dialect == "mariadb" else GtidSet())
    for each in those:
        everything = joined(everything, each.one.alone)
    return everything


def dumped_at(dialect: str, those: Sequence[Written]) -> Position:
    """What a dump says of itself: MariaDB names the last transaction of a domain only."""
    if dialect == "mysql":
        return state(dialect, those)
    return those[-1].one.alone if those else GtidState()


def log(dialect: str, name: str, those: Sequence[Written], before: Sequence[Written]) -> Log:
    groups = [Group(each.one, each.time, 100 * n, 100 * n + 100, True) for n, each in enumerate(those, 1)]
    previous = state(dialect, before)
    last = max((each.time for each in those), default=0)
    return Log(name, previous, state(dialect, those, previous), lambda: groups, last)


def session(
    dialect: str, name: str, history: Sequence[Written], begin: int, end: int, cuts: Sequence[int], until: float
) -> Session:
    """What a server that has `history` sends of it, from its begin-th transaction, in logs that are cut there."""
    edges = [begin, *sorted({cut for cut in cuts if begin < cut < end}), end]
    logs = [
        log(dialect, f"{name}.{n:06}", history[first:last], history[:first])
        for n, (first, last) in enumerate(pairwise(edges), 1)
    ]
    return Session(name, tuple(logs), until)


def applied(found: Recipe, sessions: Sequence[Session]) -> list[Transaction]:
    """The transactions of the recipe's parts, as a server would get them."""
    result: list[Transaction] = []
    logs = {(each.name, one.name): one for each in sessions for one in each.logs}
    for part in found.parts:
        result += [
            group.transaction
            for group in logs[part.session, part.log].read()
            if part.start <= group.start and group.end <= part.end
        ]
    return result


def write(dialect: str, number: int, server: int, time: int, count: int) -> Written:
    one = Transaction(number, 0, server) if dialect == "mariadb" else Transaction(count, source=UUIDS[server])
    return Written(one, time)


@st.composite
def scenes(draw: Any) -> tuple[str, list[Written], list[Session], list[Backup]]:
    """Writers that follow each other, each perhaps leaving something behind that the next one never had."""
    dialect = draw(st.sampled_from(["mariadb", "mysql"]))
    history: list[Written] = []
    sessions: list[Session] = []
    time, counts = 1000, dict.fromkeys(UUIDS, 0)
    snapshots: list[int] = [0]
    for term in range(draw(st.integers(1, 4))):
        server = draw(st.sampled_from(sorted(UUIDS)))
        begin = draw(st.integers(0, len(history))) if history else 0
        for _number in range(draw(st.integers(1, 8))):
            time += draw(st.integers(0, 3))
            counts[server] += 1
            history.append(write(dialect, len(history) + 1, server, time, counts[server]))
        lost = []
        for number in range(draw(st.integers(0, 2))):
            counts[server] += 1
            lost.append(write(dialect, len(history) + 1 + number, server, time, counts[server]))
        mine = [*history, *lost]
        cuts = draw(st.lists(st.integers(0, len(mine)), max_size=3))
        sessions.append(session(dialect, f"s{term}", mine, begin, len(mine), cuts, time + 1))
        snapshots.append(len(history))
        time += 2
    # The last writer's is what happened, all of it.
    last = sessions[-1]
    history = [*history, *lost]
    sessions[-1] = dataclasses.replace(last, until=time + 10)
    backups = []
    for count in sorted(set(draw(st.lists(st.integers(0, len(history)), min_size=1, max_size=3)))):
        after = history[count - 1].time if count else 999
        until = history[count].time if count < len(history) else after + 1
        # Within one second nobody can tell which came first.
        taken = after + 0.5 if until > after else float(after)
        backups.append(Backup(f"b{count}", taken, dumped_at(dialect, history[:count])))
    return dialect, history, sessions, backups


@given(scenes(), st.integers(995, 1100))
def test_what_is_restored_is_exactly_what_had_happened_by_then(scene: Any, to: int) -> None:
    _dialect, history, sessions, backups = scene
    first = next((n for n, each in enumerate(history) if each.time > to), len(history))
    wanted = [each.one for each in history[:first]]
    usable = [one for one in backups if one.taken <= to]
    try:
        found = recipe(backups, sessions, min(to, sessions[-1].until))
    except Impossible as problem:
        assert not usable, problem
        return
    base = int(found.backup.name[1:])
    assert found.backup == max(usable, key=lambda one: one.taken)
    assert [each.one for each in history[:base]] + applied(found, sessions) == wanted
    assert found.rest == (first < len(history))
    if found.last is not None:
        assert found.last == wanted[-1]


@given(scenes())
def test_the_latest_is_all_that_the_last_writer_had(scene: Any) -> None:
    _dialect, history, sessions, backups = scene
    found = recipe(backups, sessions, LATEST)
    base = int(found.backup.name[1:])
    assert [each.one for each in history[:base]] + applied(found, sessions) == [each.one for each in history]


# By hand


def simple(dialect: str, count: int = 10) -> list[Written]:
    return [write(dialect, n, 1, 1000 + 10 * n, n) for n in range(1, count + 1)]


@pytest.fixture(params=["mariadb", "mysql"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def backup(dialect: str, history: Sequence[Written], count: int) -> Backup:
    return Backup(f"b{count}", history[count - 1].time + 1.0, dumped_at(dialect, history[:count]))


def test_that_second_is_still_in_it(dialect: str) -> None:
    history = simple(dialect)
    sessions = [session(dialect, "s", history, 0, 10, [4], 2000)]
    for to, wanted in ((1079, 7), (1080, 8), (1081, 8)):
        found = recipe([backup(dialect, history, 3)], sessions, to)
        assert found.transactions == wanted - 3
        assert str(found.last) == str(history[wanted - 1].one)
        assert found.last_time == history[wanted - 1].time


def test_the_newest_backup_before_that_time_is_where_it_begins(dialect: str) -> None:
    history = simple(dialect)
    sessions = [session(dialect, "s", history, 0, 10, [], 2000)]
    those = [backup(dialect, history, n) for n in (3, 5, 7)]
    assert recipe(those, sessions, 1060).backup.name == "b5"
    with pytest.raises(Impossible, match="no verified backup from before"):
        recipe(those, sessions, 1020)


def test_what_has_not_come_yet_is_said_and_not_left_out(dialect: str) -> None:
    history = simple(dialect)
    sessions = [session(dialect, "s", history, 0, 10, [], 1105)]
    with pytest.raises(Impossible, match="reach to 1105"):
        recipe([backup(dialect, history, 3)], sessions, 1200)
    assert recipe([backup(dialect, history, 3)], sessions, LATEST).transactions == 7


def test_a_gap_in_the_logs_is_never_stepped_over(dialect: str) -> None:
    history = simple(dialect)
    early = session(dialect, "s1", history, 0, 4, [], 1041)
    late = session(dialect, "s2", history, 6, 10, [], 2000)
    with pytest.raises(Impossible, match="transactions are missing"):
        recipe([backup(dialect, history, 2)], [early, late], 1095)
    with pytest.raises(Impossible, match="transactions are missing"):
        recipe([backup(dialect, history, 2)], [early, late], LATEST)
    # Before it, and after it from a later backup, everything can be had.
    assert recipe([backup(dialect, history, 2)], [early, late], 1035).transactions == 1
    assert recipe([backup(dialect, history, 7)], [early, late], 1095).transactions == 2


def test_without_logs_only_the_backup_itself_can_be_had(dialect: str) -> None:
    history = simple(dialect)
    assert recipe([backup(dialect, history, 3)], [], LATEST).parts == ()
    with pytest.raises(Impossible, match="no binary logs"):
        recipe([backup(dialect, history, 3)], [], 1090)


def test_a_backup_of_what_was_discarded_is_passed_over(dialect: str) -> None:
    """The database was put back to its sixth transaction, and went on from there: what a backup has of the time
    between is no part of it."""
    history = simple(dialect)
    server = 1 if dialect == "mariadb" else 2
    after = [
        Written(
            Transaction(1010 + n, 0, server) if dialect == "mariadb" else Transaction(n, source=UUIDS[server]),
            1200 + 10 * n,
        )
        for n in range(1, 4)
    ]
    new = [*history[:6], *after]
    sessions = [
        session(dialect, "s1", history, 0, 10, [], 1150),
        session(dialect, "s2", new, 6, 9, [], 2000),
    ]
    those = [backup(dialect, history, 4), backup(dialect, history, 9)]
    found = recipe(those, sessions, 1300)
    assert found.backup.name == "b4"
    assert found.passed_over == ("b9",)
    assert applied(found, sessions) == [each.one for each in new[4:]]


@pytest.mark.parametrize("cuts", [[], [4, 5]])
def test_a_backup_with_what_is_later_by_the_writers_clock_is_passed_over(dialect: str, cuts: list[int]) -> None:
    history = simple(dialect)
    sessions = [session(dialect, "s", history, 0, 10, cuts, 2000)]
    slow = Backup("slow clock", 1045.0, dumped_at(dialect, history[:5]))
    found = recipe([backup(dialect, history, 2), slow], sessions, 1045)
    assert found.backup.name == "b2"
    assert found.last == history[3].one


def test_a_log_that_is_gone_from_the_middle_is_noticed(dialect: str) -> None:
    history = simple(dialect)
    whole = session(dialect, "s", history, 0, 10, [4, 7], 2000)
    holed = dataclasses.replace(whole, logs=(whole.logs[0], whole.logs[2]))
    with pytest.raises(Impossible, match="transactions are missing"):
        recipe([backup(dialect, history, 2)], [holed], LATEST)


def test_a_later_session_that_reaches_back_further_is_enough(dialect: str) -> None:
    history = simple(dialect)
    sessions = [session(dialect, "s1", history, 5, 8, [], 1085), session(dialect, "s2", history, 2, 10, [], 2000)]
    found = recipe([backup(dialect, history, 3)], sessions, LATEST)
    assert applied(found, sessions) == [each.one for each in history[3:]]
