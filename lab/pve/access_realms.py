# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Authentication realms: domains.cfg, and their users and groups copied from a directory.

Recorded: the configuration, and a sync that found nobody at the server's address. What a sync does with a directory
that answers follows its documentation; `directories` are what the servers of realms hold.
"""

from __future__ import annotations

from typing import Any

from fakepve.model import PveError, TaskError

from lab.pve.access_acl import Acl
from lab.pve.guests import digest_of
from lab.pve.tasks import refused

FILE_LOCK = "file-domains_cfg"
COMMON = ("comment", "default", "password", "tfa")
LDAP = (
    "base_dn", "bind_dn", "capath", "case-sensitive", "cert", "certkey", "filter", "group_classes", "group_dn",
    "group_filter", "group_name_attr", "mode", "port", "secure", "server1", "server2", "sslversion",
    "sync-defaults-options", "sync_attributes", "user_attr", "user_classes", "verify",
)  # fmt: skip
OPENID = (
    "comment", "default", "password",
    "acr-values", "autocreate", "client-id", "client-key", "groups-autocreate", "groups-claim", "groups-overwrite",
    "issuer-url", "prompt", "query-userinfo", "scopes", "username-claim",
)  # fmt: skip
OPTIONS: dict[str, tuple[str, ...]] = {
    "pam": COMMON, "pve": COMMON, "ldap": (*COMMON, *LDAP), "ad": (*COMMON, *LDAP, "domain"),
    "openid": OPENID,
}  # fmt: skip
REQUIRED = {
    "ldap": ("server1", "base_dn", "user_attr"),
    "ad": ("server1", "domain"),
    "openid": ("issuer-url", "client-id"),
}
BUILT_IN = {
    "pam": {"type": "pam", "comment": "Linux PAM standard authentication"},
    "pve": {"type": "pve", "comment": "Proxmox VE authentication server"},
}
INDEX = ("users", "groups", "roles", "acl", "domains", "openid", "tfa", "ticket", "password")


class Realms(Acl):
    """/access/domains and /access/domains/{realm}/sync."""

    directories: dict[str, dict[str, list[str]]]

    def populate_access(self) -> None:
        """What a new cluster holds: root@pam and the two realms that are built in."""
        self.groups, self.custom_roles, self.acl_rows, self.directories = {}, {}, {}, {}
        self.realms = {name: dict(options) for name, options in BUILT_IN.items()}
        self.accounts = {}
        self.new_account(self.user)

    def endpoints_realms(self) -> list[tuple[str, str, Any]]:
        realms = "/access/domains"
        return [
            ("GET", "/access", self._access_index),
            ("GET", realms, self._realm_list),
            ("POST", realms, self._realm_create),
            ("GET", realms + "/{realm}", self._realm_read),
            ("PUT", realms + "/{realm}", self._realm_update),
            ("DELETE", realms + "/{realm}", self._realm_delete),
            ("POST", realms + "/{realm}/sync", self._realm_sync),
            ("GET", "/access/tfa", self._no_factors),
            ("GET", "/access/tfa/{userid}", self._no_factors),
            ("GET", "/access/users/{userid}/tfa", self._no_factor),
            ("PUT", "/access/users/{userid}/unlock-tfa", self._unlock),
        ]

    async def _access_index(self, v: dict[str, Any], user: str) -> Any:
        return [{"subdir": name} for name in INDEX]

    async def _no_factors(self, v: dict[str, Any], user: str) -> Any:
        return []

    async def _no_factor(self, v: dict[str, Any], user: str) -> Any:
        return {}

    async def _unlock(self, v: dict[str, Any], user: str) -> Any:
        return 0

    # ---------------------------------------------------------------- domains.cfg

    async def _realm_list(self, v: dict[str, Any], user: str) -> Any:
        return self.shuffled(
            [
                {"realm": name, **{key: realm[key] for key in ("type", "comment") if key in realm}}
                | ({"default": 1} if realm.get("default") else {})
                for name, realm in self.realms.items()
            ]
        )

    def _realm_digest(self) -> str:
        return digest_of(self.realms)

    async def _realm_read(self, v: dict[str, Any], user: str) -> Any:
        name = v["realm"]
        if name not in self.realms:
            raise PveError(500, f"domain '{name}' does not exist")
        plugin = {"plugin": "PVE::Auth::PAM"} if name == "pam" else {}
        return {**self.realms[name], **plugin, "digest": self._realm_digest()}

    @staticmethod
    def _given(kind: str, v: dict[str, Any], prefix: str) -> dict[str, Any]:
        """Values as domains.cfg keeps them; passwords are kept elsewhere."""
        values = {key: value for key, value in v.items() if key not in ("realm", "type", "delete", "digest")}
        if values.pop("check-connection", None) is not None and kind not in ("ldap", "ad"):
            raise PveError(
                500, f"{prefix}'check-connection' parameter can only be set for realms of type 'ldap' or 'ad'"
            )
        for key in sorted(values):
            if key not in OPTIONS[kind]:
                raise PveError(500, f"{prefix}unexpected property '{key}'")
            if "\n" in str(values[key]):
                raise PveError(500, f"{prefix}property contains a line feed")
        if "sync-defaults-options" in values:
            values["sync-defaults-options"] = ",".join(sorted(str(values["sync-defaults-options"]).split(",")))
        return {key: value.strip() if isinstance(value, str) else value for key, value in values.items()}

    def _only_default(self, name: str, values: dict[str, Any]) -> None:
        if values.get("default"):
            for other, realm in self.realms.items():
                if other != name:
                    realm.pop("default", None)

    async def _realm_create(self, v: dict[str, Any], user: str) -> Any:
        name, kind, prefix = v["realm"], v["type"], "add auth server failed: "
        self.need_lock(FILE_LOCK, prefix)
        if name in self.realms:
            raise PveError(500, f"{prefix}domain '{name}' already exists")
        if kind in BUILT_IN:
            raise PveError(500, f"{prefix}unable to create builtin type '{kind}'")
        values = self._given(kind, v, prefix)
        for key in REQUIRED[kind]:
            if key not in values:
                raise PveError(500, f"{prefix}missing value for required option '{key}'")
        values.pop("password", None)
        self._only_default(name, values)
        self.realms[name] = {"type": kind, **values}

    async def _realm_update(self, v: dict[str, Any], user: str) -> Any:
        name, prefix = v["realm"], "update auth server failed: "
        self.need_lock(FILE_LOCK, prefix)
        if v.get("digest") and v["digest"] != self._realm_digest():
            raise PveError(500, f"{prefix}detected modified configuration - file changed by other user? Try again.")
        if name not in self.realms:
            raise PveError(
                500, f"{prefix}cannot lookup undefined type! at /usr/share/perl5/PVE/API2/Domains.pm line 261."
            )
        kind = self.realms[name]["type"]
        values = self._given(kind, v, prefix)
        gone = [key for key in str(v.get("delete") or "").replace(";", ",").split(",") if key]
        if not values and not gone:
            raise PveError(500, f"{prefix}no options specified")
        for key in gone:
            if key in REQUIRED.get(kind, ()):
                raise PveError(500, f"{prefix}section '{name}' - missing value for required option '{key}'")
        values.pop("password", None)
        self._only_default(name, values)
        realm = self.realms[name]
        for key in gone:
            realm.pop(key, None)
            if key == "comment" and name in BUILT_IN:
                realm[key] = BUILT_IN[name][key]
        realm.update(values)

    async def _realm_delete(self, v: dict[str, Any], user: str) -> Any:
        """The users stay. Those two that are built in come back as they were at first."""
        name, prefix = v["realm"], "delete auth server failed: "
        self.need_lock(FILE_LOCK, prefix)
        if name not in self.realms:
            raise PveError(500, f"{prefix}authentication domain '{name}' does not exist")
        del self.realms[name]
        if name in BUILT_IN:
            self.realms[name] = dict(BUILT_IN[name])

    # ----------------------------------------------------------------------- sync

    async def _realm_sync(self, v: dict[str, Any], user: str) -> Any:
        name = v["realm"]
        if name not in self.realms:
            raise PveError(500, f"Domain '{name}' does not exist.")
        kind = self.realms[name]["type"]
        if kind not in ("ldap", "ad"):
            raise PveError(500, f"Cannot sync realm type '{kind}'! Only LDAP/AD realms can be synced.")
        text = str(self.realms[name].get("sync-defaults-options") or "")
        options: dict[str, Any] = dict(part.split("=", 1) for part in text.split(",") if part)
        options.update({key: v[key] for key in ("scope", "remove-vanished", "enable-new") if v.get(key) is not None})
        if not options.get("scope"):
            raise refused(scope="needs to be configured as realm default or passed as parameter")
        dry = bool(v.get("dry-run"))
        start = f"{'(dry test run) ' if dry else ''}starting sync for realm {name}"

        async def body() -> str:
            found = self.directories.get(name)
            if found is None:
                raise TaskError("No route to host")
            return "\n".join(self._synchronised(name, found, options, dry))

        node = sorted(node for node, state in self.nodes.items() if state.get("online", True))[0]
        kind = "auth-realm-sync-test" if dry else "auth-realm-sync"
        return await self.task(node, kind, name, user, body, log=[start])

    def _synchronised(self, realm: str, found: dict[str, list[str]], options: dict[str, Any], dry: bool) -> list[str]:
        vanished = str(options.get("remove-vanished") or "none").split(";")
        log: list[str] = []
        users = {f"{name}@{realm}" for name in found.get("users", ())}
        if options["scope"] in ("users", "both"):
            here = {userid for userid in self.accounts if userid.endswith(f"@{realm}")}
            log += [f"adding user '{userid}'" for userid in sorted(users - here)]
            for userid in [] if dry else sorted(users - here):
                self.let_in()
                self.new_account(userid)["enable"] = int(options.get("enable-new", 1))
            for userid in sorted(here - users):
                if "entry" in vanished:
                    log.append(f"deleting user '{userid}'")
                    if not dry:
                        del self.accounts[userid]
                if "acl" in vanished and not dry:
                    self.forget_entries("user", userid)
        if options["scope"] in ("groups", "both"):
            groups = {f"{name}-{realm}" for name in found.get("groups", ())}
            mine = {name for name in self.groups if name.endswith(f"-{realm}")}
            log += [f"adding group '{name}'" for name in sorted(groups - mine)]
            if not dry:
                self.groups.update(dict.fromkeys(groups - mine, ""))
            for name in sorted(mine - groups) if "entry" in vanished else ():
                log.append(f"deleting group '{name}'")
                if not dry:
                    del self.groups[name]
                    self.forget_entries("group", name)
        return log
