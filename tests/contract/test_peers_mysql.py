# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What other people's modules for replication get wrong, each as a test that ours pass on real servers: verbs instead
of a state, neither check mode nor diff, always changed, failing on a running replica, errors that become "already
stopped", SQL by string formatting, no health wait."""

from __future__ import annotations

import contextlib
import secrets
import string
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab.mysql import DIALECTS, REPLICATION, Server
from lab.pve.tls import make_certificates
from tests.contract.case import PREFIX
from tests.contract.system import refused, succeeded

NAME = f"{PREFIX}records"
MODULE = "mysql_replication"


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=DIALECTS)
def mysql(request: pytest.FixtureRequest, system_of: Callable[[str], Any]) -> Iterator[Any]:
    """A source, a second one, and a replica that follows nobody."""
    system = system_of(request.param)
    system.reset()
    yield system
    system.reset()


def item(system: Any, source: Server | None = None, **more: Any) -> dict[str, Any]:
    return {"channel": NAME, **system.account(source), **more}


def following(system: Any, **more: Any) -> None:
    result = succeeded(system.run(MODULE, [item(system, **more)], verify_timeout=20))
    assert not result.data["unmet"], result.data["unmet"]


def threads(system: Any) -> tuple[str, str]:
    row = system.channel(NAME)
    word = "Slave" if system.is_mariadb else "Replica"
    return row[f"{word}_IO_Running"], row[f"{word}_SQL_Running"]


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)
    return found


@contextlib.contextmanager
def account(server: Server, password: str) -> Iterator[str]:
    """Another account for replication at a source, which no replica knows of."""
    with server.session() as cursor:
        cursor.execute("SET SESSION sql_log_bin = 0")
        cursor.execute("CREATE USER 'hct'@'%%' IDENTIFIED BY %s", (password,))
        cursor.execute("GRANT REPLICATION SLAVE ON *.* TO 'hct'@'%'")
    yield "hct"
    with server.session() as cursor:
        cursor.execute("SET SESSION sql_log_bin = 0")
        cursor.execute("DROP USER 'hct'@'%'")


def there(system: Any, database: str) -> bool:
    return bool(system.replica.query("SHOW DATABASES LIKE %s", database))


@contextlib.contextmanager
def table(system: Any) -> Iterator[str]:
    """A table in a database of its own at the source, which has reached the replica."""
    database = f"hct_{secrets.token_hex(4)}"
    system.source.query(f"CREATE DATABASE {database}")
    system.source.query(f"CREATE TABLE {database}.records (id INT PRIMARY KEY)")
    until(lambda: there(system, database) and system.replica.query(f"SHOW TABLES FROM {database}"))
    yield f"{database}.records"
    system.source.query(f"DROP DATABASE {database}")
    until(lambda: not there(system, database))


# -- a state, with check mode, diff and no change in a second run -----------------------------------------------------


def test_it_is_a_state_with_check_mode_diff_and_an_unchanged_second_run(mysql: Any) -> None:
    with mysql.unwritten():
        check = succeeded(mysql.run(MODULE, [item(mysql)], check=True))
    assert not mysql.channels()
    real = succeeded(mysql.run(MODULE, [item(mysql)]))
    assert real.changed and real.diff == check.diff
    assert real.diff["before"] == {NAME: None}
    assert real.diff["after"][NAME]["source_port"] == mysql.source.port
    with mysql.unwritten():
        again = succeeded(mysql.run(MODULE, [item(mysql)]))
    assert not again.changed and not again.diff


def test_it_really_replicates(mysql: Any) -> None:
    following(mysql)
    with table(mysql) as name:
        mysql.source.query(f"INSERT INTO {name} VALUES (4711)")
        until(lambda: mysql.replica.query(f"SELECT * FROM {name} WHERE id = 4711"))


# -- on a running replica ---------------------------------------------------------------------------------------------


