# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Who may do what where: the ACL, evaluated as PVE does.

The entry nearest to a path decides, and one for the user itself before one for its groups; NoAccess takes everything
away; members of a pool inherit what is held on the pool; a token with privilege separation has what both it and its
user have.
"""

from __future__ import annotations

from typing import Any

from fakepve.model import PveError

from lab.pve.access_privileges import BUILT_IN, PRIVILEGES
from lab.pve.network import Network

ROOT = "root@pam"
# What GET /access/permissions tells of even where no entry is.
PLACES = ("/", "/access", "/access/groups", "/access/realm", "/nodes", "/pool", "/sdn", "/storage", "/vms")
# Beside Permissions.Modify, what lets one give rights on a single thing.
DELEGATED = {"storage": "Datastore.Allocate", "vms": "VM.Allocate", "pool": "Pool.Allocate"}

Row = tuple[str, str, str, str]


class Rights(Network):
    """The ACL and what follows from it. `acl_rows` has 1 for an entry that propagates, by path, type, ugid and role;
    `custom_roles` privileges by name; `accounts` users by id, `groups` comments by name."""

    acl_rows: dict[Row, int]
    custom_roles: dict[str, set[str]]
    accounts: dict[str, dict[str, Any]]
    groups: dict[str, str]

    def let_in(self) -> None:
        """From now on there are others than root@pam, and what they may do matters."""
        if self.acl is None:
            self.acl = {}

    def privileges_of_role(self, name: str) -> set[str]:
        return set(BUILT_IN[name]) if name in BUILT_IN else self.custom_roles.get(name, set())

    def unlimited(self, user: str) -> bool:
        """root@pam itself, and its tokens unless their privileges are separated."""
        owner, _bang, token = user.partition("!")
        if owner != ROOT:
            return False
        tokens = self.accounts[ROOT]["tokens"]
        return not token or not (token in tokens and tokens[token]["privsep"])

    def _entries(self, place: str, who: str, final: bool) -> dict[str, int]:
        kind = "token" if "!" in who else "user"
        own = self._of(place, kind, who, final)
        if own:
            return own
        found: dict[str, int] = {}
        for group in self.accounts.get(who, {}).get("groups", ()):
            found.update(self._of(place, "group", group, final))
        return found

    def _of(self, place: str, kind: str, ugid: str, final: bool) -> dict[str, int]:
        return {
            role: propagate
            for (path, sort, name, role), propagate in self.acl_rows.items()
            if (path, sort, name) == (place, kind, ugid) and (final or propagate)
        }

    def roles_on(self, who: str, path: str) -> dict[str, int]:
        """Roles and whether they also count below, for a user, or for a token as if it were one."""
        owner, _bang, token = who.partition("!")
        if token and not self._separated(who):
            return self.roles_on(owner, path)
        parts = [part for part in path.split("/") if part]
        roles: dict[str, int] = {}
        for depth in range(len(parts) + 1):
            place = "/" + "/".join(parts[:depth])
            roles = self._entries(place, who, depth == len(parts)) or roles
        return {"NoAccess": roles["NoAccess"]} if "NoAccess" in roles else roles

    def _separated(self, token: str) -> bool:
        owner, _bang, name = token.partition("!")
        return bool(self.accounts.get(owner, {}).get("tokens", {}).get(name, {}).get("privsep", 1))

    def _pools_over(self, path: str) -> list[str]:
        kind, _sep, name = path.strip("/").partition("/")
        if kind == "vms" and name.isdigit():
            return [pool for pool, members in self.pools.items() if int(name) in members]
        if kind == "storage":
            return [pool for pool, meta in self.pool_info.items() if name in meta["storage"]]
        return []

    def privileges_on(self, who: str, path: str) -> dict[str, int]:
        """Privileges and whether they also count below."""
        if self.unlimited(who):
            return dict.fromkeys(PRIVILEGES, 1)
        owner, _bang, token = who.partition("!")
        if token and not self._separated(who):
            return self.privileges_on(owner, path)
        roles = self.roles_on(who, path)
        if "NoAccess" in roles:
            return {}
        held: dict[str, int] = {}
        for pool in self._pools_over(path):
            for role in self.roles_on(who, "/pool/" + pool):
                held.update(dict.fromkeys(self.privileges_of_role(role), 0))
        for role, propagate in roles.items():
            for privilege in self.privileges_of_role(role):
                held[privilege] = max(held.get(privilege, 0), propagate)
        if token:
            own = self.privileges_on(owner, path)
            held = {name: propagate for name, propagate in held.items() if name in own}
        return held

    def allowed(self, user: str, path: str, priv: str) -> bool:
        if self.acl is None or self.unlimited(user):
            return True
        if user.split("!")[0] != ROOT and bool(super().allowed(user, path, priv)):
            return True
        return priv in self.privileges_on(user, path)

    def any_allowed(self, user: str, path: str, *privileges: str) -> bool:
        return any(self.allowed(user, path, name) for name in privileges)

    def may_delegate(self, user: str, path: str) -> bool:
        """Whether the user may give and take rights on a path."""
        kind, _sep, name = path.strip("/").partition("/")
        more = (DELEGATED[kind],) if name and kind in DELEGATED else ()
        return self.any_allowed(user, path, "Permissions.Modify", *more)

    # ------------------------------------------------------- the schema's rules

    def check_permissions(
        self, user: str | None, perms: dict[str, Any] | None, values: dict[str, Any], declared: Any = None
    ) -> None:
        if user is not None and user.split("!")[0] == ROOT and not self.unlimited(user) and perms and "check" in perms:
            ok, why = self._check(user, perms["check"], values, declared)
            if not ok:
                raise PveError(403, f"Permission check failed ({why})" if why else "Permission check failed")
            return
        super().check_permissions(user, perms, values, declared)

    def _check(self, user: str, check: list[Any], values: dict[str, Any], declared: Any = None) -> tuple[bool, str]:
        if check[0] == "userid-group":
            return self._check_groups(user, check, values)
        if check == ["userid-param", "self"]:
            # A token is somebody else than its user.
            return values.get("userid") == user, ""
        if check[0] == "perm-modify":
            path = str(values.get("path", ""))
            return self.may_delegate(user, path), f"{path}, Permissions.Modify"
        ok, why = super()._check(user, check, values, declared)
        return bool(ok), str(why)

    def _check_groups(self, user: str, check: list[Any], values: dict[str, Any]) -> tuple[bool, str]:
        """Rights on all users, or on the groups that the user in question is in or is put into."""
        privileges, options = check[1], dict(zip(check[2::2], check[3::2], strict=True))
        if self.any_allowed(user, "/access/groups", *privileges):
            return True, ""
        mine = {name for name in self.groups if self.any_allowed(user, "/access/groups/" + name, *privileges)}
        wanted = "|".join(privileges)
        if options.get("groups_param"):
            given = [name for name in str(values.get("groups") or "").split(",") if name]
            lacking = [name for name in given if name not in mine]
            if not given or lacking:
                return False, f"/access/groups{'/' + lacking[0] if lacking else ''}, {wanted}"
        if options.get("groups_param") != "create":
            account = self.accounts.get(str(values.get("userid")))
            if account is None or not mine & account["groups"]:
                return False, ""
        return True, ""

    # -------------------------------------------------------------- permissions

    async def _permissions(self, v: dict[str, Any], user: str) -> Any:
        who = str(v.get("userid") or user)
        if who != user and not self.allowed(user, "/access", "Sys.Audit"):
            raise PveError(403, "Permission check failed (/access, Sys.Audit)")
        if "!" in who and self.accounts.get(who.partition("!")[0]) is None and self.acl:
            return await super()._permissions(v, user)
        if v.get("path") is not None:
            return {v["path"]: self._told(who, v["path"])}
        return {path: held for path in self._places() for held in [self._told(who, path)] if held}

    def _told(self, who: str, path: str) -> dict[str, int]:
        held = dict(self.privileges_on(who, path))
        if not self.unlimited(who):
            for name in dict.fromkeys((who, who.partition("!")[0])):
                for granted, privileges in (self.acl or {}).get(name, ()):
                    if granted == path:
                        held.update(dict.fromkeys(privileges, 1))
        return held

    def _places(self) -> list[str]:
        pools = [f"/pool/{name}" for name in self.pools]
        guests = [f"/vms/{vmid}" for members in self.pools.values() for vmid in members]
        stores = [f"/storage/{name}" for meta in self.pool_info.values() for name in meta["storage"]]
        granted = [path for entries in (self.acl or {}).values() for path, _privileges in entries]
        return sorted({*PLACES, *pools, *guests, *stores, *granted, *(row[0] for row in self.acl_rows)})
