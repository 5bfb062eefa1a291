# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a checkpoint keeps of Open vSwitch's database, and the one transaction that makes it so again. Pure.

Kept are the rows that the bridges lead to, by reference, with the columns that are configuration. Ports of guests are
not the checkpoint's: one that appeared since stays, one that went with its guest does not come back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.network.topology import is_guests

ROOT, BRIDGE, PORT = "Open_vSwitch", "Bridge", "Port"
_NAMED = ("Bridge", "Port", "Interface")
# What ovs-vswitchd writes although the schema does not call it ephemeral.
_STATUS = {
    ("Bridge", "datapath_version"),
    ("Port", "bond_active_slave"),
    ("Interface", "ofport"),
    ("Interface", "error"),
    ("Interface", "cfm_flap_count"),
}

Columns = Mapping[str, Any]
# Rows by table and UUID, values in OVSDB's own JSON notation (RFC 7047, section 5.1).
Rows = Mapping[str, Mapping[str, Columns]]
Schema = Mapping[str, Any]
Reference = tuple[str, str]


@dataclass(frozen=True)
class Restoration:
    """operations: of one transaction; nothing to do where empty.  notes: what is left as it is."""

    operations: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()


def columns(schema: Schema, table: str) -> list[str]:
    """A table's columns that are configuration."""
    found = schema["tables"][table]["columns"]
    names = [name for name in found if not found[name].get("ephemeral") and (table, name) not in _STATUS]
    return ["bridges"] if table == ROOT else sorted(names)


def tables(schema: Schema) -> list[str]:
    """The tables that bridges lead to, themselves included."""
    found = [ROOT]
    for table in found:
        for column in columns(schema, table):
            found.extend(
                other for other in _referred(schema, table, column) if other not in found and other in schema["tables"]
            )
    return found


def selections(schema: Schema) -> list[dict[str, Any]]:
    """The operations that read all of it, one a table."""
    return [
        {"op": "select", "table": table, "where": [], "columns": ["_uuid", *columns(schema, table)]}
        for table in tables(schema)
    ]


def rows(schema: Schema, results: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Columns]]:
    """Those answers as Rows."""
    return {
        table: {
            row["_uuid"][1]: {name: value for name, value in row.items() if name != "_uuid"} for row in result["rows"]
        }
        for table, result in zip(tables(schema), results)
    }


def reachable(schema: Schema, found: Rows) -> dict[str, dict[str, Columns]]:
    """The rows that bridges lead to."""
    kept: dict[str, dict[str, Columns]] = {ROOT: dict(found.get(ROOT, {}))}
    left = [reference for row in kept[ROOT].values() for reference in _references(schema, ROOT, row)]
    while left:
        table, uuid = left.pop()
        row = found.get(table, {}).get(uuid)
        if row is not None and uuid not in kept.setdefault(table, {}):
            kept[table][uuid] = row
            left.extend(_references(schema, table, row))
    return kept


def restoration(schema: Schema, before: Rows, now: Rows, exists: Callable[[str], bool]) -> Restoration:
    """What makes `now` what it was `before`. `exists`: whether the kernel has an interface of that name."""
    return _Restoring(schema, before, now, exists).plan()


