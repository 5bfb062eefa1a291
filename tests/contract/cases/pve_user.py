# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_user."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Item, Option, Scenario, Secret
from tests.contract.pve_api import comparable

NAME = f"{PREFIX}ada@pve"
GROUPS = (f"{PREFIX}one", f"{PREFIX}two")
LATER, MUCH_LATER = 1893456000, 1924992000
EVERY_CHARACTER = "".join(map(chr, range(33, 97)))


def setup(system: Any) -> None:
    """Groups to be in."""
    for name in GROUPS:
        system.api.post("/access/groups", groupid=name)


def raw(system: Any, item: Item) -> Any:
    return comparable(system.api.get(f"/access/users/{item['userid']}"))


def with_token(system: Any) -> None:
    system.api.post("/access/users", userid=NAME)
    system.api.post(f"/access/users/{NAME}/token/{PREFIX}token")


def with_rights(system: Any) -> None:
    system.api.post("/access/users", userid=NAME)
    system.api.put("/access/acl", path=f"/pool/{PREFIX}pool", users=NAME, roles="PVEAuditor")


def examples(system: Any) -> None:
    system.api.post("/access/groups", groupid="on-call")


GONE = {"config": [{"userid": NAME}], "state": "absent"}
SEVERAL = [
    {"userid": NAME, "groups": [GROUPS[0]], "comment": "PACS", "firstname": "Ada", "email": "ada@hospital.example"},
    {"userid": f"{PREFIX}bob@pve", "enable": False, "expire": LATER, "comment": "gone\nfishing"},
]
CHANGED = [
    {"userid": NAME, "groups": list(GROUPS[::-1]), "reset": ["firstname"]},
    {"userid": f"{PREFIX}bob@pve", "enable": True, "comment": "back", "groups": []},
]
CASE = Case(
    module="pve_user",
    subsystem="pve",
    setup=setup,
    base={"userid": NAME},
    options=(
        Option("enable", False, True),
        Option("expire", LATER, MUCH_LATER),
        Option("groups", [GROUPS[0]], [GROUPS[1], GROUPS[0]]),
        Option("groups", list(GROUPS), [GROUPS[1]], label="fewer"),
        Option("groups", [], [GROUPS[1]], label="none"),
        Option("firstname", "Ada", "Änne"),
        Option("lastname", "Lovelace", "Byron: countess"),
        Option("email", "ada@hospital.example", "lovelace@hospital.example"),
        Option("comment", "Programs", "Programs, with umlaut: ü\nand more"),
        Option("keys", "x!yubico", "y!yubico"),
    ),
    raw=raw,
    several=SEVERAL,
    changed=CHANGED,
    consents=(
        Scenario(f"remove_user:{NAME}", GONE, f"{PREFIX}token", setup=with_token, label="remove_user"),
        Scenario(f"remove_user:{NAME}", GONE, f"/pool/{PREFIX}pool", setup=with_rights, label="remove_user[rights]"),
        Scenario(
            f"disable_user:{NAME}",
            {"config": [{"userid": NAME, "enable": False}]},
            f"{NAME}!{PREFIX}token",
            setup=with_token,
            label="disable_user",
        ),
    ),
    secrets=(
        Secret("password", EVERY_CHARACTER, root="PVE lets only who logged in with a password set one again"),
        Secret("keys", "hctkey!x"),
    ),
    examples=examples,
    info="user",
)
