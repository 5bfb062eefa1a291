# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Which server speaks how, and which threads a change stops. That servers take the statements: tests/contract."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.mysql.client import identifier
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialect import BOTH, IO, NOTHING, SQL, History
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialects import dialect_for
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.errors import Unsupported

A, B, C = (f"{digit * 8}-1111-1111-1111-111111111111" for digit in "abc")


@pytest.mark.parametrize(
    ("version", "comment", "name", "numbers"),
    [
        ("9.7.4-2", "(Debian)", "MySQL", (9, 7, 4)),
        ("8.0.23", "MySQL Community Server - GPL", "MySQL", (8, 0, 23)),
        ("8.4.3-3", "Percona Server (GPL)", "MySQL", (8, 4, 3)),
        ("10.11.19-MariaDB-0+deb12u1-log", "Debian 12", "MariaDB", (10, 11, 19)),
        ("10.6.0", "MariaDB Server", "MariaDB", (10, 6, 0)),
        ("12.3.1-MariaDB", "", "MariaDB", (12, 3, 1)),
    ],
)
def test_the_dialect_follows_from_the_version(version: str, comment: str, name: str, numbers: tuple[int, ...]) -> None:
    dialect = dialect_for(version, comment)
    assert (dialect.name, dialect.version) == (name, numbers)


@pytest.mark.parametrize("version", ["8.0.22", "5.7.44-log", "10.5.29-MariaDB", "5.5.68-MariaDB", ""])
def test_a_server_that_is_too_old_is_named_with_what_is_needed(version: str) -> None:
    with pytest.raises(Unsupported) as refused:
        dialect_for(version)
    assert "too old" in str(refused.value) and version in str(refused.value)
    assert ("10.6" if "MariaDB" in version else "8.0.23") in str(refused.value)


@pytest.mark.parametrize(
    ("options", "mysql", "mariadb"),
    [
        ([], NOTHING, NOTHING),
        (["running"], NOTHING, NOTHING),
        (["delay"], {SQL}, BOTH),
        (["replicate_do_db"], {SQL}, {SQL}),
        (["connect_retry"], {IO}, BOTH),
        (["source_host", "source_password"], {IO}, BOTH),
        (["semi_sync"], {IO}, {IO}),
        (["delay", "ssl"], BOTH, BOTH),
        (["gtid"], BOTH, BOTH),
        (["source_host", "source_log_file"], BOTH, BOTH),
    ],
)
def test_only_what_must_stop_stops(options: list[str], mysql: Any, mariadb: Any) -> None:
    assert dialect_for("9.7.4").threads(options) == mysql
    assert dialect_for("10.11.2-MariaDB").threads(options) == mariadb


def test_what_is_not_set_depends_on_the_server() -> None:
    assert dialect_for("9.7.4").defaults(60) == {"heartbeat_period": 30, "retry_count": 10}
    assert dialect_for("8.0.36").defaults(5) == {"heartbeat_period": 2.5, "retry_count": 86400}
    assert dialect_for("10.11.2-MariaDB").defaults(60) == {"heartbeat_period": 30}


def test_a_name_is_quoted() -> None:
    assert identifier("a`b") == "`a``b`"


def mysql_obstacles(mine: str, has: str, purged: str, others: list[str]) -> str:
    return "; ".join(dialect_for("9.7.4").obstacles(History(mine, ""), History(has, purged), others))


def test_a_source_that_has_everything_is_no_obstacle() -> None:
    assert not mysql_obstacles(f"{A}:1-5", f"{A}:1-9,{B}:1", f"{A}:1-3", [])
    assert not mysql_obstacles(f"{A}:1-5,{C}:1-7", f"{A}:1-5", "", [C]), "another channel's are not this source's"


def test_errant_transactions_are_named_and_counted() -> None:
    said = mysql_obstacles(f"{A}:1-5,{B}:7-9", f"{A}:1-9", "", [])
    assert "lacks 3 transactions" in said and f"{B}:7-9" in said


def test_what_was_purged_is_named_and_counted() -> None:
    said = mysql_obstacles(f"{A}:1-5", f"{A}:1-9", f"{A}:1-7", [])
    assert "purged 2 transactions" in said and f"{A}:6-7" in said


def test_mariadb_compares_by_domain_and_server() -> None:
    dialect = dialect_for("10.11.2-MariaDB")
    assert not dialect.obstacles(History("0-1-5"), History("0-1-9,0-2-3", "0-1-4"), [])
    (lacking,) = dialect.obstacles(History("0-1-5,0-3-6"), History("0-1-9", ""), [])
    assert "lacks" in lacking and "0-3-6" in lacking
    assert not dialect.obstacles(History("0-1-5,1-3-6"), History("0-1-9", ""), ["3"])
    (purged,) = dialect.obstacles(History("0-1-5"), History("0-1-9", "0-1-7"), [])
    assert "purged" in purged and "domain 0" in purged and "7" in purged
    assert not dialect.obstacles(History("0-1-5"), History("0-1-9", None), []), "what cannot be asked is no obstacle"
