# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A set of hosts: started, wired and removed together."""

from __future__ import annotations

import ipaddress
import itertools
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Self

from lab.hosts import images
from lab.hosts.host import Host
from lab.hosts.links import Link
from lab.hosts.namespaces import Namespace, Port, wire
from lab.hosts.podman import why_not
from lab.hosts.record import Record, sweep
from lab.hosts.ssh import Access

# Set aside for tests of network devices by RFC 2544: nobody's real network. The upper half is the tests' own.
MANAGEMENT = ipaddress.ip_network("198.18.0.0/16")
_COUNTER = itertools.count(1)


class Hosts:
    """`with Hosts("node1", "node2", "switch") as hosts:`, then `hosts["node1"]`.

    image: "ovs" (Open vSwitch and ifupdown2) or "base", for all; `images` names others by host.
    ssh: each host gets an address that this machine reaches by SSH with `hosts["node1"].access`.
    name: of the set, for a set that outlives this process: `up()` and later `down(name)`.
    """

    def __init__(
        self, *names: str, image: str = "ovs", images: dict[str, str] | None = None, ssh: bool = False, name: str = ""
    ) -> None:
        self.name = name or f"hc{os.getpid()}-{next(_COUNTER)}"
        self._names = names
        self._images = {host: (images or {}).get(host, image) for host in names}
        self._ssh = ssh
        self._keep = bool(name)
        self._record = Record(self.name)
        self._hosts: dict[str, Host] = {}
        self.links: dict[tuple[str, str], Link] = {}

    def __getitem__(self, name: str) -> Host:
        return self._hosts[name]

    def __iter__(self) -> Iterator[Host]:
        return iter(self._hosts.values())

    def __enter__(self) -> Self:
        self._keep = False
        return self.up()

    def __exit__(self, *_exception: object) -> None:
        self.down()

    def up(self) -> Self:
        """Start all hosts and wait until their systemd has."""
        if reason := why_not():
            raise RuntimeError(f"Hosts in containers cannot run here: {reason}")
        sweep()
        if self._record.directory.exists():
            self._record.remove()
        made = {name: images.ensure(images.RECIPES[name]) for name in sorted(set(self._images.values()))}
        self._record.create(keep=self._keep)
        try:
            for name in self._names:
                self._start(name, made[self._images[name]])
            for host in self:
                host.ready()
        except BaseException:
            self.down()
            raise
        return self

    def down(self) -> None:
        self._record.remove()
        self._hosts.clear()
        self.links.clear()

    def link(self, host: str, port: str, partner: str, partner_port: str, *, kernel: bool = False) -> Link:
        """A cable from a host's port to a partner's. `kernel`: the host's own network uses it as well as a switch's
        (an address on the port itself, a Linux bridge); else the frames are Open vSwitch's alone."""
        link = Link(self[host].port(port), self[partner].port(partner_port))
        wire(link.near, link.far)
        link.near.prepare(for_switch=not kernel)
        link.far.prepare(for_switch=True)
        self.links[host, port] = link
        return link

    def plug_in(self, partner: str, partner_port: str, address: str) -> str:
        """A cable from this machine, the control host, into a port of a host that is the switch: what is behind that
        switch is then reached through the ports under test. `address` with its prefix length, of this machine's end,
        whose name is returned."""
        there = self[partner].port(partner_port)
        name = self.plug(there, address)
        there.prepare(for_switch=True)
        return name

    def plug(self, there: Port, address: str) -> str:
        """A cable from this machine to a port that is made by it; the name of this machine's end."""
        name = f"hc{secrets.token_hex(4)}"
        self._record.note("interface", name)
        here = Port(Namespace(), name)
        wire(here, there)
        here.prepare(for_switch=False)
        here.namespace.ip("address", "add", address, "dev", name)
        return name

    def namespace(self, name: str) -> Namespace:
        """A network namespace that is no host's; it goes when the set goes."""
        space = Namespace(f"{self.name}-{name}")
        self._record.note("namespace", space.name)
        space.make()
        return space

    def _start(self, name: str, image: str) -> None:
        container = f"{self.name}-{name}"
        self._record.note("namespace", container)
        access = self._access() if self._ssh else None
        directory = self._record.directory
        shm_size = images.RECIPES[self._images[name]].shm_size
        host = Host(name, container, image, directory / f"{name}.pid", Namespace(container), access, shm_size)
        host.start(self.name)
        if access:
            access.attach(host.namespace)
        self._hosts[name] = host

    def _access(self) -> Access:
        """A pair of addresses that no interface of this machine has. Any: another process that looks at the same time,
        before ours are given to an interface, must not find the same."""
        taken = {
            address["local"]
            for interface in json.loads(Namespace().ip("-json", "address", "show"))
            for address in interface["addr_info"]
        }
        while True:
            number = 2 * secrets.randbelow(MANAGEMENT.num_addresses // 2)
            first, second = MANAGEMENT[number], MANAGEMENT[number + 1]
            if str(first) not in taken:
                break
        interface = f"hc{secrets.token_hex(4)}"
        self._record.note("interface", interface)
        return Access(interface, str(first), str(second), self._record.directory)


def down(name: str) -> None:
    """Remove a set by its name."""
    Record(name).remove()


def wait_until(condition: Callable[[], object], what: str, seconds: float = 30) -> float:
    """Poll until `condition()` holds; how long it took, in seconds."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.05)
    return time.monotonic() - began
