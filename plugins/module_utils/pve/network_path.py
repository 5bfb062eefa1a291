# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The path through which a node is managed, from what the API tells of its interfaces. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

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
# What a change of these alone does not interrupt.
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
    interface of the default gateway counts. `stated`: the one address that counts instead. Raises InvalidInput."""
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
    return _path(topology, starts) if starts else ManagementPath()


def _path(topology: Topology, starts: Mapping[str, Sequence[str]]) -> ManagementPath:
    texts = [
        f"{what} is on {' and '.join(described(topology, name) for name in names)}" for what, names in starts.items()
    ]
    names = [name for found in starts.values() for name in found]
    return ManagementPath(passed(topology, names), "; ".join(texts))


def touched(steps: Iterable[Step]) -> dict[Key, set[str]]:
    """The interfaces that each step may interrupt, by its key; steps that interrupt nothing are left out."""
    result: dict[Key, set[str]] = {}
    for step in steps:
        names = _touched(step)
        if names:
            result.setdefault(step.key, set()).update(names)
    return result


def _touched(step: Step) -> set[str]:
    before, after = step.before or {}, step.after or {}
    if before and after and set(step.options) <= _HARMLESS:
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
