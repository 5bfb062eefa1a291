# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of mysql_seed, between two real servers. What becomes of failures: tests/contract/test_mysql_seed.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lab.mysql import ADMIN_PASSWORD
from tests.contract.case import Case, Doing, Scenario

NAME = "hct-replica"


def donor(system: Any) -> dict[str, Any]:
    return dict(system.source())


def dump_command(system: Any) -> list[str]:
    return list(system.programs()["dump_command"])


def client_command(system: Any) -> list[str]:
    return list(system.programs()["client_command"])


BASE = {"name": NAME, "donor": donor, "dump_command": dump_command, "client_command": client_command}
BY_DUMP = {**BASE, "method": "dump"}
ALLOWED = {"allow": [f"reseed_replica:{NAME}"]}


def backup(word: str) -> Any:
    return lambda system: list(system.backup()[f"{word}_command"])


def diverged(system: Any) -> None:
    """It has what the donor does not have."""
    system.replica.query("CREATE DATABASE hct_own")
    system.replica.query("SET GLOBAL read_only = 1")


SECRETS = (ADMIN_PASSWORD,)
BY_CLONE = Doing("by clone", {**BASE, "method": "clone"}, rests=True, secrets=SECRETS, faults=())
BY_BACKUP = Doing(
    "by mariadb-backup",
    {
        **BASE,
        "method": "mariadb_backup",
        "if": "diverged",
        "backup_command": backup("backup"),
        "stop_command": backup("stop"),
        "start_command": backup("start"),
        **ALLOWED,
    },
    setup=diverged,
    rests=True,
    secrets=SECRETS,
    faults=(),
)
DOINGS = (
    Doing("an empty one", {**BASE, "method": "auto", "if": "empty"}, rests=True, secrets=SECRETS, faults=()),
    Doing("by dump", BY_DUMP, rests=True, secrets=SECRETS, faults=()),
    Doing("a diverged one", {**BY_DUMP, "if": "diverged", **ALLOWED}, setup=diverged, rests=True, faults=()),
    # The second time there is data, and nobody consented.
    Doing("always", {**BY_DUMP, "if": "always"}, faults=()),
    Doing("one with data", BY_DUMP, setup=diverged, rests=True, unchanged=True, faults=()),
)
CASE = Case(
    module="mysql_seed",
    subsystem="mariadb-seed",
    base=BASE,
    options=(),
    several=[],
    consents=(
        Scenario(
            f"reseed_replica:{NAME}", {**BY_DUMP, "if": "diverged"}, "hct_own", setup=diverged, label="reseed_replica"
        ),
    ),
    doings=(*DOINGS, BY_BACKUP),
    unreached={},
)
MARIADBS = dict.fromkeys(("backup_command", "stop_command", "start_command"), "mariadb-backup is MariaDB's")
VARIANTS = (replace(CASE, subsystem="mysql-seed", variant="mysql", doings=(*DOINGS, BY_CLONE), unreached=MARIADBS),)
