# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Forming a cluster: the node's own API, the member's that it joins, and the time in which neither is there.

Creating a cluster starts the file system behind the API anew, and for a moment nobody is let in (recording 21b). A node
that joins takes the cluster's /etc/pve for its own. Its API is away for some seconds, and comes back with
another certificate, other API tokens and another key for tickets: whoever waits has to log in again, and to know it by
what a member says of its certificate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Optional, TypeVar

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    Consent,
    Plan,
    Step,
    Thing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.backend import PveBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client, path
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import (
    NodeOffline,
    NotAuthenticated,
    PveError,
    RejectedParameters,
    TaskFailed,
    TaskTimedOut,
    Unreachable,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.cluster import JOIN, ClusterKind
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.cluster_checks import leftover
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.cluster_standing import (
    GUESTS,
    MEMBERS,
    STATUS,
    TOTEM,
    VERSION,
    Standing,
    network_of,
    standing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.peer import open_peer, pinned

FORMING = ("clustercreate", "clusterjoin")
# How long an API may be away while its node joins.
SILENCE = 120.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_LOST = (Unreachable, NotAuthenticated, NodeOffline)
T = TypeVar("T")


class ClusterBackend(PveBackend[ClusterKind]):
    """One node at a time: joining takes the API away on which another step would depend."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._earlier = 0  # writes of clients that were given up
        self._peers: dict[Key, Client] = {}
        self._leftovers: dict[Key, int] = {}  # node ids of entries that were there before anything was begun
        self._joined = False

    @property
    def parallel(self) -> int:
        return 1

    @property
    def writes(self) -> int:
        return self._earlier + self.client.writes + sum(peer.writes for peer in self._peers.values())

    def close(self) -> None:
        super().close()
        for peer in self._peers.values():
            peer.close()

    @property
    def _patience(self) -> float:
        return min(SILENCE, self.client.connection.task_timeout)

    # -- reading ----------------------------------------------------------------------------------------------------

    def observe(
        self, kind: ClusterKind, keys: Optional[Collection[Key]], options: Collection[str]
    ) -> Mapping[Key, Thing]:
        here = self._look()
        found = kind.things(here)
        if keys and not self._joined and any(key not in found for key in keys) and self._await_forming(here.node):
            # Another run has made it meanwhile, or has failed to.
            self._joined = True
            found = kind.things(self._look())
        return {key: thing for key, thing in found.items() if keys is None or key in keys}

    def precheck(self, kind: ClusterKind, plan: Plan, declared: Declaration) -> Sequence[str]:
        problems = list(self.untested_release())
        if problems:
            return problems
        node = standing(self.read((STATUS,))).node
        here = standing(self.read((STATUS, MEMBERS, TOTEM, VERSION, GUESTS, network_of(node))))
        for step in plan:
            problems += self._token_problem(step) or kind.obstacles(step, here, None)
            if not problems and step.inputs.get("hostname"):
                peer = self._standing_of_peer(step)
                problems += kind.obstacles(step, here, peer)
                old = leftover(str(step.key[1]), peer)
                if old is not None:
                    self._leftovers[step.key] = old.nodeid
        return problems

    def consents(self, kind: ClusterKind, plan: Plan, declared: Declaration) -> Mapping[Key, Sequence[Consent]]:
        """A node of that name that was there and is off."""
        joins = [step for step in plan if step.key in self._peers]
        return {step.key: kind.replaced(step, self._standing_of_peer(step)) for step in joins}

    def verify(self, kind: ClusterKind, things: Mapping[Key, Thing], declared: Declaration) -> Sequence[Unmet]:
        return self._after_outage(lambda: super(ClusterBackend, self).verify(kind, things, declared))

    def _token_problem(self, step: Step) -> list[str]:
        if step.action != CREATE or not step.inputs.get("hostname") or not self.client.connection.token_id:
            return []
        problem = f"api_token_id: {step.key[1]} forgets its own API tokens when it joins, and nobody could wait for it"
        return [f"{problem}: use api_user root@pam and api_password"]

    def _standing_of_peer(self, step: Step) -> Standing:
        return _read_standing(self._peer(step))

    def _peer(self, step: Step) -> Client:
        if step.key not in self._peers:
            given = {name: str(step.inputs[name]) for name in ("hostname", "fingerprint")}
            password = str(step.secrets["password"])
            self._peers[step.key] = open_peer(self.client.connection, password=password, **given)
        return self._peers[step.key]

    # -- writing ----------------------------------------------------------------------------------------------------

    def apply(self, kind: ClusterKind, step: Step) -> Sequence[str]:
        if step.action != CREATE:
            return super().apply(kind, step)
        if self._await_forming(str(step.key[1])) and self._is_member(kind, step):
            return ("another run made it a member at the same time",)
        if step.inputs.get("hostname"):
            self._clear_leftover(step)
        (request,) = kind.requests(step)
        try:
            upid = str(self.client.post(request.path, request.parameters))
        except RejectedParameters as problem:
            raise problem.renamed(kind.option_of) from None
        self._joined = True
        try:
            return self._wait(step, upid)
        except TaskFailed:
            # Two runs at once: the second one's is refused when the first one's has succeeded.
            if self._is_member(kind, step):
                return ("another run made it a member at the same time",)
            raise

    def _is_member(self, kind: ClusterKind, step: Step) -> bool:
        return step.key in kind.things(self._look())

    def _clear_leftover(self, step: Step) -> None:
        """What the cluster has of a join that was cut short, or of a node that is gone, would refuse this one. An entry
        that has come since is another run's."""
        node = str(step.key[1])
        seen = self._leftovers.get(step.key)
        if seen is None:
            return
        peer = self._peer(step)
        old = leftover(node, _read_standing(peer))
        if old is not None and old.nodeid == seen and not old.online:
            peer.delete(path("cluster", "config", "nodes", node))

    def _wait(self, step: Step, upid: str) -> Sequence[str]:
        """The task's end, through the time in which the API is away. Raises TaskFailed and TaskTimedOut."""
        limit = self.client.connection.task_timeout
        deadline = time.monotonic() + limit
        heard, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            try:
                return self.client.wait(upid, timeout=max(1.0, deadline - time.monotonic())).warnings
            except _LOST:
                if time.monotonic() - heard > self._patience:
                    raise
            if time.monotonic() > deadline:
                raise TaskTimedOut(upid, limit)
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            self._log_in_again(step)

    def _log_in_again(self, step: Optional[Step] = None) -> None:
        """A new client, which knows the node by its new certificate if a member can tell it."""
        connection = self.client.connection
        fingerprint = self._new_fingerprint(step) if step is not None and connection.validate_certs else ""
        self._earlier += self.client.writes
        self.client.close()
        self.client = Client(pinned(connection, fingerprint) if fingerprint else connection)

    def _new_fingerprint(self, step: Step) -> str:
        if not step.inputs.get("hostname"):
            return ""  # who creates a cluster keeps its certificate
        try:
            nodes = (self._peer(step).get(JOIN) or {}).get("nodelist") or ()
        except PveError:
            return ""
        return next((str(row.get("pve_fp") or "") for row in nodes if row.get("name") == step.key[1]), "")

    def _await_forming(self, node: str) -> bool:
        """Wait for what another run has begun at this node. Whether there was anything."""
        where = f"{path('nodes', node)}/tasks"
        rows = self._after_outage(lambda: self.client.get(where, source="active"))
        upids = [str(row["upid"]) for row in rows or () if row.get("type") in FORMING]
        for upid in upids:
            try:
                self.client.wait(upid)
            except TaskFailed:
                continue  # that run says why
            except _LOST:
                self._joined = True
                self._await_silence()
        return bool(upids)

    def _await_silence(self) -> None:
        """What another run has begun has taken the API away: it is over when the node answers as a member."""
        began, pause = time.monotonic(), _FIRST_PAUSE
        while not self._look().cluster and time.monotonic() - began < self._patience:
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _look(self) -> Standing:
        return self._after_outage(lambda: standing(self.read((STATUS, MEMBERS, TOTEM))))

    def _after_outage(self, read: Callable[[], T]) -> T:
        """Read, and where this node has just joined, again until it answers."""
        began, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            try:
                return read()
            except _LOST:
                if not self._joined or time.monotonic() - began > self._patience:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            self._log_in_again()


def _read_standing(peer: Client) -> Standing:
    return standing({where: peer.get(where) for where in (STATUS, MEMBERS, TOTEM, VERSION, GUESTS)})
