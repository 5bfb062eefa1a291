# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""/nodes/{node}/network: reading, staging, applying and reverting a node's network configuration."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from typing import Any

from fakepve.routing import split_list

from lab.pve.dispatch import Extra
from lab.pve.indexes import Indexes
from lab.pve.network_interfaces import Entry
from lab.pve.network_node import NodeNetwork, first_file
from lab.pve.tasks import refused

BRIDGES = ("bridge", "OVSBridge")
ANY_BRIDGE = ("any_bridge", "any_local_bridge")
PORTS = ("bridge_ports", "ovs_ports", "ovs_bonds", "slaves")
# What the schema takes as a number, the file keeps as a text.
FLAGS = ("autostart", "bridge_vlan_aware")
BRIDGED_ACCESS = ("SDN.Audit", "SDN.Use")


class Network(Indexes):
    """One NodeNetwork a node."""

    networks: dict[str, NodeNetwork]

    def endpoints_network(self) -> list[tuple[str, str, Any]]:
        all_of_them, one = "/nodes/{node}/network", "/nodes/{node}/network/{iface}"
        return [
            ("GET", all_of_them, self._interface_list),
            ("POST", all_of_them, self._interface_create),
            ("PUT", all_of_them, self._network_apply),
            ("DELETE", all_of_them, self._network_revert),
            ("GET", one, self._interface),
            ("PUT", one, self._interface_update),
            ("DELETE", one, self._interface_delete),
        ]

    def network_of(self, node: str) -> NodeNetwork:
        """The node's network, made when it is first looked at; 'localhost' is the node that is asked."""
        if node == "localhost":
            node = next(iter(self.nodes))
        if node not in self.networks:
            spec, number = self.spec(node), list(self.nodes).index(node) + 1
            text = spec.interfaces or first_file(spec.nics, f"10.99.0.{10 + number}/24", "10.99.0.1")
            self.networks[node] = NodeNetwork(text, spec.nics if spec.physical else ())
        return self.networks[node]

    # --------------------------------------------------------------- reading

    def _may_see_bridge(self, user: str, name: str) -> bool:
        path = "/sdn/zones/localnetwork/" + name
        return any(self.allowed(user, path, privilege) for privilege in BRIDGED_ACCESS)

    async def _interface_list(self, v: dict[str, Any], user: str) -> Any:
        network, wanted = self.network_of(v["node"]), v.get("type")
        chosen = []
        for name, entry in network.read().entries.items():
            kind = entry["type"]
            if kind == "loopback" or (kind in BRIDGES and not self._may_see_bridge(user, name)):
                continue
            if wanted in (None, "include_sdn", kind) or (wanted in ANY_BRIDGE and kind in BRIDGES):
                chosen.append({**entry, "iface": name})
        page = Extra(data=self.shuffled(chosen))
        changes = network.changes()
        if changes:
            page["changes"] = changes
        return page

    async def _interface(self, v: dict[str, Any], user: str) -> Any:
        entries = self.network_of(v["node"]).read().entries
        return _known(entries, v["iface"])

    # --------------------------------------------------------------- staging

    def _to_change(self, node: str) -> NodeNetwork:
        network = self.network_of(node)
        network.interrupted("change")
        return network

    async def _interface_create(self, v: dict[str, Any], user: str) -> Any:
        values = {key: value for key, value in v.items() if key not in ("node", "iface")}
        self._to_change(v["node"]).change(lambda entries: create(entries, v["iface"], values))

    async def _interface_update(self, v: dict[str, Any], user: str) -> Any:
        values = {key: value for key, value in v.items() if key not in ("node", "iface")}
        self._to_change(v["node"]).change(lambda entries: update(entries, v["iface"], values))

    async def _interface_delete(self, v: dict[str, Any], user: str) -> Any:
        self._to_change(v["node"]).change(lambda entries: delete(entries, v["iface"]))

    async def _network_revert(self, v: dict[str, Any], user: str) -> Any:
        self.network_of(v["node"]).revert()

    async def _network_apply(self, v: dict[str, Any], user: str) -> Any:
        network = self.network_of(v["node"])
        network.interrupted("apply")
        # The file is put in place first: a reload that fails leaves it there.
        network.install()

        async def reload() -> str:
            return "\n".join(network.reload())

        return await self.task(v["node"], "srvreload", "networking", user, reload)


