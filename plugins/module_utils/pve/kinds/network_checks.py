# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What is wrong with an interface by itself, and with a node's interfaces together."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_types import (
    ALIAS,
    BOND,
    BRIDGE,
    CARDS,
    ETH,
    HASHED,
    OVS_BOND,
    OVS_BRIDGE,
    OVS_PORT,
    OVS_PORTS,
    TYPES,
    VLAN,
    WITH_PRIMARY,
    carried,
    effective,
    members,
    parents,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_values import ELSEWHERE

State = Mapping[str, Any]

# The kernel keeps 15 characters of a name.
LONGEST_NAME = 15
STANDARD_MTU = 1500
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{1,19}([:.]\d+)?")
_DOTTED = re.compile(r"(?P<device>[^.:]+)\.(?P<number>\d+)")
_BOND = re.compile(r"bond\d+")
# Names from which PVE concludes the type, the types it then can be, and the words for it.
_RESERVED = (
    (_BOND, (BOND, OVS_BOND), "a bond"),
    (re.compile(r"vmbr\d+"), (BRIDGE, OVS_BRIDGE), "a bridge"),
    (re.compile(r"eth\d+|en[^:.]+|ib[^:.]+|nic\d+"), CARDS, "a network card"),
)
_NUMBERED = re.compile(r"vlan(?P<number>\d+)")


def check_name(name: str) -> None:
    """Raises InvalidInput for a name that no interface can have."""
    if not name.isascii() or not _NAME.fullmatch(name):
        raise InvalidInput(
            f"iface: {name!r} is no name of an interface.",
            hint="Use letters, digits and _, beginning with a letter; .N for a VLAN on it, :N for an alias.",
        )
    if len(name) > LONGEST_NAME:
        raise InvalidInput(f"iface: {name!r} has {len(name)} characters.", hint=f"Linux takes {LONGEST_NAME} at most.")


def from_name(name: str) -> dict[str, Any]:
    """The options of a VLAN that its name says: bond1.100 is VLAN 100 on bond1, vlan100 is VLAN 100."""
    dotted, numbered = _DOTTED.fullmatch(name), _NUMBERED.fullmatch(name)
    if dotted:
        return {"vlan_raw_device": dotted["device"], "vlan_id": int(dotted["number"])}
    return {"vlan_id": int(numbered["number"])} if numbered else {}


def check_options(kind: str, options: Mapping[str, Any]) -> None:
    """Raises InvalidInput for an option that an interface of this type cannot have."""
    allowed = TYPES[kind].options
    for option in options:
        if option != "type" and option not in allowed:
            others = ", ".join(name for name, other in TYPES.items() if option in other.options)
            raise InvalidInput(
                f"{option} is no option of an interface of type {kind}.", hint=f"It is one of {others}. Leave it out."
            )


def check_state(name: str, state: State, stated: Mapping[str, Any]) -> None:
    """Raises InvalidInput for what cannot be, or PVE would silently leave out. `stated`: the options the user wrote."""
    kind = str(state.get("type"))
    _check_type_and_name(kind, name)
    if kind in OVS_PORTS and state.get("autostart") is False:
        raise InvalidInput(
            "autostart: ports of an Open vSwitch bridge are always started with it.", hint="Leave it out."
        )
    for gateway, cidr in (("gateway", "cidr"), ("gateway6", "cidr6")):
        if state.get(gateway) and not state.get(cidr):
            raise InvalidInput(f"{gateway}: an interface without {cidr} reaches no gateway.", hint=f"Give {cidr} too.")
    if stated.get("cidr") is not None:
        _check_host_address(str(stated["cidr"]))
    if name in parents(state):
        raise InvalidInput(f"{name} cannot be a part of itself.", hint="Take it out of the list.")
    if stated.get("bridge_vids") is not None and not state.get("bridge_vlan_aware"):
        raise InvalidInput("bridge_vids: the bridge does not know VLANs.", hint="Set bridge_vlan_aware too.")
    for option, value in from_name(name).items() if kind == VLAN else ():
        if state.get(option) not in (None, value):
            raise InvalidInput(
                f"{option}: the name {name} already says {value}.", hint=f"Leave it out, or write {value}."
            )
    _check_bond(kind, state, stated)
    _check_ovs_options(state, stated)