def test_a_running_channel_is_changed_and_runs_on(mysql: Any) -> None:
    following(mysql)
    result = succeeded(mysql.run(MODULE, [{"channel": NAME, "connect_retry": 7, "delay": 1}]))
    assert result.changed and not result.data["unmet"]
    assert threads(mysql) == ("Yes", "Yes")
    assert mysql.channel(NAME)["Connect_Retry"] == 7


def test_only_the_thread_that_must_stop_is_stopped(mysql: Any) -> None:
    following(mysql)
    seen = len(mysql.proxy.statements)
    succeeded(mysql.run(MODULE, [{"channel": NAME, "replicate_ignore_db": ["scratch"]}]))
    stops = [text for text in mysql.proxy.statements[seen:] if text.startswith("STOP")]
    assert len(stops) == 1 and "SQL_THREAD" in stops[0] and "IO_THREAD" not in stops[0]


@pytest.mark.parametrize("number", [2, 3], ids=["the change", "the start"])
def test_what_ran_runs_again_when_the_change_fails(mysql: Any, number: int) -> None:
    following(mysql)
    with mysql.failing_write(number):
        result = refused(mysql.run(MODULE, [{"channel": NAME, "delay": 5}]))
    assert mysql.failure in result.message
    until(lambda: threads(mysql) == ("Yes", "Yes"))


# -- errors are told --------------------------------------------------------------------------------------------------


def test_an_account_that_is_not_let_in_is_told_in_the_servers_words(mysql: Any) -> None:
    began = time.monotonic()
    result = succeeded(mysql.run(MODULE, [item(mysql, source_user="nobody")], verify_timeout=60))
    (unmet,) = result.data["unmet"]
    assert "nobody" in unmet and "(1045)" in unmet and f"127.0.0.1:{mysql.source.port}" in unmet
    assert time.monotonic() - began < 30, "nothing that passes by itself is waited for"
    with mysql.unwritten():
        again = succeeded(mysql.run(MODULE, [{"channel": NAME}]))
    assert not again.changed and again.data["unmet"], "and it is told again by a run that changes nothing"


def test_what_cannot_be_applied_is_told_in_the_servers_words(mysql: Any) -> None:
    """A row that is there already: with several appliers MySQL hides the cause elsewhere."""
    following(mysql)
    with table(mysql) as name:
        with mysql.replica.session() as cursor:
            cursor.execute("SET SESSION sql_log_bin = 0")
            cursor.execute(f"INSERT INTO {name} VALUES (1)")
        mysql.source.query(f"INSERT INTO {name} VALUES (1)")
        until(lambda: threads(mysql)[1] == "No")
        started = succeeded(mysql.run(MODULE, [{"channel": NAME}], verify_timeout=10))
        (unmet,) = started.data["unmet"]
        assert "applies nothing" in unmet and "uplicate" in unmet and "(1062)" in unmet
        # Mended by hand, and the next run starts it.
        with mysql.replica.session() as cursor:
            cursor.execute("SET SESSION sql_log_bin = 0")
            cursor.execute(f"DELETE FROM {name}")
        mended = succeeded(mysql.run(MODULE, [{"channel": NAME}], verify_timeout=20))
        assert mended.changed and not mended.data["unmet"], mended.data["unmet"]


def test_a_login_that_is_refused_says_so(mysql: Any) -> None:
    result = refused(mysql.run(MODULE, [item(mysql)], login_password="wrong-one"))
    assert "did not accept the login" in result.message and "login_password" in result.message
    assert "wrong-one" not in result.everything


def test_a_server_that_is_not_there_says_so(mysql: Any) -> None:
    result = refused(mysql.run(MODULE, [item(mysql)], login_unix_socket="/nonexistent/sock"))
    assert "could not be reached" in result.message and "/nonexistent/sock" in result.message


