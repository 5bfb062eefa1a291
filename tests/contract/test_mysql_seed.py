# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""mysql_seed between real servers: what is copied can follow, and what failed is known to be nothing."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.mysql.server import MARK
from lab.mysql import ADMIN_PASSWORD, DIALECTS, REPLICATION, REPLICATION_PASSWORD
from tests.contract.mysql_seed_system import DATABASE
from tests.contract.system import refused, succeeded

MODULE, NAME = "mysql_seed", "hct-replica"
ALLOW = [f"reseed_replica:{NAME}"]
METHODS = [("mariadb", "dump"), ("mariadb", "mariadb_backup"), ("mysql", "dump"), ("mysql", "clone")]


def _opened(system: Any) -> Iterator[Any]:
    system.reset()
    yield system
    system.reset()


@pytest.fixture(params=DIALECTS)
def mysql_seed(request: pytest.FixtureRequest, system_of: Callable[[str], Any]) -> Iterator[Any]:
    """A donor with data, and a server with none."""
    yield from _opened(system_of(f"{request.param}-seed"))


@pytest.fixture(params=METHODS, ids=["-".join(both) for both in METHODS])
def by_method(request: pytest.FixtureRequest, system_of: Callable[[str], Any]) -> Iterator[tuple[Any, str]]:
    dialect, method = request.param
    for system in _opened(system_of(f"{dialect}-seed")):
        yield system, method


def seed(system: Any, **more: Any) -> Any:
    return system.run(MODULE, **{"name": NAME, "donor": system.source(), "method": "dump", **system.programs(), **more})


def lock(system: Any) -> None:
    """As a server that follows is configured."""
    system.replica.query(f"SET GLOBAL {'' if system.is_mariadb else 'super_'}read_only = 1")


def by_backup(system: Any, **more: Any) -> Any:
    return seed(system, **{"method": "mariadb_backup", **system.backup(), **more})


def follow(system: Any) -> Any:
    """By the module that is for it, which is only told whom."""
    item = {"channel": "default", "source_host": "127.0.0.1", "source_port": system.donor.port}
    item.update(source_user=REPLICATION, source_password=REPLICATION_PASSWORD)
    if not system.is_mariadb:
        item["get_source_public_key"] = True
    result = succeeded(system.run("mysql_replication", [item], verify_timeout=20))
    assert not result.data["unmet"], result.data["unmet"]


def test_what_is_copied_follows_from_there_on(by_method: tuple[Any, str]) -> None:
    system, method = by_method
    result = succeeded(by_backup(system) if method == "mariadb_backup" else seed(system, method=method))
    assert result.data["method"] == method and not result.data["unmet"]
    assert system.rows(system.replica) == system.rows(system.donor)
    system.donor.query(f"INSERT INTO {DATABASE}.records VALUES (3, 'later')")
    follow(system)
    deadline = time.monotonic() + 20
    while system.rows(system.replica) != system.rows(system.donor):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_is_copied_has_the_donors_history_and_nothing_of_its_own(by_method: tuple[Any, str]) -> None:
    """Otherwise it could not be followed later, or would seem to have diverged."""
    system, method = by_method
    succeeded(by_backup(system) if method == "mariadb_backup" else seed(system, method=method))
    expression = "@@global.gtid_binlog_state" if system.is_mariadb else "@@global.gtid_executed"
    assert system.replica.value(expression) == system.donor.value(expression)


