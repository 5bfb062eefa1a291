# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How the recorded rows of a node's network read, and why some of them are no rows of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Thing
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network import NETWORK
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_types import TYPES
from tests.unit.pve.recorded import Row
from tests.unit.pve.recorded_tables import AFTER, Table

RECORDED = "nodes/network"
_NODE = "pve1"
_NO_OPTION = "address and netmask are one option, cidr; the IPv6 part's comment is nowhere in the file"
_NOT_OF_TYPE = "means nothing for an interface of this type, which PVE keeps all the same; we refuse it beforehand"
_NOT_OFFERED = "belongs to Proxmox VE's software-defined network, or to nothing"
_MEMBERS = "an interface says which bridge it is a port of; a bridge never names its ports, see facts"
_ALWAYS = "a port of an Open vSwitch bridge is always started, and we refuse to say otherwise"
_BY_NAME = "the name says it, and PVE leaves it as it is; we refuse another value"
_FIXED = "PVE writes it and the kernel keeps the old one; we refuse it beforehand"
_UNSET = "PVE takes `off` and leaves it on; going back deletes it"


def _exceptions() -> dict[tuple[str, str, str, str, str], str]:
    wires = {row.wire_name: row.name for row in NETWORK.option_rows}
    found: dict[tuple[str, str, str, str, str], str] = {}
    for recorded in ("bridge", "bond", "vlan", "vlan (named)", "alias", "OVSBridge", "OVSBond", "OVSIntPort"):
        kind = TYPES[recorded.partition(" ")[0]]
        for wire in ("address", "address6", "netmask", "netmask6", "comments6"):
            found[RECORDED, recorded, wire, "*", "*"] = _NO_OPTION
        found[RECORDED, recorded, "ovs_ports", "*", "*"] = _MEMBERS
        for wire, option in wires.items():
            # What PVE refused, as a second default gateway, is no row to explain.
            refused = option == "gateway" or (recorded, option) == ("OVSBond", "bond_xmit_hash_policy")
            if option not in ("type", *kind.options) and not refused:
                found[RECORDED, recorded, wire, "*", "*"] = _NOT_OF_TYPE
    for recorded in ("vnet", "fabric", "unknown"):
        found[RECORDED, recorded, "*", "*", "*"] = _NOT_OFFERED
    return found


EXCEPTIONS = {
    **_exceptions(),
    (RECORDED, "OVSBond", "autostart", "0", "*"): _ALWAYS,
    (RECORDED, "OVSIntPort", "autostart", "0", "*"): _ALWAYS,
    (RECORDED, "vlan", "vlan-id", "50", "*"): _BY_NAME,
    (RECORDED, "vlan (named)", "vlan-id", "50", "change"): _FIXED,
    (RECORDED, "vlan", "vlan-raw-device", "*", "change"): _FIXED,
    (RECORDED, "vlan (named)", "vlan-raw-device", "*", "change"): _FIXED,
    (RECORDED, "bridge", "bridge_vlan_aware", "0", "*"): _UNSET,
}


class Interfaces(Table):
    """The rows tell what changed besides, not to what: with an address goes the method."""

    def __init__(self) -> None:
        super().__init__("network")

    def options(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        return {"node": _NODE, **super().options(sent)}

    def raw(self, row: Row, stage: str) -> Mapping[str, Any]:
        raw: dict[str, Any] = {**super().raw(row, stage), "node": _NODE, "iface": row.creating.get("iface")}
        if stage == AFTER:
            changed = [str(name) for name in row.raw.get("other_changed_keys") or ()]
            raw.update({name: "static" for name in ("method", "method6") if name in changed})
        return raw

    def thing(self, row: Row, stage: str) -> Thing:
        thing: Thing = self.kind.decode(self.raw(row, stage))
        return thing
