# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""mysql_topology on real servers: who can write at which moment, what becomes of failures, and of who comes back."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pymysql
import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.mysql.server import MARK
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.topology_backend import LOCK
from lab.mysql import DIALECTS, REPLICATION_PASSWORD
from tests.contract.invocation import run_module
from tests.contract.mysql_set_system import CHANNEL, DATABASE, NAMES
from tests.contract.system import refused, succeeded

MODULE = "mysql_topology"


@pytest.fixture(params=DIALECTS)
def mysql_set(request: pytest.FixtureRequest, system_of: Callable[[str], Any]) -> Iterator[Any]:
    """a writes, b and c follow it."""
    system = system_of(f"{request.param}-set")
    system.reset()
    yield system
    system.reset()


def switch(system: Any, writer: str, **more: Any) -> Any:
    return system.run(MODULE, **system.arguments(writer, **more))


class Watch:
    """Looks at all servers as often as it can. most: how many could be written to at any one look. The servers are
    asked in both orders, or a switchover between two questions would look like two writers."""

    def __init__(self, system: Any) -> None:
        self.system, self.looks, self.twice = system, 0, []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        sessions: dict[str, Any] = {}
        while not self._over.is_set():
            there, back = (self._writable(sessions, names) for names in (NAMES, NAMES[::-1]))
            self.looks += 1
            # Only who could be written to at both looks certainly could all the time between them.
            if len(there & back) > 1:
                self.twice.append(there & back)
        for session in sessions.values():
            session.close()

    def _writable(self, sessions: dict[str, Any], names: tuple[str, ...]) -> set[str]:
        found = set()
        for name in names:
            with contextlib.suppress(pymysql.err.Error, OSError):
                if name not in sessions:
                    sessions[name] = self.system[name].connect()
                with sessions[name].cursor() as cursor:
                    cursor.execute("SELECT @@global.read_only AS value")
                    if not cursor.fetchone()["value"]:
                        found.add(name)
                continue
            # A switchover ends connections.
            sessions.pop(name, None)
        return found


class Writer:
    """A client that writes rising numbers to whichever server lets it, and remembers what was acknowledged."""

    def __init__(self, system: Any) -> None:
        self.system = system
        self.acknowledged: list[int] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _write(self) -> None:
        number, session, turn = 1000, None, 0
        while not self._over.is_set():
            number += 1
            try:
                if session is None:
                    session = self.system[NAMES[turn % len(NAMES)]].connect("admin", "lab-admin")
                    with session.cursor() as cursor:
                        # MariaDB's read_only does not hold back who has all privileges, as this account has.
                        cursor.execute("SELECT @@global.read_only AS value")
                        if cursor.fetchone()["value"]:
                            raise pymysql.err.OperationalError(1290, "read-only")
                with session.cursor() as cursor:
                    cursor.execute(f"INSERT INTO {DATABASE}.records VALUES ({number})")
                self.acknowledged.append(number)
                time.sleep(0.002)
            except (pymysql.err.Error, OSError):
                with contextlib.suppress(pymysql.err.Error, OSError):
                    if session is not None:
                        session.close()
                session, turn = None, turn + 1
                time.sleep(0.005)


# -- a planned switchover ---------------------------------------------------------------------------------------------


def test_there_are_never_two_writers_and_nothing_acknowledged_is_lost(mysql_set: Any) -> None:
    with Watch(mysql_set) as watch, Writer(mysql_set) as client:
        for writer in ("b", "c", "a"):
            time.sleep(0.3)
            result = succeeded(switch(mysql_set, writer, drain_timeout=60, grace=5))
            assert not result.data["unmet"] and result.data["writer"] == writer
            assert 0 < result.data["seconds"] < 30
        time.sleep(0.3)
    assert watch.looks > 20 and not watch.twice
    assert len(client.acknowledged) > 20
    for name in NAMES:
        mysql_set.await_rows(name, len(mysql_set.rows("a")))
        missing = set(client.acknowledged) - set(mysql_set.rows(name))
        assert not missing, f"{name} lacks {sorted(missing)[:5]}"


def test_the_writer_follows_nobody_and_everybody_follows_it(mysql_set: Any) -> None:
    result = succeeded(switch(mysql_set, "b"))
    assert result.data["after"]["b"] == {"writable": True, "follows": []}
    assert mysql_set.writable() == ["b"]
    assert result.planned[:3] == ["demote server a", "catch_up server b: all of a", "promote server b"]
    mysql_set["b"].query(f"INSERT INTO {DATABASE}.records VALUES (2)")
    for name in ("a", "c"):
        mysql_set.await_rows(name, 2)


