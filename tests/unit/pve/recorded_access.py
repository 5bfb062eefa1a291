# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How the recorded rows of /access read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Step
from tests.unit.pve.recorded import Row
from tests.unit.pve.recorded_tables import Table

OWNER = "rt@pve"
_NO_OPTION = "steers one request: no option of a state"
_UNSAID = "its secret is told only to who asks for it"
_ENTRIES = "shown in a list of entries: tests/unit/pve/kinds/test_acl.py reads these rows"
_NO_PASSWORD = "keeps no password, though PVE takes one in silence"

EXCEPTIONS: dict[tuple[str, str, str, str, str], str] = {
    ("access/users", "", "append", "*", "*"): _NO_OPTION,
    ("access/roles", "", "append", "*", "*"): _NO_OPTION,
    ("access/acl", "", "*", "*", "*"): _ENTRIES,
    ("access/users/token", "", "(create)", "*", "*"): _UNSAID,
    ("access/domains", "openid", "password", "*", "*"): _NO_PASSWORD,
    ("access/domains", "pve (builtin)", "password", "*", "*"): _NO_PASSWORD,
    ("access/domains", "pam (builtin)", "password", "*", "*"): _NO_PASSWORD,
}


class Listed(Table):
    """Kinds whose own reading is the list's, not that of one."""

    def __init__(self, name: str, **identity: str) -> None:
        super().__init__(name)
        self.identity = identity

    def item(self, row: Row) -> dict[str, Any]:
        return {**self.identity, **super().item(row)}

    def raw(self, row: Row, stage: str) -> Mapping[str, Any]:
        return {**self.identity, **super().raw(row, stage)}


class Roles(Listed):
    """The list joins what GET of one spreads over keys."""

    def raw(self, row: Row, stage: str) -> Mapping[str, Any]:
        names = [name for name, value in super().raw(row, stage).items() if "." in name and value]
        if stage == "after" and row.parameter == "privs":
            names = str(row.sent).replace(" ", ",").split(",")
        return {**self.identity, "privs": ",".join(sorted(names))}


class Tokens(Listed):
    """A token is made with its secret asked for."""

    def parameters(self, steps: Iterable[Step]) -> dict[str, Any]:
        return {name: value for name, value in super().parameters(steps).items() if name != "return_secret"}


class Realms(Table):
    """The types that are built in are recorded under a longer name."""

    def item(self, row: Row) -> dict[str, Any]:
        return {"realm": self._built_in(row) or row.creating.get("realm"), **super().item(row)}

    def raw(self, row: Row, stage: str) -> Mapping[str, Any]:
        name = self._built_in(row)
        return {**({"realm": name, "type": name} if name else {}), **super().raw(row, stage)}

    def key(self, row: Row, stage: str) -> tuple[Any, ...]:
        name = self._built_in(row)
        return (name,) if name else (row.creating.get("realm"),)

    @staticmethod
    def _built_in(row: Row) -> str:
        return row.type.partition(" ")[0] if row.type.endswith("(builtin)") else ""


def access_tables() -> dict[str, Table]:
    return {
        "access/groups": Listed("group", groupid="rtg"),
        "access/users": Listed("user", userid=OWNER),
        "access/roles": Roles("role", roleid="RtRole"),
        "access/users/token": Tokens("token", userid=OWNER, tokenid="t1"),
        "access/domains": Realms("realm"),
        "access/acl": Listed("acl", path="/vms/100", ugid=OWNER, roleid="PVEVMUser"),
    }
