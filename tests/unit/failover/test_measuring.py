# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What the failover proof counts with: a proof is as good as its measure."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lab.failover.client import longest
from lab.failover.line import Line, Split, table
from lab.failover.observers import Spans, most
from lab.failover.timeline import Event, split

SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted).map(tuple), max_size=8)


@given(SPANS)
def test_the_most_at_any_moment_is_what_counting_each_moment_finds(spans: list[tuple[int, int]]) -> None:
    counted = max(sum(first <= moment <= last for first, last in spans) for moment in range(31))
    assert most(spans) == counted


def test_who_hands_over_is_never_counted_twice() -> None:
    assert most([(0.0, 1.0), (1.02, 2.0)]) == 1
    assert most([(0.0, 1.0), (1.0, 2.0)]) == 2, "both had it at that moment"


def test_a_host_that_says_nothing_has_what_it_had() -> None:
    spans = Spans()
    for when, state in enumerate("011?110"):
        spans.take(when, state)
    assert [(span.first, span.last) for span in spans.spans] == [(1, 5)]
    assert not spans.there


def test_what_a_dead_host_said_last_is_its_end() -> None:
    spans = Spans()
    spans.take(1.0, "1")
    spans.take(1.02, "1")
    assert [(span.first, span.last) for span in spans.spans] == [(1.0, 1.02)]


def test_the_longest_pause() -> None:
    assert longest([0.0, 0.1, 2.1, 2.2]).seconds == 2.0
    assert longest([0.0, 0.1], until=9.1).seconds == 9.0
    assert longest([5.0]).seconds == 0.0


def test_where_the_seconds_of_a_lost_node_went() -> None:
    told = [
        Event(11.2, "b", "Node a state is now lost | nodeid=1"),
        Event(13.0, "b", "Operation 'off' targeting a by b for pacemaker-controld.1@b: OK (complete) | id=1"),
        Event(13.5, "b", "Result of start operation for writer on b: ok | rc=0"),
        Event(20.0, "a", "Node b state is now lost"),
    ]
    found = split(told, 10.0, 14.0)
    assert [round(each or 0, 3) for each in (found.detect, found.fence, found.promote, found.serve)] == [
        1.2,
        1.8,
        0.5,
        0.5,
    ]


def test_a_crash_has_no_fence() -> None:
    told = [
        Event(10.4, "a", "Result of monitor operation for writer on a: error (the server of the writer is not there)"),
        Event(11.0, "b", "Result of start operation for writer on b: ok | rc=0"),
    ]
    found = split(told, 10.0, 11.2)
    assert found.fence is None
    assert sum(filter(None, (found.detect, found.promote, found.serve))) - 1.2 < 1e-9


def test_the_table_says_what_was_missing() -> None:
    line = Line("a fault", "MariaDB", 1.234, Split(detect=0.1), 10, 9, 1, 1, 1, "in words", ("this too",))
    text = table([line]).splitlines()
    assert text[0].split()[0] == "fault" and text[0].split()[-1] == "writers"
    assert text[1].split() == ["a", "fault", "1.23", "0.10", "-", "-", "-", "10", "9", "1", "1", "1"]
    assert text[2:] == ["    in words", "    this too"]
