# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Nodes that are not a cluster yet, each with an API of its own on loopback: what a hospital begins with."""

from __future__ import annotations

import asyncio
import errno
import random
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from lab.pve.machines import Machine
from lab.pve.recorder import Request
from lab.pve.tls import Authority

T = TypeVar("T")
PATIENCE_SECONDS = 30
ATTEMPTS = 20


class Installed:
    """One of them, seen from outside."""

    def __init__(self, formation: Formation, machine: Machine) -> None:
        self.formation, self.cluster = formation, machine
        self.user, self.password = "root@pam", machine.password

    @property
    def host(self) -> str:
        return str(self.cluster.host)

    @property
    def port(self) -> int:
        return int(self.cluster.port)

    @property
    def ca(self) -> str:
        """The authorities of all machines, for whoever speaks to one before and after it has joined."""
        return self.formation.ca

    @property
    def address(self) -> str:
        return self.cluster.address

    @property
    def second(self) -> str:
        """Its address in the second network."""
        return self.cluster.second

    @property
    def fingerprint(self) -> str:
        """Of the certificate that it serves now."""
        return self.cluster.fingerprint


class Formation:
    """`names` of the machines, with hardware as in 'pve4:8:32' (cores, GiB of memory); `addresses` by which they know
    each other, where it is not those they listen at.

    time_scale: real seconds a PVE second; outage: requests that a node loses while it joins; settling: seconds until
    a new cluster's corosync runs.
    """

    def __init__(
        self,
        names: Sequence[str] = ("pve1", "pve2", "pve3"),
        *,
        addresses: Mapping[str, str] | None = None,
        time_scale: float = 0.0,
        outage: int = 0,
        settling: float = 0.0,
        password: str = "lab-password",
    ) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="lab-pve-"))
        self._named = {text.partition(":")[0]: text for text in names}
        self._names, self._addresses, self._password = tuple(self._named), dict(addresses or {}), password
        self.time_scale, self.outage, self.settling = time_scale, outage, settling
        self.machines: dict[str, Machine] = {}
        self.installed: dict[str, tuple[Authority, Path, Path, str]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="lab-pve-formation", daemon=True)
        self._thread.start()
        try:
            self._listen()
        except BaseException:
            self.stop()
            raise

    # ----------------------------------------------------------- life cycle

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _await(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_SECONDS)

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Run a function in the servers' thread, between requests."""

        async def run() -> T:
            return function(*args)

        result: T = self._await(run())
        return result

    def _listen(self) -> None:
        """All at one port, as Proxmox VE does, each at an address of its own."""
        for attempt in range(ATTEMPTS):
            net, port = f"127.{random.randint(1, 254)}.{random.randint(1, 200)}", 0
            try:
                for number, name in enumerate(self._names):
                    machine = self._machine(name, f"{net}.{21 + number}", port)
                    self.machines[name] = machine
                    self._await(machine.start())
                    port = machine.port
                break
            except OSError as problem:
                if problem.errno != errno.EADDRINUSE or attempt == ATTEMPTS - 1:
                    raise
                self._stop_serving()
        self._write_authorities()

    def _machine(self, name: str, host: str, port: int) -> Machine:
        address = self._addresses.get(name, host)
        head, _dot, last = address.rpartition(".")
        front, _dot, third = head.rpartition(".")
        second = f"{front}.{int(third) + 1}.{last}"
        machine = Machine(self._named[name], address, second, host, port, self._password, self, self._directory)
        machine.time_scale, machine.outage, machine.settling = self.time_scale, self.outage, self.settling
        return machine

    def _write_authorities(self) -> None:
        pem = b"".join(machine.authority.pem() for machine in self.machines.values())
        Path(self.ca).write_bytes(pem)

    def _stop_serving(self) -> None:
        for machine in self.machines.values():
            self._await(machine.stop())
        self.machines, self.installed = {}, {}

    def stop(self) -> None:
        if self._thread.is_alive():
            try:
                self._stop_serving()
            finally:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join(PATIENCE_SECONDS)
                self._loop.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Formation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def reset(self) -> None:
        """Everybody freshly installed again, at the same addresses."""
        self.call(self._reset)

    def _reset(self) -> None:
        for name in self.machines:
            self._renew(name)

    def _renew(self, name: str) -> None:
        old = self.machines[name]
        fresh = self._machine(name, old.host, old.port)
        keep = {key: old.__dict__[key] for key in ("runner", "endpoints", "tls")}
        old.__dict__.clear()
        old.__dict__.update(fresh.__dict__, **keep)
        old.tls.load_cert_chain(*old.files)
        self._write_authorities()

    # ------------------------------------------------------------ the machines

    def __getitem__(self, name: str) -> Installed:
        return Installed(self, self.machines[name])

    @property
    def ca(self) -> str:
        return str(self._directory / "authorities.pem")

    def named(self, name: str) -> Machine | None:
        return self.machines.get(name)

    def at(self, address: str) -> Machine | None:
        return next((machine for machine in self.machines.values() if machine.address == address), None)

    @property
    def writes(self) -> list[Request]:
        """What was asked of any of them that was not a GET, logins aside."""
        return [request for machine in self.machines.values() for request in machine.recorder.writes]

    # ----------------------------------------------------------------- trouble

    def power(self, name: str, on: bool) -> None:
        """The machine is off, or on again."""
        self.call(setattr, self.machines[name], "has_power", on)

    def enlist(self, name: str, member: str, votes: int = 1) -> None:
        """The machine has joined the member's cluster, long ago."""

        def join() -> None:
            joining, peer = self.machines[name], self.machines[member]
            peer.add_member(
                name, {number: joining.addresses_by_link(number) for number in peer.links()}, None, None, votes
            )
            joining.become_member(peer)

        self.call(join)

    def reinstall(self, name: str) -> None:
        """The machine has a fresh installation with the same name and addresses; its cluster does not know."""
        self.call(self._renew, name)

    def cut_next_join(self, name: str) -> None:
        """Its power fails when the next join has asked for its addition and done nothing else."""
        self.call(setattr, self.machines[name], "dies_joining", True)

    def settle(self) -> None:
        """The corosync of every cluster runs now."""
        for machine in self.machines.values():
            if machine.corosync is not None:
                self.call(setattr, machine.corosync, "up", True)

    def expect_less(self, name: str) -> None:
        """`pvecm expected`, with the votes that are there, at this member."""

        def order() -> None:
            corosync = self.machines[name].corosync
            if corosync is not None:
                online = [member for member in corosync.members.values() if self.machines[name].online(member.name)]
                corosync.expected = sum(member.votes for member in online)

        self.call(order)

    def lock_configuration(self, held: bool) -> None:
        """Somebody holds the lock of corosync.conf."""
        for machine in self.machines.values():
            self.call(setattr, machine, "corosync_locked", held)
