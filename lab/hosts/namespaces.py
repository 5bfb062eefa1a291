# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Network namespaces and their ports. A host's namespace outlives the host's restart, as a machine's sockets do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from lab.hosts.podman import program

_NAMED = Path("/run/netns")


@dataclass(frozen=True)
class Namespace:
    """A named network namespace; without a name it is this machine's own."""

    name: str = ""

    @property
    def path(self) -> Path:
        return _NAMED / self.name

    def exists(self) -> bool:
        return not self.name or self.path.exists()

    def make(self) -> None:
        program("ip", "netns", "add", self.name)
        self.ip("link", "set", "lo", "up")

    def remove(self) -> None:
        """With it go its ports and what they are wired to."""
        program("ip", "netns", "del", self.name, check=False)

    def argv(self, *argv: str) -> list[str]:
        """The command for a program of this machine in that network."""
        return ["nsenter", f"--net={self.path}", "--", *argv] if self.name else [*argv]

    def run(self, *argv: str, stdin: str = "", check: bool = True) -> str:
        return program(*self.argv(*argv), stdin=stdin, check=check)

    def ip(self, *words: str, check: bool = True) -> str:
        return program("ip", *(["-n", self.name] if self.name else []), *words, check=check)

    def interfaces(self) -> list[str]:
        return [entry["ifname"] for entry in json.loads(self.ip("-json", "link", "show"))]


@dataclass(frozen=True)
class Port:
    """A network interface in a namespace."""

    namespace: Namespace
    name: str

    def set(self, *words: str) -> None:
        self.namespace.ip("link", "set", "dev", self.name, *words)

    def carrier(self) -> bool:
        (entry,) = json.loads(self.namespace.ip("-json", "link", "show", self.name))
        return "LOWER_UP" in entry["flags"]

    def sent(self) -> int:
        """How many frames have left through it."""
        (entry,) = json.loads(self.namespace.ip("-json", "-stats", "link", "show", self.name))
        return int(entry["stats64"]["tx"]["packets"])

    def prepare(self, *, for_switch: bool) -> None:
        """Up, with checksums that are really computed. `for_switch`: frames are Open vSwitch's alone; the kernel would
        otherwise answer them too, as the userspace datapath only listens to the interface."""
        self.namespace.run("ethtool", "-K", self.name, "tx", "off", check=False)
        if for_switch:
            self._filter(
                f'add chain netdev lab in_{self.name} {{ type filter hook ingress device "{self.name}" '
                "priority -500; policy drop; }"
            )
        self.set("up")

    def silence(self) -> None:
        """Nothing leaves any more, and nobody is told."""
        self._filter(
            f'add chain netdev lab out_{self.name} {{ type filter hook egress device "{self.name}" '
            "priority -500; policy drop; }"
        )

    def heal(self) -> None:
        self.namespace.run("nft", f"delete chain netdev lab out_{self.name}", check=False)

    def _filter(self, rule: str) -> None:
        self.namespace.run("nft", "-f", "-", stdin=f"add table netdev lab\n{rule}\n")


def wire(left: Port, right: Port) -> None:
    """A cable between two ports, which are made by it."""
    words = ["link", "add", left.name]
    words += ["netns", left.namespace.name] if left.namespace.name else []
    words += ["type", "veth", "peer", "name", right.name]
    words += ["netns", right.namespace.name] if right.namespace.name else []
    program("ip", *words)
