# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Users and groups: user.cfg with the oddities of the real one."""

from __future__ import annotations

import time
from typing import Any

from fakepve.model import PveError
from fakepve.routing import split_list

from lab.pve.access_rights import ROOT, Rights

FILE_LOCK = "file-user_cfg"
TEXTS = ("comment", "email", "firstname", "lastname", "keys")
# Realms that keep passwords themselves.
WITH_PASSWORDS = ("pam", "pve")


class Users(Rights):
    """/access/users and /access/groups. An account: `enable`, `expire`, texts that are set, `groups`, `tokens`."""

    realms: dict[str, dict[str, Any]]

    def endpoints_users(self) -> list[tuple[str, str, Any]]:
        users, groups = "/access/users", "/access/groups"
        return [
            ("GET", users, self._user_list),
            ("POST", users, self._user_create),
            ("GET", users + "/{userid}", self._user_read),
            ("PUT", users + "/{userid}", self._user_update),
            ("DELETE", users + "/{userid}", self._user_delete),
            ("PUT", "/access/password", self._password_change),
            ("GET", groups, self._group_list),
            ("POST", groups, self._group_create),
            ("GET", groups + "/{groupid}", self._group_read),
            ("PUT", groups + "/{groupid}", self._group_update),
            ("DELETE", groups + "/{groupid}", self._group_delete),
        ]

    # ---------------------------------------------------------------- users

    def new_account(self, userid: str) -> dict[str, Any]:
        """A user as one is that was just made."""
        self.accounts[userid] = {"enable": 1, "expire": 0, "groups": set(), "tokens": {}}
        return self.accounts[userid]

    def may_log_in(self, who: str) -> bool:
        """Not a user or token that is known to be switched off or expired."""
        owner, _bang, token = who.partition("!")
        account = self.accounts.get(owner)
        if account is None:
            return True
        info = account["tokens"].get(token, {})
        ends = [end for end in (account["expire"], info.get("expire", 0)) if end]
        return bool(account["enable"]) and all(end > time.time() for end in ends)

    def check_password(self, user: str, password: str) -> bool:
        return self.may_log_in(user) and bool(super().check_password(user, password))

    def known_user(self, userid: str, prefix: str = "") -> dict[str, Any]:
        if userid not in self.accounts:
            raise PveError(500, f"{prefix}no such user ('{userid}')")
        return self.accounts[userid]

    def _in_list(self, userid: str, full: bool) -> dict[str, Any]:
        account = self.accounts[userid]
        entry = {"userid": userid, "enable": account["enable"], "expire": account["expire"]}
        entry.update({name: account[name] for name in TEXTS if account.get(name)})
        realm = self.realms.get(userid.rpartition("@")[2])
        if realm:
            entry["realm-type"] = realm["type"]
        if full:
            entry["groups"] = ",".join(sorted(account["groups"]))
            entry["tokens"] = [{"tokenid": name, **info} for name, info in account["tokens"].items()] or None
        return entry

    async def _user_list(self, v: dict[str, Any], user: str) -> Any:
        rights = ("User.Modify", "Sys.Audit")
        everybody = self.any_allowed(user, "/access/groups", *rights)
        groups = {name for name in self.groups if self.any_allowed(user, "/access/groups/" + name, *rights)}
        return [
            self._in_list(userid, bool(v.get("full")))
            for userid, account in self.accounts.items()
            if (everybody or userid == user or groups & account["groups"])
            and (v.get("enabled") is None or bool(account["enable"]) == bool(v["enabled"]))
        ]

    def _set(self, account: dict[str, Any], v: dict[str, Any], prefix: str) -> None:
        groups = split_list(v.get("groups"))
        for name in groups:
            if name not in self.groups:
                raise PveError(500, f"{prefix}no such group '{name}'")
        for name in ("enable", "expire"):
            if v.get(name) is not None:
                account[name] = v[name]
        for name in TEXTS:
            if v.get(name) is not None:
                account[name] = str(v[name]).rstrip()
        if v.get("groups") is not None:
            account["groups"] = {*groups, *(account["groups"] if v.get("append") else ())}

    async def _user_create(self, v: dict[str, Any], user: str) -> Any:
        userid, prefix = v["userid"], "create user failed: "
        realm = self.realms.get(userid.rpartition("@")[2])
        self.need_lock(FILE_LOCK, prefix)
        if userid in self.accounts:
            raise PveError(500, f"{prefix}user '{userid}' already exists")
        if v.get("password") is not None:
            if realm is None:
                raise PveError(500, f"{prefix}auth domain '{userid.rpartition('@')[2]}' does not exist")
            if realm["type"] not in WITH_PASSWORDS:
                raise PveError(500, f"{prefix}can't set password on auth type '{realm['type']}'")
        account = {"enable": 1, "expire": 0, "groups": set(), "tokens": {}}
        self._set(account, v, prefix)
        self.let_in()
        self.accounts[userid] = account
        if v.get("password") is not None:
            self.users[userid] = v["password"]

    async def _user_read(self, v: dict[str, Any], user: str) -> Any:
        account = self.known_user(v["userid"])
        texts = {name: account[name] for name in TEXTS if account.get(name)}
        return {
            "enable": account["enable"], "expire": account["expire"], **texts,
            "groups": sorted(account["groups"]), "tokens": account["tokens"] or None,
        }  # fmt: skip

    async def _user_update(self, v: dict[str, Any], user: str) -> Any:
        prefix = "update user failed: "
        self.need_lock(FILE_LOCK, prefix)
        self._set(self.known_user(v["userid"], prefix), v, prefix)

    async def _user_delete(self, v: dict[str, Any], user: str) -> Any:
        """root@pam comes back by itself, without its tokens."""
        userid = v["userid"]
        self.need_lock(FILE_LOCK, "delete user failed: ")
        account = self.accounts.pop(userid, None)
        if account is None:
            return
        for name in account["tokens"]:
            self.apitokens.pop(f"{userid}!{name}", None)
            self.forget_entries("token", f"{userid}!{name}")
        self.users.pop(userid, None)
        self.forget_entries("user", userid)
        if userid == ROOT:
            self.accounts = {userid: self.new_account(userid), **self.accounts}

    def forget_entries(self, kind: str, name: str) -> None:
        """The ACL entries of a user, group, token or role that is gone."""
        place = 3 if kind == "role" else 2
        for row in list(self.acl_rows):
            if row[place] == name and kind in ("role", row[1]):
                del self.acl_rows[row]

    async def _password_change(self, v: dict[str, Any], user: str) -> Any:
        self.known_user(v["userid"])
        if v["userid"] == self.user:
            self.password = v["password"]
        else:
            self.users[v["userid"]] = v["password"]

    # --------------------------------------------------------------- groups

    def _in_group(self, name: str) -> list[str]:
        return sorted(userid for userid, account in self.accounts.items() if name in account["groups"])

    async def _group_list(self, v: dict[str, Any], user: str) -> Any:
        return [
            {
                "groupid": name,
                "users": ",".join(self._in_group(name)),
                **({"comment": self.groups[name]} if self.groups[name] else {}),
            }
            for name in sorted(self.groups)
            if self.any_allowed(user, "/access/groups/" + name, "User.Modify", "Sys.Audit", "Group.Allocate")
        ]

    async def _group_create(self, v: dict[str, Any], user: str) -> Any:
        self.need_lock(FILE_LOCK, "create group failed: ")
        if v["groupid"] in self.groups:
            raise PveError(500, f"create group failed: group '{v['groupid']}' already exists")
        self.groups[v["groupid"]] = str(v.get("comment") or "").rstrip()

    def _known_group(self, name: str, prefix: str = "") -> str:
        if name not in self.groups:
            raise PveError(500, f"{prefix}group '{name}' does not exist")
        return name

    async def _group_read(self, v: dict[str, Any], user: str) -> Any:
        name = self._known_group(v["groupid"])
        return {"members": self._in_group(name), **({"comment": self.groups[name]} if self.groups[name] else {})}

    async def _group_update(self, v: dict[str, Any], user: str) -> Any:
        self.need_lock(FILE_LOCK, "update group failed: ")
        name = self._known_group(v["groupid"], "update group failed: ")
        if v.get("comment") is not None:
            self.groups[name] = str(v["comment"]).rstrip()

    async def _group_delete(self, v: dict[str, Any], user: str) -> Any:
        self.need_lock(FILE_LOCK, "delete group failed: ")
        name = self._known_group(v["groupid"], "delete group failed: ")
        del self.groups[name]
        for account in self.accounts.values():
            account["groups"].discard(name)
        self.forget_entries("group", name)
