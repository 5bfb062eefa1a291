# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Users. PVE API: /access/users, PUT /access/password."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing, placed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration, Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    DELETE,
    Consent,
    Plan,
    Step,
    Thing,
    label,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key, Lines, Text
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Answers, Request
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.access import (
    PERMISSIONS,
    ROOT,
    Access,
    AccessKind,
    owner_of,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import (
    boolean,
    number,
    text,
    unordered,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.permissions import holds

GROUPS = "/access/groups"
REALMS = "/access/domains"
_USERID = re.compile(r"[^\s:/]+@[A-Za-z][A-Za-z0-9._-]+")
_LONGEST_ID = 64
_LENGTHS = range(8, 65)
# Realms that keep passwords themselves.
_KEEPING = ("pam", "pve")


@dataclass(frozen=True)
class UserKind(AccessKind):
    """A password is set with the user, and changed by a call of its own that is closed to tokens."""

    def check(self, item: Item) -> None:
        check_userid(str(item.key[0]))
        password = item.options.get("password")
        if password is not None and len(password) not in _LENGTHS:
            raise InvalidInput("password: PVE takes 8 to 64 characters.", hint="Choose another one.")

    def plan_absent(self, key: Key, thing: Thing | None) -> Sequence[Step]:
        if thing is not None and key[0] == ROOT:
            raise InvalidInput(
                "PVE says yes to removing it, keeps it, and takes only its API tokens away: "
                "remove those with pve_token, or switch it off with enable: false"
            )
        return super().plan_absent(key, thing)

    def requests(self, step: Step) -> Sequence[Request]:
        if step.action == CREATE or "password" not in step.secrets:
            return super().requests(step)
        others = tuple(name for name in step.options if name != "password")
        rest = super().requests(replace(step, options=others, secrets={})) if others else ()
        change = {"userid": step.key[0], "password": step.secrets["password"]}
        return (*rest, Request("PUT", "/access/password", change))

    def precheck_paths(self, plan: Plan, declared: Declaration) -> Sequence[str]:
        paths = [GROUPS] if any("groups" in step.options for step in plan) else []
        return [*paths, REALMS] if any(step.action == CREATE or step.secrets for step in plan) else paths

    def problems(self, plan: Plan, declared: Declaration, answers: Answers) -> Sequence[str]:
        result: list[str] = []
        for step in plan:
            found: list[str] = []
            if "groups" in step.options:
                found += _unknown_groups(step, answers)
            if step.action == CREATE or step.secrets:
                found += _realm_problems(str(step.key[0]), bool(step.secrets), answers)
            result += [placed(self.described(step.key), problem) for problem in found]
        return result

    def losses(self, step: Step, access: Access) -> Sequence[Consent]:
        name = label(step.key)
        tokens, places = access.tokens_of(name), access.places_of(name)
        if step.action == DELETE:
            gone = [f"its token {token}" for token in tokens] + [f"its rights on {place}" for place in places]
            loses = f"with it go {', '.join(gone)}" if gone else ""
            return (Consent(f"remove_user:{name}", loses),) if gone else ()
        if not _is_switched_off(step):
            return ()
        if name == ROOT:
            loses = "nobody else may do what is closed to tokens, and no one can log in to repair the cluster as root"
            return (Consent(f"disable_user:{name}", loses),)
        loses = f"what logs in with {', '.join(f'{name}!{token}' for token in tokens)} is refused"
        return (Consent(f"disable_user:{name}", loses),) if tokens else ()

    def afterwards(self, step: Step, access: Access) -> Access:
        name = label(step.key)
        if step.action == DELETE:
            return access.without(ugid=name)
        return replace(access, groups={**access.groups, name: frozenset((step.after or {}).get("groups") or ())})

    def closed_to_tokens(self, step: Step) -> Sequence[str]:
        return ("password",) if step.action != CREATE and "password" in step.secrets else ()

    def locks_out(self, step: Step, who: str, now: float) -> str:
        if step.key[0] != owner_of(who):
            return ""
        if step.action == DELETE:
            return "it would be removed"
        return "it would be switched off" if _is_switched_off(step) else expired(step, now)


def check_userid(userid: str) -> None:
    """Raises InvalidInput for what is no name of a user with its realm."""
    if not _USERID.fullmatch(userid) or len(userid) > _LONGEST_ID:
        raise InvalidInput(
            f"userid: {userid!r} is no user of a realm.",
            hint="Write it as in ops@pve, in 64 characters at most, without blanks, colons and slashes.",
        )


def expired(step: Step, now: float) -> str:
    """Why what the step changes would have expired, or nothing."""
    expire = (step.after or {}).get("expire") or 0
    return "it would have expired" if "expire" in step.options and 0 < expire <= now else ""


def _is_switched_off(step: Step) -> bool:
    after: Mapping[str, object] = step.after or {}
    return step.before is not None and "enable" in step.options and after.get("enable") is False


def _unknown_groups(step: Step, answers: Answers) -> list[str]:
    if not holds(answers[PERMISSIONS], GROUPS, ("User.Modify", "Sys.Audit", "Group.Allocate")):
        return []
    known = {row["groupid"] for row in answers[GROUPS] or ()}
    wanted = (step.after or {}).get("groups") or ()
    return [
        Missing(f"groups: {name} does not exist: make it with pve_group first") for name in wanted if name not in known
    ]


def _realm_problems(userid: str, with_password: bool, answers: Answers) -> list[str]:
    """PVE takes users of realms that do not exist, who can never log in."""
    name = userid.rpartition("@")[2]
    types = {row["realm"]: row["type"] for row in answers[REALMS] or ()}
    if name not in types:
        return [Missing(f"userid: there is no realm {name}: make it with pve_realm first")]
    if with_password and types[name] not in _KEEPING:
        return [f"password: the realm {name} is of type {types[name]}, which keeps passwords elsewhere: leave it out"]
    return []


USER = UserKind(
    name="user",
    identity=("userid",),
    collection="/access/users",
    item="/access/users/{userid}",
    parameters=(("full", 1),),
    emptied=True,
    seen_at="/access/groups",
    seen_with=("User.Modify", "Sys.Audit"),
    asks=("User.Modify", "/access/groups"),
    words=("remove_user", "disable_user"),
    fields=(
        text("userid"),
        text("password", write_only=True),
        boolean("enable", default=True, written=True),
        number("expire", default=0, written=True),
        unordered("groups", kept=True),
        Field("firstname", Lines()),
        Field("lastname", Lines()),
        text("email"),
        Field("comment", Lines()),
        Field("keys", Text(), secret=True, kept=True),
    ),
)
