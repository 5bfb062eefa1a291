# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How a host's interfaces, bridges and bonds hang together, and the walk from one of them down to the cables. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

INTERNAL, PATCH = "internal", "patch"
# The host's end of a guest's NIC, and the bridges and pairs that Proxmox VE puts before one for its firewall.
_GUESTS = re.compile(r"^(tap.+|veth\d+i\d+|fw(br|pr|ln)\d+[iop]\d+|vnet\d+)$")


def is_guests(name: str) -> bool:
    """Whether an interface belongs to a guest, by its name: they come and go with their guest."""
    return bool(_GUESTS.match(name))


@dataclass(frozen=True)
class Link:
    """An interface of the kernel. kind: vlan, bridge, bond, veth …  master: the bridge or bond it is a port of.
    parent: what a VLAN is on.  peer: the other end of a veth pair that is on this host."""

    name: str
    kind: str = ""
    master: str = ""
    parent: str = ""
    peer: str = ""
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class SwitchInterface:
    """An interface of Open vSwitch. type: empty or system for one of the kernel's; internal, patch, vxlan …"""

    name: str
    type: str = ""
    peer: str = ""


@dataclass(frozen=True)
class SwitchPort:
    """A port of an Open vSwitch bridge; one with several interfaces is a bond."""

    name: str
    bridge: str
    interfaces: tuple[SwitchInterface, ...]

    @property
    def is_uplink(self) -> bool:
        """Frames leave the host through it: it is neither the host's own end, nor a guest's."""
        return not is_guests(self.name) and any(interface.type != INTERNAL for interface in self.interfaces)


@dataclass(frozen=True)
class Topology:
    """tunnels: by name what leads to another host over whatever routes there are, and that host's address, if known."""

    links: Mapping[str, Link] = field(default_factory=dict)
    ports: tuple[SwitchPort, ...] = ()
    tunnels: Mapping[str, str] = field(default_factory=dict)

    def holding(self, address: str) -> list[str]:
        """The interfaces that have an address, in its usual spelling."""
        return [link.name for link in self.links.values() if address in link.addresses]

    def below(self, name: str, *, upwards: bool) -> tuple[str, list[tuple[str, bool]]]:
        """What frames pass next from `name` on their way out: a word for the relation, and (name, whether they may then
        still be on their way up into a bridge)."""
        uplinks = [port.name for port in self.ports if port.bridge == name and port.is_uplink]
        if any(port.bridge == name for port in self.ports):
            return "with", [(uplink, False) for uplink in uplinks]
        port = next((port for port in self.ports if name in (port.name, *_names(port))), None)
        if port is not None:
            found = self._of_port(port, name, upwards)
            if found[1]:
                return found
        return self._of_link(name, upwards)

    def _of_port(self, port: SwitchPort, name: str, upwards: bool) -> tuple[str, list[tuple[str, bool]]]:
        interface = next((one for one in port.interfaces if one.name == name), port.interfaces[0])
        if name == port.name and len(port.interfaces) > 1 and not upwards:
            return "of", [(member, False) for member in _names(port)]
        if interface.type == INTERNAL or upwards:
            return "in", [(port.bridge, False)]
        if interface.type == PATCH and interface.peer:
            return "to", [(interface.peer, True)]
        return "", []

    def _of_link(self, name: str, upwards: bool) -> tuple[str, list[tuple[str, bool]]]:
        link = self.links.get(name)
        if link is None:
            return "", []
        master = self.links.get(link.master)
        if upwards and master is not None and master.kind in ("bridge", "bond", "team"):
            return "in", [(link.master, False)]
        if link.parent:
            return "on", [(link.parent, False)]
        if link.peer:
            return "to", [(link.peer, True)]
        ports = [other.name for other in self.links.values() if other.master == name and not is_guests(other.name)]
        return ("of" if link.kind in ("bond", "team") else "with"), [(port, False) for port in ports]


def _names(port: SwitchPort) -> tuple[str, ...]:
    return tuple(interface.name for interface in port.interfaces)


def passed(topology: Topology, starts: Collection[str]) -> frozenset[str]:
    """Every interface, bridge, bond and port that frames pass between `starts`, which hold addresses, and the cable."""
    seen: set[tuple[str, bool]] = set()
    left = [(start, True) for start in starts]
    while left:
        one = left.pop()
        if one not in seen:
            seen.add(one)
            left.extend(topology.below(one[0], upwards=one[1])[1])
    return frozenset(name for name, _upwards in seen)


def described(topology: Topology, start: str) -> str:
    """The walk in words: `mgmt, a port of vmbr0 with the uplink bond0 (eno1, eno2)`."""
    return _described(topology, start, True, frozenset())


def _described(topology: Topology, name: str, upwards: bool, seen: frozenset[str]) -> str:
    relation, next_ones = topology.below(name, upwards=upwards)
    seen = seen | {name}
    texts = [_described(topology, other, up, seen) for other, up in next_ones if other not in seen]
    if not texts:
        return name
    if relation == "of":
        return f"{name} ({', '.join(texts)})"
    if relation == "with":
        return f"{name} with the uplink{'s' if len(texts) > 1 else ''} {', '.join(texts)}"
    return {"in": f"{name}, a port of {texts[0]}", "on": f"{name} on {texts[0]}", "to": f"{name} to {texts[0]}"}[
        relation
    ]
