# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Logins and groups; users, roles and the ACL come with the issue that manages them."""

from __future__ import annotations

from typing import Any

from fakepve.model import PveError

from lab.pve.network import Network

FILE_LOCK = "file-user_cfg"


class Access(Network):
    """/access/ticket and /access/groups."""

    groups: dict[str, str]

    def endpoints_access(self) -> list[tuple[str, str, Any]]:
        groups = "/access/groups"
        return [
            ("POST", "/access/ticket", self._login),
            ("GET", "/access/users", self._user_list),
            ("GET", groups, self._group_list),
            ("POST", groups, self._group_create),
            ("GET", groups + "/{groupid}", self._group_read),
            ("PUT", groups + "/{groupid}", self._group_update),
            ("DELETE", groups + "/{groupid}", self._group_delete),
        ]

    async def _login(self, v: dict[str, Any], user: str) -> Any:
        name, password = str(v.get("username", "")), str(v.get("password", ""))
        if "@" not in name and v.get("realm"):
            name += "@" + str(v["realm"])
        challenge = v.get("tfa-challenge")
        if challenge:
            # The second step: the first one's ticket, and a one-time password in place of the password.
            if self.one_time_password is None or password != "totp:" + self.one_time_password:
                await self._refuse()
            return self._session(name)
        if not self.check_password(name, password):
            await self._refuse()
        if self.one_time_password is not None and v.get("otp") != self.one_time_password:
            ticket, csrf = self.issue_ticket(name)
            self.tickets.pop(ticket)
            return {"ticket": "PVE:!tfa!" + ticket[4:], "CSRFPreventionToken": csrf, "username": name, "NeedTFA": 1}
        return self._session(name)

    async def _refuse(self) -> None:
        await self.pause(3)
        raise PveError(401, "authentication failure")

    def _session(self, name: str) -> dict[str, Any]:
        ticket, csrf = self.issue_ticket(name)
        return {
            "ticket": ticket,
            "CSRFPreventionToken": csrf,
            "username": name,
            "cap": {},
            "clustername": self.cluster_name,
        }

    async def _user_list(self, v: dict[str, Any], user: str) -> Any:
        if not self.allowed(user, "/access/groups", "Sys.Audit"):
            return []
        return [{"userid": self.user, "enable": 1, "expire": 0, "realm-type": "pam"}]

    # --------------------------------------------------------------- groups

    def _group_view(self, name: str) -> dict[str, Any]:
        return {"groupid": name, "users": "", **({"comment": self.groups[name]} if self.groups[name] else {})}

    async def _group_list(self, v: dict[str, Any], user: str) -> Any:
        return [
            self._group_view(name)
            for name in sorted(self.groups)
            if self.acl is None or self.allowed(user, "/access/groups", "Group.Allocate")
        ]

    async def _group_create(self, v: dict[str, Any], user: str) -> Any:
        self.need_lock(FILE_LOCK, "create group failed: ")
        if v["groupid"] in self.groups:
            raise PveError(500, f"create group failed: group '{v['groupid']}' already exists")
        self.groups[v["groupid"]] = v.get("comment") or ""

    def _known_group(self, name: str, prefix: str = "") -> str:
        if name not in self.groups:
            raise PveError(500, f"{prefix}group '{name}' does not exist")
        return name

    async def _group_read(self, v: dict[str, Any], user: str) -> Any:
        name = self._known_group(v["groupid"])
        return {"members": [], **({"comment": self.groups[name]} if self.groups[name] else {})}

    async def _group_update(self, v: dict[str, Any], user: str) -> Any:
        self.need_lock(FILE_LOCK, "update group failed: ")
        name = self._known_group(v["groupid"], "update group failed: ")
        if v.get("comment") is not None:
            self.groups[name] = v["comment"]

    async def _group_delete(self, v: dict[str, Any], user: str) -> Any:
        self.need_lock(FILE_LOCK, "delete group failed: ")
        del self.groups[self._known_group(v["groupid"], "delete group failed: ")]