def _check_host_address(cidr: str) -> None:
    interface = ipaddress.IPv4Interface(cidr)
    network = interface.network
    if network.prefixlen < 31 and interface.ip in (network.network_address, network.broadcast_address):
        raise InvalidInput(f"cidr: {interface.ip} is no address of a host in {network}.", hint="Correct it.")


def _check_bond(kind: str, state: State, stated: Mapping[str, Any]) -> None:
    modes, mode = TYPES[kind].modes, effective(state, "bond_mode")
    if modes and mode not in modes:
        raise InvalidInput(
            f"bond_mode: an interface of type {kind} has no mode {mode}.", hint=f"It has {', '.join(modes)}."
        )
    for option, fitting in (("bond_xmit_hash_policy", HASHED), ("bond_primary", WITH_PRIMARY)):
        if stated.get(option) is not None and mode not in fitting:
            text = f"{option} means nothing in bond_mode {mode}."
            raise InvalidInput(text, hint=f"It goes with {', '.join(fitting)}.")
    if state.get("bond_primary") and state["bond_primary"] not in (state.get("slaves") or ()):
        raise InvalidInput(f"bond_primary: {state['bond_primary']} is none of slaves.", hint="Name one of them.")
    if kind == OVS_BOND and str(mode).startswith("lacp-") and not state.get("ovs_bonds"):
        raise InvalidInput(f"ovs_bonds: a bond in mode {mode} without members never comes up.", hint="List them.")


def _check_ovs_options(state: State, stated: Mapping[str, Any]) -> None:
    for word in stated.get("ovs_options") or {}:
        if word in ELSEWHERE:
            raise InvalidInput(
                f"ovs_options: Proxmox VE keeps {word} as {ELSEWHERE[word]}.", hint=f"Set it with {ELSEWHERE[word]}."
            )
    found = state.get("ovs_options") or {}
    if "" in found and len(found) > 1:
        raise InvalidInput(
            f"ovs_options: what is there now ({found['']}) is not made of key=value words and cannot be merged with.",
            hint="Change it on the node first.",
        )


def _check_type_and_name(kind: str, name: str) -> None:
    """PVE reads the type of some interfaces from their names."""
    for pattern, kinds, what in _RESERVED:
        if pattern.fullmatch(name) and kind not in kinds:
            raise InvalidInput(
                f"iface: Proxmox VE takes {name!r} for {what}, not for an interface of type {kind}.",
                hint="Choose another name.",
            )
    if kind == BOND and not _BOND.fullmatch(name):
        raise InvalidInput(f"iface: {name!r} is no name of a bond.", hint="Proxmox VE knows bonds as bond0, bond1 ...")
    if (kind == ALIAS) != (":" in name):
        raise InvalidInput(
            f"iface: {name!r} is no name of a {kind}.", hint="An alias is called vmbr0:1, and nothing else is."
        )
    if "." in name and kind != VLAN:
        raise InvalidInput(f"iface: {name!r} is no name of a {kind}.", hint="Only a VLAN is called bond1.100.")
    if "." in name and not 1 <= int(name.partition(".")[2]) <= 4094:
        raise InvalidInput(f"iface: {name!r} names no VLAN.", hint="VLANs are 1 to 4094.")


def tidied(state: Mapping[str, Any]) -> dict[str, Any]:
    """A state without what PVE leaves out of the file, because it means nothing beside the rest."""
    mode = effective(state, "bond_mode")
    moot = {"bridge_vids"} if not state.get("bridge_vlan_aware") else set()
    moot |= {"bond_xmit_hash_policy"} if mode not in HASHED else set()
    moot |= {"bond_primary"} if mode not in WITH_PRIMARY else set()
    return {option: value for option, value in state.items() if option not in moot}


# --- all interfaces of a node together


def problems(before: Mapping[str, State], after: Mapping[str, State], touched: set[str]) -> list[str]:
    """What PVE would refuse, or take and not do, in the interfaces as they would be. Only what the change itself brings
    in: a node that was odd before stays manageable."""
    old = set(_problems(before, set(before)))
    return [problem for problem in _problems(after, touched) if problem not in old]