def test_what_holds_locks_is_ended_after_the_grace(mysql_set: Any) -> None:
    held = mysql_set["a"].connect()
    with held.cursor() as cursor:
        cursor.execute(f"LOCK TABLES {DATABASE}.records WRITE")
    began = time.monotonic()
    succeeded(switch(mysql_set, "b", grace=1))
    assert time.monotonic() - began < 30 and mysql_set.writable() == ["b"]
    with pytest.raises(pymysql.err.Error), held.cursor() as cursor:
        cursor.execute("SELECT 1")


# -- refused before anything ------------------------------------------------------------------------------------------


def test_broken_replication_is_refused_in_the_servers_words(mysql_set: Any) -> None:
    mysql_set.write_unlogged("b", f"INSERT INTO {DATABASE}.records VALUES (7)")
    mysql_set["a"].query(f"INSERT INTO {DATABASE}.records VALUES (7)")
    deadline = time.monotonic() + 20
    while not mysql_set.channel("b").get("Last_SQL_Error"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with mysql_set.unwritten():
        result = refused(switch(mysql_set, "b"))
    assert "replication into b is broken" in result.message and "uplicate" in result.message


def test_replication_that_stands_still_is_refused(mysql_set: Any) -> None:
    mysql_set.stop_channel("b")
    with mysql_set.unwritten():
        assert "does not run" in refused(switch(mysql_set, "b")).message


def test_lag_above_the_limit_is_refused(mysql_set: Any) -> None:
    with mysql_set["b"].session() as cursor:
        cursor.execute(f"LOCK TABLES {DATABASE}.records READ")
        mysql_set["a"].query(f"INSERT INTO {DATABASE}.records VALUES (2)")
        word = "Master" if mysql_set.is_mariadb else "Source"
        deadline = time.monotonic() + 20
        while (mysql_set.channel("b")[f"Seconds_Behind_{word}"] or 0) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        with mysql_set.unwritten():
            assert "drain_timeout allows 1 s" in refused(switch(mysql_set, "b", drain_timeout=1)).message


def test_two_writers_are_refused(mysql_set: Any) -> None:
    mysql_set.read_only("b", False)
    with mysql_set.unwritten():
        assert "a and b are writable at the same time" in refused(switch(mysql_set, "b")).message


def test_a_writer_that_is_none_of_them_is_refused(mysql_set: Any) -> None:
    with mysql_set.unwritten():
        assert "none of the servers" in refused(switch(mysql_set, "d")).message


# -- failures ---------------------------------------------------------------------------------------------------------


def test_whoever_wrote_writes_again_when_the_new_one_does_not_catch_up(mysql_set: Any) -> None:
    with Watch(mysql_set) as watch, mysql_set["b"].session() as cursor:
        cursor.execute(f"LOCK TABLES {DATABASE}.records READ")
        mysql_set["a"].query(f"INSERT INTO {DATABASE}.records VALUES (2)")
        result = refused(switch(mysql_set, "b", drain_timeout=2))
        assert "has not applied everything after 2 s" in result.message
        assert "a is writable again, as before" in result.message
    assert mysql_set.writable() == ["a"] and not watch.twice
    mysql_set.await_rows("b", 2)
    assert succeeded(switch(mysql_set, "b")).data["writer"] == "b"


def test_after_any_failure_there_is_one_writer_and_never_two(mysql_set: Any) -> None:
    """Each write fails once: the answer says no, or gets lost."""
    before = mysql_set.writes()
    succeeded(switch(mysql_set, "b"))
    for number in range(1, mysql_set.writes() - before + 1):
        for lost in (False, True):
            mysql_set.reset()
            with Watch(mysql_set) as watch, mysql_set.failing_write(number, lost=lost):
                result = switch(mysql_set, "b")
            assert not result.crash, result.crash
            assert not watch.twice
            (writer,) = mysql_set.writable()
            promoted = any(step == "done: promote server b" for step in result.steps)
            assert writer == ("b" if promoted else "a"), result.message
            if result.failed and not promoted:
                assert "a is writable again, as before" in result.message
            again = succeeded(switch(mysql_set, "b"))
            assert again.data["writer"] == "b" and not again.data["unmet"]


def test_it_goes_on_after_a_switchover_that_was_cut_off(mysql_set: Any) -> None:
    """The old writer is read-only, and the new one has not got everything yet."""
    with mysql_set["b"].session() as cursor:
        cursor.execute(f"LOCK TABLES {DATABASE}.records READ")
        mysql_set["a"].query(f"INSERT INTO {DATABASE}.records VALUES (2)")
        mysql_set.read_only("a")
        release = threading.Timer(1, cursor.execute, ("UNLOCK TABLES",))
        release.start()
        result = succeeded(switch(mysql_set, "b"))
        release.join()
    assert not result.data["unmet"] and mysql_set.writable() == ["b"]
    assert mysql_set.rows("b") == [1, 2]


# -- a writer that is gone, and comes back ----------------------------------------------------------------------------


def gone(system: Any) -> None:
    system["a"].kill()
    deadline = time.monotonic() + 20
    word = "Slave" if system.is_mariadb else "Replica"
    while any(system.channel(name)[f"{word}_IO_Running"] == "Yes" for name in ("b", "c")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_writer_that_is_gone_is_replaced_and_comes_back_as_a_replica(mysql_set: Any) -> None:
    gone(mysql_set)
    result = succeeded(switch(mysql_set, "b", verify_timeout=2))
    (unmet,) = result.data["unmet"]
    assert "a could not be asked" in unmet and mysql_set.writable() == ["b"]
    mysql_set["b"].query(f"INSERT INTO {DATABASE}.records VALUES (2)")
    mysql_set.await_rows("c", 2)
    mysql_set["a"].start()
    mysql_set.read_only("a")
    rejoined = succeeded(switch(mysql_set, "b"))
    assert rejoined.planned == ["attach server a: to b"] and not rejoined.data["unmet"]
    mysql_set.await_rows("a", 2)


def test_a_writer_that_replicas_still_hear_is_not_replaced(mysql_set: Any) -> None:
    """Only this host does not reach it."""
    servers = mysql_set.members()
    servers[0]["login_unix_socket"] = "/nonexistent/sock"
    with mysql_set.unwritten():
        result = refused(switch(mysql_set, "b", servers=servers))
    assert "b is still connected to a" in result.message
    assert mysql_set.writable() == ["a"]


def test_who_comes_back_with_what_nobody_has_is_named_and_left_out_with_consent(mysql_set: Any) -> None:
    gone(mysql_set)
    succeeded(switch(mysql_set, "b", verify_timeout=1))
    mysql_set["a"].start()
    mysql_set.write_errant("a", 4711)
    identity = str(mysql_set["a"].value("@@server_id" if mysql_set.is_mariadb else "@@server_uuid"))
    with mysql_set.unwritten():
        result = refused(switch(mysql_set, "b"))
    assert "reseed_replica:a" in result.message and identity in result.message and "mysql_seed" in result.message
    left = succeeded(switch(mysql_set, "b", allow=["reseed_replica:a"]))
    assert identity in left.data["reseed"]["a"]
    assert any("a follows nobody" in text and "mysql_seed" in text for text in left.data["unmet"])
    assert 4711 not in mysql_set.rows("b")


def test_a_promotion_that_loses_transactions_says_how_many(mysql_set: Any) -> None:
    mysql_set.stop_channel("b")
    for number in range(2, 7):
        mysql_set["a"].query(f"INSERT INTO {DATABASE}.records VALUES ({number})")
    mysql_set.await_rows("c", 6)
    gone(mysql_set)
    with mysql_set.unwritten():
        result = refused(switch(mysql_set, "b"))
    assert "promote_behind:b" in result.message and "it lacks 5 transactions" in result.message
    # And the one that has them needs no consent.
    assert succeeded(switch(mysql_set, "c", verify_timeout=1)).data["writer"] == "c"
    mysql_set.await_rows("b", 6)


def test_what_was_received_is_applied_before_anybody_writes(mysql_set: Any) -> None:
    mysql_set.stop_channel("c")
    with mysql_set["b"].session() as cursor:
        cursor.execute(f"LOCK TABLES {DATABASE}.records READ")
        mysql_set["a"].query(f"INSERT INTO {DATABASE}.records VALUES (2)")
        time.sleep(0.5)
        gone(mysql_set)
        release = threading.Timer(1, cursor.execute, ("UNLOCK TABLES",))
        release.start()
        succeeded(switch(mysql_set, "b", verify_timeout=1))
        release.join()
    assert mysql_set.rows("b") == [1, 2] and mysql_set.writable() == ["b"]


# -- what must not get lost -------------------------------------------------------------------------------------------


def received_only(system: Any, name: str, count: int = 5) -> None:
    """The writer's last transactions lie there and are not applied."""
    system.stop_channel(name, "SQL_THREAD")
    for number in range(2, 2 + count):
        system["a"].query(f"INSERT INTO {DATABASE}.records VALUES ({number})")
    last = str(system["a"].value("@@global.gtid_binlog_pos" if system.is_mariadb else "@@global.gtid_executed"))
    deadline = time.monotonic() + 20
    column = "Gtid_IO_Pos" if system.is_mariadb else "Retrieved_Gtid_Set"
    while last.rpartition("-")[2] not in str(system.channel(name)[column]):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def gone_for(system: Any, name: str) -> None:
    system["a"].kill()
    word = "Slave" if system.is_mariadb else "Replica"
    deadline = time.monotonic() + 20
    while system.channel(name)[f"{word}_IO_Running"] == "Yes":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_writer_that_lets_nobody_look_is_not_replaced(mysql_set: Any) -> None:
    """A wrong password, or too many connections: no replica hears it, and it writes all the same."""
    for name in ("b", "c"):
        mysql_set.stop_channel(name)
    servers = mysql_set.members()
    servers[0]["login_password"] = "another-one"
    with mysql_set.unwritten():
        result = refused(switch(mysql_set, "b", servers=servers))
    assert "a runs, and cannot be asked whether it writes" in result.message and mysql_set.writable() == ["a"]


def test_a_writer_that_hangs_is_not_replaced(mysql_set: Any) -> None:
    for name in ("b", "c"):
        mysql_set.stop_channel(name)
    servers = [{**one, "login_timeout": 2} for one in mysql_set.members()]
    mysql_set["a"].freeze()
    try:
        with mysql_set.unwritten():
            result = refused(switch(mysql_set, "b", servers=servers))
    finally:
        mysql_set["a"].thaw()
    assert "a runs, and cannot be asked" in result.message


def test_nobody_is_promoted_without_what_it_has_received_itself(mysql_set: Any) -> None:
    """Its applier was stopped by somebody, which is no error."""
    received_only(mysql_set, "b")
    mysql_set.stop_channel("c")
    gone_for(mysql_set, "b")
    with mysql_set.unwritten():
        result = refused(switch(mysql_set, "b"))
    assert "promote_behind:b" in result.message and "start its SQL thread" in result.message
    assert "it lacks 5 transactions" in result.message
    mysql_set.start_channel("b", "SQL_THREAD")
    succeeded(switch(mysql_set, "b", verify_timeout=1))
    assert mysql_set.rows("b") == [1, 2, 3, 4, 5, 6]


def test_half_a_copy_is_not_taken_for_a_replica(mysql_set: Any) -> None:
    """As a seed leaves it that was killed: it has the position of all, and not the data."""
    with mysql_set["b"].session() as cursor:
        cursor.execute("SET SESSION sql_log_bin = 0")
        cursor.execute("SET GLOBAL read_only = 0")
        cursor.execute(f"CREATE DATABASE {MARK}")
    mysql_set.read_only("b")
    with mysql_set.unwritten():
        assert "did not bring to its end" in refused(switch(mysql_set, "b")).message
        assert "reseed_replica:b" in refused(switch(mysql_set, "c")).message
        item = {"channel": CHANNEL, "connect_retry": 7}
        login = {key: value for key, value in mysql_set.members("b")[0].items() if key.startswith("login")}
        result = refused(run_module("mysql_replication", {"config": [item], **login}))
        assert "did not bring to its end" in result.message


def test_changing_a_channel_does_not_throw_away_what_nobody_else_can_give(mysql_set: Any) -> None:
    received_only(mysql_set, "b")
    gone_for(mysql_set, "b")
    login = {key: value for key, value in mysql_set.members("b")[0].items() if key.startswith("login")}
    item = {"channel": CHANNEL, "connect_retry": 7}
    with mysql_set.unwritten():
        result = refused(run_module("mysql_replication", {"config": [item], "verify_timeout": 1, **login}))
    assert "which it has not applied yet" in result.message and "connect_retry" in result.message
    mysql_set.start_channel("b", "SQL_THREAD")
    mysql_set.await_rows("b", 6)
    succeeded(run_module("mysql_replication", {"config": [item], "verify_timeout": 1, **login}))


def test_one_that_follows_by_position_goes_on_by_gtid(mysql_set: Any) -> None:
    """Its place in the old writer's log says nothing about the new one's."""
    mysql_set.by_position("c")
    mysql_set["a"].query(f"INSERT INTO {DATABASE}.records VALUES (2)")
    mysql_set.await_rows("c", 2)
    result = succeeded(switch(mysql_set, "b"))
    assert not result.data["unmet"]
    mysql_set["b"].query(f"INSERT INTO {DATABASE}.records VALUES (3)")
    mysql_set.await_rows("c", 3)


def test_whoever_wrote_does_not_write_again_beside_somebody_else(mysql_set: Any) -> None:
    """A cluster, or another administrator, has promoted c in the middle of it."""
    with Watch(mysql_set) as watch, mysql_set["b"].session() as cursor:
        cursor.execute(f"LOCK TABLES {DATABASE}.records READ")
        mysql_set["a"].query(f"INSERT INTO {DATABASE}.records VALUES (2)")
        other = threading.Thread(target=take_over, args=(mysql_set, "c"))
        other.start()
        result = refused(switch(mysql_set, "b", drain_timeout=4))
        other.join()
    assert "a stays read-only, because c can be written to now" in result.message
    assert mysql_set.writable() == ["c"] and not watch.twice


def take_over(system: Any, name: str) -> None:
    deadline = time.monotonic() + 30
    while system.writable() and time.monotonic() < deadline:
        time.sleep(0.02)
    system.read_only(name, False)


def test_two_runs_at_a_time_do_not_both_promote(mysql_set: Any) -> None:
    with mysql_set["c"].session() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", (LOCK,))
        with mysql_set.unwritten():
            assert "Another run" in refused(switch(mysql_set, "b")).message
    assert succeeded(switch(mysql_set, "b")).data["writer"] == "b"


def test_what_the_one_in_between_has_still_to_apply_is_waited_for(mysql_set: Any) -> None:
    """c follows b, and b follows a, which is gone: b has received what it has not applied yet."""
    mysql_set.stop_channel("c")
    mysql_set.follow("c", "b")
    with mysql_set["b"].session() as cursor:
        cursor.execute(f"LOCK TABLES {DATABASE}.records READ")
        mysql_set["a"].query(f"INSERT INTO {DATABASE}.records VALUES (2)")
        time.sleep(0.5)
        gone_for(mysql_set, "b")
        release = threading.Timer(4, cursor.execute, ("UNLOCK TABLES",))
        release.start()
        succeeded(switch(mysql_set, "c", verify_timeout=1))
        release.join()
    assert mysql_set.rows("c") == [1, 2] and mysql_set.writable() == ["c"]


def test_what_the_source_gives_again_may_be_thrown_away(mysql_set: Any) -> None:
    received_only(mysql_set, "b")
    mysql_set.stop_channel("b")
    login = {key: value for key, value in mysql_set.members("b")[0].items() if key.startswith("login")}
    item = {"channel": CHANNEL, "connect_retry": 7, "source_password": REPLICATION_PASSWORD}
    assert not succeeded(run_module("mysql_replication", {"config": [item], **login})).data["unmet"]
    mysql_set.await_rows("b", 6)


def test_a_channel_without_an_account_gets_another_source_all_the_same(mysql_set: Any) -> None:
    """Somebody began it by hand, and did not come far."""
    port = mysql_set["c"].port
    mysql_set["a"].query(
        f"CHANGE MASTER 'hct-bare' TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {port}, MASTER_USE_GTID = slave_pos"
        if mysql_set.is_mariadb
        else f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {port}, SOURCE_AUTO_POSITION = 1 "
        "FOR CHANNEL 'hct-bare'"
    )
    login = {key: value for key, value in mysql_set.members("a")[0].items() if key.startswith("login")}
    item = {"channel": "hct-bare", "source_port": mysql_set["b"].port, "running": False}
    result = run_module("mysql_replication", {"config": [item], "allow": ["change_source:hct-bare"], **login})
    assert not result.crash, result.crash
    assert succeeded(result).changed
