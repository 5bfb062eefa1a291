# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Who may do what: what users, groups, roles, tokens and the ACL come to. Pure. PVE API: /access."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Consent, Plan, Step
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Answers, RestKind
from ansible_collections.hospital.continuity.plugins.module_utils.pve.permissions import holds

ACL = "/access/acl"
ROLES = "/access/roles"
USERS = "/access/users?full=1"
PERMISSIONS = "/access/permissions"
# What is read before anything about access is written.
PATHS = (ACL, ROLES, USERS, PERMISSIONS)

ROOT = "root@pam"
_NO_ACCESS = "NoAccess"
# With these a change of each sort is taken back, on these paths.
_GIVE = "Permissions.Modify"
# Who may make a guest, pool or storage may also give rights on that one.
_GIVE_ON = {"storage": "Datastore.Allocate", "vms": "VM.Allocate", "pool": "Pool.Allocate"}
_TO_UNDO = (
    ("/access", "Sys.Modify"),
    ("/access/groups", "User.Modify"),
    ("/access/groups", "Group.Allocate"),
    ("/access/realm", "Realm.Allocate"),
)


def owner_of(who: str) -> str:
    """The user of a token (`user@realm!name`), or the user itself."""
    user, _at, rest = who.rpartition("@")
    return f"{user}@{rest.partition('!')[0]}"


def sort_of(ugid: str) -> str:
    """`user`, `group` or `token`: only a user's name has a realm, and only a token's has a name behind that."""
    user, _at, rest = ugid.rpartition("@")
    if not user:
        return "group"
    return "token" if "!" in rest else "user"


@dataclass(frozen=True)
class Access:
    """All that decides rights. `entries`: whether an entry of the ACL propagates, by (path, ugid, role); `roles`:
    privileges by role; `groups`: groups by user; `separated`: whether its privileges are its own, by token."""

    entries: Mapping[tuple[str, str, str], bool] = field(default_factory=dict)
    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    separated: Mapping[str, bool] = field(default_factory=dict)

    @classmethod
    def told(cls, answers: Answers) -> Access:
        """From what the PATHS returned."""
        users = answers.get(USERS) or ()
        return cls(
            {(row["path"], row["ugid"], row["roleid"]): bool(row.get("propagate")) for row in answers.get(ACL) or ()},
            {row["roleid"]: _words(row.get("privs")) for row in answers.get(ROLES) or ()},
            {row["userid"]: _words(row.get("groups")) for row in users},
            {
                f"{row['userid']}!{token['tokenid']}": bool(token.get("privsep"))
                for row in users
                for token in row.get("tokens") or ()
            },
        )

    def privileges(self, who: str, path: str) -> frozenset[str]:
        """What a user or token holds on a path, pools aside. The entry nearest to the path decides, and one for the
        user itself before one for its groups; NoAccess takes everything away."""
        owner = owner_of(who)
        if who != owner and not self.separated.get(who, True):
            return self.privileges(owner, path)
        if who == ROOT:
            return frozenset().union(*self.roles.values())
        roles: Collection[str] = ()
        parts = [part for part in path.split("/") if part]
        for depth in range(len(parts) + 1):
            place = "/" + "/".join(parts[:depth])
            roles = self._at(place, who, last=depth == len(parts)) or roles
        if _NO_ACCESS in roles:
            return frozenset()
        held = frozenset().union(*(self.roles.get(role, frozenset()) for role in roles))
        return held if who == owner else held & self.privileges(owner, path)

    def _at(self, place: str, who: str, *, last: bool) -> list[str]:
        def of(names: Collection[str]) -> list[str]:
            return [
                role
                for (path, ugid, role), propagate in self.entries.items()
                if path == place and ugid in names and (last or propagate)
            ]

        return of((who,)) or of(self.groups.get(who, frozenset()))

    def places_of(self, ugid: str) -> list[str]:
        """Where the ACL has entries for a user, group or token."""
        return sorted({path for path, name, _role in self.entries if name == ugid})

    def tokens_of(self, userid: str) -> list[str]:
        """The names of a user's tokens."""
        return sorted(token.rpartition("!")[2] for token in self.separated if owner_of(token) == userid)

    def without(self, *, ugid: str = "", role: str = "") -> Access:
        """Without the entries of a user, group or token, or of a role."""
        kept = {key: value for key, value in self.entries.items() if key[1] != ugid and key[2] != role}
        return replace(self, entries=kept)

    @property
    def places(self) -> set[str]:
        """Where rights may change."""
        return {"/", *(path for path, _ugid, _role in self.entries)}

    def rights_to_undo(self, who: str, places: Collection[str]) -> list[tuple[str, str]]:
        """(path, privilege) of what it needs to take back changes of access there."""
        giving = [(place, _GIVE) for place in sorted(places) if self._gives(who, place)]
        return giving + [(path, privilege) for path, privilege in _TO_UNDO if privilege in self.privileges(who, path)]

    def _gives(self, who: str, path: str) -> bool:
        sort, _slash, one = path.strip("/").partition("/")
        held = self.privileges(who, path)
        return _GIVE in held or bool(one and _GIVE_ON.get(sort) in held)


def _words(text: Any) -> frozenset[str]:
    return frozenset(part for part in str(text or "").split(",") if part)


@dataclass(frozen=True)
class AccessKind(RestKind):
    """What the kinds that decide about access say beyond their table.

    asks: the privilege and the path that writing needs where PVE refuses without naming one.
    """

    asks: tuple[str, str] = ("", "")

    def losses(self, step: Step, access: Access) -> Sequence[Consent]:
        """What else goes with a step."""
        return ()

    def afterwards(self, step: Step, access: Access) -> Access:
        """Who may do what after a step."""
        return access

    def locks_out(self, step: Step, who: str, now: float) -> str:
        """Why `who` could not log in after a step, or nothing. `now` is in seconds since 1970."""
        return ""

    def closed_to_tokens(self, step: Step) -> Sequence[str]:
        """The options that only somebody who logged in with a password may write."""
        return ()

    def lockouts(self, plan: Plan, access: Access, who: str, now: float) -> list[str]:
        """What of a plan the one who asks for it could not take back, because it would be locked out."""
        found = [
            f"{self.described(step.key)}: {why}, and this task logs in as {who}: do it as somebody else"
            for step in plan
            for why in [self.locks_out(step, who, now)]
            if why
        ]
        then = access
        for step in plan:
            then = self.afterwards(step, then)
        places = access.places | then.places
        kept = then.rights_to_undo(who, places)
        lost = [f"{name} on {path}" for path, name in access.rights_to_undo(who, places) if (path, name) not in kept]
        if lost and not found:
            found.append(
                f"{who}, as which this task logs in, would lose {', '.join(lost)}, and could not take that back: "
                "do it as somebody who keeps it"
            )
        return found


def sees_users(answers: Answers) -> bool:
    """Whether the list of users is complete."""
    return holds(answers[PERMISSIONS], "/access/groups", ("User.Modify", "Sys.Audit"))


def listed_users(answers: Answers) -> set[str]:
    return {str(row["userid"]) for row in answers[USERS] or ()}
