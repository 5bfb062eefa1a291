# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""I/O of pve_realm_sync: what of a realm is there, when it was last copied, and the copying itself."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing, Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.backend import PveBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import NodeOffline, PveError
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.access import USERS
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.realm import REALM
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.user import GROUPS, REALMS

NODES = "/nodes"
# The tasks of a node, the newest first: those of copying realms are few.
_TASKS = "/nodes/{node}/tasks?typefilter=auth-realm-sync&source=archive&limit=500"


class RealmSyncBackend:
    """One realm at a time."""

    parallel = 1

    def __init__(self, client: Client, _params: Mapping[str, Any]) -> None:
        self.client = client
        self._api: PveBackend[Any] = PveBackend(client)

    @property
    def writes(self) -> int:
        return self.client.writes

    def close(self) -> None:
        self.client.close()

    def observe(self, operation: Any, order: Order, keys: Collection[Key] | None = None) -> Mapping[Key, Thing]:
        name = str(order.options["realm"])
        told = self._api.read([REALMS, USERS, GROUPS])
        facts: dict[str, Any] = {"type": None, "last": None, "now": time.time()}
        if any(row["realm"] == name for row in told[REALMS] or ()):
            state = REALM.decode(self.client.get(REALM.path_of(REALM.detail, (name,)))).state
            facts.update(type=state.get("type"), defaults=state.get("sync_defaults_options") or {})
            if order.options.get("newer_than") is not None:
                facts["last"] = self._last(name)
        state = {
            "users": tuple(sorted(row["userid"] for row in told[USERS] or () if row["userid"].endswith(f"@{name}"))),
            "groups": tuple(
                sorted(row["groupid"] for row in told[GROUPS] or () if row["groupid"].endswith(f"-{name}"))
            ),
        }
        return {(name,): Thing(state, facts)}

    def _last(self, realm: str) -> float | None:
        """When the last copying that ended well began. A node that is off does not say."""
        nodes = [str(row["node"]) for row in self.client.get(NODES)]
        answers = self.client.get_many([_TASKS.format(node=quote(node, safe="")) for node in nodes])
        ended: list[float] = []
        for answer in answers:
            if isinstance(answer, NodeOffline):
                continue
            if isinstance(answer, PveError):
                raise answer
            ended += [
                float(task["starttime"])
                for task in answer or ()
                if task.get("id") == realm and str(task.get("status", "")).startswith(("OK", "WARNINGS"))
            ]
        return max(ended, default=None)

    def precheck(self, operation: Any, plan: Plan, order: Order) -> Sequence[str]:
        untested = self._api.untested_release()
        if untested:
            return untested
        name = order.options["realm"]
        known = {row["realm"] for row in self.client.get(REALMS) or ()}
        return () if name in known else (Missing(f"realm: {name} does not exist: make it with pve_realm first"),)

    def apply(self, operation: Any, step: Step) -> Sequence[str]:
        return self._api.write(operation.request(step))

    def verify(self, operation: Any, things: Mapping[Key, Thing], order: Order) -> Sequence[Unmet]:
        return ()
