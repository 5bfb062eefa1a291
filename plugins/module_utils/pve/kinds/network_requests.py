# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The requests that stage steps in a node's pending network configuration.

What PVE's merging makes necessary (recorded, see tests/data/pve): every PUT repeats the type and every address, because
an address that is left out turns the interface to `manual`. Nothing repeats a bridge's `ovs_ports`, because whoever is
not in them is destroyed; except where a network card becomes a port or stops being one, for which there is no other
way: then the whole list is sent as it is at that moment. A bond or internal port moves to another bridge, and an
interface changes its type, by being removed and made again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import CREATE, DELETE, Step
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Request
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_types import (
    ADDRESSES,
    CARDS,
    OVS_BOND,
    OVS_BRIDGE,
    OVS_INT_PORT,
    OVS_PORT,
    TYPES,
)

Raw = Mapping[str, Any]
# What PVE takes out of a bridge's ovs_ports when it is deleted.
_LEAVES_BY_ITSELF = (OVS_BOND, OVS_INT_PORT)
# What a network card keeps of its life as a port unless it is told otherwise.
_METHODS = ("method", "method6")
_OF_A_PORT = ("ovs_bridge", "ovs_options", "ovs_tag")


def collection(node: str) -> str:
    return f"/nodes/{quote(node, safe='')}/network"


def one(node: str, name: str) -> str:
    return f"{collection(node)}/{quote(name, safe=':')}"


def is_made_again(step: Step) -> bool:
    """Whether an update is a removal and a creation for PVE, and so for the kernel."""
    if step.before is None or step.after is None:
        return False
    was, becomes = step.before.get("type"), step.after.get("type")
    if was != becomes:
        return not (was in CARDS and becomes in CARDS)
    return "ovs_bridge" in step.options and becomes in _LEAVES_BY_ITSELF


class Staging:
    """Turns steps into requests, keeping in mind what the pending file then holds. rows: the file as it is, by name."""

    def __init__(self, fields: Sequence[Field], rows: Mapping[str, Raw]) -> None:
        self._fields = fields
        self._rows = {name: dict(row) for name, row in rows.items()}
        self._ports = {
            name: str(row.get("ovs_ports") or "").split() for name, row in rows.items() if row.get("type") == OVS_BRIDGE
        }

    def requests(self, step: Step) -> Iterator[Request]:
        if step.action == DELETE:
            yield from self._removed(step)
        elif step.action == CREATE:
            yield self._created(step)
        elif is_made_again(step):
            yield from self._removed(step)
            yield self._created(step)
        else:
            yield from self._updated(step)

    # -- one step ---------------------------------------------------------------------------------------------------

    def _removed(self, step: Step) -> Iterator[Request]:
        node, name = str(step.key[0]), str(step.key[1])
        before = step.before or {}
        if before.get("type") == OVS_PORT:
            yield from self._left(node, name, str(before.get("ovs_bridge") or ""))
            return
        for member in self._ports.pop(name, []):
            # Without its bridge PVE would leave a torso of it in the file.
            if self._rows.get(member, {}).get("type") in _LEAVES_BY_ITSELF:
                self._rows.pop(member)
                yield Request("DELETE", one(node, member))
        for ports in self._ports.values():
            if name in ports:
                ports.remove(name)
        self._rows.pop(name, None)
        yield Request("DELETE", one(node, name))

    def _created(self, step: Step) -> Request:
        node, name = str(step.key[0]), str(step.key[1])
        after = step.after or {}
        parameters = self._written(after, [row.name for row in self._fields])
        self._rows[name] = {**parameters, "iface": name}
        if after.get("type") == OVS_BRIDGE:
            self._ports[name] = []
        elif after.get("type") in _LEAVES_BY_ITSELF:
            self._ports.setdefault(str(after["ovs_bridge"]), []).append(name)
        return Request("POST", collection(node), {"iface": name, **parameters})

    def _updated(self, step: Step) -> Iterator[Request]:
        node, name = str(step.key[0]), str(step.key[1])
        before, after = step.before or {}, step.after or {}
        changed: Sequence[str] = step.options
        if OVS_PORT in (before.get("type"), after.get("type")) and before.get("ovs_bridge") != after.get("ovs_bridge"):
            if before.get("ovs_bridge"):
                yield from self._left(node, name, str(before["ovs_bridge"]))
            if after.get("ovs_bridge"):
                yield from self._joined(node, name, str(after["ovs_bridge"]))
            # A card that changes its part has lost what was configured.
            changed = sorted({*step.options, *after})
        parameters = self._put(name, after, changed)
        if before.get("type") == OVS_PORT and after.get("type") != OVS_PORT:
            given = [word for word in str(parameters.get("delete", "")).split(",") if word]
            parameters["delete"] = ",".join(sorted({*given, *_OF_A_PORT}))
        kept = {option: value for option, value in self._rows.get(name, {}).items() if option not in _METHODS}
        self._rows[name] = {**_without_addresses(kept), **parameters, "iface": name}
        yield Request("PUT", one(node, name), parameters)

    def _left(self, node: str, name: str, bridge: str) -> Iterator[Request]:
        if name in self._ports.get(bridge, ()):
            self._ports[bridge].remove(name)
            yield self._members(node, bridge)

    def _joined(self, node: str, name: str, bridge: str) -> Iterator[Request]:
        if bridge in self._ports and name not in self._ports[bridge]:
            self._ports[bridge].append(name)
            yield self._members(node, bridge)

    def _members(self, node: str, bridge: str) -> Request:
        ports = " ".join(self._ports[bridge])
        parameters = {"type": OVS_BRIDGE, **_addresses(self._rows.get(bridge, {}))}
        parameters.update({"ovs_ports": ports} if ports else {"delete": "ovs_ports"})
        return Request("PUT", one(node, bridge), parameters)

    # -- parameters -------------------------------------------------------------------------------------------------

    def _put(self, name: str, after: Mapping[str, Any], options: Sequence[str]) -> dict[str, Any]:
        kind = TYPES.get(str(after.get("type")))
        always = {"type", "ovs_bridge", *ADDRESSES}
        parameters = self._written(after, [row.name for row in self._fields if row.name in {*always, *options}])
        if kind is not None and "cidr" not in kind.options:
            # Not ours to describe, and still lost if it were left out.
            parameters = {**_addresses(self._rows.get(name, {})), **parameters}
        gone = [self._wire(option) for option in options if self._wire(option) not in parameters]
        if gone:
            parameters["delete"] = ",".join(sorted(gone))
        return parameters

    def _written(self, after: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
        kind = TYPES.get(str(after.get("type")))
        parameters: dict[str, Any] = {}
        for row in self._fields:
            if row.name not in names:
                continue
            value = after.get(row.name)
            if value is None and row.name == "bond_mode" and kind is not None and kind.members == "ovs_bonds":
                value = kind.defaults[row.name]
            # PVE takes `off` for VLAN awareness and leaves it on: only deleting it helps.
            if value is not None and not (row.name == "bridge_vlan_aware" and not value):
                parameters[row.wire_name] = row.form.wire(value)
        return parameters

    def _wire(self, option: str) -> str:
        return next((row.wire_name for row in self._fields if row.name == option), option)


def _without_addresses(row: Raw) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ADDRESSES}


def _addresses(row: Raw) -> dict[str, Any]:
    """What a PUT has to repeat of an interface as it is."""
    static = {"cidr": row.get("method", "static"), "cidr6": row.get("method6", "static")}
    known = {name: row[name] for name in ADDRESSES if row.get(name)}
    return {name: value for name, value in known.items() if static.get(name, "static") == "static"}
