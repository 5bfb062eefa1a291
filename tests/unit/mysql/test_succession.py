# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How the writer of a set changes, as a plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialect import Channel, Thread
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.gtid import GtidSet
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.server import Server
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.succession import Member, Place
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.topology_operation import (
    TOPOLOGY,
    Progress,
    state_of,
)

IDS = {name: f"{name * 8}-1111-1111-1111-111111111111" for name in "abc"}
A = IDS["a"]


def channel(source: str, **more: Any) -> Channel:
    options = {"source_host": f"{source}.example.org", "source_port": 3306, "source_user": "repl"}
    said = {"io": Thread(True), "sql": Thread(True), "lag": 0, **more}
    return Channel("", options, source_id=IDS[source], **said)


def server(name: str, has: str = f"{A}:1-9", *channels: Channel, **more: Any) -> Server:
    said = {"dialect": "MySQL", "version": "9.7.0", "id": IDS[name], "has": has, "purged": "", **more}
    return Server(name, channels=channels, **said)


def usual(**changes: Server) -> list[Server]:
    found = {
        "a": server("a", read_only=False),
        "b": server("b", f"{A}:1-9", channel("a")),
        "c": server("c", f"{A}:1-8", channel("a")),
    }
    return list({**found, **changes}.values())


def plan(servers: list[Server], writer: str, *allow: str, **more: Any) -> Plan:
    members = [Member(one, Place(f"{one.name}.example.org", 3306)) for one in servers]
    observed = {
        (one.name,): Thing(state_of(members, one.name), {"member": one, "progress": Progress()}) for one in members
    }
    return TOPOLOGY.plan(observed, TOPOLOGY.order({"writer": writer, "allow": list(allow), **more}))


def lines(*arguments: Any, **more: Any) -> list[str]:
    return [step.line for step in plan(*arguments, **more)]


def refusal(*arguments: Any, **more: Any) -> str:
    with pytest.raises(InvalidInput) as problem:
        plan(*arguments, **more)
    return str(problem.value)


def words(found: Plan) -> list[str]:
    return [consent.word for step in found for consent in step.consent]


def test_a_switchover_in_its_order() -> None:
    assert lines(usual(), "b") == [
        "demote server a",
        "catch_up server b: all of a",
        "promote server b",
        "attach server a: to b",
        "attach server c: to b",
    ]


def test_nothing_where_it_is_so() -> None:
    assert not plan(usual(), "a")


def test_a_former_writer_that_has_nothing_of_its_own_is_attached() -> None:
    assert lines(usual(c=server("c", f"{A}:1-5")), "a") == ["attach server c: to a"]


def test_one_that_follows_another_is_pointed_to_the_writer() -> None:
    assert lines(usual(c=server("c", f"{A}:1-5", channel("b"))), "a") == ["attach server c: to a"]


def test_one_with_transactions_of_its_own_is_left_out_with_consent_only() -> None:
    found = plan(usual(c=server("c", f"{A}:1-5,{IDS['c']}:1-2", channel("a"))), "b")
    (step,) = [step for step in found if step.action == "set_aside"]
    assert words(found) == ["reseed_replica:c"] and f"{IDS['c']}:1-2" in step.consent[0].loses
    silent = server("c", f"{A}:1-5,{IDS['c']}:1-2")
    assert not plan(usual(c=silent), "a", "reseed_replica:c"), "what follows nobody is left out already"
    assert words(plan(usual(c=silent), "a")) == ["reseed_replica:c"], "and is asked for every time"


def test_one_that_needs_what_is_purged_has_to_be_seeded() -> None:
    servers = usual(a=server("a", read_only=False, purged=f"{A}:1-7"), c=server("c", f"{A}:1-3"))
    assert words(plan(servers, "a")) == ["reseed_replica:c"]


