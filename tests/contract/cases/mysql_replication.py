# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of mysql_replication, on real servers: MariaDB's, and as a variant MySQL's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.contract.case import PREFIX, Case, Item, Option, Scenario, Secret
from tests.contract.system import succeeded

NAME, OTHER = f"{PREFIX}records", f"{PREFIX}laboratory"
CHANGE = (f"change_source:{NAME}",)


def given(option: str) -> Any:
    return lambda system: system.account()[option]


BASE: Item = {
    "channel": NAME,
    "source_host": given("source_host"),
    "source_port": given("source_port"),
    "source_user": given("source_user"),
    "source_password": given("source_password"),
}
ON_MYSQL: Item = {**BASE, "get_source_public_key": True}


def log_file(system: Any) -> str:
    return str(system.position()[0])


def log_pos(system: Any) -> int:
    return int(system.position()[1])


def by_position(**more: Any) -> Item:
    return {"gtid": False, "source_log_file": log_file, "source_log_pos": log_pos, **more}


def raw(system: Any, item: Item) -> Any:
    return system.raw(item)


def ca(system: Any) -> str:
    return str(system.ca)


def existing(system: Any) -> None:
    succeeded(system.run("mysql_replication", [{"channel": NAME, **system.account()}]))


def second(system: Any) -> int:
    """The port of another source: MariaDB follows none twice."""
    return int(system.second.port)


def nobody(system: Any) -> int:
    """A port of this host at which no server listens."""
    return 1


def filters(name: str, first: list[str], second: list[str]) -> Option:
    return Option(name, first, second)


OPTIONS = (
    Option("source_host", "127.0.0.1", "127.0.0.2", allow=CHANGE),
    Option("source_port", given("source_port"), nobody, allow=CHANGE),
    Option("source_user", given("source_user"), "somebody"),
    Option("gtid", False, True, beside={"source_log_file": log_file, "source_log_pos": log_pos}),
    Option("source_log_file", log_file, beside={"gtid": False, "source_log_pos": log_pos}),
    Option("source_log_pos", log_pos, beside={"gtid": False, "source_log_file": log_file}),
    Option("connect_retry", 7, 60),
    Option("heartbeat_period", 5.5, 20),
    Option("delay", 3600, 0),
    Option("ssl", True, False),
    Option("ssl_ca", ca, "/nonexistent/ca.pem", beside={"ssl": True}),
    Option("ssl_cert", "/etc/mysql/client.pem", "/etc/mysql/other.pem"),
    Option("ssl_key", "/etc/mysql/client.key", "/etc/mysql/other.key"),
    Option("ssl_verify_server_cert", True, False, beside={"ssl": True, "ssl_ca": ca}),
    filters("replicate_do_db", ["records", "in voices"], ["records"]),
    filters("replicate_ignore_db", ["scratch"], ["scratch", "test"]),
    filters("replicate_do_table", ["records.patients", "records.with.dot"], ["records.patients"]),
    filters("replicate_ignore_table", ["records.cache"], ["records.sessions"]),
    filters("replicate_wild_do_table", ["rec%.p_tients"], ["rec%.%"]),
    filters("replicate_wild_ignore_table", [r"scratch\_%.%"], ["scratch%.%"]),
    Option("semi_sync", True, False),
    Option("running", False, True),
)
SEVERAL = [
    {**BASE, "delay": 30, "replicate_ignore_db": ["scratch", "test"], "connect_retry": 10},
    {
        **BASE,
        "channel": OTHER,
        "source_port": second,
        "heartbeat_period": 7.5,
        "replicate_wild_do_table": ["lab%.%"],
    },
]
CHANGED = [
    {"channel": NAME, "delay": 0, "replicate_ignore_db": ["test"], "reset": ["connect_retry"]},
    {"channel": OTHER, "reset": ["heartbeat_period"], "running": False},
]
SECRET = "a 'quote', a \"double\" and \\ %s"
GONE = {"config": [{"channel": NAME}], "state": "absent"}
MOVED = {"config": [{"channel": NAME, "source_port": nobody}]}

CASE = Case(
    module="mysql_replication",
    subsystem="mariadb",
    variant="mariadb",
    base=BASE,
    options=OPTIONS,
    raw=raw,
    several=SEVERAL,
    changed=CHANGED,
    removal=(f"remove_channel:{NAME}", f"remove_channel:{OTHER}"),
    consents=(
        Scenario(f"remove_channel:{NAME}", GONE, "127.0.0.1", setup=existing, label="remove_channel"),
        Scenario(f"change_source:{NAME}", MOVED, "127.0.0.1:1", setup=existing, label="change_source"),
    ),
    secrets=(Secret("source_password", SECRET),),
    unreached={
        "retry_count": "an option of MySQL's channels only, and tried there",
        "get_source_public_key": "an option of MySQL's channels only, and tried there",
    },
)
VARIANTS = (
    replace(
        CASE,
        subsystem="mysql",
        variant="mysql",
        base=ON_MYSQL,
        several=[{**item, "get_source_public_key": True} for item in SEVERAL],
        options=(
            *OPTIONS,
            Option("retry_count", 5, 3),
            Option("get_source_public_key", True, False, beside={"ssl": True}),
        ),
        unreached={},
    ),
)