def test_a_former_writer_is_filled_again_and_follows(by_method: tuple[Any, str]) -> None:
    system, method = by_method

    def again(**more: Any) -> Any:
        return by_backup(system, **more) if method == "mariadb_backup" else seed(system, method=method, **more)

    succeeded(again())
    follow(system)
    if not system.is_mariadb:
        system.replica.query("SET GLOBAL super_read_only = 0")
    system.replica.query("SET GLOBAL read_only = 0")
    system.replica.query(f"INSERT INTO {DATABASE}.records VALUES (4711, 'nobody has it')")
    lock(system)
    identity = str(system.replica.value("@@server_id" if system.is_mariadb else "@@server_uuid"))
    assert not succeeded(again()).changed, "it has data, and that is not what was asked for"
    with system.unwritten():
        result = refused(again(**{"if": "diverged"}))
    assert ALLOW[0] in result.message and identity in result.message and DATABASE in result.message
    done = succeeded(again(**{"if": "diverged", "allow": ALLOW}))
    assert not done.data["unmet"]
    if method != "clone":  # the restart that ends it makes it what its configuration says
        assert system.replica.value("@@global.read_only"), "what was read-only is read-only"
    follow(system)
    assert system.rows(system.replica) == system.rows(system.donor)


def test_a_clone_that_is_refused_leaves_the_server_as_read_only_as_it_was(system_of: Callable[[str], Any]) -> None:
    for system in _opened(system_of("mysql-seed")):
        lock(system)
        system.donor.query("UNINSTALL PLUGIN clone")
        try:
            assert "clone" in refused(seed(system, method="clone")).message
        finally:
            system.donor.query("INSTALL PLUGIN clone SONAME 'mysql_clone.so'")
        assert system.replica.value("@@global.super_read_only")


def test_one_that_is_writable_keeps_its_data(mysql_seed: Any) -> None:
    mysql_seed.replica.query("CREATE DATABASE hct_own")
    with mysql_seed.unwritten():
        result = refused(seed(mysql_seed, **{"if": "always", "allow": ALLOW}))
    assert "is writable" in result.message


def test_a_copy_that_failed_is_made_again(mysql_seed: Any) -> None:
    for spoiled in ({"dump_command": ["false"]}, {"client_command": ["false"]}):
        result = refused(seed(mysql_seed, **spoiled))
        assert "did not arrive" in result.message
        assert mysql_seed.replica.value("@@global.read_only"), "nobody takes it for a server with data"
        assert succeeded(seed(mysql_seed)).changed
        assert mysql_seed.rows(mysql_seed.replica) == mysql_seed.rows(mysql_seed.donor)
        mysql_seed.reset()


def half(system: Any, command: list[str], tmp_path: Path) -> list[str]:
    """A client that loads the accounts, a database and half of the rest, and dies."""
    script = tmp_path / "half.sh"
    script.write_text(
        f'#!/bin/sh\nhead -c 4000 >/dev/null\n{" ".join(command)} "$@" -e "CREATE DATABASE {DATABASE}"\nexit 1\n'
    )
    script.chmod(0o755)
    return [str(script)]


def test_what_an_interrupted_copy_left_is_replaced_without_consent(mysql_seed: Any, tmp_path: Path) -> None:
    """The server was empty, and what looks like data is half of the donor's."""
    spoiled = half(mysql_seed, mysql_seed.programs()["client_command"], tmp_path)
    refused(seed(mysql_seed, client_command=spoiled))
    assert DATABASE in mysql_seed.databases()
    assert succeeded(seed(mysql_seed)).changed
    assert mysql_seed.rows(mysql_seed.replica) == mysql_seed.rows(mysql_seed.donor)
    assert MARK not in mysql_seed.databases()


def test_half_a_copy_is_nobodys_donor(mysql_seed: Any) -> None:
    mysql_seed.donor.query(f"CREATE DATABASE {MARK}")
    with mysql_seed.unwritten():
        assert "the donor itself" in refused(seed(mysql_seed)).message