def _known(entries: dict[str, Entry], name: str) -> Entry:
    if name not in entries:
        raise refused(iface="interface does not exist")
    return entries[name]


def create(entries: dict[str, Entry], name: str, values: dict[str, Any]) -> None:
    """POST: a bond or internal port is added to its Open vSwitch bridge's ports."""
    if name in entries:
        raise refused(iface="interface already exists")
    given = _completed(entries, name, values)
    if given["type"] in ("OVSBond", "OVSIntPort"):
        bridge = given.get("ovs_bridge")
        if not bridge:
            raise refused(ovs_bridge="parameter is required")
        if bridge not in entries:
            raise refused(ovs_bridge=f"bridge '{bridge}' does not exist")
        if entries[bridge]["type"] != "OVSBridge":
            raise refused(ovs_bridge=f"interface '{bridge}' is no bridge")
        ports = str(entries[bridge].get("ovs_ports") or "").split()
        if name not in ports:
            entries[bridge]["ovs_ports"] = " ".join([*ports, name])
    entries[name] = given


def update(entries: dict[str, Entry], name: str, values: dict[str, Any]) -> None:
    """PUT: merged into what is there, but the addresses are only those of this call."""
    entry = _known(entries, name)
    for key in split_list(values.get("delete")):
        entry.pop(key, None)
        if key in ("cidr", "cidr6"):
            suffix = key.removeprefix("cidr")
            entry.pop("address" + suffix, None)
            entry.pop("netmask" + suffix, None)
    entry.update(_completed(entries, name, {key: value for key, value in values.items() if key != "delete"}))


def delete(entries: dict[str, Entry], name: str) -> None:
    """DELETE: a bond or internal port leaves its bridge's ports; a bridge's members are left to their fate."""
    entry = _known(entries, name)
    bridge = entries.get(str(entry.get("ovs_bridge")), {})
    if entry["type"] in ("OVSBond", "OVSIntPort") and bridge.get("ovs_ports"):
        bridge["ovs_ports"] = " ".join(port for port in str(bridge["ovs_ports"]).split() if port != name)
    del entries[name]


def _completed(entries: dict[str, Entry], name: str, values: dict[str, Any]) -> Entry:
    """The call's values with addresses in all their forms, methods and families, once they have been looked at."""
    given = {key: value if key in FLAGS else str(value) for key, value in values.items() if value is not None}
    families = []
    for suffix, family in (("", "inet"), ("6", "inet6")):
        _addresses(given, suffix)
        given["method" + suffix] = "static" if given.get("address" + suffix) else "manual"
        if given.get("address" + suffix):
            families.append(family)
    _no_second(entries, name, given, ("gateway", "gateway6"))
    _no_port_twice(entries, name, given)
    return {**given, "families": families or ["inet"]}


def _addresses(given: dict[str, Any], suffix: str) -> None:
    address, mask, cidr = (given.get(key + suffix) for key in ("address", "netmask", "cidr"))
    if cidr:
        for key, value in (("address", address), ("netmask", mask)):
            if value:
                raise refused(**{key + suffix: f"{key}{suffix} conflicts with cidr{suffix}"})
        given["address" + suffix], _sep, given["netmask" + suffix] = cidr.partition("/")
    elif address:
        length = ipaddress.ip_network(f"{'::' if suffix else '0.0.0.0'}/{mask}").prefixlen
        given["cidr" + suffix] = f"{address}/{length}"
        given["netmask" + suffix] = str(length)
    if not suffix and given.get("cidr"):
        network = ipaddress.ip_interface(given["cidr"]).network
        if network.prefixlen < 31 and given["address"] in map(str, (network[0], network[-1])):
            raise refused(address=f"{given['address']} is not a valid host ip address.")


def _no_second(entries: dict[str, Entry], name: str, given: dict[str, Any], keys: Collection[str]) -> None:
    for key in keys:
        other = next((n for n, e in entries.items() if n != name and e.get(key)), None)
        if given.get(key) and other:
            raise refused(**{key: f"Default gateway already exists on interface '{other}'."})


def _no_port_twice(entries: dict[str, Entry], name: str, given: dict[str, Any]) -> None:
    for key in PORTS:
        for port in re.split(r"[\s,;]+", str(given.get(key) or "")):
            for other, entry in entries.items():
                used = [word for used_by in PORTS for word in str(entry.get(used_by) or "").split()]
                if port and other != name and port in used:
                    raise refused(**{key: f"{port} is already used on interface '{other}'."})
