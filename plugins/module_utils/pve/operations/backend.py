# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What the backends of all operations on guests have in common: reading side by side, a write and its task."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError, listed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Operation, Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.backend import PveBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client, path
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import (
    NodeOffline,
    PveError,
    RejectedParameters,
    TaskFailed,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.archives import (
    Archive,
    archives_of,
    reachable,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.cluster import (
    RESOURCES,
    Cluster,
    Store,
    cluster_of,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.tasks import TaskResult, task_path

BACKUP = "backup"
_LOG_PAGE = 100


class GuestOperations:
    """The option `timeout`: how many seconds a task may take; these take longer than others. `order`: what is carried
    out, from the first look on."""

    def __init__(self, client: Client, params: Mapping[str, Any]) -> None:
        self.client = client
        self.timeout = float(params["timeout"])
        self.order = Order({})
        self._api: PveBackend[Any] = PveBackend(client)
        self._turns: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    @property
    def parallel(self) -> int:
        return self.client.connection.parallel

    @property
    def writes(self) -> int:
        return self.client.writes

    def close(self) -> None:
        self.client.close()

    # -- reading ----------------------------------------------------------------------------------------------------

    def cluster(self) -> Cluster:
        """PVE API: GET /cluster/resources"""
        return cluster_of(self.client.get(RESOURCES))

    def read(self, paths: Sequence[str]) -> dict[str, Any]:
        """GETs side by side, by path. Raises the first error."""
        return self._api.read(paths)

    def tried(self, paths: Sequence[str]) -> dict[str, Any]:
        """The same, with the error in place of an answer where it is one path's own."""
        unique = list(dict.fromkeys(paths))
        answers = dict(zip(unique, self.client.get_many(unique)))
        for answer in answers.values():
            if isinstance(answer, SubsystemError) and answer.affects_everything:
                raise answer
        return answers

    def as_they_are(self, cluster: Cluster, vmids: Iterable[int]) -> Cluster:
        """Guests with their power and their lock as their nodes have them, where these can be asked: the list of
        resources is some seconds old. PVE API: GET /nodes/{node}/qemu|lxc/{vmid}/status/current"""
        guests = [cluster.guests[vmid] for vmid in dict.fromkeys(vmids) if vmid in cluster.guests]
        answers = self.tried([f"{guest.path}/status/current" for guest in guests])
        fresh = dict(cluster.guests)
        for guest in guests:
            now = answers[f"{guest.path}/status/current"]
            if not isinstance(now, PveError):
                fresh[guest.vmid] = replace(
                    guest,
                    status=str(now.get("status") or guest.status),
                    lock=str(now.get("lock") or ""),
                    name=str(now.get("name") or guest.name),
                )
        return replace(cluster, guests=fresh)

    def untested_release(self) -> Sequence[str]:
        return self._api.untested_release()

    def precheck(self, operation: Any, plan: Plan, order: Order) -> Sequence[str]:
        untested = self.untested_release()
        return untested or operation.problems(plan, order, self.tried(operation.paths(plan, order)))

    def verify(self, operation: Any, things: Mapping[Key, Thing], order: Order) -> Sequence[Unmet]:
        unmet: Sequence[Unmet] = operation.unmet(things, order)
        return unmet

    def archives(
        self, cluster: Cluster, storages: Sequence[str] = (), vmid: int | None = None
    ) -> tuple[tuple[Archive, ...], tuple[str, ...]]:
        """Every node's backups, newest first, and what could not be asked, in words. `storages`: just these.
        PVE API: GET /nodes/{node}/storage/{storage}/content"""
        wanted = [
            store for store in cluster.stores if BACKUP in store.content and store.name in (storages or (store.name,))
        ]
        away = [f"node {name} is offline" for name in cluster.offline]
        groups: dict[tuple[str, str], list[Store]] = {}
        for store in wanted:
            if store.node in cluster.online:
                groups.setdefault((store.name, "" if store.shared else store.node), []).append(store)
        found: list[Archive] = []
        missed: dict[str, None] = dict.fromkeys(away)
        # Of a shared storage any one node tells; the next is asked where one cannot.
        while groups:
            asked = {key: stores.pop(0) for key, stores in groups.items()}
            paths = {key: content_path(store, vmid) for key, store in asked.items()}
            answers = self.tried(list(paths.values()))
            for key, store in asked.items():
                answer = answers[paths[key]]
                if not isinstance(answer, PveError):
                    found += archives_of(store.name, store.node, answer, shared=store.shared)
                    groups[key] = []
                elif not groups[key]:
                    missed[_unasked(store, answer)] = None
            groups = {key: stores for key, stores in groups.items() if stores}
        return reachable([one for one in found if vmid in (None, one.vmid)], cluster), tuple(missed)

    # -- writing ----------------------------------------------------------------------------------------------------

    def turn(self, node: str) -> threading.Lock:
        """For what a node does once at a time."""
        with self._guard:
            return self._turns.setdefault(node, threading.Lock())

    def write(
        self, method: str, where: str, parameters: Mapping[str, Any], operation: Operation | None = None
    ) -> TaskResult | None:
        """One write, and its task to the end. Raises PveError with the options' own names."""
        send: Callable[..., Any] = {
            "POST": self.client.post,
            "PUT": self.client.put,
            "DELETE": self.client.delete,
        }[method]
        try:
            answer = send(where, parameters)
        except RejectedParameters as problem:
            names = {row.wire_name: row.name for row in operation.fields} if operation else {}
            raise problem.renamed(lambda wire: names.get(wire, wire)) from None
        if isinstance(answer, str) and answer.startswith("UPID:"):
            return self.client.wait(answer, timeout=self.timeout)
        return None

    def log_of(self, upid: str) -> list[str]:
        """The beginning and the end of a task's log; nothing where it cannot be read.
        PVE API: GET /nodes/{node}/tasks/{upid}/log"""
        where = f"{task_path(upid)}/log"
        try:
            body = self.client.get_body(where, limit=_LOG_PAGE)
            rows = list(body["data"] or ())
            total = int(body.get("total") or 0)
            if total > _LOG_PAGE:
                rows += self.client.get(where, start=max(_LOG_PAGE, total - _LOG_PAGE), limit=_LOG_PAGE) or ()
        except PveError:
            return []
        return [str(row.get("t", "")) for row in rows]


def task_failed(what: str, problem: TaskFailed, said: Sequence[str], now: str) -> PveError:
    """`what` was not done, in the task's own words where it has some; `now`: what there is instead."""
    text = listed(tuple(said)) if said else problem.exitstatus.strip()
    error = PveError(f"{what}: {text.rstrip('.')}. {now}", hint=f"See task {problem.upid}.")
    error.affects_everything = problem.affects_everything
    return error


def content_path(store: Store, vmid: int | None = None) -> str:
    chosen = "" if vmid is None else f"&vmid={vmid}"
    return f"{path('nodes', store.node, 'storage', store.name, 'content')}?content={BACKUP}{chosen}"


def _unasked(store: Store, problem: PveError) -> str:
    if isinstance(problem, NodeOffline):
        return f"node {store.node} is offline"
    return f"storage {store.name} on {store.node} cannot be read ({problem.message.rstrip('.')})"