def test_a_login_without_privileges_is_told_which_it_needs(mysql: Any) -> None:
    result = refused(mysql.run(MODULE, [item(mysql)], login_user=REPLICATION, login_password="lab-replication"))
    assert "REPLICATION" in result.message


# -- passwords --------------------------------------------------------------------------------------------------------


PRINTABLE = "".join(letter for letter in string.printable if letter.isprintable())
PASSWORDS = [PRINTABLE[start : start + 30] for start in range(0, len(PRINTABLE), 30)]
PASSWORDS += ['it\'s a "quote" \\ and %s %(x)s', "\\'; DROP DATABASE mysql; -- ", "Ñandú ß €"]


@pytest.mark.parametrize("mode", ["", "NO_BACKSLASH_ESCAPES,ANSI_QUOTES"], ids=["usual", "no_backslash_escapes"])
def test_a_password_of_any_characters_works_and_never_comes_out(mysql: Any, mode: str) -> None:
    before = mysql.replica.value("@@global.sql_mode")
    mysql.replica.query("SET GLOBAL sql_mode = %s", mode)
    try:
        for password in PASSWORDS:
            with account(mysql.source, password) as user:
                more = {"source_user": user, "source_password": password}
                result = succeeded(mysql.run(MODULE, [item(mysql, **more)], verify_timeout=20, update_secrets="always"))
                assert not result.data["unmet"], (password, result.data["unmet"])
                for spelled in (password, repr(password)[1:-1]):
                    assert spelled not in result.everything
            mysql.reset()
    finally:
        mysql.replica.query("SET GLOBAL sql_mode = %s", before)


def test_an_error_of_the_server_that_quotes_the_statement_has_no_password_in_it(mysql: Any) -> None:
    password = "hct-0123456789-abcdefghijklmnop'"
    with mysql.failing_write(1):
        mysql.proxy.failure = f"You have an error near '{password}'"
        try:
            result = refused(mysql.run(MODULE, [item(mysql, source_password=password)]))
        finally:
            mysql.proxy.failure = mysql.failure
    assert "You have an error near" in result.message
    assert password not in result.everything


def test_a_password_that_the_server_would_cut_is_refused_before(mysql: Any) -> None:
    password = "x" * 127
    with mysql.unwritten():
        result = refused(mysql.run(MODULE, [item(mysql, source_password=password)]))
    assert "characters at most" in result.message and password not in result.everything


# -- what channels carry ----------------------------------------------------------------------------------------------


def test_two_sources_at_once(mysql: Any) -> None:
    """And what becomes of one channel does not concern the other."""
    other = f"{PREFIX}laboratory"
    second = {**item(mysql, mysql.second), "channel": other}
    result = succeeded(mysql.run(MODULE, [item(mysql), second], verify_timeout=20))
    assert not result.data["unmet"], result.data["unmet"]
    names = {"hct_first": mysql.source, "hct_second": mysql.second}
    for name, server in names.items():
        server.query(f"CREATE DATABASE {name}")
    until(lambda: all(there(mysql, name) for name in names))
    succeeded(mysql.run(MODULE, [{"channel": other, "running": False}]))
    assert threads(mysql) == ("Yes", "Yes")
    for name, server in names.items():
        server.query(f"DROP DATABASE {name}")
    until(lambda: not there(mysql, "hct_first"))
    assert there(mysql, "hct_second"), "its channel stands still"
    succeeded(mysql.run(MODULE, [{"channel": other, "running": True}], verify_timeout=20))
    until(lambda: not there(mysql, "hct_second"))


