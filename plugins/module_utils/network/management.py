# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The path through which a host is managed: what a change must not touch unless its way back is safe."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.command import ProgramMissing, Runner
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import (
    InvalidInput,
    SubsystemError,
)
from ansible_collections.hospital.continuity.plugins.module_utils.network.topology import (
    INTERNAL,
    PATCH,
    Link,
    SwitchInterface,
    SwitchPort,
    Topology,
    described,
    passed,
)
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.database import (
    DEFAULT_ADDRESS,
    Database,
    DatabaseUnreachable,
    Tables,
    elements,
)

_TABLES = {
    "Bridge": ["name", "ports"],
    "Port": ["_uuid", "name", "interfaces"],
    "Interface": ["_uuid", "name", "type", "options"],
}
_SECONDS = 10
# What leads to another host over the routes of this one, of the kernel; and what does not, of Open vSwitch.
_TUNNELS = (
    *("wireguard", "tun", "vxlan", "geneve", "gre", "gretap", "ip6gre", "ip6gretap", "erspan", "ip6erspan"),
    *("ipip", "sit", "ip6tnl", "vti", "vti6", "xfrm"),
)
_NO_TUNNELS = ("", "system", INTERNAL, PATCH, "tap", "dpdk", None)


@dataclass(frozen=True)
class ManagementPath:
    """interfaces: every interface, bridge, bond and port that frames between this host and the control host pass.
    reason: how that was found, for people. Both empty where the host is not managed over a network."""

    interfaces: frozenset[str] = frozenset()
    reason: str = ""


def find(run: Runner, *, address: str = "", database: str = DEFAULT_ADDRESS) -> ManagementPath:
    """The path of the host that `run` runs programs on. `address`: the one it is managed through; else that of the SSH
    connection, which sudo hides and an ancestor process still knows; else whatever holds the default routes.

    Raises InvalidInput where `address` is none, or on no interface."""
    topology = observed(run, database)
    if address:
        return _with_carriers(topology, run, _through_address(topology, address))
    found = _through_ssh(topology, run) or _through_default_routes(topology, run)
    return _with_carriers(topology, run, found)


def observed(run: Runner, database: str = DEFAULT_ADDRESS) -> Topology:
    """What `ip` and, where there is an Open vSwitch, ovs-vsctl say of the host."""
    return topology_of(_ip(run, "-d", "address", "show"), _switch(run, database))


def topology_of(links: Sequence[Mapping[str, Any]], tables: Tables) -> Topology:
    """A Topology from `ip -j -d address show` and the rows of Open vSwitch's tables."""
    interfaces = {row["_uuid"]: row for row in tables.get("Interface", ())}
    ports = {row["_uuid"]: row for row in tables.get("Port", ())}
    return Topology(
        {link["ifname"]: _link(link) for link in links if "ifname" in link},
        tuple(
            SwitchPort(
                ports[port]["name"],
                bridge["name"],
                tuple(
                    SwitchInterface(
                        interfaces[interface]["name"],
                        interfaces[interface]["type"] or "",
                        (interfaces[interface].get("options") or {}).get("peer", ""),
                    )
                    for interface in elements(ports[port]["interfaces"])
                ),
            )
            for bridge in tables.get("Bridge", ())
            for port in elements(bridge["ports"])
        ),
        {
            **{link["ifname"]: _remote(link) for link in links if _kind(link) in _TUNNELS},
            **{
                str(row["name"]): usual(str((row.get("options") or {}).get("remote_ip") or ""))
                for row in interfaces.values()
                if row["type"] not in _NO_TUNNELS
            },
        },
    )


def _remote(raw: Mapping[str, Any]) -> str:
    data = (raw.get("linkinfo") or {}).get("info_data") or {}
    return usual(str(data.get("remote") or data.get("remote6") or ""))


def _kind(raw: Mapping[str, Any]) -> str:
    return str((raw.get("linkinfo") or {}).get("info_kind") or "")


def _link(raw: Mapping[str, Any]) -> Link:
    kind = _kind(raw)
    # With a namespace id, what the interface hangs on is not on this host.
    other = str(raw.get("link") or "") if "link_netnsid" not in raw else ""
    addresses = (usual(str(row["local"])) for row in raw.get("addr_info") or () if row.get("local"))
    return Link(
        raw["ifname"],
        kind,
        str(raw.get("master") or ""),
        "" if kind == "veth" else other,
        other if kind == "veth" else "",
        tuple(address for address in addresses if address),
    )


def usual(address: str) -> str:
    """An address in its usual spelling, without a prefix length or zone; empty where it is none."""
    try:
        found = ipaddress.ip_address(address.partition("/")[0].partition("%")[0].strip("[] "))
    except ValueError:
        return ""
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def _switch(run: Runner, database: str) -> Tables:
    try:
        return Database(database, timeout=_SECONDS, runner=run).read(_TABLES)
    except (ProgramMissing, DatabaseUnreachable):
        # Not installed, or not running: then no frame passes it.
        return {}