@pytest.mark.parametrize(
    ("b", "text"),
    [
        (server("b", f"{A}:1-9,{IDS['b']}:1", channel("a")), f"does not have: {IDS['b']}:1"),
        (server("b", f"{A}:1-9"), "does not follow a"),
        (server("b", f"{A}:1-9", channel("a", sql=Thread(False, error="Duplicate entry"))), "Duplicate entry"),
        (server("b", f"{A}:1-9", channel("a", sql=Thread(False))), "does not run"),
        (server("b", f"{A}:1-9", channel("a", lag=31)), "31 s behind, and drain_timeout allows 30 s"),
        (server("b", f"{A}:1-9", channel("a", lag=None)), "not known"),
        (server("b", f"{A}:1-9", channel("a"), log_bin=False), "log_bin"),
        (server("b", f"{A}:1-9", channel("a"), log_updates=False), "log_slave_updates"),
        (server("b", f"{A}:1-9", channel("a"), gtid=False), "gtid_mode"),
        (server("b", f"{A}:1-9", channel("a"), read_only=False), "a and b are writable at the same time"),
        (Server("b", error="no route"), "could not be asked: no route"),
        (server("b", "0-1-9", channel("a"), dialect="MariaDB", purged=None), "not of the same sort"),
    ],
)
def test_what_is_refused_before_anything(b: Server, text: str) -> None:
    assert text in refusal(usual(b=b), "b")


def test_a_server_nobody_knows_the_place_of_is_asked_for() -> None:
    members = [Member(one) for one in usual(b=server("b", "", channel("a")))]
    observed = {
        (one.name,): Thing(state_of(members, one.name), {"member": one, "progress": Progress()}) for one in members
    }
    with pytest.raises(InvalidInput, match="source_host"):
        TOPOLOGY.plan(observed, TOPOLOGY.order({"writer": "b"}))


def test_a_writer_that_is_gone_is_replaced_by_one_that_has_everything() -> None:
    lost = channel("a", io=Thread(True, connecting=True, number=2003, error="Error reconnecting to source"))
    servers = [Server("a", error="gone"), server("b", f"{A}:1-9", lost), server("c", f"{A}:1-8", lost)]
    found = plan(servers, "b")
    assert [step.line for step in found] == [
        "catch_up server b: all that it received",
        "promote server b",
        "attach server c: to b",
    ]
    assert not words(found)


def test_one_that_lacks_what_another_received_needs_consent_that_says_how_many() -> None:
    lost = channel("a", io=Thread(True, connecting=True))
    ahead = server("c", f"{A}:1-8", replace(lost, received=f"{A}:5-12"))
    servers = [Server("a", error="gone"), server("b", f"{A}:1-9", lost), ahead]
    found = plan(servers, "b")
    assert sorted(words(found)) == ["promote_behind:b", "reseed_replica:c"]
    (promote,) = [step for step in found if step.action == "promote"]
    assert "lacks 3 transactions" in promote.consent[0].loses and f"{A}:10-12" in promote.consent[0].loses


def test_one_that_others_still_hear_is_alive() -> None:
    servers = [Server("a", error="gone"), server("b", f"{A}:1-9", channel("a")), server("c", f"{A}:1-8", channel("a"))]
    assert "still connected to a" in refusal(servers, "b")


def test_one_that_runs_and_lets_nobody_look_is_not_replaced() -> None:
    """Too many connections, a wrong password: it may be the writer all the same."""
    full = Server("a", error="Too many connections (1040)", alive=True)
    servers = [full, server("b", f"{A}:1-9"), server("c", f"{A}:1-8")]
    assert "a runs, and cannot be asked whether it writes: Too many connections (1040)" in refusal(servers, "b")
    # Where another one writes, nobody is added to it.
    assert plan([server("c", f"{A}:1-9", read_only=False), server("b", f"{A}:1-9", channel("c")), full], "b")


def test_what_lies_there_and_is_not_applied_is_not_had() -> None:
    """Its applier was stopped, without an error: it would be promoted without what it has acknowledged."""
    stopped = channel("a", io=Thread(True, connecting=True), sql=Thread(False), received=f"{A}:1-12")
    servers = [Server("a", error="gone"), server("b", f"{A}:1-9", stopped), server("c", f"{A}:1-8")]
    found = plan(servers, "b")
    assert words(found) == ["promote_behind:b"]
    (promote,) = [step for step in found if step.action == "promote"]
    assert "lacks 3 transactions" in promote.consent[0].loses and "start its SQL thread" in promote.consent[0].loses
    applies = replace(stopped, sql=Thread(True))
    assert not words(plan([servers[0], server("b", f"{A}:1-9", applies), servers[2]], "b"))


