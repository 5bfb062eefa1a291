# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_acl. Entries are for the tests' own users and groups, on pools that need not exist."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Item, Option
from tests.contract.pve_api import comparable

POOL, OTHER = f"/pool/{PREFIX}pool", f"/pool/{PREFIX}other"
USER, GROUP, ROLE = f"{PREFIX}ada@pve", f"{PREFIX}group", f"{PREFIX}role"
TOKEN = f"{USER}!{PREFIX}token"
BASE = {"path": POOL, "ugid": USER, "roleid": ROLE}


def setup(system: Any) -> None:
    """Who and what entries speak of."""
    system.api.post("/access/groups", groupid=GROUP)
    system.api.post("/access/users", userid=USER)
    system.api.post(f"/access/users/{USER}/token/{PREFIX}token")
    system.api.post("/access/roles", roleid=ROLE, privs="VM.Audit")


def raw(system: Any, item: Item) -> Any:
    names = ("path", "ugid", "roleid")
    return comparable([row for row in system.api.get("/access/acl") if all(row[name] == item[name] for name in names)])


def examples(system: Any) -> None:
    system.api.post("/access/groups", groupid="on-call")
    system.api.post("/access/users", userid="automation@pve")
    system.api.post("/access/users/automation@pve/token/ansible")


CASE = Case(
    module="pve_acl",
    subsystem="pve",
    setup=setup,
    base=BASE,
    options=(
        Option("propagate", False, True),
        Option("propagate", False, True, base={**BASE, "ugid": GROUP}, label="group"),
        Option("propagate", False, True, base={**BASE, "ugid": TOKEN}, label="token"),
    ),
    raw=raw,
    several=[
        {**BASE, "propagate": False},
        {"path": POOL, "ugid": GROUP, "roleid": "PVEAuditor"},
        {"path": f"{OTHER}/", "ugid": TOKEN, "roleid": ROLE},
    ],
    changed=[
        {**BASE, "propagate": True},
        {"path": POOL, "ugid": GROUP, "roleid": "PVEAuditor", "propagate": False},
        {"path": OTHER, "ugid": TOKEN, "roleid": ROLE},
    ],
    examples=examples,
    info="acl",
    within={"path": f"/pool/{PREFIX}*"},
    outside={"path": "/pool/another-*"},
)