def _through_address(topology: Topology, address: str) -> ManagementPath:
    wanted = usual(address)
    if not wanted:
        raise InvalidInput(
            f"management_address: {address!r} is no IP address.", hint="Give the one this host is managed through."
        )
    starts = topology.holding(wanted)
    if not starts:
        have = sorted({one for link in topology.links.values() for one in link.addresses})
        raise InvalidInput(
            f"management_address: {wanted} is on no interface of this host.", hint=f"It has {', '.join(have)}."
        )
    return _path(topology, starts, f"{wanted}, through which this host is managed, is on ")


def _through_ssh(topology: Topology, run: Runner) -> Optional[ManagementPath]:
    words = ssh_connection(run).split()
    if len(words) != 4:
        return None
    client, server = words[0], words[2]
    starts = topology.holding(usual(server))
    if not starts:
        # Somebody else's connection: the environment came along into a container.
        return None
    path = _path(topology, starts, f"{usual(server)}, through which this host is managed, is on ")
    back = _way_to(run, client)
    if back and back not in path.interfaces:
        other = _path(topology, [back], f"the way back to {usual(client)} leads through ")
        path = ManagementPath(path.interfaces | other.interfaces, f"{path.reason}; {other.reason}")
    # A connection from this host to itself says nothing about where people are.
    return path if path.interfaces - {"lo"} else None


def _through_default_routes(topology: Topology, run: Runner) -> ManagementPath:
    starts = _default_devices(run)
    return _path(topology, starts, "the default route of this host leads through ") if starts else ManagementPath()


def _default_devices(run: Runner) -> list[str]:
    routes = [*_ip(run, "route", "show", "default"), *_ip(run, "-6", "route", "show", "default")]
    devices = [hop.get("dev") for route in routes for hop in (route, *(route.get("nexthops") or ()))]
    return list(dict.fromkeys(str(device) for device in devices if device and device != "lo"))


def _with_carriers(topology: Topology, run: Runner, path: ManagementPath) -> ManagementPath:
    """With what carries the tunnels on the path, which have no uplinks of their own. Nor have `lo` and dummies, to
    which a routing daemon leads."""
    walked: set[str] = set()
    own = {name for name, link in topology.links.items() if name == "lo" or link.kind == "dummy"}
    if path.interfaces and path.interfaces <= own:
        ways = _path(topology, _default_devices(run), "the default route of this host leads through ")
        path = ManagementPath(path.interfaces | ways.interfaces, f"{path.reason}; {ways.reason}")
    while True:
        tunnel = next((name for name in sorted(path.interfaces & set(topology.tunnels) - walked)), "")
        if not tunnel:
            return path
        walked.add(tunnel)
        remote = topology.tunnels[tunnel]
        device = _way_to(run, remote) if remote else ""
        starts = [device] if device else [name for name in _default_devices(run) if name not in walked]
        if starts:
            carrier = _path(topology, starts, f"{tunnel} is a tunnel through ")
            path = ManagementPath(path.interfaces | carrier.interfaces, f"{path.reason}; {carrier.reason}")


def _path(topology: Topology, starts: Sequence[str], lead: str) -> ManagementPath:
    text = " and ".join(described(topology, start) for start in starts)
    return ManagementPath(passed(topology, starts), f"{lead}{text}")


def _way_to(run: Runner, client: str) -> str:
    address, percent, zone = client.partition("%")
    if percent:
        return zone
    done = run(["ip", "-j", "route", "get", usual(address) or address], timeout=_SECONDS)
    rows = _parsed(done.output) if done.status == 0 else []
    device = str(rows[0].get("dev") or "") if rows else ""
    return "" if device == "lo" else device


def ssh_connection(run: Runner) -> str:
    """SSH_CONNECTION (client address and port, server address and port), from the environment or an ancestor's."""
    done = run(["printenv", "SSH_CONNECTION"], timeout=_SECONDS)
    if done.status == 0 and done.output.strip():
        return done.output.strip()
    pid = "self"
    for _generation in range(50):
        stat = run(["cat", f"/proc/{pid}/stat"], timeout=_SECONDS)
        # pid (name) state parent …, where the name may have blanks and parentheses in it.
        words = stat.output.rpartition(")")[2].split() if stat.status == 0 else []
        if len(words) < 2 or words[1] == "0":
            break
        pid = words[1]
        environ = run(["cat", f"/proc/{pid}/environ"], timeout=_SECONDS).output.split("\0")
        for entry in environ:
            name, _equals, value = entry.partition("=")
            if name == "SSH_CONNECTION" and value:
                return value
    return ""


def _ip(run: Runner, *words: str) -> list[Mapping[str, Any]]:
    done = run(["ip", "-j", *words], timeout=_SECONDS)
    # A kernel without IPv6 has no routes of it.
    if done.status != 0 and words[0] != "-6":
        said = done.errors.strip() or f"exit code {done.status}"
        raise SubsystemError(f"ip -j {' '.join(words)} said: {said}.", hint="It is part of the package iproute2.")
    return _parsed(done.output if done.status == 0 else "")


def _parsed(text: str) -> list[Mapping[str, Any]]:
    try:
        rows = json.loads(text or "[]")
    except ValueError:
        return []
    return [row for row in rows if isinstance(row, dict)]
