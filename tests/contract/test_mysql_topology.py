# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What mysql_topology_info says of real servers."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from lab.mysql import DIALECTS
from tests.contract.case import PREFIX
from tests.contract.cases.mysql_topology_info import servers
from tests.contract.invocation import run_module
from tests.contract.system import refused, succeeded
from tests.contract.test_peers_mysql import table

NAME = f"{PREFIX}records"


@pytest.fixture(params=DIALECTS)
def mysql(request: pytest.FixtureRequest, system_of: Callable[[str], Any]) -> Iterator[Any]:
    """A writer, and a replica that follows it and is read-only."""
    system = system_of(request.param)
    system.reset()
    item = {"channel": NAME, **system.account()}
    assert not succeeded(system.run("mysql_replication", [item], verify_timeout=20)).data["unmet"]
    with read_only(system.replica), read_only(system.second):
        yield system
    system.reset()


@contextlib.contextmanager
def read_only(server: Any) -> Iterator[None]:
    server.query("SET GLOBAL read_only = 1")
    yield
    server.query("SET GLOBAL read_only = 0")


def look(system: Any, *names: str, **more: Any) -> Mapping[str, Any]:
    wanted = [entry for entry in servers(system) if not names or entry["name"] in names]
    return succeeded(run_module("mysql_topology_info", {"servers": wanted, **more})).data


def test_who_writes_and_who_follows(mysql: Any) -> None:
    with table(mysql):
        found = look(mysql, "source", "replica", max_lag=3600)
    assert (found["writer"], found["writers"], found["errant"]) == ("source", ["source"], {})
    assert found["verdict"] == "healthy", found["problems"]
    of_replica = next(server for server in found["servers"] if server["name"] == "replica")
    assert of_replica["follows"] == ["source"] and of_replica["read_only"]
    assert {candidate["rank"] for candidate in found["candidates"]} == {1, 2}


def test_two_writers_and_none_are_critical(mysql: Any) -> None:
    mysql.replica.query("SET GLOBAL read_only = 0")
    found = look(mysql, "source", "replica")
    assert (found["writer"], found["writers"], found["verdict"]) == ("", ["source", "replica"], "critical")
    assert "source, replica are writable" in found["problems"][0]["message"]
    mysql.replica.query("SET GLOBAL read_only = 1")
    with read_only(mysql.source):
        assert look(mysql, "source", "replica")["verdict"] == "critical"


def test_a_transaction_that_nobody_else_has_is_named(mysql: Any) -> None:
    name = f"hct_{secrets.token_hex(4)}"
    with table(mysql):
        mysql.second.query(f"CREATE DATABASE {name}")
        found = look(mysql)
    server = str(mysql.second.value("@@server_id" if mysql.is_mariadb else "@@server_uuid"))
    assert set(found["errant"]) == {"second"} and server in found["errant"]["second"]
    assert found["verdict"] == "critical"
    assert [candidate["name"] for candidate in found["candidates"]][-1] == "second"


def test_a_server_that_is_away_is_told_and_the_others_are_judged(mysql: Any) -> None:
    away = {"name": "away", "login_host": "127.0.0.1", "login_port": 1}
    wanted = [*servers(mysql)[:1], away]
    found = succeeded(run_module("mysql_topology_info", {"servers": wanted})).data
    assert found["writer"] == "source"
    (last,) = [candidate for candidate in found["candidates"] if candidate["name"] == "away"]
    assert last["rank"] == 0 and "could not be asked" in last["reasons"][0]


def test_replication_that_stands_still_is_a_warning(mysql: Any) -> None:
    succeeded(mysql.run("mysql_replication", [{"channel": NAME, "running": False}]))
    found = look(mysql, "source", "replica")
    assert found["verdict"] == "warning"
    assert "does not run" in found["problems"][0]["message"]


def test_a_set_without_servers_or_with_one_twice_is_refused(mysql: Any) -> None:
    assert "servers" in refused(run_module("mysql_topology_info", {"servers": []})).message
    twice = servers(mysql)[:1] * 2
    assert "twice" in refused(run_module("mysql_topology_info", {"servers": twice})).message
