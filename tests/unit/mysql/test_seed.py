# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""When a server is filled from another, by what, and what that would lose."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.login import Login
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.option_file import option_file, option_text
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.seed_operation import SEEDING, Progress, Side
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.server import Server

A, B = (f"{letter * 8}-1111-1111-1111-111111111111" for letter in "ab")
DONOR = Side(
    Server("donor", "MySQL", "9.7.0", A, read_only=False, has=f"{A}:1-9", purged=""), ("records",), size=100, clone=True
)
EMPTY = Side(Server("c", "MySQL", "9.7.0", B, purged=""), free=1000, clone=True)
FOLLOWING = replace(EMPTY, databases=("records",), server=replace(EMPTY.server, has=f"{A}:1-8"))
DIVERGED = replace(EMPTY, databases=("records",), server=replace(EMPTY.server, has=f"{A}:1-8,{B}:1-2"))


def plan(here: Side, donor: Side = DONOR, **options: Any) -> Plan:
    facts = {"here": here, "donor": donor, "place": "192.0.2.1:3306", "progress": Progress()}
    thing = Thing({"databases": here.databases, "unfinished": here.unfinished}, facts)
    return SEEDING.plan({("c",): thing}, SEEDING.order({"name": "c", "allow": [], **options}))


@pytest.mark.parametrize(
    ("here", "condition", "wanted"),
    [
        (EMPTY, "empty", True),
        (FOLLOWING, "empty", False),
        (DIVERGED, "empty", False),
        (FOLLOWING, "diverged", False),
        (DIVERGED, "diverged", True),
        (EMPTY, "diverged", True),
        (FOLLOWING, "always", True),
        (replace(FOLLOWING, unfinished=True), "empty", True),
    ],
)
def test_when_there_is_something_to_do(here: Side, condition: str, wanted: bool) -> None:
    found = plan(here, **{"if": condition})
    assert bool(found) == wanted
    words = [consent.word for step in found for consent in step.consent]
    assert words == (["reseed_replica:c"] if wanted and here.databases else [])


def test_one_that_needs_what_the_donor_has_purged_has_diverged() -> None:
    donor = replace(DONOR, server=replace(DONOR.server, purged=f"{A}:1-9"))
    assert plan(FOLLOWING, donor, **{"if": "diverged"})


def test_what_is_lost_is_named() -> None:
    (step,) = plan(DIVERGED, **{"if": "diverged"})
    assert "records" in step.consent[0].loses and f"{B}:1-2" in step.consent[0].loses


@pytest.mark.parametrize(
    ("here", "method", "wanted"),
    [
        (EMPTY, "auto", "clone"),
        (EMPTY, "dump", "dump"),
        (replace(EMPTY, clone=False), "auto", "dump"),
        (replace(EMPTY, server=replace(EMPTY.server, version="9.6.0")), "auto", "dump"),
    ],
)
def test_by_what(here: Side, method: str, wanted: str) -> None:
    (step,) = plan(here, method=method)
    assert step.facts["method"] == wanted


@pytest.mark.parametrize(
    ("here", "donor", "text"),
    [
        (replace(FOLLOWING, server=replace(FOLLOWING.server, read_only=False)), DONOR, "is writable"),
        (replace(EMPTY, free=99), DONOR, "there is room"),
        (EMPTY, replace(DONOR, readable=False), "may not read everything"),
        (FOLLOWING, replace(DONOR, databases=()), "the wrong way round"),
        (EMPTY, replace(DONOR, server=replace(DONOR.server, gtid=False)), "gtid_mode"),
    ],
)
def test_what_is_known_to_fail_or_to_harm(here: Side, donor: Side, text: str) -> None:
    (step,) = plan(here, donor, **{"if": "always"})
    assert any(text in problem for problem in SEEDING.problems(step))


@pytest.mark.parametrize("method", ["dump", "clone"])
def test_room_that_the_old_data_leaves_counts(method: str) -> None:
    """A clone in place drops it first as well."""
    here = replace(FOLLOWING, free=50, size=60)
    (step,) = plan(here, method=method, **{"if": "always"})
    assert not SEEDING.problems(step)
    (step,) = plan(replace(here, size=40), method=method, **{"if": "always"})
    assert any("there is room" in text for text in SEEDING.problems(step))


def test_the_words_of_a_command_stay_as_they_are() -> None:
    words = ["/opt/my programs/dump", "--init=a, b; c", ""]
    assert SEEDING.order({"name": "c", "dump_command": words}).options["dump_command"] == tuple(words)


