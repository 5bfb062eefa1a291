# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""One description of a node's network (bridges, bonds, VLAN interfaces), and what it is for each way of making it.

Pure.

Bridges, bonds and VLAN interfaces are mappings with the options of ovs_bridge, ovs_bond and ovs_port; VLAN interfaces
also have `address` (with its prefix length), `address6`, `gateway`, `gateway6`, and all may have a `comment`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput

Described = Mapping[str, Any]

_BOND_MODES = {
    ("active-backup", False): "active-backup",
    ("balance-slb", False): "balance-slb",
    ("balance-slb", True): "lacp-balance-slb",
    ("balance-tcp", True): "lacp-balance-tcp",
}
# What Proxmox VE has no option of its own for goes into ovs_options, in ovs-vsctl's own words.
_OTHER_CONFIG = {
    "lacp_time": "lacp-time",
    "lacp_fallback_ab": "lacp-fallback-ab",
    "lacp_system_id": "lacp-system-id",
    "lacp_system_priority": "lacp-system-priority",
    "rebalance_interval": "bond-rebalance-interval",
    "detect_mode": "bond-detect-mode",
    "miimon_interval": "bond-miimon-interval",
}
_COLUMNS = ("bond_updelay", "bond_downdelay", "vlan_mode")
_NOT_OVS = {"comment", "address", "address6", "gateway", "gateway6"}
_BRIDGE = {"name", "mtu", "comment", "address", "address6", "gateway", "gateway6"}
_BOND = {"name", "bridge", "members", "mode", "lacp", "tag", "trunks", "mtu", "comment", *_OTHER_CONFIG, *_COLUMNS}
_VLAN = {"name", "bridge", "tag", "mtu", "comment", "address", "address6", "gateway", "gateway6"}


def pve_items(
    node: str, bridges: Iterable[Described] = (), bonds: Iterable[Described] = (), vlans: Iterable[Described] = ()
) -> list[dict[str, Any]]:
    """The items of pve_network that make the description true at a node. Raises InvalidInput for what Proxmox VE's
    network files cannot say."""
    return [
        *(_pve(node, "OVSBridge", bridge, _BRIDGE, _bridge_options(bridge)) for bridge in bridges),
        *(_pve(node, "OVSBond", bond, _BOND, _bond_options(bond)) for bond in bonds),
        *(_pve(node, "OVSIntPort", vlan, _VLAN, {}) for vlan in vlans),
    ]


def ovs_items(described: Iterable[Described], kind: str = "") -> list[dict[str, Any]]:
    """The items of ovs_bridge, ovs_bond or, with the kind `internal`, ovs_port. Addresses are not Open vSwitch's."""
    return [_ovs(one, kind) for one in described]


def _ovs(described: Described, kind: str) -> dict[str, Any]:
    _name(described)
    item = {name: value for name, value in described.items() if name not in _NOT_OVS and value is not None}
    if "mtu" in item and "members" not in item:
        # A bond's MTU is its members'; a bridge and a port have one of their own.
        item["mtu_request"] = item.pop("mtu")
    if described.get("comment"):
        item["external_ids"] = {**(item.get("external_ids") or {}), "comment": described["comment"]}
    return {**item, "type": kind} if kind else item


def _pve(
    node: str, kind: str, described: Described, known: Collection[str], special: Mapping[str, Any]
) -> dict[str, Any]:
    name = _name(described)
    unknown = sorted(option for option, value in described.items() if value is not None and option not in known)
    if unknown:
        raise InvalidInput(
            f"{name}: Proxmox VE's network files have nothing for {', '.join(unknown)}.", hint="Leave it out."
        )
    options = {
        "node": node,
        "iface": name,
        "type": kind,
        "autostart": True,
        "mtu": described.get("mtu"),
        "comments": described.get("comment"),
        "cidr": described.get("address"),
        "cidr6": described.get("address6"),
        "gateway": described.get("gateway"),
        "gateway6": described.get("gateway6"),
        "ovs_bridge": described.get("bridge"),
        "ovs_tag": described.get("tag"),
        **special,
    }
    return {option: value for option, value in options.items() if value is not None}


def _bridge_options(bridge: Described) -> dict[str, Any]:
    """A bridge has the addresses it is described with and no others: the one that the installer made has the node's
    address, which goes to an interface in a VLAN."""
    options = {"address": "cidr", "address6": "cidr6", "gateway": "gateway", "gateway6": "gateway6"}
    gone = [option for name, option in options.items() if not _given(bridge, name)]
    return {"reset": gone} if gone else {}


def _bond_options(bond: Described) -> dict[str, Any]:
    lacp, mode = bond.get("lacp") or "off", bond.get("mode") or "active-backup"
    known = _BOND_MODES.get((mode, lacp == "active"))
    if known is None or lacp == "passive":
        raise InvalidInput(
            f"{_name(bond)}: Proxmox VE has no bond with mode {mode} and lacp {lacp}.",
            hint="Use balance-tcp or balance-slb with lacp: active, or active-backup or balance-slb without LACP.",
        )
    words = {f"other_config:{wire}": _word(bond[name]) for name, wire in _OTHER_CONFIG.items() if _given(bond, name)}
    words.update({name: _word(bond[name]) for name in _COLUMNS if _given(bond, name)})
    if bond.get("trunks"):
        words["trunks"] = ",".join(map(str, sorted(map(int, bond["trunks"]))))
    return {"ovs_bonds": list(bond.get("members") or ()), "bond_mode": known, "ovs_options": words or None}


def _given(described: Described, name: str) -> bool:
    return described.get(name) is not None


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _name(described: Described) -> str:
    name = described.get("name")
    if not name:
        raise InvalidInput("A bridge, bond or VLAN interface has no name.", hint="Give each one its name.")
    return str(name)


def touched(keys: Iterable[str], bonds: Iterable[Described] = (), vlans: Iterable[Described] = ()) -> list[str]:
    """Every bridge, bond, VLAN interface and member that a plan touches: those it names (`bond1`, or `pve1/bond1` as
    pve_network says it) and what hangs on them."""
    names = {key.rpartition("/")[2] for key in keys}
    bonds, vlans = list(bonds), list(vlans)
    for bond in bonds:
        if names & {str(bond.get("name")), *map(str, bond.get("members") or ())}:
            names |= {str(bond.get("name")), str(bond.get("bridge")), *map(str, bond.get("members") or ())}
    for port in (*bonds, *vlans):
        if str(port.get("bridge")) in names:
            names.add(str(port.get("name")))
    return sorted(names)


def paths_beside(paths: Sequence[Described], names: Collection[str]) -> dict[str, list[Described]]:
    """Storage paths by whether they lead through something that is touched: `through` and `beside`."""
    through = [path for path in paths if path.get("through") in names]
    return {"through": through, "beside": [path for path in paths if path.get("through") not in names]}
