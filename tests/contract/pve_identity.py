# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Somebody with nothing but the two shipped roles, for running the suite a second time: CONTRACT_IDENTITY=shipped."""

from __future__ import annotations

import os

from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.shipped_roles import SHIPPED
from tests.contract.pve_api import Api

# Not the tests' prefix: what bears that one is removed before each test.
USER, TOKEN = "contract-identity@pve", "contract"
ROLES = {name: f"Contract{name}" for name in SHIPPED}


def wanted() -> bool:
    return os.environ.get("CONTRACT_IDENTITY", "root") == "shipped"


class ShippedIdentity:
    """A token of a user with both roles on `/`; made where it is missing."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.token_id, self.token_secret = f"{USER}!{TOKEN}", ""

    def make(self) -> None:
        """Anew: a token's secret is told once."""
        self.remove()
        for name, privileges in SHIPPED.items():
            self._api.post("/access/roles", roleid=ROLES[name], privs=",".join(privileges))
        self._api.post("/access/users", userid=USER)
        self._api.put("/access/acl", path="/", users=USER, roles=",".join(ROLES.values()))
        made = self._api.post(f"/access/users/{USER}/token/{TOKEN}", privsep=0)
        self.token_secret = str(made["value"])

    def remove(self) -> None:
        if USER in [row["userid"] for row in self._api.get("/access/users")]:
            self._api.delete(f"/access/users/{USER}")
        for role in {str(row["roleid"]) for row in self._api.get("/access/roles")} & set(ROLES.values()):
            self._api.delete(f"/access/roles/{role}")
