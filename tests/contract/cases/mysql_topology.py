# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of mysql_topology, on sets of real servers. Failures, and who could write when:
tests/contract/test_switchover.py and test_peers_mysql.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lab.mysql import REPLICATION, REPLICATION_PASSWORD
from tests.contract.case import Case, Doing, Scenario


def servers(system: Any) -> list[dict[str, Any]]:
    return list(system.members())


def to(writer: str, **more: Any) -> dict[str, Any]:
    return {"servers": servers, "writer": writer, "source_password": REPLICATION_PASSWORD, **more}


def nobody_writes(system: Any) -> None:
    """As after a start of all."""
    system.read_only("a")


def former(system: Any) -> None:
    """The old writer is back and has a transaction that nobody else has."""
    for name in ("b", "c"):
        system.stop_channel(name)
    system.write_errant("a", 4711)
    system.read_only("b", False)


def behind(system: Any) -> None:
    """The writer is gone, and c has received more of it than b."""
    system.stop_channel("b")
    system["a"].query("INSERT INTO hct_set.records VALUES (2), (3)")
    system["a"].query("INSERT INTO hct_set.records VALUES (4)")
    system.await_rows("c", 4)
    system["a"].kill()


SECRETS = (REPLICATION_PASSWORD,)
CASE = Case(
    module="mysql_topology",
    subsystem="mariadb-set",
    base=to("b"),
    options=(),
    several=[],
    consents=(
        Scenario(
            "reseed_replica:a", to("b"), "transactions that b does not have", setup=former, label="reseed_replica"
        ),
        Scenario(
            "promote_behind:b",
            to("b"),
            "it lacks 2 transactions",
            setup=behind,
            beside=("reseed_replica:c",),
            label="promote_behind",
        ),
    ),
    doings=(
        Doing("switchover", to("b"), rests=True, secrets=SECRETS),
        Doing(
            "nobody writes",
            to("c", drain_timeout=20, grace=2, source_user=REPLICATION),
            setup=nobody_writes,
            rests=True,
            secrets=SECRETS,
        ),
        Doing("as it is", to("a"), rests=True, unchanged=True, faults=()),
    ),
)
VARIANTS = (replace(CASE, subsystem="mysql-set", variant="mysql"),)
