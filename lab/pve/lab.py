# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A lab in this process: the cluster served from a background thread, with levers for tests to pull."""

from __future__ import annotations

import asyncio
import copy
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from lab.pve.cluster import Cluster
from lab.pve.faults import RequestFault, TaskFault
from lab.pve.limits import LikeRecorded
from lab.pve.network_view import NetworkView
from lab.pve.real_directory import Reachable
from lab.pve.real_guests import Powered
from lab.pve.recorder import Request
from lab.pve.state import NodeSpec, node_specs
from lab.pve.tls import make_certificates

T = TypeVar("T")
HOST = "127.0.0.1"
TOKEN_ID = "root@pam!lab"
PATIENCE_SECONDS = 30


class Lab:
    """A simulated Proxmox VE cluster on loopback, or at the address `host` of this machine.

    `nodes` is a number, a list of names or a list of NodeSpec; `port` 0 takes a free one; `latency` is in seconds a
    request; `time_scale` is fakepve's: 0 finishes tasks before the request returns, 1 lets them take PVE's seconds.
    `like_recorded`: as slow and as short of things as the cluster of the recordings (limits.py).
    """

    def __init__(
        self,
        nodes: int | list[str] | list[NodeSpec] = 1,
        port: int = 0,
        latency: float = 0.0,
        time_scale: float = 0.0,
        password: str = "lab-password",
        like_recorded: bool = False,
        host: str = HOST,
    ) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="lab-pve-"))
        ca, certificate, key = make_certificates(self._directory, host)
        self.ca = str(ca)
        self._pki = str(certificate), str(key)
        self.user, self.password = "root@pam", password
        self.token_id = TOKEN_ID
        self._latency, self._time_scale = latency, time_scale or (1.0 if like_recorded else 0.0)
        self._make = LikeRecorded if like_recorded else Cluster
        self.cluster = self._make(node_specs(nodes), host, port, password)
        self.token_secret = self.cluster.add_token(TOKEN_ID)
        self.cluster.keep_token(TOKEN_ID, self.token_secret)
        self._apply_settings()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="lab-pve", daemon=True)
        self._thread.start()
        self._fresh: dict[str, Any] = {}
        try:
            self._await(self.cluster.start(*self._pki))
        except BaseException:
            self.stop()
            raise
        self.host, self.port = host, self.cluster.port

    # ----------------------------------------------------------- life cycle

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _await(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_SECONDS)

    def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run a function in the server's thread, between requests."""

        async def run() -> T:
            return function(*args, **kwargs)

        result: T = self._await(run())
        return result

    def stop(self) -> None:
        """Stop serving and remove the certificates."""
        if self._thread.is_alive():
            try:
                self._await(self.cluster.stop())
            finally:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join(PATIENCE_SECONDS)
                self._loop.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def reset(self) -> None:
        """Back to the state of a fresh lab: no guests, no faults, no counts; address, token and CA stay."""
        self.call(self._reset)

    def _reset(self) -> None:
        old = self.cluster
        fresh = self._make(old.specs, old.host, old.port, self.password)
        keep = {name: old.__dict__[name] for name in ("runner", "endpoints")}
        old.__dict__.clear()
        old.__dict__.update(fresh.__dict__, **keep)
        old.keep_token(TOKEN_ID, self.token_secret)
        self._apply_settings()

    def _apply_settings(self) -> None:
        self.cluster.delay = self._latency
        self.cluster.time_scale = self._time_scale

    # ------------------------------------------------------------- settings

    @property
    def url(self) -> str:
        """https://127.0.0.1:PORT"""
        return f"https://{self.host}:{self.port}"

    @property
    def latency(self) -> float:
        """Seconds added to each request."""
        return self._latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self._latency = self.cluster.delay = seconds

    @property
    def time_scale(self) -> float:
        """Real seconds a PVE second; 0 finishes tasks at once."""
        return self._time_scale

    @time_scale.setter
    def time_scale(self, scale: float) -> None:
        self._time_scale = self.cluster.time_scale = scale

    def environment(self) -> dict[str, str]:
        """The variables that point the collection at this lab."""
        return {
            "PVE_HOST": self.host,
            "PVE_PORT": str(self.port),
            "PVE_TOKEN_ID": self.token_id,
            "PVE_TOKEN_SECRET": self.token_secret,
            "PVE_CA": self.ca,
        }

    # ------------------------------------------------------------- requests

    @property
    def requests(self) -> list[Request]:
        """Every request since the last reset."""
        return list(self.cluster.recorder.requests)

    @property
    def writes(self) -> list[Request]:
        """The requests that were not GETs, logins aside."""
        return self.cluster.recorder.writes

    def reset_counters(self) -> None:
        """Forget the requests so far."""
        self.cluster.recorder.reset()

    # -------------------------------------------------------------- trouble

    def node_offline(self, name: str) -> None:
        """The node is off: requests for it end in 595."""
        self.call(self.cluster.set_node_offline, name)

    def node_online(self, name: str) -> None:
        """The node is back."""
        self.call(self.cluster.set_node_offline, name, False)

    def lose_quorum(self) -> None:
        """Configuration becomes read-only."""
        self.call(self.cluster.lose_quorum)

    def regain_quorum(self) -> None:
        """Configuration is writable again."""
        self.call(self.cluster.regain_quorum)

    def lock_guest(self, vmid: int, lock: str = "backup") -> None:
        """Put a configuration lock on the guest, as an interrupted backup leaves it."""
        self.call(self.cluster.snapshot_lock, vmid, lock)

    def unlock_guest(self, vmid: int) -> None:
        """Take the lock away, as `qm unlock` does."""
        self.call(self.cluster.unlock, vmid)

    def fail_tasks(
        self,
        kind: str,
        exitstatus: str = "lab: ordered failure",
        times: int = 1,
        log: list[str] | None = None,
        warnings: bool = False,
        after: float = 0,
    ) -> None:
        """The next `times` tasks of this type (qmcreate, vzstart …) fail with `exitstatus`, or do their work and end
        with warnings; `log` lines come before the end, `after` so many of PVE's seconds."""
        if warnings and not exitstatus.startswith("WARNINGS"):
            exitstatus = "WARNINGS: 1"
        self.call(
            self.cluster.faults.tasks.append, TaskFault(kind, exitstatus, times, list(log or []), warnings, after)
        )

    def fail_requests(
        self,
        method: str,
        path_regex: str,
        status: int = 500,
        reason: str = "lab: ordered failure",
        times: int = 1,
        after: int = 0,
    ) -> None:
        """Let `after` matching requests pass, then answer `times` of them with this status and reason.

        The expression is searched in the API path ('/nodes/pve1/qemu'). 401 and 595 have an empty body, as PVE's;
        status 0 closes the connection without an answer.
        """
        fault = RequestFault(method, re.compile(path_regex), status, reason, times, after)
        self.call(self.cluster.faults.requests.append, fault)

    def answer_again(self) -> None:
        """No request fails any more."""
        self.call(self.cluster.faults.requests.clear)

    def limited_token(self, privileges: dict[str, list[str]] | None = None) -> tuple[str, str]:
        """(token id, secret) of a new user's token that holds just these privileges on these paths."""

        def make() -> tuple[str, str]:
            number = len(self.cluster.apitokens)
            user = f"limited{number}@pve"
            token = user + "!t"
            secret = self.cluster.add_token(token)
            if self.cluster.acl is None:
                self.cluster.acl = {}
            for path, names in (privileges or {}).items():
                self.cluster.grant(token, path, *names)
            return token, secret

        return self.call(make)

    def directory(self, realm: str, users: list[str], groups: list[str] | None = None) -> None:
        """The server of a realm answers, and holds these names; without it there is no route to it."""
        self.call(self.cluster.directories.__setitem__, realm, {"users": users, "groups": groups or []})

    def require_otp(self, code: str | None) -> None:
        """Logins with a password need this one-time password as well; None ends that."""
        self.cluster.one_time_password = code

    def fail_replication(self, job: str, problem: str = "lab: ordered failure") -> None:
        """The replication job fails from now on; it just has."""
        self.call(self.cluster.fail_replication, job, problem)

    def mend_replication(self, job: str) -> None:
        """The replication job works again, and just has run."""
        self.call(self.cluster.mend_replication, job)

    # -------------------------------------------------------------- network

    def network(self, node: str) -> NetworkView:
        """The node's network: the file in force, the staged one, what is up, and levers."""
        return NetworkView(self.call, lambda: self.cluster.network_of(node))

    # -------------------------------------------------------------- storage

    def real_directories(self, node: str, machine: Reachable) -> None:
        """The node's storages of type dir are that machine's directories, and backups are files in them."""
        self.call(self.cluster.machines.__setitem__, node, machine)

    def storage_room(self, name: str, room: int) -> None:
        """So many bytes are left on the storage."""

        def edit() -> None:
            store = self.cluster.storages[name]
            store["total"] = self.cluster.used_of(name) + room

        self.call(edit)

    def storage_active(self, name: str, active: bool) -> None:
        """Whether the storage can be activated: its server answers, its disks are there."""
        self.call(self.cluster.storages[name].__setitem__, "active", int(active))

    # --------------------------------------------------------------- guests

    def real_guests(self, machines: Mapping[int, Powered]) -> None:
        """These guests are those machines: a stop takes their power, a start gives it, and they run while they do.
        What happened to a machine by itself, the guest's status tells too."""
        self.call(self.cluster.powered.update, machines)

    def add_guests(
        self,
        count: int,
        first_vmid: int = 100,
        running: bool = False,
        kind: str = "qemu",
        storage: str = "shared",
        agent: bool = False,
    ) -> list[int]:
        """Put guests on the nodes in turn, without a request; returns their vmids."""
        return self.call(self.cluster.seed_guests, count, first_vmid, running, kind, storage, agent)

    def set_config(self, vmid: int, **values: Any) -> None:
        """Edit a guest's configuration behind everyone's back; None removes an option."""

        def edit() -> None:
            guest = self.cluster.guest(vmid)
            if guest is None:
                raise KeyError(f"the lab has no guest {vmid}")
            for key, value in values.items():
                guest.pending.pop(key, None)
                if value is None:
                    guest.config.pop(key, None)
                else:
                    guest.config[key] = value
            self.cluster.guest_changed(guest)

        self.call(edit)

    def config(self, vmid: int) -> dict[str, Any]:
        """A copy of a guest's active configuration."""

        def read() -> dict[str, Any]:
            guest = self.cluster.guest(vmid)
            if guest is None:
                raise KeyError(f"the lab has no guest {vmid}")
            return copy.deepcopy(dict(guest.config))

        return self.call(read)

    def move_guest(self, vmid: int, node: str) -> None:
        """The guest is on another node, as after a failover."""

        def move() -> None:
            guest = self.cluster.guest(vmid)
            if guest is None:
                raise KeyError(f"the lab has no guest {vmid}")
            self.cluster.move(guest, node)

        self.call(move)

    def forget_status(self, vmid: int) -> None:
        """The cluster has not heard of the guest yet: no name, status unknown, as right after its creation."""

        def forget() -> None:
            guest = self.cluster.guest(vmid)
            if guest is None:
                raise KeyError(f"the lab has no guest {vmid}")
            guest.unseen = True

        self.call(forget)
