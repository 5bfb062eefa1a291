# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_group."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Item, Option, Scenario
from tests.contract.pve_api import comparable

NAME = f"{PREFIX}group"
USER = f"{PREFIX}member@pve"


def raw(system: Any, item: Item) -> Any:
    return comparable(system.api.get(f"/access/groups/{item['groupid']}"))


def with_member(system: Any) -> None:
    system.api.post("/access/groups", groupid=NAME)
    system.api.post("/access/users", userid=USER, groups=NAME)


def with_rights(system: Any) -> None:
    system.api.post("/access/groups", groupid=NAME)
    system.api.put("/access/acl", path=f"/pool/{PREFIX}pool", groups=NAME, roles="PVEAuditor")


GONE = {"config": [{"groupid": NAME}], "state": "absent"}


def examples(system: Any) -> None:
    """The example's group has a member by the time it goes."""
    system.api.post("/access/groups", groupid="on-call")
    system.api.post("/access/users", userid="ada@pve", groups="on-call")


CASE = Case(
    module="pve_group",
    subsystem="pve",
    base={"groupid": NAME},
    options=(Option("comment", "Who is on call", "Umlaut: ü, and\ntwo lines"),),
    raw=raw,
    several=[{"groupid": NAME, "comment": "one"}, {"groupid": f"{PREFIX}other", "comment": "two"}],
    changed=[{"groupid": NAME, "comment": "one more"}, {"groupid": f"{PREFIX}other", "reset": ["comment"]}],
    consents=(
        Scenario(f"remove_group:{NAME}", GONE, USER, setup=with_member, label="remove_group"),
        Scenario(f"remove_group:{NAME}", GONE, f"/pool/{PREFIX}pool", setup=with_rights, label="remove_group[rights]"),
    ),
    examples=examples,
    info="group",
)
