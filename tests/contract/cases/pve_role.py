# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_role."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Item, Option, Scenario
from tests.contract.pve_api import comparable

NAME = f"{PREFIX}role"
USER = f"{PREFIX}holder@pve"


def raw(system: Any, item: Item) -> Any:
    return comparable(system.api.get(f"/access/roles/{item['roleid']}"))


def held(system: Any) -> None:
    system.api.post("/access/roles", roleid=NAME, privs="VM.Audit")
    system.api.post("/access/users", userid=USER)
    system.api.put("/access/acl", path=f"/pool/{PREFIX}pool", users=USER, roles=NAME)


SEVERAL = [
    {"roleid": NAME, "privs": ["VM.Audit", "VM.Console"]},
    {"roleid": f"{PREFIX}shipped", "shipped": "HospitalAccess"},
]
CASE = Case(
    module="pve_role",
    subsystem="pve",
    base={"roleid": NAME},
    options=(
        Option("privs", ["VM.Audit"], ["VM.Console", "VM.Audit"]),
        Option("privs", ["VM.Audit", "VM.Console"], ["VM.Console"], label="fewer"),
        Option("shipped", "HospitalAccess"),
        Option("shipped", "HospitalAutomation", label="automation"),
    ),
    raw=raw,
    several=SEVERAL,
    changed=[
        {"roleid": NAME, "privs": ["VM.PowerMgmt", "VM.Audit"]},
        {"roleid": f"{PREFIX}shipped", "shipped": "HospitalAutomation"},
    ],
    consents=(
        Scenario(
            f"remove_role:{NAME}",
            {"config": [{"roleid": NAME}], "state": "absent"},
            f"{USER} on /pool/{PREFIX}pool",
            setup=held,
            label="remove_role",
        ),
    ),
    info="role",
)