def test_what_the_one_in_between_never_applies_is_lost_with_consent_only() -> None:
    """c would take everything that b has, but b does not apply what it has received."""
    stopped = channel("a", io=Thread(True, connecting=True), sql=Thread(False), received=f"{A}:10-12")
    servers = [Server("a", error="gone"), server("b", f"{A}:1-9", stopped), server("c", f"{A}:1-9", channel("b"))]
    assert sorted(words(plan(servers, "c"))) == ["promote_behind:c"]


def test_what_only_a_replica_has_received_is_not_thrown_away_by_pointing_it_to_the_writer() -> None:
    stopped = channel("b", io=Thread(False), sql=Thread(False), received=f"{A}:1-12")
    found = plan(usual(b=Server("b", error="gone"), c=server("c", f"{A}:1-8", stopped)), "a")
    assert words(found) == ["reseed_replica:c"]
    of_the_writer = replace(stopped, source_id=A)
    assert not words(plan(usual(c=server("c", f"{A}:1-8", of_the_writer)), "a")), (
        "the writer may not know it yet itself"
    )


def test_half_a_copy_neither_writes_nor_follows() -> None:
    half = server("b", f"{A}:1-9", channel("a"), unfinished=True)
    assert "mysql_seed did not bring to its end" in refusal(usual(b=half), "b")
    assert words(plan(usual(b=half), "a")) == ["reseed_replica:b"]


def test_one_that_could_not_find_its_place_is_known_before_anything() -> None:
    by_position = replace(channel("a"), options={**channel("a").options, "gtid": False})
    assert "c: its gtid_mode is not ON" in refusal(usual(c=server("c", f"{A}:1-8", by_position, gtid=False)), "b")


# -- whatever the servers say -----------------------------------------------------------------------------------------

numbers = st.integers(0, 3)
threads = st.builds(Thread, running=st.booleans(), connecting=st.booleans(), error=st.sampled_from(["", "broken"]))


@st.composite
def sets_of_servers(draw: st.DrawFn) -> list[Server]:
    found = []
    for name in "abc":
        if draw(st.integers(0, 5)) == 0:
            found.append(Server(name, error="gone"))
            continue
        has = ",".join(f"{IDS[other]}:1-{count}" for other in "abc" if (count := draw(numbers)))
        sources = draw(st.lists(st.sampled_from([one for one in "abc" if one != name]), max_size=2, unique=True))
        channels = [channel(one, io=draw(threads), sql=draw(threads)) for one in sources]
        found.append(server(name, has, *channels, read_only=draw(st.integers(0, 2)) > 0))
    return found


@given(servers=sets_of_servers(), writer=st.sampled_from("abc"))
def test_there_are_never_two_writers_however_far_it_gets(servers: list[Server], writer: str) -> None:
    writable = {one.name for one in servers if one.writable}
    try:
        steps = plan(servers, writer).steps
    except InvalidInput:
        return
    assert len(writable) <= 1
    for step in steps:
        name, after = str(step.key[0]), step.after or {}
        writable = writable - {name} | ({name} if after["writable"] else set())
        assert len(writable) <= 1, f"after {step.line}"
    assert writable == {writer}


@given(servers=sets_of_servers(), writer=st.sampled_from("abc"))
def test_whoever_is_attached_has_nothing_that_the_writer_will_not_have(servers: list[Server], writer: str) -> None:
    try:
        steps = plan(servers, writer).steps
    except InvalidInput:
        return
    by_name = {one.name: one for one in servers}
    known = GtidSet.parse(by_name[writer].has)
    for step in steps:
        for source in step.facts.get("sources", ()):
            known |= GtidSet.parse(by_name[source].has)
    for step in steps:
        if step.action == "attach":
            assert GtidSet.parse(by_name[str(step.key[0])].has) <= known
