# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A host that plays the switch: Open vSwitch with the other end of bonds, and an address in each VLAN to talk to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.hosts.host import Host


@dataclass(frozen=True)
class Bundle:
    """The switch's end of a bond. `vlans` are trunked; `tag`: an access port in that VLAN instead."""

    name: str
    members: tuple[str, ...]
    vlans: tuple[int, ...] = ()
    tag: int = 0
    lacp: str = "active"

    def columns(self) -> list[str]:
        return [
            *([f"trunks={','.join(map(str, self.vlans))}"] if self.vlans else []),
            *([f"tag={self.tag}"] if self.tag else []),
        ]


class Switch:
    """Bonds towards nodes, and what goes wrong with them."""

    def __init__(self, host: Host, bridge: str = "sw0") -> None:
        self.host, self.bridge, self.other = host, bridge, f"{bridge}x"
        self._bundles: dict[str, Bundle] = {}
        self.vsctl("--may-exist", "add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev")

    def vsctl(self, *words: str) -> str:
        return self.host.run("ovs-vsctl", "--timeout=10", *words).stdout

    def bond(
        self, name: str, members: Sequence[str], *, vlans: Sequence[int] = (), tag: int = 0, lacp: str = "active"
    ) -> None:
        """A bond towards a node, with LACP (`active`, `passive`), fast timers and balance-tcp."""
        self._bundles[name] = Bundle(name, tuple(members), tuple(vlans), tag, lacp)
        self.vsctl(*self._bonded(self._bundles[name]))

    def address(self, vlan: int, address: str, *, mtu: int = 1500) -> None:
        """An address of the switch's in a VLAN, with its prefix length."""
        port = f"vlan{vlan}"
        self.vsctl(
            *("--may-exist", "add-port", self.bridge, port, f"tag={vlan}"),
            *("--", "set", "interface", port, "type=internal", f"mtu_request={mtu}"),
        )
        self.host.run("ip", "address", "replace", address, "dev", port)
        self.host.run("ip", "link", "set", port, "up")

    def access_port(self, port: str, vlan: int) -> None:
        """A single port in one VLAN, untagged: where a control host is plugged in."""
        self.vsctl("--may-exist", "add-port", self.bridge, port, f"tag={vlan}")

    def without_lacp(self, name: str) -> None:
        """The bond's ports are configured one by one, as on a switch where somebody forgot the bond."""
        bundle = self._bundles[name]
        words = self._removed(bundle)
        for member in bundle.members:
            words += ["--", "add-port", self.bridge, member, *bundle.columns()]
        self.vsctl(*words)

    def two_partners(self, name: str) -> None:
        """Every second member ends at another switch, which speaks LACP under a system id of its own."""
        bundle = self._bundles[name]
        here, there = f"{self.bridge}-{self.other}", f"{self.other}-{self.bridge}"
        words = self._removed(bundle)
        words += ["--", "--may-exist", "add-br", self.other, "--", "set", "bridge", self.other, "datapath_type=netdev"]
        for bridge, port, peer in ((self.bridge, here, there), (self.other, there, here)):
            words += ["--", "--may-exist", "add-port", bridge, port]
            words += ["--", "set", "interface", port, "type=patch", f"options:peer={peer}"]
        for number, member in enumerate(bundle.members):
            bridge = self.other if number % 2 else self.bridge
            words += ["--", "add-port", bridge, member, *bundle.columns()]
            words += ["--", "set", "port", member, f"lacp={bundle.lacp}", "other_config:lacp-time=fast"]
        self.vsctl(*words)

    def restore(self, name: str) -> None:
        """The bond as it was made. In two steps: LACP then begins at once; members that it had given up would wait for
        up to half a minute."""
        bundle = self._bundles[name]
        self.vsctl(*self._removed(bundle))
        self.vsctl(*self._bonded(bundle))

    def _bonded(self, bundle: Bundle) -> list[str]:
        mode = "balance-slb" if bundle.lacp == "off" else "balance-tcp"
        return [
            *("add-bond", self.bridge, bundle.name, *bundle.members, *bundle.columns()),
            *(f"lacp={bundle.lacp}", f"bond_mode={mode}", "other_config:lacp-time=fast"),
        ]

    def _removed(self, bundle: Bundle) -> list[str]:
        ports = (bundle.name, *bundle.members)
        words = [word for port in ports for word in ("--", "--if-exists", "del-port", port)]
        return words[1:]
