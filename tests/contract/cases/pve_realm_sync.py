# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_realm_sync, in the lab, where a directory can be had."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Doing, Scenario
from tests.contract.system import succeeded

MODULE = "pve_realm_sync"
REALM = f"{PREFIX}ward"
RECENT = {"realm": REALM, "newer_than": "1h"}
LDAP = {"type": "ldap", "server1": "10.99.0.99", "base_dn": "dc=x", "user_attr": "uid"}


def realm(system: Any, name: str, **options: str) -> None:
    system.api.post("/access/domains", realm=name, **LDAP, **options)
    system.lab.directory(name, users=["ada", "bob"], groups=["nurses"])


def setup(system: Any) -> None:
    system.need_lab(MODULE, "everything", "no directory is known there")
    realm(system, REALM)


def with_defaults(system: Any) -> None:
    system.api.put(f"/access/domains/{REALM}", **{"sync-defaults-options": "scope=users,remove-vanished=entry"})


def copied(system: Any) -> None:
    succeeded(system.run(MODULE, realm=REALM, scope="both"))


def one_left(system: Any) -> None:
    copied(system)
    system.lab.directory(REALM, users=["ada"], groups=[])


def one_left_by_default(system: Any) -> None:
    one_left(system)
    with_defaults(system)


def examples(system: Any) -> None:
    realm(system, "hospital")


GONE = {"realm": REALM, "scope": "both", "remove_vanished": ["entry", "acl"]}
CASE = Case(
    module=MODULE,
    subsystem="pve",
    base={"realm": REALM, "scope": "users"},
    setup=setup,
    examples=examples,
    options=(),
    several=[],
    consents=(
        Scenario(f"remove_vanished:{REALM}", GONE, "no longer has", setup=one_left, label="remove_vanished"),
        Scenario(
            f"remove_vanished:{REALM}",
            {"realm": REALM},
            "no longer has",
            setup=one_left_by_default,
            label="remove_vanished[by default]",
        ),
    ),
    doings=(
        Doing("users", {**RECENT, "scope": "users", "enable_new": False}, rests=True),
        Doing("groups", {**RECENT, "scope": "groups"}, rests=True),
        Doing("both", {**RECENT, "scope": "both", "remove_vanished": []}, rests=True),
        Doing("recent enough", {**RECENT, "scope": "both"}, setup=copied, rests=True, unchanged=True, faults=()),
    ),
)
