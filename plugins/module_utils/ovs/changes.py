# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Changes of rows as data, and the two ways to write them: words of ovs-vsctl, operations of a JSON-RPC transaction.

Both are one transaction with the same effect. ovs-vsctl is the usual way: what it does stands in the database's log and
in the system's, word by word. For the same reason nothing with a secret in it may go that way.
Source: ovs-vsctl(8), "Database Commands"; RFC 7047, section 5.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

from ansible_collections.hospital.continuity.plugins.module_utils.ovs.database import Command, atom


@dataclass(frozen=True)
class Ref:
    """A row: by its uuid, by the name in it (named), or by the name it is inserted under in this transaction (new)."""

    row: str
    new: bool = False
    named: bool = False


# Columns are None (empty), text, number, boolean, Ref, a sequence (set) or a mapping (map).
Columns = Mapping[str, Any]


@dataclass(frozen=True)
class Insert:
    table: str
    name: str
    columns: Columns = field(default_factory=dict)


@dataclass(frozen=True)
class Update:
    """Whole columns of a row."""

    table: str
    row: Ref
    columns: Columns


@dataclass(frozen=True)
class Entries:
    """Keys of a column that is a map: `given` are set, `gone` removed; the others may belong to somebody else."""

    table: str
    row: Ref
    column: str
    given: Mapping[str, str] = field(default_factory=dict)
    gone: Sequence[str] = ()


@dataclass(frozen=True)
class Elements:
    """Elements of a column that is a set."""

    table: str
    row: Ref
    column: str
    added: Sequence[Ref] = ()
    removed: Sequence[Ref] = ()


Change = Union[Insert, Update, Entries, Elements]


def entries(table: str, row: Ref, column: str, before: Mapping[str, str], after: Mapping[str, str]) -> Sequence[Change]:
    """What differs between two states of a map; nothing where they are equal."""
    given = {key: value for key, value in after.items() if before.get(key) != value}
    gone = tuple(key for key in before if key not in after)
    return (Entries(table, row, column, given, gone),) if given or gone else ()


# -- words of ovs-vsctl ------------------------------------------------------------------------------------------------


def words(changes: Sequence[Change]) -> Sequence[Command]:
    """The changes as commands of ovs-vsctl."""
    return [command for change in changes for command in _commands(change)]


def _commands(change: Change) -> Sequence[Command]:
    if isinstance(change, Insert):
        columns = [_assignment(name, value) for name, value in change.columns.items()]
        return ((f"--id=@{change.name}", "create", change.table, *columns),)
    target = (change.table, _word(change.row))
    if isinstance(change, Update):
        return (("set", *target, *(_assignment(name, value) for name, value in change.columns.items())),)
    result: list[Command] = []
    if isinstance(change, Entries):
        if change.gone:
            result.append(("remove", *target, change.column, *map(atom, change.gone)))
        if change.given:
            given = (f"{change.column}:{atom(key)}={atom(value)}" for key, value in change.given.items())
            result.append(("set", *target, *given))
        return result
    # In this order, or a set that may not be empty would be empty in between.
    if change.added:
        result.append(("add", *target, change.column, *map(_word, change.added)))
    if change.removed:
        result.append(("remove", *target, change.column, *map(_word, change.removed)))
    return result


def _assignment(name: str, value: Any) -> str:
    return f"{name}={_word(value)}"


def _word(value: Any) -> str:
    if value is None:
        return "[]"
    if isinstance(value, Ref):
        return f"@{value.row}" if value.new else value.row
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        pairs = ",".join(f"{atom(key)}={atom(text)}" for key, text in value.items())
        return f"{{{pairs}}}"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_word, value))}]"
    return atom(value) if isinstance(value, str) else str(value)


# -- operations of a JSON-RPC transaction ------------------------------------------------------------------------------


def operations(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """The changes as operations, each row that is there being waited for: an operation on one that somebody has taken
    away would otherwise do nothing, and succeed."""
    result: list[dict[str, Any]] = []
    for change in changes:
        if isinstance(change, Insert):
            row = {name: _value(value) for name, value in change.columns.items()}
            result.append({"op": "insert", "table": change.table, "uuid-name": change.name, "row": row})
            continue
        column, value = ("name", change.row.row) if change.row.named else ("_uuid", _value(change.row))
        where = {"table": change.table, "where": [[column, "==", value]]}
        if not change.row.new:
            there = {"columns": [column], "until": "==", "rows": [{column: value}], "timeout": 0}
            result.append({"op": "wait", **where, **there})
        if isinstance(change, Update):
            row = {name: _value(value) for name, value in change.columns.items()}
            result.append({"op": "update", **where, "row": row})
        else:
            result.append({"op": "mutate", **where, "mutations": _mutations(change)})
    return result


def _mutations(change: Union[Entries, Elements]) -> list[list[Any]]:
    if isinstance(change, Elements):
        steps = [("insert", list(map(_value, change.added))), ("delete", list(map(_value, change.removed)))]
        return [[change.column, name, ["set", refs]] for name, refs in steps if refs]
    # Inserting leaves a key that is there as it is.
    gone, given = [*change.gone, *change.given], [[key, value] for key, value in change.given.items()]
    result: list[list[Any]] = [[change.column, "delete", ["set", gone]]]
    return [*result, [change.column, "insert", ["map", given]]] if given else result


def _value(value: Any) -> Any:
    if value is None:
        return ["set", []]
    if isinstance(value, Ref):
        return ["named-uuid" if value.new else "uuid", value.row]
    if isinstance(value, Mapping):
        return ["map", [[key, text] for key, text in value.items()]]
    if isinstance(value, (list, tuple)):
        return ["set", [_value(element) for element in value]]
    return value