def _problems(states: Mapping[str, State], touched: set[str]) -> Iterator[str]:
    for name in sorted(states):
        yield from _references(name, states)
    yield from _used_twice(states)
    for family, option in (("IPv4", "gateway"), ("IPv6", "gateway6")):
        having = sorted(name for name, state in states.items() if state.get(option))
        if len(having) > 1:
            yield f"{option}: a node has one default gateway for {family}; there would be one on {' and '.join(having)}"
    yield from _held_twice(states)
    for name in sorted(states):
        yield from _mtu(name, states)
    for name in sorted(touched & set(states)):
        if states[name].get("type") == ETH and states[name].get("autostart") is False:
            user = _user_of(name, states)
            if user:
                yield f"{name}: autostart: Proxmox VE starts a member with its bond, and it is one of {user}"


def _user_of(name: str, states: Mapping[str, State]) -> str:
    bonds = (other for other, state in states.items() if state.get("type") != BRIDGE and name in members(state))
    return next(bonds, "")


def _references(name: str, states: Mapping[str, State]) -> Iterator[str]:
    state = states[name]
    kind = str(state.get("type"))
    option = TYPES[kind].members if kind in TYPES else ""
    for member in members(state):
        # The VLAN of a card need not be configured to be a port.
        found = states.get(member, states.get(member.partition(".")[0]) if kind == BRIDGE else None)
        if found is None:
            yield Missing(f"{name}: {option}: there is no interface {member} on the node")
        elif kind == OVS_BOND and found.get("type") != ETH:
            yield f"{name}: {option}: {member} is of type {found.get('type')}, and an OVSBond is made of network cards"
        elif kind == BOND and found.get("type") not in (ETH, BOND):
            yield f"{name}: {option}: {member} is of type {found.get('type')}, and a bond is made of network cards"
        elif kind == BRIDGE and (found.get("cidr") or found.get("cidr6")):
            yield f"{name}: {option}: {member} has an address, which a port of a bridge cannot have"
        elif kind == BRIDGE and found.get("type") in (BRIDGE, OVS_BRIDGE, OVS_PORT, OVS_BOND, ALIAS):
            yield f"{name}: {option}: {member} is of type {found.get('type')} and cannot be a port of a Linux bridge"
    device = state.get("vlan_raw_device") if kind == VLAN else None
    if device and device not in states:
        yield Missing(f"{name}: vlan_raw_device: there is no interface {device} on the node")
    bridge = state.get("ovs_bridge") if kind in OVS_PORTS else None
    if bridge and bridge not in states:
        yield Missing(f"{name}: ovs_bridge: there is no bridge {bridge} on the node")
    elif bridge and states[bridge].get("type") != OVS_BRIDGE:
        yield f"{name}: ovs_bridge: {bridge} is of type {states[bridge].get('type')}, not OVSBridge"
    if kind == ALIAS and name.partition(":")[0] not in states:
        yield Missing(f"{name}: there is no interface {name.partition(':')[0]} on the node for the alias")


def _used_twice(states: Mapping[str, State]) -> Iterator[str]:
    used: dict[str, str] = {}
    for name in sorted(states):
        state = states[name]
        kind = TYPES.get(str(state.get("type")))
        for member in members(state):
            option = kind.members if kind else ""
            if member in used:
                yield f"{name}: {option}: {member} is already a part of {used[member]}"
            elif states.get(member, {}).get("type") in OVS_PORTS and state.get("type") != BRIDGE:
                yield f"{name}: {option}: {member} is already a port of {states[member].get('ovs_bridge')}"
            used.setdefault(member, name)


def _held_twice(states: Mapping[str, State]) -> Iterator[str]:
    """One address on two interfaces: which of them answers is a matter of luck."""
    held: dict[str, str] = {}
    for name in sorted(states):
        for option in ("cidr", "cidr6"):
            address = str(states[name].get(option) or "").partition("/")[0]
            if address and not ipaddress.ip_address(address).is_link_local:
                if address in held:
                    yield f"{name}: {option}: {held[address]} has the address {address} already"
                held.setdefault(address, name)


def _mtu(name: str, states: Mapping[str, State]) -> Iterator[str]:
    """What carries frames has to take as large ones as what it carries; 1500 unless set."""
    for lower, upper in carried(name, states[name]):
        own = states.get(upper, {}).get("mtu")
        if own is not None and lower in states:
            carries = int(states[lower].get("mtu") or STANDARD_MTU)
            if carries < own:
                yield f"{upper}: mtu: {own} is more than the {carries} of {lower}, which has to be as large"
