# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""SSH from this machine to a host, through a network that has nothing to do with the ports under test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab.hosts.namespaces import Namespace, Port, wire
from lab.hosts.podman import program

INTERFACE = "mgmt0"


class _Reached(Protocol):
    def write(self, path: str, text: str, mode: str = "0644") -> None:
        """Write a file on it."""

    def read(self, path: str) -> str:
        """Read a file on it."""


@dataclass(frozen=True)
class Access:
    """A pair of addresses of their own for this machine and the host, and the key to it."""

    interface: str  # this machine's end
    control_address: str
    address: str
    directory: Path

    @property
    def identity(self) -> Path:
        return self.directory / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.directory / "known_hosts"

    def options(self) -> list[str]:
        """For ssh, scp, and ansible_ssh_common_args."""
        return [
            *("-i", str(self.identity)),
            *("-o", f"UserKnownHostsFile={self.known_hosts}"),
            *("-o", "StrictHostKeyChecking=yes"),
            *("-o", "BatchMode=yes"),
            *("-o", "ConnectTimeout=5"),
        ]

    def argv(self, *argv: str) -> list[str]:
        return ["ssh", *self.options(), f"root@{self.address}", *argv]

    def attach(self, namespace: Namespace) -> None:
        here, there = Port(Namespace(), self.interface), Port(namespace, INTERFACE)
        wire(here, there)
        for port in (here, there):
            port.prepare(for_switch=False)
        here.namespace.ip("address", "add", f"{self.control_address}/31", "dev", self.interface)
        self.configure(namespace)

    def configure(self, namespace: Namespace) -> None:
        namespace.ip("address", "replace", f"{self.address}/31", "dev", INTERFACE)

    def admit(self, host: _Reached) -> None:
        """Let our key in, and learn the host's."""
        if not self.identity.exists():
            program("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(self.identity))
        host.write("/root/.ssh/authorized_keys", self.identity.with_suffix(".pub").read_text(), "0600")
        self.know(host, self.address)

    def know(self, host: _Reached, address: str) -> None:
        """The host's key under one more of its addresses."""
        key = " ".join(host.read("/etc/ssh/ssh_host_ed25519_key.pub").split()[:2])
        lines = self.known_hosts.read_text().splitlines() if self.known_hosts.exists() else []
        if (line := f"{address} {key}") not in lines:
            self.known_hosts.write_text("\n".join([*lines, line]) + "\n")
