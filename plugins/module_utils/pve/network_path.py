# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The path through which a node is managed, from what the API tells of its interfaces. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Union

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import CREATE, Step
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.network.management import ManagementPath, usual
from ansible_collections.hospital.continuity.plugins.module_utils.network.topology import (
    INTERNAL,
    Link,
    SwitchInterface,
    SwitchPort,
    Topology,
    described,
    passed,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_types import (
    ALIAS,
    BOND,
    BRIDGE,
    BRIDGES,
    OVS_INT_PORT,
    OVS_PORTS,
    VLAN,
    members,
)

States = Mapping[str, Mapping[str, Any]]
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
# What a change of these alone does not interrupt, as long as the interface is started with the node.
_HARMLESS = frozenset({"comments", "autostart"})


def topology_of(states: States) -> Topology:
    """How a node's interfaces hang together. States by name, see kinds/network.py."""
    masters = {
        member: name
        for name, state in states.items()
        if state.get("type") in (BRIDGE, BOND)
        for member in members(state)
    }
    links = {
        name: Link(
            name,
            kind=str(state.get("type")),
            master=masters.get(name, ""),
            parent=_parent(name, state),
            addresses=tuple(usual(str(state[option])) for option in ("cidr", "cidr6") if state.get(option)),
        )
        for name, state in states.items()
    }
    for member in set(masters) - set(links):
        # A port like bond0.10 needs no stanza of its own: ifupdown2 makes the VLAN.
        links[member] = Link(member, kind=VLAN, master=masters[member], parent=member.rpartition(".")[0])
    return Topology(links, tuple(_switch_ports(states)))


def _parent(name: str, state: Mapping[str, Any]) -> str:
    if state.get("type") == ALIAS:
        return name.partition(":")[0]
    return str(state.get("vlan_raw_device") or "") if state.get("type") == VLAN else ""


def _switch_ports(states: States) -> Iterator[SwitchPort]:
    for name, state in states.items():
        if state.get("type") in OVS_PORTS and state.get("ovs_bridge"):
            kind = INTERNAL if state["type"] == OVS_INT_PORT else ""
            interfaces = members(state) or (name,)
            yield SwitchPort(name, str(state["ovs_bridge"]), tuple(SwitchInterface(each, kind) for each in interfaces))


def find(states: States, addresses: Collection[str], *, stated: str = "") -> ManagementPath:
    """The path to a node. `addresses`: what it is called by (the API's host, the cluster's own network); with them the
    interface of the default gateway counts; where none is known here, every address, or every interface. `stated`: the
    one address that counts instead. Raises InvalidInput."""
    topology = topology_of(states)
    if stated:
        wanted = usual(stated)
        if not wanted or not topology.holding(wanted):
            raise InvalidInput(
                f"management_address: {stated!r} is on no interface of the node.",
                hint="Give the address through which the node is managed, or leave it out.",
            )
        return _path(topology, {wanted: topology.holding(wanted)})
    starts: dict[str, Sequence[str]] = {}
    for address in sorted({usual(address) for address in addresses} - {""}):
        if topology.holding(address):
            starts[address] = topology.holding(address)
    gateways = [name for name, state in states.items() if state.get("gateway") or state.get("gateway6")]
    if gateways and set(gateways) - {name for names in starts.values() for name in names}:
        starts["the default gateway"] = gateways
    if not starts:
        # Nobody says through which address the node is managed: then it may be any of them.
        holders = sorted(name for name, link in topology.links.items() if link.addresses)
        starts = {"one of the node's addresses": holders} if holders else {"the node's address": sorted(topology.links)}
    return _path(topology, starts)


def _path(topology: Topology, starts: Mapping[str, Sequence[str]]) -> ManagementPath:
    texts = [
        f"{what} is on {' and '.join(described(topology, name) for name in names)}" for what, names in starts.items()
    ]
    names = [name for found in starts.values() for name in found]
    return ManagementPath(passed(topology, names), "; ".join(texts))


def touched(steps: Iterable[Step], states: States | None = None) -> dict[Key, set[str]]:
    """The interfaces that each step may interrupt, by its key; steps that interrupt nothing are left out. `states`: the
    node's interfaces as they are."""
    result: dict[Key, set[str]] = {}
    for step in steps:
        names = _touched(step) | _drawn(step, states or {})
        if names:
            result.setdefault(step.key, set()).update(names)
    return result


def _touched(step: Step) -> set[str]:
    before, after = step.before or {}, step.after or {}
    harmless = set(step.options) <= _HARMLESS and ("autostart" not in step.options or after.get("autostart"))
    if before and after and harmless:
        return set()
    names = {str(step.key[1])}
    kept = set(members(before)) & set(members(after))
    names |= (set(members(before)) | set(members(after))) - kept
    for state in (before, after):
        # An uplink that comes or goes; an internal port or a VLAN more or less is no danger to the others.
        if state.get("ovs_bridge") and state.get("type") != OVS_INT_PORT:
            names.add(str(state["ovs_bridge"]))
    if step.action == CREATE and after.get("type") in BRIDGES:
        names |= set(members(after))
    return names


def _drawn(step: Step, states: States) -> set[str]:
    """The interfaces whose traffic a new address may draw to itself: what goes to their networks is in its own, too."""
    before, after = step.before or {}, step.after or {}
    networks = [_network(after, option) for option in ("cidr", "cidr6") if before.get(option) != after.get(option)]
    return {
        name
        for name, state in states.items()
        for option in ("cidr", "cidr6")
        for network in networks
        if name != step.key[1] and _overlap(network, _network(state, option))
    }


def _network(state: Mapping[str, Any], option: str) -> Network | None:
    return ipaddress.ip_interface(str(state[option])).network if state.get(option) else None


def _overlap(one: Network | None, other: Network | None) -> bool:
    if isinstance(one, ipaddress.IPv4Network) and isinstance(other, ipaddress.IPv4Network):
        return one.overlaps(other)
    return isinstance(one, ipaddress.IPv6Network) and isinstance(other, ipaddress.IPv6Network) and one.overlaps(other)
