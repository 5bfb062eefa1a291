# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Channels as they are planned, refused and judged, without a server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.channel import CHANNEL, channel_of, key_of
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialect import (
    FILTERS,
    Channel,
    Replica,
    SemiSync,
    Thread,
)
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialects import dialect_for

MYSQL, MARIADB = dialect_for("9.7.4"), dialect_for("10.11.2-MariaDB")
RUNS, STANDS = Thread(True), Thread(False)
ITEM = {"channel": "default", "source_host": "a", "source_user": "repl", "source_password": "secret-of-it"}
OPTIONS: dict[str, Any] = {
    "source_host": "a",
    "source_port": 3306,
    "source_user": "repl",
    "connect_retry": 60,
    "delay": 0,
    "ssl": False,
    "ssl_ca": "",
    "ssl_cert": "",
    "ssl_key": "",
    "ssl_verify_server_cert": False,
    "gtid": True,
    "heartbeat_period": 30,
    **dict.fromkeys(FILTERS, ()),
}


def channel(name: str = "", **more: Any) -> Channel:
    known = {key: more.pop(key) for key in list(more) if key in OPTIONS}
    return replace(Channel(name, {**OPTIONS, **known}, RUNS, RUNS, lag=0), **more)


def replica(*channels: Channel, **more: Any) -> Replica:
    return Replica({one.name: one for one in channels}, **more)


def things(found: Replica, started: bool = False) -> dict[Any, Thing]:
    return {key_of(name): CHANNEL.thing(one, found, MARIADB, started=started) for name, one in found.channels.items()}


def planned(found: Replica, *items: dict[str, Any], **more: Any) -> Plan:
    return CHANNEL.plan(things(found), CHANNEL.declare({"config": list(items), **more}))


def problems(found: Replica, *items: dict[str, Any], dialect: Any = MARIADB, **more: Any) -> str:
    return "; ".join(CHANNEL.problems(planned(found, *items, **more), found, dialect))


def unmet(one: Channel, max_lag: int | None = None, **item: Any) -> list[Any]:
    found = replica(one)
    declared = CHANNEL.declare({"config": [{"channel": one.name or "default", **item}]})
    return list(CHANNEL.unmet(things(found), declared, max_lag))


# -- names ----------------------------------------------------------------------------------------------------------


def test_the_channel_without_a_name_is_called_default() -> None:
    assert channel_of(("default",)) == "" and key_of("") == ("default",)
    assert key_of("Records") == ("records",)
    (step,) = planned(replica(), {**ITEM, "channel": "RECORDS"})
    assert step.key == ("records",)


@pytest.mark.parametrize("name", ["a b", "a'b", "ä", "-x", "x" * 65, "group_replication_applier", "a\nb", "`"])
def test_a_name_that_no_statement_should_bear_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="channel"):
        CHANNEL.declare({"config": [{**ITEM, "channel": name}]})


ODD = st.characters(max_codepoint=31) | st.just("\x7f") | st.characters(min_codepoint=0x10000)


@given(st.text(), ODD, st.text())
def test_what_a_server_could_not_keep_is_refused(before: str, odd: str, after: str) -> None:
    """A control character would break MariaDB's file of lines; what is not in utf8mb3 comes back as a question mark."""
    for option in ("source_user", "source_password", "ssl_ca", "source_host"):
        with pytest.raises(InvalidInput, match=option):
            CHANNEL.declare({"config": [{**ITEM, option: f"{before}{odd}{after}"}]})


# -- plans ----------------------------------------------------------------------------------------------------------


def test_a_password_is_in_no_plan_that_people_see() -> None:
    plan = planned(replica(), ITEM)
    (step,) = plan
    assert step.secrets == {"source_password": "secret-of-it"}
    assert "secret-of-it" not in repr(plan) + repr(plan.before()) + repr(plan.after())
    assert not planned(replica(channel()), ITEM), "it is not compared"


def test_a_channel_that_stands_still_is_started_unless_it_shall_not_run() -> None:
    found = replica(channel(io=STANDS, sql=STANDS))
    (step,) = planned(found, {"channel": "default"})
    assert step.options == ("running",)
    assert not planned(found, {"channel": "default", "running": False})


@pytest.mark.parametrize("half", [{"io": STANDS}, {"sql": STANDS}])
def test_a_channel_of_which_one_thread_runs_is_neither_on_nor_off(half: dict[str, Thread]) -> None:
    found = replica(channel(**half))
    for running in (True, False):
        (step,) = planned(found, {"channel": "default", "running": running})
        assert step.options == ("running",)


def test_what_was_started_and_stopped_for_an_error_is_not_started_again_in_the_same_run() -> None:
    found = replica(channel(sql=Thread(False, number=1062, error="Duplicate entry")))
    assert things(found, started=True)["default",].state["running"] is True
    assert things(found)["default",].state["running"] is not True


def test_another_source_asks_for_consent_and_takes_the_password_with_it() -> None:
    (step,) = planned(replica(channel()), {**ITEM, "source_host": "b"})
    assert [consent.word for consent in step.consent] == ["change_source:default"]
    assert "b:3306 instead of a:3306" in step.consent[0].loses
    assert step.secrets == {"source_password": "secret-of-it"}


def test_a_password_goes_with_another_user() -> None:
    (step,) = planned(replica(channel()), {**ITEM, "source_user": "other"})
    assert step.secrets and not step.consent