def test_tables_that_refer_to_another_database_are_in_nobodys_way(mysql_seed: Any) -> None:
    """hct_a goes first, and hct_b refers to it."""
    mysql_seed.replica.query("CREATE DATABASE hct_a")
    mysql_seed.replica.query("CREATE DATABASE hct_b")
    mysql_seed.replica.query("CREATE TABLE hct_a.t (i INT PRIMARY KEY)")
    mysql_seed.replica.query("CREATE TABLE hct_b.t (i INT, FOREIGN KEY (i) REFERENCES hct_a.t (i))")
    mysql_seed.replica.query("SET GLOBAL read_only = 1")
    succeeded(seed(mysql_seed, **{"if": "always", "allow": ALLOW}))
    assert not {"hct_a", "hct_b"} & set(mysql_seed.databases())


def test_a_database_called_test_is_somebodys_where_it_has_tables(mysql_seed: Any) -> None:
    mysql_seed.replica.query("CREATE DATABASE IF NOT EXISTS test")
    try:
        mysql_seed.replica.query("CREATE TABLE test.t (i INT PRIMARY KEY)")
        mysql_seed.replica.query("SET GLOBAL read_only = 1")
        with mysql_seed.unwritten():
            result = refused(seed(mysql_seed, **{"if": "always"}))
        assert ALLOW[0] in result.message and "(test)" in result.message
    finally:
        mysql_seed.replica.query("SET GLOBAL read_only = 0")
        mysql_seed.replica.query("DROP DATABASE test")


def test_what_is_copied_travels_encrypted_where_the_donor_can(mysql_seed: Any) -> None:
    """Nobody gave a CA, and the accounts and records are in it all the same."""
    mysql_seed.donor.query("CREATE USER 'hct'@'%' IDENTIFIED BY 'hct-Secret-1' REQUIRE SSL")
    mysql_seed.donor.query("GRANT ALL PRIVILEGES ON *.* TO 'hct'@'%'")
    try:
        succeeded(seed(mysql_seed, donor=mysql_seed.source(user="hct", password="hct-Secret-1")))
    finally:
        for server in (mysql_seed.donor, mysql_seed.replica):
            server.query("SET GLOBAL read_only = 0")
            server.query("DROP USER IF EXISTS 'hct'@'%'")


def test_a_donor_that_is_not_there_costs_nothing(mysql_seed: Any) -> None:
    mysql_seed.replica.query("CREATE DATABASE hct_own")
    mysql_seed.replica.query("SET GLOBAL read_only = 1")
    more = {"if": "always", "allow": ALLOW}
    for spoiled in ({"port": 1}, {"password": "wrong-one"}, {"user": REPLICATION, "password": REPLICATION_PASSWORD}):
        result = refused(seed(mysql_seed, donor=mysql_seed.source(**spoiled), **more))
        assert "wrong-one" not in result.everything
    assert "hct_own" in mysql_seed.databases()


def test_a_server_is_not_its_own_donor(mysql_seed: Any) -> None:
    with mysql_seed.unwritten():
        result = refused(seed(mysql_seed, donor=mysql_seed.source(port=mysql_seed.replica.port)))
    assert "same server" in result.message


def test_no_password_is_in_a_command_line_or_readable(mysql_seed: Any, tmp_path: Path) -> None:
    """A stand-in notes how it was called, and what it could read, before it does what the program does."""
    programs = mysql_seed.programs()
    noted = {}
    for word, command in programs.items():
        note, script = tmp_path / f"{word}.txt", tmp_path / f"{word}.sh"
        name = "${1#--defaults-file=}"
        script.write_text(f'#!/bin/sh\n{{ echo "$@"; stat -c %a "{name}"; }} >{note}\nexec {" ".join(command)} "$@"\n')
        script.chmod(0o755)
        noted[word] = (note, [str(script)])
    succeeded(seed(mysql_seed, **{word: command for word, (_note, command) in noted.items()}))
    for note, _command in noted.values():
        called, mode = note.read_text().strip().rsplit("\n", 1)
        assert ADMIN_PASSWORD not in called and int(mode, 8) == stat.S_IRUSR | stat.S_IWUSR
        path = called.split()[0].partition("=")[2]
        assert not Path(path).exists(), "it is gone afterwards"


