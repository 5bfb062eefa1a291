# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Rows of an Open vSwitch in memory, as Database.read gives them, and a host: to plan on, and to carry plans out on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.command import Completed
from ansible_collections.hospital.continuity.plugins.module_utils.ovs import ipsec
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.changes import (
    Change,
    Elements,
    Entries,
    Insert,
    Ref,
    Update,
)
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.database import elements
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.host import Host, Link

_PORT: dict[str, Any] = {
    "bond_mode": [],
    "lacp": [],
    "bond_updelay": 0,
    "bond_downdelay": 0,
    "vlan_mode": [],
    "tag": [],
    "trunks": [],
    "cvlans": [],
    "other_config": {},
    "external_ids": {},
}
_INTERFACE: dict[str, Any] = {
    "type": "",
    "mac": [],
    "mtu": 1500,
    "mtu_request": [],
    "options": {},
    "error": [],
    "ofport": 1,
    "link_state": "up",
    "admin_state": "up",
}


def _no_program(argv: Sequence[str], *, stdin: str = "", timeout: float = 60.0) -> Completed:
    raise AssertionError(f"a program was run: {argv}")


class StaticHost(Host):
    """A host that shows what it is told to show."""

    def __init__(self, nics: Collection[str] = ()) -> None:
        super().__init__(_no_program)
        self.links = {}
        self.associations = ipsec.Associations(frozenset(), {})
        for nic in nics:
            self.add(nic)
        self.says()

    def add(self, name: str, **more: Any) -> None:
        self.links[name] = Link(name, least_mtu=68, most_mtu=9000, carrier=True, **more)

    def says(self, lacp_show: str = "", bond_show: str = "") -> None:
        self._bonds = (lacp_show, bond_show)


class Switch:
    def __init__(self, nics: Collection[str] = ()) -> None:
        self.host = StaticHost(nics)
        self.tables: dict[str, list[dict[str, Any]]] = {
            "Open_vSwitch": [
                {"cur_cfg": 1, "next_cfg": 1, "iface_types": ["system", "internal", "patch", "vxlan", "gre"]}
            ],
            "Bridge": [],
            "Port": [],
            "Interface": [],
        }

    def bridge(self, name: str, datapath_type: str = "netdev") -> None:
        row = {"_uuid": f"u-{name}", "name": name, "datapath_type": datapath_type, "ports": []}
        self.tables["Bridge"].append(row)
        self.port(name, name, name, uuid=f"p-{name}")
        self.set(name, type="internal")

    def port(self, bridge: str, name: str, *interfaces: str, uuid: str = "", **columns: Any) -> None:
        for interface in interfaces:
            self.tables["Interface"].append({"_uuid": f"u-{interface}", "name": interface, **_INTERFACE})
        row = {"_uuid": uuid or f"u-{name}", "name": name, "interfaces": [f"u-{one}" for one in interfaces], **_PORT}
        self.tables["Port"].append({**row, **columns})
        self._row("Bridge", Ref(bridge, named=True))["ports"].append(row["_uuid"])

    def set(self, interface: str, **columns: Any) -> None:
        self._row("Interface", Ref(interface, named=True)).update(columns)

    def set_port(self, port: str, **columns: Any) -> None:
        self._row("Port", Ref(port, named=True)).update(columns)

    def _row(self, table: str, ref: Ref) -> dict[str, Any]:
        column = "name" if ref.named else "_uuid"
        (row,) = [row for row in self.tables[table] if row[column] == ref.row]
        return row

    def carry_out(self, changes: Sequence[Change]) -> None:
        """What the database does with a transaction, unreferenced rows included."""
        made = {change.name for change in changes if isinstance(change, Insert)}
        for change in changes:
            if isinstance(change, Insert):
                defaults = _PORT if change.table == "Port" else _INTERFACE
                columns = {name: self._stored(value, made) for name, value in change.columns.items()}
                self.tables[change.table].append({"_uuid": self._uuid(change.name, made), **defaults, **columns})
                continue
            row = self._row(change.table, change.row)
            if isinstance(change, Update):
                row.update({name: self._stored(value, made) for name, value in change.columns.items()})
            elif isinstance(change, Entries):
                kept = {key: value for key, value in row[change.column].items() if key not in change.gone}
                row[change.column] = {**kept, **change.given}
            elif isinstance(change, Elements):
                kept = [one for one in elements(row[change.column]) if one not in [ref.row for ref in change.removed]]
                row[change.column] = [*kept, *(self._uuid(ref.row, made) for ref in change.added)]
        self._count = getattr(self, "_count", 0) + 1
        for parent, column, table in (("Bridge", "ports", "Port"), ("Port", "interfaces", "Interface")):
            used = {one for row in self.tables[parent] for one in elements(row[column])}
            self.tables[table] = [row for row in self.tables[table] if row["_uuid"] in used]

    def _uuid(self, name: str, made: Collection[str]) -> str:
        return f"n{getattr(self, '_count', 0)}-{name}" if name in made else name

    def _stored(self, value: Any, made: Collection[str]) -> Any:
        if value is None:
            return []
        if isinstance(value, Ref):
            return self._uuid(value.row, made)
        return [self._stored(one, made) for one in value] if isinstance(value, tuple) else value