def test_removal_asks_for_consent() -> None:
    (step,) = planned(replica(channel("records")), {"channel": "records"}, state="absent")
    assert [consent.word for consent in step.consent] == ["remove_channel:records"]
    assert "position is lost" not in step.consent[0].loses
    (step,) = planned(replica(channel(gtid=False)), {"channel": "default"}, state="absent")
    assert "position is lost" in step.consent[0].loses


def test_a_position_is_given_or_refused_and_never_guessed() -> None:
    with pytest.raises(InvalidInput, match="source_log_file"):
        planned(replica(), {**ITEM, "gtid": False})
    with pytest.raises(InvalidInput, match="source_log_file"):
        planned(replica(channel(gtid=False)), {"channel": "default", "source_host": "b"})
    position = {"gtid": False, "source_log_file": "binlog.000007", "source_log_pos": 4711}
    (step,) = planned(replica(channel(gtid=False)), {"channel": "default", "source_host": "b", **position})
    assert step.inputs == {"source_log_file": "binlog.000007", "source_log_pos": 4711}
    assert not planned(replica(channel(gtid=False)), {"channel": "default", **position}), "it moves on by itself"


@pytest.mark.parametrize(
    "position",
    [
        {"source_log_file": "x", "gtid": False},
        {"source_log_pos": 4, "gtid": False},
        {"source_log_file": "x", "source_log_pos": 4},
    ],
)
def test_half_a_position_or_one_beside_gtid_is_refused(position: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="source_log_file"):
        planned(replica(), {**ITEM, **position})


def test_what_protects_the_connection_and_whom_it_follows_is_never_reset() -> None:
    found = replica(channel(ssl=True, ssl_ca="/ca.pem", ssl_verify_server_cert=True, source_port=3307, delay=9))
    (step,) = planned(found, {"channel": "default"}, unlisted_options="reset")
    assert step.options == ("delay",)


# -- what a server would refuse ---------------------------------------------------------------------------------------


def test_what_a_dialect_does_not_have_is_refused_by_name() -> None:
    said = problems(replica(), {**ITEM, "retry_count": 5, "get_source_public_key": True})
    assert "retry_count" in said and "get_source_public_key" in said
    assert not problems(replica(), {**ITEM, "retry_count": 5}, dialect=MYSQL)


def test_what_would_be_cut_is_refused() -> None:
    for dialect, length in ((MYSQL, 33), (MARIADB, 97)):
        said = problems(replica(), {**ITEM, "source_password": "p" * length}, dialect=dialect)
        assert "source_password" in said and "ppp" not in said
    assert "source_user" in problems(replica(), {**ITEM, "source_user": "u" * 33}, dialect=MYSQL)


def test_a_server_without_gtids_or_number_is_refused() -> None:
    assert "gtid_mode" in problems(replica(gtid_mode=False), ITEM, dialect=MYSQL)
    assert "server_id" in problems(replica(server_id=0), ITEM)


def test_mariadb_follows_a_source_once() -> None:
    found = replica(channel())
    assert "default and records" in problems(found, {**ITEM, "channel": "records"})
    assert not problems(found, {**ITEM, "channel": "records"}, dialect=MYSQL)
    assert not problems(found, {**ITEM, "channel": "records", "source_host": "b"})
    assert not problems(found, {**ITEM, "delay": 5})


def test_semi_sync_is_for_one_channel() -> None:
    have = {"semi_sync": SemiSync(True, variable="x")}
    assert not problems(replica(**have), {**ITEM, "semi_sync": True})
    other = {**ITEM, "channel": "records", "source_host": "b"}
    for dialect in (MARIADB, MYSQL):
        assert "one channel only" in problems(replica(channel(), **have), {**other, "semi_sync": True}, dialect=dialect)
        on = {"semi_sync": SemiSync(True, enabled=True, variable="x")}
        assert "one channel only" in problems(replica(channel(), **on), other, dialect=dialect)
    assert not problems(replica(channel(), **have), other)


def test_semi_sync_is_said_in_one_way_and_needs_its_plugin() -> None:
    with pytest.raises(InvalidInput, match="semi_sync"):
        planned(replica(), {**ITEM, "semi_sync": True}, {**ITEM, "channel": "records", "semi_sync": False})
    assert "plugin" in problems(replica(), {**ITEM, "semi_sync": True}, dialect=MYSQL)


# -- health -----------------------------------------------------------------------------------------------------------


def test_a_healthy_channel_has_nothing_unmet() -> None:
    assert not unmet(channel(), max_lag=0)
    assert not unmet(channel(io=STANDS, sql=STANDS), running=False)
    assert not unmet(channel(lag=None)), "without a limit any lag will do"


def test_errors_are_the_servers_words_and_not_waited_for() -> None:
    (one,) = unmet(channel(sql=Thread(False, number=1062, error="Duplicate entry '1'.")), max_lag=1)
    assert "applies nothing: Duplicate entry '1' (1062)." in one.text and not one.passing
    (one,) = unmet(channel(io=Thread(False, number=1236, error="purged")))
    assert "receives nothing from a:3306: purged (1236)" in one.text and not one.passing
    (one,) = unmet(channel(io=Thread(True, True, 1045, "denied")))
    assert "(1045)" in one.text and not one.passing


def test_what_time_may_mend_is_waited_for() -> None:
    (one,) = unmet(channel(io=Thread(True, True, 2003, "refused")))
    assert "not connected" in one.text and one.passing
    (one,) = unmet(channel(lag=9), max_lag=5)
    assert "9 s behind" in one.text and one.passing
    assert not unmet(channel(lag=9, delay=5), max_lag=5), "what is wanted is no lag"
    (one,) = unmet(channel(lag=None), max_lag=5)
    assert one.passing
