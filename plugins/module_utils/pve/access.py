# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""I/O for what decides about access: nothing goes unasked that others hold, and nobody locks itself out."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Consent, Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.backend import TableBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import NotPermitted
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Request
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.access import PATHS, Access, AccessKind

FORBIDDEN = 403


class AccessBackend(TableBackend):
    """Tables whose steps are judged by what all of /access says."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._answers: Mapping[str, Any] = {}

    def observe(self, kind: Any, keys: Collection[Key] | None, options: Collection[str]) -> Mapping[Key, Thing]:
        """What one may not see is missing from a list that is not empty, too."""
        found = super().observe(kind, keys, options)
        missing = [key for key in keys or () if key not in found]
        if missing:
            self.require_sight(kind, missing)
        return found

    def apply(self, kind: Any, step: Step) -> Sequence[str]:
        try:
            return super().apply(kind, step)
        except NotPermitted as problem:
            privilege, path = kind.asks
            if problem.privilege or not privilege or problem.status != FORBIDDEN:
                raise
            raise NotPermitted(
                problem.message,
                privilege=privilege,
                path=path,
                hint=f"Give {self.client.connection.identity} the privilege {privilege} on {path} "
                "(Datacenter > Permissions).",
                status=problem.status,
            ) from None

    def precheck(self, kind: AccessKind, plan: Plan, declared: Declaration) -> Sequence[str]:  # type: ignore[override]
        untested = self.untested_release()
        if untested:
            return untested
        self._answers = self.read([*PATHS, *kind.precheck_paths(plan, declared)])
        who, access = self.client.connection.identity, Access.told(self._answers)
        return [
            *kind.problems(plan, declared, self._answers),
            *kind.lockouts(plan, access, who, time.time()),
            *self._closed_to_tokens(kind, plan),
        ]

    def consents(self, kind: AccessKind, plan: Plan, declared: Declaration) -> Mapping[Key, Sequence[Consent]]:
        access = Access.told(self._answers)
        return {step.key: kind.losses(step, access) for step in plan}

    def _closed_to_tokens(self, kind: AccessKind, plan: Plan) -> list[str]:
        if not self.client.connection.token_id:
            return []
        return [
            f"{kind.described(step.key)}: {closed}: PVE takes it from no token: log in with api_user and api_password"
            for step in plan
            for closed in kind.closed_to_tokens(step)
        ]


class TokenBackend(AccessBackend):
    """Keeps what the answer to a token's creation says. None is made unless its secret is asked for."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._secrets: dict[str, str] = {}

    def told(self) -> Mapping[str, Any]:
        """The secrets of the tokens that this run made, by `user@realm!name`."""
        return {"secrets": dict(self._secrets)}

    def send(self, request: Request) -> Any:
        answer = super().send(request)
        if request.method == "POST" and isinstance(answer, Mapping) and answer.get("value"):
            self._secrets[str(answer["full-tokenid"])] = str(answer["value"])
        return answer
