# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What PVE looks at, completes and throws away before it writes /etc/network/interfaces.

Every refusal is a 500: these are the writer's, not the parameters'.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from fakepve.model import PveError

from lab.pve.network_interfaces import NIC, OVS_MEMBERS, Entry, parent_of
from lab.pve.network_ovs_options import DEFAULT_MODE, MODES

ETHERNET = 1500
WRITER = " at /usr/share/perl5/PVE/INotify.pm line "
Entries = dict[str, Entry]
# loopback, cards, what is made of them; alias and VLAN follow their parent.
RANKS = {
    "fabric": 0, "vnet": 0, "loopback": 1, "eth": 2, "OVSPort": 2, "OVSIntPort": 3, "bond": 4, "OVSBond": 4,
    "bridge": 5, "OVSBridge": 5,
}  # fmt: skip
LAST = 6


def _refuse(text: str) -> None:
    raise PveError(500, text)


def complete(entries: Entries) -> None:
    """Check and complete all interfaces, in place."""
    owners: dict[str, str] = {}
    for check in (_bond, _vlan, _bridge):
        _each(entries, check)
    for name, entry in list(entries.items()):
        if entry["type"] == "OVSBridge":
            for port in str(entry.get("ovs_ports") or "").split():
                _port_of_bridge(entries, name, port)
                owners[port] = name
    _forget_members_of_no_bridge(entries, owners)


def _each(entries: Entries, check: Callable[[Entries, str, Entry], None]) -> None:
    for name, entry in list(entries.items()):
        check(entries, name, entry)


def _mtu(entries: Entries, parent: str, child: str) -> None:
    """A parent's MTU, 1500 unless set, carries its child's."""
    upper = int(entries.get(parent, {}).get("mtu") or ETHERNET)
    lower = entries.get(child, {}).get("mtu")
    if lower and int(lower) > upper:
        _refuse(f"interface '{parent}' - mtu {upper} is lower than '{child}' - mtu {lower}")


def _bond(entries: Entries, name: str, entry: Entry) -> None:
    kind = entry["type"]
    if kind not in ("bond", "OVSBond"):
        return
    if kind == "OVSBond" and (entry.get("bond_mode") or DEFAULT_MODE) not in MODES:
        # The recorded text has no closing quote.
        _refuse(f"OVS does not support bond mode '{entry['bond_mode']}")
    allowed = ("eth", "bond") if kind == "bond" else ("eth",)
    title = "bond" if kind == "bond" else "OVS bond"
    members = str(entry.get("slaves" if kind == "bond" else "ovs_bonds") or "").split()
    for member in members:
        found = entries.get(member, {}).get("type", "")
        if found not in allowed:
            _refuse(
                f"{title} '{name}' - wrong interface type on slave '{member}' ('{found}' != '{' or '.join(allowed)}')"
            )
        entries[member]["autostart"] = 1
        _mtu(entries, name, member)
    primary = entry.get("bond-primary")
    if kind == "bond" and primary and primary not in members:
        _refuse(f"bond '{name}' - bond-primary interface is not slave")


def _vlan(entries: Entries, name: str, entry: Entry) -> None:
    if entry["type"] != "vlan":
        return
    if re.search(r"\.\d+$", name):
        parent, _number = parent_of(name, entry)
        entry.pop("vlan-raw-device", None)
        entry.pop("vlan-id", None)
    else:
        parent, number = parent_of(name, entry)
        if not parent:
            _refuse(f"missing vlan-raw-device option{WRITER}1689.")
        if not number:
            _refuse(f"missing vlan-id option{WRITER}1697.")
        if re.match(r"^vlan\d+$", name):
            entry.pop("vlan-id", None)
    if parent not in entries:
        _refuse(f"vlan '{name}' - unable to find parent '{parent}'")
    _mtu(entries, parent, name)


def _bridge(entries: Entries, name: str, entry: Entry) -> None:
    if entry["type"] != "bridge":
        return
    for port in str(entry.get("bridge_ports") or "").split():
        # The VLAN of a card need not be configured to be a port.
        card = re.sub(r"\.\d+$", "", port)
        if card not in entries:
            _refuse(f"bridge '{name}' - unable to find bridge port '{port}'")
        there = entries.get(port, entries[card] if port == card else {})
        if there.get("method") == "static" or there.get("method6") == "static":
            _refuse(f"interface {port} - ip address can't be set on interface if bridged in {name}")
        _mtu(entries, card, name)


def _port_of_bridge(entries: Entries, bridge: str, port: str) -> None:
    if port not in entries:
        _refuse(f"OVS bridge '{bridge}' - unable to find port '{port}'")
    entry = entries[port]
    if entry["type"] == "eth":
        entry["type"] = "OVSPort"
    if entry["type"] not in OVS_MEMBERS:
        _refuse(f"interface '{port}' is not defined as OVS port/bond")
    entry["autostart"] = 1
    entry["ovs_bridge"] = bridge
    _mtu(entries, bridge, port)


def _forget_members_of_no_bridge(entries: Entries, owners: dict[str, str]) -> None:
    """The configuration of what no bridge lists is destroyed, silently."""
    for name, entry in entries.items():
        if entry["type"] in OVS_MEMBERS and name not in owners:
            kept: dict[str, Any] = {key: entry[key] for key in ("priority", "exists") if key in entry}
            entries[name] = {**kept, "type": "eth" if NIC.match(name) else "unknown", "families": ["inet"]}


def in_order(entries: Entries) -> Entries:
    """What is in the file keeps its place; what is new comes after the last one of its rank."""
    there = sorted((n for n in entries if "priority" in entries[n]), key=lambda n: int(entries[n]["priority"]))
    for name in [n for n in entries if "priority" not in entries[n]]:
        rank = _rank(entries, name)
        place = max((i + 1 for i, other in enumerate(there) if _rank(entries, other) <= rank), default=0)
        there.insert(place, name)
    return {name: entries[name] for name in there}


def _rank(entries: Entries, name: str) -> float:
    parent = re.sub(r"[.:]\d+$", "", name)
    if parent != name:
        return RANKS.get(entries[parent]["type"], LAST) + 0.5 if parent in entries else LAST
    return RANKS.get(entries[name]["type"], LAST)