def test_a_filter_keeps_out_what_it_names_and_nothing_else(mysql: Any) -> None:
    """It is set on a channel that runs, which loses nothing else meanwhile."""
    following(mysql)
    with table(mysql) as name:
        ignored = name.replace(".records", ".cache")
        mysql.source.query(f"CREATE TABLE {ignored} (id INT PRIMARY KEY)")
        mysql.source.query(f"INSERT INTO {ignored} VALUES (1)")
        succeeded(mysql.run(MODULE, [{"channel": NAME, "replicate_ignore_table": [ignored]}], verify_timeout=20))
        mysql.source.query(f"INSERT INTO {ignored} VALUES (2)")
        mysql.source.query(f"INSERT INTO {name} VALUES (2)")
        until(lambda: mysql.replica.query(f"SELECT * FROM {name} WHERE id = 2"))
        assert [row["id"] for row in mysql.replica.query(f"SELECT id FROM {ignored}")] == [1]
        # Or dropping the table would be kept out as well.
        succeeded(mysql.run(MODULE, [{"channel": NAME, "replicate_ignore_table": []}], verify_timeout=20))


def test_a_source_that_is_another_is_not_followed(mysql: Any) -> None:
    """TLS with the certificate checked, not only encrypted: a server that somebody else put there is no source."""
    folder = mysql.servers.folder / "foreign"
    folder.mkdir()
    foreign, *_certificate = make_certificates(folder, "127.0.0.1")
    checked = {"ssl": True, "ssl_verify_server_cert": True, "connect_retry": 1}
    wrong = succeeded(mysql.run(MODULE, [item(mysql, **checked, ssl_ca=str(foreign))], verify_timeout=3))
    (unmet,) = wrong.data["unmet"]
    assert "certificate" in unmet.lower() or "tls" in unmet.lower() or "ssl" in unmet.lower(), unmet
    right = succeeded(mysql.run(MODULE, [{"channel": NAME, "ssl_ca": mysql.ca}], verify_timeout=30))
    assert not right.data["unmet"], right.data["unmet"]


# -- health -----------------------------------------------------------------------------------------------------------


def test_health_is_waited_for(mysql: Any) -> None:
    """The source comes two seconds after the channel."""
    mysql.second.stop()
    late = threading.Timer(2, mysql.second.start)
    late.start()
    try:
        wanted = item(mysql, mysql.second, connect_retry=1)
        result = succeeded(mysql.run(MODULE, [wanted], verify_timeout=40))
    finally:
        late.join()
    assert not result.data["unmet"], result.data["unmet"]
    assert threads(mysql) == ("Yes", "Yes")


def test_lag_is_waited_for_and_told(mysql: Any) -> None:
    """Somebody holds a lock that the applier needs."""
    following(mysql)
    with table(mysql) as name:
        with mysql.replica.session() as cursor:
            cursor.execute(f"LOCK TABLES {name} READ")
            mysql.source.query(f"INSERT INTO {name} VALUES (1)")
            source = "Master" if mysql.is_mariadb else "Source"
            until(lambda: (mysql.channel(NAME)[f"Seconds_Behind_{source}"] or 0) >= 2)
            behind = succeeded(mysql.run(MODULE, [{"channel": NAME}], max_lag=1))
            (unmet,) = behind.data["unmet"]
            assert "s behind" in unmet and "1 s are allowed" in unmet
            assert not succeeded(mysql.run(MODULE, [{"channel": NAME}], max_lag=3600)).data["unmet"]
            cursor.execute("UNLOCK TABLES")
        until(lambda: not succeeded(mysql.run(MODULE, [{"channel": NAME}], max_lag=1)).data["unmet"])


# -- what roles and fail-over tools get wrong -------------------------------------------------------------------------


def test_a_position_comes_with_the_data_it_belongs_to(system_of: Callable[[str], Any], dialect: str) -> None:
    """Elsewhere: the primary's current position, without copying data, and errors that are ignored."""
    system = system_of(f"{dialect}-seed")
    system.reset()
    arguments = {"name": "hct-replica", "donor": system.source(), "method": "dump", **system.programs()}
    broken = refused(system.run("mysql_seed", **{**arguments, "dump_command": ["false"]}))
    assert "did not arrive" in broken.message
    position = "@@global.gtid_slave_pos" if system.is_mariadb else "@@global.gtid_executed"
    assert not system.replica.value(position), "what has no data has no position either"
    succeeded(system.run("mysql_seed", **arguments))
    assert system.rows(system.replica) == system.rows(system.donor)
    channel = {"channel": "default", "source_host": "127.0.0.1", "source_port": system.donor.port}
    channel.update(source_user=REPLICATION, source_password="lab-replication")
    if not system.is_mariadb:
        channel["get_source_public_key"] = True
    result = succeeded(system.run("mysql_replication", [channel], verify_timeout=20))
    assert not result.data["unmet"], result.data["unmet"]
    system.reset()


