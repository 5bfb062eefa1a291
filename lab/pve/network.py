# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Node networks, read-only for now: four ports, the LAN bridge vmbr0 and the storage bridge vmbr1."""

from __future__ import annotations

from typing import Any

from fakepve.model import PveError

from lab.pve.indexes import Indexes

PORTS = ("eno1", "eno2", "eno3", "eno4")
BRIDGES = ("bridge", "OVSBridge")


class Network(Indexes):
    """/nodes/{node}/network."""

    def endpoints_network(self) -> list[tuple[str, str, Any]]:
        return [
            ("GET", "/nodes/{node}/network", self._interface_list),
            ("GET", "/nodes/{node}/network/{iface}", self._interface),
        ]

    def _interfaces_of(self, node: str) -> list[dict[str, Any]]:
        number = list(self.nodes).index(node) + 1
        common = {"families": ["inet"], "method6": "manual", "active": 1}
        out: list[dict[str, Any]] = [
            {**common, "iface": port, "type": "eth", "method": "manual", "exists": 1, "priority": 3 + place}
            for place, port in enumerate(PORTS)
        ]
        for place, (bridge, ports, net) in enumerate((("vmbr0", "eno1", "10.99.0"), ("vmbr1", "eno3", "10.98.0"))):
            entry = {
                **common,
                "iface": bridge,
                "type": "bridge",
                "method": "static",
                "autostart": 1,
                "address": f"{net}.{10 + number}",
                "netmask": "24",
                "cidr": f"{net}.{10 + number}/24",
                "bridge_ports": ports,
                "bridge_stp": "off",
                "bridge_fd": "0",
                "priority": 7 + place,
            }
            if bridge == "vmbr0":
                entry["gateway"] = f"{net}.1"
            out.append(entry)
        return out

    async def _interface_list(self, v: dict[str, Any], user: str) -> Any:
        kind = v.get("type")
        chosen = [
            entry
            for entry in self._interfaces_of(v["node"])
            if kind in (None, entry["type"])
            or (kind in ("any_bridge", "any_local_bridge") and entry["type"] in BRIDGES)
        ]
        return self.shuffled(chosen)

    async def _interface(self, v: dict[str, Any], user: str) -> Any:
        for entry in self._interfaces_of(v["node"]):
            if entry["iface"] == v["iface"]:
                return {k: x for k, x in entry.items() if k != "iface"}
        raise PveError(400, "Parameter verification failed.", {"iface": "interface does not exist"})
