# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a node's interface can have, by its type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ADDRESSES = ("cidr", "cidr6", "gateway", "gateway6")
_BASE = frozenset({"autostart", "mtu", "comments", *ADDRESSES})
_PORT = frozenset({"autostart", "mtu", "comments", "ovs_bridge", "ovs_tag", "ovs_options"})

BRIDGE, BOND, VLAN, ETH, ALIAS = "bridge", "bond", "vlan", "eth", "alias"
OVS_BRIDGE, OVS_BOND, OVS_PORT, OVS_INT_PORT = "OVSBridge", "OVSBond", "OVSPort", "OVSIntPort"
BRIDGES = (BRIDGE, OVS_BRIDGE)
BONDS = (BOND, OVS_BOND)
OVS_PORTS = (OVS_BOND, OVS_PORT, OVS_INT_PORT)
# What is a network card, whatever it is configured for.
CARDS = (ETH, OVS_PORT)


@dataclass(frozen=True)
class InterfaceType:
    """options: what it can have beside its type.  required: what it cannot be created without.  defaults: what PVE does
    where an option is not set.  modes: what bond_mode can be.  members: the option that lists what it is made of."""

    options: frozenset[str]
    required: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    modes: tuple[str, ...] = ()
    members: str = ""


TYPES: Mapping[str, InterfaceType] = {
    BRIDGE: InterfaceType(_BASE | {"bridge_ports", "bridge_vlan_aware", "bridge_vids"}, members="bridge_ports"),
    BOND: InterfaceType(
        _BASE | {"slaves", "bond_mode", "bond_xmit_hash_policy", "bond_primary"},
        defaults={"bond_mode": "balance-rr"},
        modes=(
            "balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb",
        ),
        members="slaves",
    ),
    VLAN: InterfaceType(_BASE | {"vlan_id", "vlan_raw_device"}, required=("vlan_raw_device", "vlan_id")),
    ETH: InterfaceType(_BASE),
    ALIAS: InterfaceType(frozenset({"autostart", "comments", "cidr"}), required=("cidr",)),
    OVS_BRIDGE: InterfaceType(_BASE | {"ovs_options"}),
    OVS_BOND: InterfaceType(
        _PORT | {"ovs_bonds", "bond_mode"},
        required=("ovs_bridge",),
        defaults={"bond_mode": "active-backup", "autostart": True},
        modes=("active-backup", "balance-slb", "lacp-balance-slb", "lacp-balance-tcp"),
        members="ovs_bonds",
    ),
    OVS_PORT: InterfaceType(_PORT, required=("ovs_bridge",), defaults={"autostart": True}),
    OVS_INT_PORT: InterfaceType(
        _PORT | frozenset(ADDRESSES), required=("ovs_bridge",), defaults={"autostart": True}
    ),
}  # fmt: skip

BOND_MODES = tuple(dict.fromkeys(mode for kind in TYPES.values() for mode in kind.modes))
# bond modes in which an option of the bond means something; in the others PVE leaves it out of the file
HASHED = ("balance-xor", "802.3ad")
WITH_PRIMARY = ("active-backup",)


def type_of(state: Mapping[str, Any]) -> InterfaceType | None:
    """None for a type that PVE knows and this collection does not describe."""
    return TYPES.get(str(state.get("type")))


def members(state: Mapping[str, Any]) -> tuple[str, ...]:
    """What an interface is made of: the ports of a Linux bridge, the members of a bond."""
    kind = type_of(state)
    return tuple(state.get(kind.members) or ()) if kind and kind.members else ()


def effective(state: Mapping[str, Any], option: str) -> Any:
    """An option's value, or what PVE does without it."""
    kind = type_of(state)
    value = state.get(option)
    return kind.defaults.get(option) if value is None and kind else value


def parents(state: Mapping[str, Any]) -> tuple[str, ...]:
    """Everything an interface stands on and names: members, the raw device of a VLAN, the bridge of an OVS port."""
    named = [*members(state), state.get("vlan_raw_device"), state.get("ovs_bridge")]
    return tuple(str(name) for name in named if name)


def carried(name: str, state: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(what carries, what is carried): PVE wants the first one's MTU to be as large as the second one's."""
    kind = state.get("type")
    if kind in BONDS:
        return [*((name, member) for member in members(state)), *_on_bridge(name, state)]
    if kind == BRIDGE:
        return [(port.partition(".")[0], name) for port in members(state)]
    if kind == VLAN:
        return [(str(state.get("vlan_raw_device")), name)]
    return _on_bridge(name, state)


def _on_bridge(name: str, state: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(str(state["ovs_bridge"]), name)] if state.get("type") in OVS_PORTS and state.get("ovs_bridge") else []
