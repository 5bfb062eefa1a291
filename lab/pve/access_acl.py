# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Roles, the ACL and API tokens."""

from __future__ import annotations

import re
import uuid
from typing import Any

from fakepve.model import PveError
from fakepve.routing import split_list

from lab.pve.access_privileges import BUILT_IN
from lab.pve.access_users import FILE_LOCK, Users
from lab.pve.tasks import refused

# Where an entry may stand.
PATHS = re.compile(
    r"/|/access(?:/groups(?:/[\w.-]+)?|/realm(?:/[\w.-]+)?)?|/nodes(?:/[\w.-]+)?|/pool(?:/[\w.-]+){0,3}"
    r"|/sdn(?:/(?:controllers|dns|fabrics|ipams)(?:/[\w-]+)?)?|/sdn/zones(?:/[\w.-]+){0,3}"
    r"|/storage(?:/[\w.-]+)?|/vms(?:/[1-9]\d{2,})?"
    r"|/mapping(?:/(?:dir|notifications|pci|usb)(?:/[\w.-]+)?)?"
)
TOKEN_FIELDS = ("comment", "expire", "privsep")


class Acl(Users):
    """/access/roles, /access/acl and /access/users/{userid}/token."""

    def endpoints_acl(self) -> list[tuple[str, str, Any]]:
        roles, tokens = "/access/roles", "/access/users/{userid}/token"
        return [
            ("GET", roles, self._role_list),
            ("POST", roles, self._role_create),
            ("GET", roles + "/{roleid}", self._role_read),
            ("PUT", roles + "/{roleid}", self._role_update),
            ("DELETE", roles + "/{roleid}", self._role_delete),
            ("GET", "/access/acl", self._acl_list),
            ("PUT", "/access/acl", self._acl_update),
            ("GET", tokens, self._token_list),
            ("GET", tokens + "/{tokenid}", self._token_read),
            ("POST", tokens + "/{tokenid}", self._token_create),
            ("PUT", tokens + "/{tokenid}", self._token_update),
            ("DELETE", tokens + "/{tokenid}", self._token_delete),
        ]

    # ---------------------------------------------------------------- roles

    async def _role_list(self, v: dict[str, Any], user: str) -> Any:
        built_in = [{"roleid": name, "privs": ",".join(BUILT_IN[name]), "special": 1} for name in BUILT_IN]
        own = [
            {"roleid": name, "privs": ",".join(sorted(self.custom_roles[name])), "special": 0}
            for name in self.custom_roles
        ]
        return self.shuffled([*built_in, *own])

    def _known_role(self, name: str, prefix: str = "") -> set[str]:
        if name not in BUILT_IN and name not in self.custom_roles:
            raise PveError(500, f"{prefix}role '{name}' does not exist")
        return self.privileges_of_role(name)

    async def _role_create(self, v: dict[str, Any], user: str) -> Any:
        name, prefix = v["roleid"], "create role failed: "
        if name.lower().startswith("pve"):
            raise refused(roleid="cannot use role ID starting with the (case-insensitive) 'PVE' namespace")
        self.need_lock(FILE_LOCK, prefix)
        if name in BUILT_IN or name in self.custom_roles:
            raise PveError(500, f"{prefix}role '{name}' already exists")
        self.custom_roles[name] = set(split_list(v.get("privs")))

    async def _role_read(self, v: dict[str, Any], user: str) -> Any:
        return dict.fromkeys(sorted(self._known_role(v["roleid"])), 1)

    async def _role_update(self, v: dict[str, Any], user: str) -> Any:
        name, prefix = v["roleid"], "update role failed: "
        if name in BUILT_IN:
            raise PveError(500, f"auto-generated role '{name}' cannot be modified")
        self.need_lock(FILE_LOCK, prefix)
        held = self._known_role(name, prefix)
        self.custom_roles[name] = {*split_list(v.get("privs")), *(held if v.get("append") else ())}

    async def _role_delete(self, v: dict[str, Any], user: str) -> Any:
        name, prefix = v["roleid"], "delete role failed: "
        if name in BUILT_IN:
            raise PveError(500, f"auto-generated role '{name}' cannot be deleted")
        self.need_lock(FILE_LOCK, prefix)
        self._known_role(name, prefix)
        del self.custom_roles[name]
        self.forget_entries("role", name)

    # ------------------------------------------------------------------ ACL

    async def _acl_list(self, v: dict[str, Any], user: str) -> Any:
        everything = self.allowed(user, "/access", "Sys.Audit")
        return self.shuffled(
            [
                {"path": path, "type": kind, "ugid": name, "roleid": role, "propagate": propagate}
                for (path, kind, name, role), propagate in self.acl_rows.items()
                if everything or self.may_delegate(user, path)
            ]
        )

    @staticmethod
    def _place(given: str) -> str:
        path = "/" + re.sub("/+", "/", given).strip("/")
        if not PATHS.fullmatch(path):
            raise refused(path=f"invalid ACL path '{given}'")
        return path

    def _named(self, v: dict[str, Any], prefix: str) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for group in split_list(v.get("groups")):
            self._known_in_acl(group in self.groups, f"{prefix}group '{group}' does not exist")
            found.append(("group", group))
        for userid in split_list(v.get("users")):
            self._known_in_acl(userid in self.accounts, f"{prefix}user '{userid}' does not exist")
            found.append(("user", userid))
        for full in split_list(v.get("tokens")):
            userid, _bang, name = full.partition("!")
            known = name in self.accounts.get(userid, {}).get("tokens", {})
            self._known_in_acl(known, f"{prefix}no such token '{name}' for user '{userid}'")
            found.append(("token", full))
        return found

    @staticmethod
    def _known_in_acl(known: bool, message: str) -> None:
        if not known:
            raise PveError(500, message)

    async def _acl_update(self, v: dict[str, Any], user: str) -> Any:
        prefix = "ACL update failed: "
        path = self._place(str(v["path"]))
        if not any(v.get(name) for name in ("users", "groups", "tokens")):
            text = "either 'users', 'groups' or 'tokens' is required."
            raise refused(users=text, groups=text, tokens=text)
        self.need_lock(FILE_LOCK, prefix)
        roles = split_list(v["roles"])
        for role in roles:
            self._known_role(role, prefix)
            self._check_delegation(v, user, path, role)
        for kind, name in self._named(v, prefix):
            for role in roles:
                if v.get("delete"):
                    self.acl_rows.pop((path, kind, name, role), None)
                else:
                    self.acl_rows[path, kind, name, role] = 1 if v.get("propagate") is None else v["propagate"]

    def _check_delegation(self, v: dict[str, Any], user: str, path: str, role: str) -> None:
        """Who may give rights on a thing only because it may make such things, gives no more than it has. (As PVE's own
        code says; the recordings do not show it.)"""
        held = self.privileges_on(user, path)
        if self.allowed(user, path, "Permissions.Modify") or self.privileges_of_role(role) <= set(held):
            return
        verb = "remove" if v.get("delete") else "add"
        raise refused(role=f"Cannot {verb} role '{role}' - requires 'Permissions.Modify' or superset of privileges.")

    # --------------------------------------------------------------- tokens

    def new_token(self, userid: str, name: str, secret: str, privsep: int = 1) -> None:
        """A token as one is that was just made."""
        self.let_in()
        self.accounts[userid]["tokens"][name] = {"privsep": privsep, "expire": 0}
        self.apitokens[f"{userid}!{name}"] = secret

    def _known_token(self, v: dict[str, Any]) -> dict[str, Any]:
        account = self.known_user(v["userid"])
        if v["tokenid"] not in account["tokens"]:
            raise PveError(500, f"no such token '{v['tokenid']}' for user '{v['userid']}'")
        token: dict[str, Any] = account["tokens"][v["tokenid"]]
        return token

    @staticmethod
    def _echo(token: dict[str, Any], v: dict[str, Any]) -> dict[str, Any]:
        """The token as it is, with what was just sent still as text."""
        sent = {name: str(v[name]) for name in TOKEN_FIELDS if v.get(name) is not None}
        return {**token, **sent}

    async def _token_list(self, v: dict[str, Any], user: str) -> Any:
        tokens = self.known_user(v["userid"])["tokens"]
        return [{"tokenid": name, **info} for name, info in tokens.items()]

    async def _token_read(self, v: dict[str, Any], user: str) -> Any:
        return dict(self._known_token(v))

    @staticmethod
    def _kept(token: dict[str, Any], v: dict[str, Any]) -> None:
        token.update({name: v[name] for name in ("expire", "privsep") if v.get(name) is not None})
        if v.get("comment") is not None:
            token["comment"] = str(v["comment"]).rstrip()
        if not token.get("comment"):
            token.pop("comment", None)

    async def _token_create(self, v: dict[str, Any], user: str) -> Any:
        userid, name = v["userid"], v["tokenid"]
        account = self.known_user(userid)
        if name in account["tokens"]:
            raise refused(tokenid="Token already exists.")
        self.need_lock(FILE_LOCK, "generating token failed: ")
        secret = str(uuid.uuid4())
        self.new_token(userid, name, secret)
        self._kept(account["tokens"][name], v)
        info = self._echo({"privsep": 1}, v)
        return {"full-tokenid": f"{userid}!{name}", "info": info, "value": secret}

    async def _token_update(self, v: dict[str, Any], user: str) -> Any:
        token = self._known_token(v)
        prefix = "updating token info failed: "
        self.need_lock(FILE_LOCK, prefix)
        for name in split_list(v.get("delete")):
            if name != "comment":
                wrong = f"400 Parameter verification failed.\ndelete: unknown option '{name}'"
                raise PveError(500, prefix + wrong)
            token.pop(name, None)
        self._kept(token, v)
        return self._echo(token, v)

    async def _token_delete(self, v: dict[str, Any], user: str) -> Any:
        self._known_token(v)
        self.need_lock(FILE_LOCK, "deleting token failed: ")
        full = f"{v['userid']}!{v['tokenid']}"
        del self.accounts[v["userid"]]["tokens"][v["tokenid"]]
        self.apitokens.pop(full, None)
        self.forget_entries("token", full)