@pytest.mark.parametrize("what", ["as it is", "with its binary log"])
def test_nobody_is_promoted_who_has_what_the_writer_does_not_have(
    system_of: Callable[[str], Any], dialect: str, what: str
) -> None:
    """Elsewhere: promoted with errant transactions, which the others then lack or break by."""
    system = system_of(f"{dialect}-set")
    system.reset()
    system.write_errant("b", 4711)
    identity = str(system["b"].value("@@server_id" if system.is_mariadb else "@@server_uuid"))
    if what != "as it is":
        # Gone from the log by now, and no less there.
        system["b"].query("FLUSH BINARY LOGS")
    with system.unwritten():
        result = refused(system.run("mysql_topology", **system.arguments("b")))
    assert "b has transactions that a does not have" in result.message and identity in result.message
    # Not as a follower of another either, unless somebody says that it shall be filled anew.
    with system.unwritten():
        result = refused(system.run("mysql_topology", **system.arguments("c")))
    assert "reseed_replica:b" in result.message and identity in result.message
    assert system.writable() == ["a"]
    system.reset()


def test_replicas_are_never_pointed_to_the_wrong_primary(system_of: Callable[[str], Any], dialect: str) -> None:
    """Elsewhere: to one that lacks what they have."""
    system = system_of(f"{dialect}-set")
    system.reset()
    system.stop_channel("b")
    system["a"].query("INSERT INTO hct_set.records VALUES (2)")
    system.await_rows("c", 2)
    system["a"].kill()
    until(lambda: system.channel("c")[f"{'Slave' if system.is_mariadb else 'Replica'}_IO_Running"] != "Yes")
    with system.unwritten():
        result = refused(system.run("mysql_topology", **system.arguments("b")))
    assert "promote_behind:b" in result.message and "reseed_replica:c" in result.message
    # And with consent, the one that has more is left out rather than pointed there.
    allow = ["promote_behind:b", "reseed_replica:c"]
    done = succeeded(system.run("mysql_topology", **system.arguments("b", allow=allow, verify_timeout=1)))
    assert done.data["writer"] == "b" and set(done.data["reseed"]) == {"c"}
    assert not done.data["after"]["c"]["follows"]
    system.reset()


def test_a_position_is_never_made_up(mysql: Any) -> None:
    """Elsewhere: the source's current position, without its data."""
    with mysql.unwritten():
        result = refused(mysql.run(MODULE, [item(mysql, gtid=False)]))
    assert "source_log_file" in result.message


def test_another_source_that_lacks_transactions_of_this_replica_is_refused(mysql: Any) -> None:
    """Elsewhere: pointed at the wrong primary. What lacks is named."""
    following(mysql)
    with table(mysql), mysql.unwritten():
        result = refused(mysql.run(MODULE, [item(mysql, mysql.second)], allow=[f"change_source:{NAME}"]))
    assert "lacks" in result.message and f"127.0.0.1:{mysql.second.port}" in result.message


def test_another_source_that_cannot_be_asked_is_followed_with_a_warning(mysql: Any) -> None:
    following(mysql)
    moved = {"channel": NAME, "source_port": 1}
    result = succeeded(mysql.run(MODULE, [moved], allow=[f"change_source:{NAME}"]))
    assert result.changed
    assert "was not checked" in str(result.data["warnings"]), result.data