MARIADB = replace(
    EMPTY, clone=False, server=replace(EMPTY.server, dialect="MariaDB", version="10.11.4-MariaDB", id="3", has="")
)
MARIADB_DONOR = replace(
    DONOR, server=replace(DONOR.server, dialect="MariaDB", version="10.11.9-MariaDB", id="1", has="0-1-9")
)
BACKUP = {"backup_command": ["ssh", "donor", "mariadb-backup"]}


@pytest.mark.parametrize(
    ("here", "options", "wanted"),
    [
        (MARIADB, BACKUP, "mariadb_backup"),
        (MARIADB, {}, "dump"),
        (replace(MARIADB, programs=False), BACKUP, "dump"),
        (replace(MARIADB, elsewhere=("innodb_undo_directory",)), BACKUP, "dump"),
        (replace(MARIADB, server=replace(MARIADB.server, version="11.4.2-MariaDB")), BACKUP, "dump"),
    ],
)
def test_by_what_on_mariadb(here: Side, options: dict[str, Any], wanted: str) -> None:
    (step,) = plan(here, MARIADB_DONOR, **options)
    assert step.facts["method"] == wanted
    if wanted == "dump" and options:
        (step,) = plan(here, MARIADB_DONOR, method="mariadb_backup", **options)
        assert SEEDING.problems(step), "who insists on it is told why not"


def test_a_copy_that_is_made_beside_needs_room_beside() -> None:
    here = replace(MARIADB, databases=("old",), free=99, size=1000)
    (step,) = plan(here, MARIADB_DONOR, **{"if": "always"}, **BACKUP)
    assert any("there is room" in text for text in SEEDING.problems(step))


def test_half_a_copy_is_nobodys_donor() -> None:
    (step,) = plan(EMPTY, replace(DONOR, unfinished=True))
    assert any("did not come to its end" in text for text in SEEDING.problems(step))


def test_half_a_copy_needs_no_consent_once_the_old_data_is_gone() -> None:
    half = replace(FOLLOWING, unfinished=True)
    (kept,), (gone,) = plan(half), plan(replace(half, emptied=True))
    assert [consent.word for consent in kept.consent] == ["reseed_replica:c"] and not gone.consent


@pytest.mark.parametrize("change", [{"id": A}, {"dialect": "MariaDB"}])
def test_what_makes_no_sense_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        plan(replace(EMPTY, server=replace(EMPTY.server, **change)))


def test_the_programs_log_in_by_a_file_that_nobody_else_can_read() -> None:
    with option_file(Login(host="192.0.2.1", password="secret"), mysql=True) as path:
        assert Path(path).stat().st_mode & 0o777 == 0o600
        assert "secret" in Path(path).read_text()
    assert not Path(path).exists()


@pytest.mark.parametrize(
    ("mysql", "tls", "wanted"),
    [
        (False, True, ["ssl", "skip-ssl-verify-server-cert"]),
        (False, False, ["skip-ssl"]),
        (True, True, ["ssl-mode=REQUIRED"]),
        (True, False, ["ssl-mode=DISABLED"]),
    ],
)
def test_the_programs_use_tls_where_the_server_has_it(mysql: bool, tls: bool, wanted: list[str]) -> None:
    lines = option_text(Login(host="192.0.2.1"), mysql=mysql, tls=tls).split()
    assert [line for line in lines if "ssl" in line] == wanted


@given(password=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20))
def test_any_password_stays_on_its_line(password: str) -> None:
    lines = option_text(Login(unix_socket="/run/sock", password=password), mysql=False).split("\n")
    assert [line.partition("=")[0] for line in lines] == ["[client]", "user", "password", "socket", "skip-ssl", ""]


@pytest.mark.skipif(not shutil.which("my_print_defaults"), reason="the package mariadb-client-core is not installed")
@pytest.mark.parametrize("password", ["plain", "a b", 'q"q', "it's", "back\\slash", "#;=", "\\n\\t\\s", "ß€"])
def test_the_servers_own_program_reads_it_as_it_was(password: str) -> None:
    with option_file(Login(unix_socket="/run/sock", password=password), mysql=False) as path:
        done = subprocess.run(
            ["my_print_defaults", "--show", f"--defaults-file={path}", "client"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            # MariaDB's shows passwords always.
            done = subprocess.run(
                ["my_print_defaults", f"--defaults-file={path}", "client"], capture_output=True, text=True, check=True
            )
    assert f"--password={password}" in done.stdout.split("\n")
