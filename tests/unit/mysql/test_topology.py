# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What follows from what servers say of themselves."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialect import Channel, Thread
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.gtid import GtidSet
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.server import Server
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.topology import Candidate, judge, lacking

A, B, C = (f"{digit * 8}-1111-1111-1111-111111111111" for digit in "abc")


def channel(source: str, **more: Any) -> Channel:
    options = {"source_host": "192.0.2.1", "source_port": 3306}
    given = {"io": Thread(True), "sql": Thread(True), "lag": 0, **more}
    return Channel("", options, source_id=source, **given)


def server(name: str, has: str, *channels: Channel, **more: Any) -> Server:
    given = {"dialect": "MySQL", "id": {"a": A, "b": B, "c": C}[name], "has": has, **more}
    return Server(name, channels=channels, **given)


def writer(name: str = "a", has: str = f"{A}:1-9", **more: Any) -> Server:
    return server(name, has, read_only=False, **more)


def ranked(*servers: Server) -> list[tuple[str, int]]:
    return [(candidate.name, candidate.rank) for candidate in judge(servers).candidates]


def test_a_set_that_is_as_it_should_be() -> None:
    found = judge([writer(), server("b", f"{A}:1-9", channel(A)), server("c", f"{A}:1-8", channel(B))])
    assert (found.writer, found.verdict, found.errant) == ("a", "healthy", {})
    assert found.follows == {"b": ("a",), "c": ("b",)}


def test_a_source_outside_the_set_is_named_by_its_place() -> None:
    assert judge([server("b", "", channel("")), writer()]).follows == {"b": ("192.0.2.1:3306",)}


@pytest.mark.parametrize("writable", [(), ("a", "b")])
def test_there_is_one_writer_or_it_is_critical(writable: tuple[str, ...]) -> None:
    found = judge([server(name, "", read_only=name not in writable) for name in "ab"])
    assert (found.writer, found.writers, found.verdict) == ("", writable, "critical")


def test_errant_transactions_are_the_replicas_less_the_writers() -> None:
    found = judge([writer(), server("b", f"{A}:1-5,{B}:1-2", channel(A))])
    assert found.errant == {"b": f"{B}:1-2"} and found.verdict == "critical"


def test_what_the_writer_has_only_received_is_not_errant() -> None:
    """A new writer applies what it received from the old one while others have it already."""
    new = server("b", f"{A}:1-5", channel(A, received=f"{A}:6-9"), read_only=False)
    assert not judge([new, server("c", f"{A}:1-9", channel(B))]).errant


def test_in_mariadb_it_is_the_same_by_domain_and_server() -> None:
    found = judge(
        [
            Server("a", "MariaDB", id="1", has="0-1-9", read_only=False),
            Server("b", "MariaDB", id="2", has="0-1-7,0-2-8", channels=(channel("1"),)),
        ]
    )
    assert found.errant == {"b": "0-2-8"} and found.follows == {"b": ("a",)}


def test_the_best_candidate_is_first() -> None:
    errant = server("b", f"{A}:1-9,{B}:1", channel(A))
    behind = server("c", f"{A}:1-7", channel(A, lag=4))
    assert ranked(behind, errant, writer())[-1] == ("b", 3)
    assert ranked(behind, server("b", f"{A}:1-9", channel(A)))[0] == ("b", 1)


def test_who_cannot_be_asked_is_last_and_has_no_rank() -> None:
    found = judge([Server("b", error="no route"), writer()])
    assert found.candidates[-1] == Candidate("b", 0, "", ("it could not be asked: no route",))
    assert found.verdict == "warning"


def test_reasons_say_what_is_missing_and_what_is_broken() -> None:
    broken = channel(A, sql=Thread(False, number=1062, error="Duplicate entry"), lag=None)
    found = {one.name: one for one in judge([writer(), server("b", f"{A}:1-4", broken)]).candidates}
    assert found["b"].missing == f"{A}:5-9"
    assert f"it lacks {A}:5-9" in found["b"].reasons
    assert "replication into it is broken: Duplicate entry" in found["b"].reasons


def test_lag_stand_still_and_nobody_to_follow_are_told() -> None:
    slow, off = channel(A, lag=40), channel(A, io=Thread(False), sql=Thread(False), lag=None)
    for one, text in ((slow, "40 s behind"), (off, "does not run")):
        (problem,) = judge([writer(), server("b", "", one)], max_lag=30).problems
        assert text in problem[1]
    (problem,) = judge([writer(), server("b", "")]).problems
    assert "follows nobody" in problem[1]


sets = st.sets(st.tuples(st.sampled_from([A, B]), st.integers(1, 9)), max_size=9)


def text(found: set[tuple[str, int]]) -> str:
    return ",".join(f"{uuid}:{number}" for uuid, number in found)


def test_what_another_received_is_missing_too() -> None:
    """It may be acknowledged; whoever is promoted without it loses it."""
    found = judge([server("b", f"{A}:1-5", channel(A, received=f"{A}:6-9")), server("c", f"{A}:1-7", channel(A))])
    missing = {candidate.name: candidate.missing for candidate in found.candidates}
    assert missing == {"b": "", "c": f"{A}:8-9"}
    assert [candidate.name for candidate in found.candidates] == ["b", "c"]


def test_who_lacks_less_comes_first() -> None:
    found = judge(
        [server("a", f"{A}:1-100"), server("b", f"{A}:1-9", channel(A)), server("c", f"{A}:1-98", channel(A))]
    )
    assert [candidate.name for candidate in found.candidates] == ["a", "c", "b"]


@pytest.mark.parametrize("change", [{"unfinished": True}, {"log_bin": False}, {"log_updates": False}, {"gtid": False}])
def test_who_could_not_write_comes_last_and_says_why(change: dict[str, bool]) -> None:
    found = judge([server("b", f"{A}:1-9", **change), server("c", f"{A}:1-7", channel(A))])
    assert [candidate.name for candidate in found.candidates] == ["c", "b"]
    assert len(found.candidates[1].reasons) > 1


def test_half_a_copy_is_critical() -> None:
    assert judge([writer(), server("b", f"{A}:1-9", channel(A), unfinished=True)]).verdict == "critical"


@given(sets, sets, sets)
def test_lacking_is_what_neither_was_applied_nor_received(
    one: set[tuple[str, int]], has: set[tuple[str, int]], received: set[tuple[str, int]]
) -> None:
    other = server("b", text(has), channel(A, received=text(received)))
    assert lacking(server("a", text(one)), other) == str(GtidSet.parse(text(one - has - received)))


@given(sets, sets, sets)
def test_the_first_candidate_lacks_nothing_if_any_lacks_nothing(
    one: set[tuple[str, int]], two: set[tuple[str, int]], three: set[tuple[str, int]]
) -> None:
    servers = [server(name, text(has), channel(A)) for name, has in zip("abc", (one, two, three), strict=True)]
    candidates = judge(servers).candidates
    assert [candidate.rank for candidate in candidates] == [1, 2, 3]
    if any(not candidate.missing for candidate in candidates):
        assert not candidates[0].missing
