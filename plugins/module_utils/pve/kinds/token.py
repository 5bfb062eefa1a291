# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""API tokens of users. PVE API: /access/users/{userid}/token."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing, placed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration, Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    DELETE,
    UPDATE,
    Consent,
    Plan,
    Step,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key, Lines
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Answers, Request
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.access import (
    Access,
    AccessKind,
    listed_users,
    sees_users,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.user import check_userid, expired
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import boolean, number, text

ASKED_FOR = "return_secret"
_TOKENID = re.compile(r"[A-Za-z][A-Za-z0-9._-]+")


def full_name(key: Key) -> str:
    """A token as one logs in with it: `user@realm!name`."""
    userid, tokenid = key
    return f"{userid}!{tokenid}"


@dataclass(frozen=True)
class TokenKind(AccessKind):
    """Tokens are listed with their users. The secret is in the answer to POST, and nowhere else ever again."""

    def described(self, key: Key) -> str:
        return f"token {full_name(key)}"

    def rows_of(
        self, listing: Sequence[Mapping[str, Any]] | None, keys: Collection[Key] | None
    ) -> Sequence[Mapping[str, Any]]:
        return [{**token, "userid": row["userid"]} for row in listing or () for token in row.get("tokens") or ()]

    def check(self, item: Item) -> None:
        userid, tokenid = item.key
        check_userid(userid)
        if not _TOKENID.fullmatch(tokenid):
            raise InvalidInput(
                f"tokenid: PVE takes no name like {tokenid!r}.",
                hint="Use two or more letters, digits, ., - and _, beginning with a letter.",
            )

    def plan_create(self, item: Item) -> Step:
        if not item.options.get(ASKED_FOR):
            raise InvalidInput(
                "does not exist, and its secret is told only once, when it is made: say return_secret: true to have it "
                "returned, and no_log: true for the task, so that it is not shown as well."
            )
        return super().plan_create(item)

    def requests(self, step: Step) -> Sequence[Request]:
        path = self.path_of(self.item, step.key)
        if step.action == DELETE:
            return (Request("DELETE", path),)
        return (Request("POST" if step.action == CREATE else "PUT", path, self.encode(step)),)

    def encode(self, step: Step) -> dict[str, Any]:
        shown = replace(step, options=tuple(name for name in step.options if name != ASKED_FOR))
        return super().encode(shown)

    def problems(self, plan: Plan, declared: Declaration, answers: Answers) -> Sequence[str]:
        if not sees_users(answers):
            return ()
        known = listed_users(answers)
        return [
            placed(self.described(step.key), Missing(f"there is no user {step.key[0]}: make it with pve_user first"))
            for step in plan
            if step.action == CREATE and step.key[0] not in known
        ]

    def precheck_paths(self, plan: Plan, declared: Declaration) -> Sequence[str]:
        return ()

    def losses(self, step: Step, access: Access) -> Sequence[Consent]:
        if step.action != DELETE:
            return ()
        name = full_name(step.key)
        loses = "what logs in with it is refused from then on, and its secret cannot be had again"
        return (Consent(f"remove_token:{name}", loses),)

    def afterwards(self, step: Step, access: Access) -> Access:
        name = full_name(step.key)
        if step.action == DELETE:
            return access.without(ugid=name)
        separated = (step.after or {}).get("privsep") is not False
        return replace(access, separated={**access.separated, name: separated})

    def locks_out(self, step: Step, who: str, now: float) -> str:
        if full_name(step.key) != who:
            return ""
        if step.action == DELETE:
            return "it would be removed"
        return expired(step, now) if step.action == UPDATE else ""


TOKEN = TokenKind(
    name="token",
    identity=("userid", "tokenid"),
    collection="/access/users",
    item="/access/users/{userid}/token/{tokenid}",
    parameters=(("full", 1),),
    seen_at="/access/groups",
    seen_with=("User.Modify", "Sys.Audit"),
    asks=("User.Modify", "/access/groups"),
    words=("remove_token",),
    fields=(
        text("userid"),
        text("tokenid"),
        boolean("privsep", default=True, written=True),
        number("expire", default=0, written=True),
        Field("comment", Lines()),
        boolean(ASKED_FOR, creating=True),
    ),
)
