# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Sets of transactions: what is said of them decides which server may follow which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.mysql.gtid import GtidSet, GtidState

A, B = "3e11fa47-71ca-11e1-9e33-c80aa9429562", "99292e59-e66e-11f1-9609-02fc00000001"
TAGGED = f"{A}:nightly"

names = st.sampled_from([A, B, TAGGED])
Transactions = set[tuple[str, int]]
transactions = st.sets(st.tuples(names, st.integers(1, 30)))


def written(found: Transactions) -> str:
    """As a server could write it, one by one and in no order."""
    return ",\n".join(f"{name}:{number}" for name, number in found)


def counted(gtids: GtidSet) -> Transactions:
    return {
        (name, number)
        for name, intervals in gtids.intervals.items()
        for first, last in intervals
        for number in range(first, last + 1)
    }


def of(found: Transactions) -> GtidSet:
    return GtidSet.parse(written(found))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        (f"{A}:1", f"{A}:1"),
        (f"{A.upper()}:1-5:6:9-9", f"{A}:1-6:9"),
        (f"{B}:2,\n{A}:1-3", f"{A}:1-3,{B}:2"),
        (f"{A}:1-3:Nightly:7-8:weekly:1", f"{A}:1-3,{A}:nightly:7-8,{A}:weekly:1"),
        (f" {A}:1 , {A}:2 ", f"{A}:1-2"),
    ],
)
def test_a_set_is_written_in_one_way(text: str, canonical: str) -> None:
    assert str(GtidSet.parse(text)) == canonical


@pytest.mark.parametrize(
    "text", ["x", A, f"{A}:", f"{A}:0", f"{A}:5-2", f"{A}:1-2-3", f"{A}:1:-", "1-2-3", f"{A}:1;{B}:1"]
)
def test_what_is_no_set_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        GtidSet.parse(text)


@given(transactions)
def test_reading_and_writing_lose_nothing(found: Transactions) -> None:
    assert counted(of(found)) == found
    assert GtidSet.parse(str(of(found))) == of(found)
    assert of(found).count == len(found)


@given(transactions, transactions)
def test_sets_behave_like_sets(one: Transactions, other: Transactions) -> None:
    assert counted(of(one) | of(other)) == one | other
    assert counted(of(one) - of(other)) == one - other
    assert (of(one) <= of(other)) == (one <= other)
    assert bool(of(one)) == bool(one)


@given(transactions)
def test_a_source_is_left_out_with_all_its_tags(found: Transactions) -> None:
    assert counted(of(found).without_sources([A.upper()])) == {(name, number) for name, number in found if name == B}


keys = st.tuples(st.integers(0, 3), st.integers(1, 4))
states = st.dictionaries(keys, st.integers(1, 2**63)).map(GtidState)


def test_mariadb_keeps_the_last_of_each_server_in_each_domain() -> None:
    state = GtidState.parse("0-1-5,\n0-2-9, 1-1-3,0-1-4")
    assert str(state) == "0-1-5,0-2-9,1-1-3"
    assert state.highest() == {0: 9, 1: 3}
    assert str(state.without_servers([1])) == "0-2-9"


@pytest.mark.parametrize("text", ["x", "0-1", "0-1-x", "-1-1-1", "0-1-2-3"])
def test_what_is_no_position_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="DOMAIN-SERVER-NUMBER"):
        GtidState.parse(text)


@given(states)
def test_positions_are_read_as_they_are_written(state: GtidState) -> None:
    assert GtidState.parse(str(state)) == state
    assert not state - GtidState.parse(str(state))


@given(states, states)
def test_what_is_further_here_is_what_lacks_there(one: GtidState, other: GtidState) -> None:
    assert one <= one | other
    assert other <= one | other
    assert (one <= other) == (one | other == other)
    assert (one - other) | other == one | other


@given(states, states)
def test_behind_is_before_where_the_log_begins(mine: GtidState, start: GtidState) -> None:
    behind = mine.behind(start)
    assert set(behind) <= set(start.highest())
    assert all(here < there for here, there in behind.values())
    assert not (mine | start).behind(start)