@pytest.mark.parametrize("password", ['it\'s a "quote" \\ # ; x', "Ñandú ß €", "\\'\\n"])
def test_any_password_works(mysql_seed: Any, password: str) -> None:
    with mysql_seed.donor.session() as cursor:
        cursor.execute("CREATE USER 'hct'@'%%' IDENTIFIED BY %s", (password,))
        cursor.execute("GRANT ALL PRIVILEGES ON *.* TO 'hct'@'%'")
    try:
        result = succeeded(seed(mysql_seed, donor=mysql_seed.source(user="hct", password=password)))
        assert password not in result.everything
    finally:
        for server in (mysql_seed.donor, mysql_seed.replica):
            server.query("SET GLOBAL read_only = 0")
            server.query("DROP USER IF EXISTS 'hct'@'%'")


# -- by mariadb-backup: nothing that works is given up before its replacement does ------------------------------------


@pytest.fixture
def mariadb_seed(system_of: Callable[[str], Any]) -> Iterator[Any]:
    """A donor with data, and a server with other data."""
    for system in _opened(system_of("mariadb-seed")):
        system.replica.query("CREATE DATABASE hct_own")
        system.replica.query("SET GLOBAL read_only = 1")
        yield system


def as_it_was(system: Any) -> None:
    assert "hct_own" in system.databases() and DATABASE not in system.databases()
    assert not {name for name in system.databases() if name.startswith("hospital")}, "nothing is left of the attempt"


def test_a_copy_that_does_not_arrive_costs_nothing(mariadb_seed: Any) -> None:
    started = mariadb_seed.replica.value("@@pid_file"), mariadb_seed.replica.query("SHOW STATUS LIKE 'Uptime'")
    for spoiled in (["false"], ["sh", "-c", "echo half of a stream"], ["/nonexistent/program"]):
        result = refused(by_backup(mariadb_seed, backup_command=spoiled, **{"if": "always", "allow": ALLOW}))
        as_it_was(mariadb_seed)
        assert result.message
    later = mariadb_seed.replica.query("SHOW STATUS LIKE 'Uptime'")
    assert int(later[0]["Value"]) >= int(started[1][0]["Value"]), "it was never stopped"


def test_a_server_that_does_not_start_with_the_copy_gets_its_old_data_back(mariadb_seed: Any, tmp_path: Path) -> None:
    command = mariadb_seed.backup()["start_command"]
    once = ["sh", "-c", f"[ -e {tmp_path}/tried ] || {{ touch {tmp_path}/tried; exit 1; }}; {command[-1]}"]
    result = refused(by_backup(mariadb_seed, start_command=once, **{"if": "always", "allow": ALLOW}))
    assert "It has its old data again" in result.message
    as_it_was(mariadb_seed)
    succeeded(by_backup(mariadb_seed, **{"if": "always", "allow": ALLOW}))
    assert mariadb_seed.rows(mariadb_seed.replica) == mariadb_seed.rows(mariadb_seed.donor)


def test_what_the_administrator_keeps_beside_the_data_stays(mariadb_seed: Any) -> None:
    kept = mariadb_seed.replica.folder / "data" / "server-key.pem"
    kept.write_text("a key")
    succeeded(by_backup(mariadb_seed, **{"if": "always", "allow": ALLOW}))
    assert kept.read_text() == "a key" and "hct_own" not in mariadb_seed.databases()
    assert mariadb_seed.replica.value("@@global.read_only")
    kept.unlink()


def test_the_backup_is_taken_where_it_can_be(mariadb_seed: Any) -> None:
    more = {"if": "always", "allow": ALLOW}
    assert succeeded(by_backup(mariadb_seed, method="auto", **more)).data["method"] == "mariadb_backup"
    with mariadb_seed.unwritten():
        assert "backup_command" in refused(seed(mariadb_seed, method="mariadb_backup", **more)).message