@dataclass
class _Restoring:
    schema: Schema
    before: Rows
    now: Rows
    exists: Callable[[str], bool]
    # Where a row from before is now: its UUID, or None where it must be inserted again.
    places: dict[Reference, Optional[str]] = field(default_factory=dict)

    def plan(self) -> Restoration:
        mine = self._mine()
        for table, uuid in mine:
            self.places[(table, uuid)] = self._place(table, uuid)
        operations: list[dict[str, Any]] = []
        for table, uuid in mine:
            operations.extend(self._of_row(table, uuid))
        return Restoration(tuple(operations), tuple(self._lost()))

    def _mine(self) -> list[Reference]:
        """The rows to be made what they were."""
        guests = {
            (PORT, uuid)
            for uuid, row in self.before.get(PORT, {}).items()
            if is_guests(row["name"]) and not self._comes_back(uuid, row["name"])
        }
        others = {
            table: {uuid: row for uuid, row in found.items() if (table, uuid) not in guests}
            for table, found in self.before.items()
            if table in self.schema["tables"]
        }
        # What only a guest's port led to is the guest's as well.
        return [(table, uuid) for table, found in reachable(self.schema, others).items() for uuid in found]

    def _comes_back(self, uuid: str, name: str) -> bool:
        """Whether a guest's port went only because of the change: with its bridge, or while its guest runs on."""
        if name in {row["name"] for row in self.now.get(PORT, {}).values()}:
            return False
        bridge = next((one for one, row in self.before[BRIDGE].items() if uuid in _uuids(row["ports"])), "")
        return self.exists(name) or self._place(BRIDGE, bridge) is None

    def _place(self, table: str, uuid: str) -> Optional[str]:
        found = self.now.get(table, {})
        if uuid in found:
            return uuid
        if table == ROOT:
            return next(iter(found), None)
        if table in _NAMED:
            # The same name under another UUID is the same thing made anew: changing it in place interrupts least.
            name = self.before[table][uuid]["name"] if uuid in self.before[table] else ""
            twin = next((other for other, row in found.items() if row["name"] == name), None)
            return None if twin in self.before[table] else twin
        return next((other for other in found if self._is_twin(table, uuid, other)), None)

    def _is_twin(self, table: str, uuid: str, other: str) -> bool:
        """Whether a row without a name is, under another UUID, what this one was: an earlier rollback put it there."""
        if other in self.before[table] or other in self.places.values():
            return False
        was, row = self.before[table][uuid], self.now[table][other]
        alike = [name for name in was if name in row and not _referred(self.schema, table, name)]
        return all(canonical(was[name]) == canonical(row[name]) for name in alike)

    def _of_row(self, table: str, uuid: str) -> list[dict[str, Any]]:
        known = set(columns(self.schema, table))
        wanted = {
            name: self._translated(table, name, value)
            for name, value in self.before[table][uuid].items()
            if name in known
        }
        place = self.places[(table, uuid)]
        if table == BRIDGE:
            wanted["ports"] = ["set", [*_elements(wanted["ports"]), *self._guests_of(place)]]
        if place is None:
            # The only row of Open_vSwitch cannot be gone.
            return [] if table == ROOT else [{"op": "insert", "table": table, "uuid-name": _name(uuid), "row": wanted}]
        is_now = self.now[table][place]
        differing = {name: value for name, value in wanted.items() if canonical(value) != canonical(is_now.get(name))}
        if not differing:
            return []
        return [{"op": "update", "table": table, "where": [["_uuid", "==", ["uuid", place]]], "row": differing}]

    def _translated(self, table: str, column: str, value: Any) -> Any:
        """A value from before with its references as they are now; those to what is not mine are left out."""
        referred = _referred(self.schema, table, column)
        if not referred:
            return value
        if isinstance(value, list) and value[0] == "map":
            kept = [[self._atom(referred, key), self._atom(referred, inner)] for key, inner in value[1]]
            return ["map", [pair for pair in kept if None not in pair]]
        atoms = [self._atom(referred, element) for element in _elements(value)]
        return ["set", [atom for atom in atoms if atom is not None]]

    def _atom(self, referred: Collection[str], atom: Any) -> Any:
        if not _is_uuid(atom):
            return atom
        for table in referred:
            if (table, atom[1]) in self.places:
                place = self.places[(table, atom[1])]
                return ["named-uuid", _name(atom[1])] if place is None else ["uuid", place]
        return None

    def _guests_of(self, bridge: Optional[str]) -> list[Any]:
        """The guests' ports that are in a bridge now and not among mine."""
        if bridge is None:
            return []
        placed = {place for (table, _uuid), place in self.places.items() if table == PORT}
        return [
            ["uuid", uuid]
            for uuid in _uuids(self.now[BRIDGE][bridge]["ports"])
            if uuid not in placed and is_guests(self.now[PORT][uuid]["name"])
        ]

    def _lost(self) -> list[str]:
        """Guests' ports in bridges that were not there before."""
        kept = {place for (table, _uuid), place in self.places.items() if table == BRIDGE}
        return [
            f"{self.now[PORT][uuid]['name']} of a guest went with the new bridge {row['name']}"
            for bridge, row in self.now.get(BRIDGE, {}).items()
            if bridge not in kept
            for uuid in _uuids(row["ports"])
            if is_guests(self.now[PORT][uuid]["name"])
        ]


def canonical(value: Any) -> Any:
    """A value of OVSDB's notation, comparable: one element is the set of it, order means nothing."""
    if isinstance(value, list) and value and value[0] == "map":
        return frozenset((_hashable(key), _hashable(inner)) for key, inner in value[1])
    return frozenset(_hashable(element) for element in _elements(value))


def _hashable(atom: Any) -> Any:
    return tuple(atom) if isinstance(atom, list) else atom


def _elements(value: Any) -> list[Any]:
    return list(value[1]) if isinstance(value, list) and value and value[0] == "set" else [value]


def _is_uuid(atom: Any) -> bool:
    return isinstance(atom, list) and len(atom) == 2 and atom[0] == "uuid"


def _uuids(value: Any) -> list[str]:
    return [element[1] for element in _elements(value) if _is_uuid(element)]


def _name(uuid: str) -> str:
    return "row" + uuid.replace("-", "_")


def _referred(schema: Schema, table: str, column: str) -> list[str]:
    """The tables that a column's values refer to."""
    sort = schema["tables"][table]["columns"][column]["type"]
    if not isinstance(sort, dict):
        return []
    parts = [sort.get("key"), sort.get("value")]
    return [part["refTable"] for part in parts if isinstance(part, dict) and "refTable" in part]


def _references(schema: Schema, table: str, row: Columns) -> list[Reference]:
    found: list[Reference] = []
    for column, value in row.items():
        for other in _referred(schema, table, column):
            atoms = (
                [atom for pair in value[1] for atom in pair]
                if isinstance(value, list) and value and value[0] == "map"
                else _elements(value)
            )
            found.extend((other, atom[1]) for atom in atoms if _is_uuid(atom))
    return found
