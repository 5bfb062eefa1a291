# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_token."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Item, Option, Scenario
from tests.contract.pve_api import comparable

USER, NAME = f"{PREFIX}ada@pve", f"{PREFIX}token"
BASE = {"userid": USER, "tokenid": NAME, "return_secret": True}
LATER, MUCH_LATER = 1893456000, 1924992000


def setup(system: Any) -> None:
    system.api.post("/access/users", userid=USER)


def made(system: Any) -> None:
    system.api.post(f"/access/users/{USER}/token/{NAME}")


def raw(system: Any, item: Item) -> Any:
    return comparable(system.api.get(f"/access/users/{item['userid']}/token/{item['tokenid']}"))


def examples(system: Any) -> None:
    system.api.post("/access/users", userid="automation@pve")


CASE = Case(
    module="pve_token",
    subsystem="pve",
    setup=setup,
    base=BASE,
    options=(
        Option("privsep", False, True),
        Option("expire", LATER, MUCH_LATER),
        Option("comment", "AWX", "AWX, with umlaut: ü"),
        Option("return_secret", True),
    ),
    raw=raw,
    several=[
        {**BASE, "comment": "AWX"},
        {**BASE, "tokenid": f"{PREFIX}other", "privsep": False, "expire": LATER},
    ],
    changed=[
        {**BASE, "reset": ["comment"], "expire": LATER},
        {**BASE, "tokenid": f"{PREFIX}other", "privsep": True, "comment": "separated"},
    ],
    removal=(f"remove_token:{USER}!{NAME}", f"remove_token:{USER}!{PREFIX}other"),
    consents=(
        Scenario(
            f"remove_token:{USER}!{NAME}",
            {"config": [{"userid": USER, "tokenid": NAME}], "state": "absent"},
            "what logs in with it",
            setup=made,
            label="remove_token",
        ),
    ),
    examples=examples,
    info="token",
)
