# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Bridges of Open vSwitch. Source: ovs-vswitchd.conf.db(5), tables Bridge, Controller and Interface."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration, Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput, listed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    DELETE,
    UPDATE,
    Consent,
    Plan,
    Step,
    Thing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import (
    Boolean,
    Key,
    Number,
    TextByKey,
    Unordered,
)
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.database import (
    Command,
    Row,
    Tables,
    atom,
    elements,
    single,
)
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.host import Host
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.kind import OvsKind

# The local port of a bridge is a network interface, and Linux gives those 15 characters.
LONGEST_NAME = 15
_NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.@+-]*$")
_TARGET = re.compile(r"^((ssl|tcp|unix|pssl|ptcp|punix):\S+)$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Targets that the bridge connects to by itself; the others wait for somebody to call.
_ACTIVE = ("ssl:", "tcp:", "unix:")
PROTOCOLS = ("OpenFlow10", "OpenFlow11", "OpenFlow12", "OpenFlow13", "OpenFlow14", "OpenFlow15")
# Single-valued columns, and how ovs-vsctl writes what each of them begins with.
_EMPTY = {
    "datapath_type": '""',
    "fail_mode": "[]",
    "stp_enable": "false",
    "rstp_enable": "false",
    "mcast_snooping_enable": "false",
}
_MAPS = ("other_config", "external_ids")


@dataclass(frozen=True)
class BridgeKind(OvsKind):
    def check(self, item: Item) -> None:
        name = str(item.key[0])
        if not _NAME.match(name):
            raise InvalidInput(
                f"name: {name!r} is no name of a bridge.", hint="Use letters, digits and _ . @ + -, as in vmbr0."
            )
        for target in item.options.get("controller") or ():
            if not _TARGET.match(target):
                raise InvalidInput(
                    f"controller: {target!r} is no target.",
                    hint="Write for example tcp:192.0.2.1:6653, ssl:192.0.2.1:6653 or ptcp:6653.",
                )
        mtu = item.options.get("mtu_request")
        if mtu is not None and not (isinstance(mtu, int) and 68 <= mtu <= 65535):
            raise InvalidInput(f"mtu_request: {mtu} is not between 68 and 65535.", hint="Leave it out or correct it.")
        if item.options.get("stp_enable") and item.options.get("rstp_enable"):
            raise InvalidInput("stp_enable and rstp_enable exclude each other.", hint="Choose one.")
        for option in _MAPS:
            for key, value in (item.options.get(option) or {}).items():
                if not key or _CONTROL.search(key + value):
                    raise InvalidInput(
                        f"{option}: {key!r} has an empty key or a control character in it.", hint="Correct it."
                    )
        kind = item.options.get("datapath_type") or ""
        if _CONTROL.search(kind):
            raise InvalidInput("datapath_type: it has a control character in it.", hint="Correct it.")

    def plan_create(self, item: Item) -> Step:
        if len(item.key[0]) > LONGEST_NAME:
            raise InvalidInput(
                f"a name may have {LONGEST_NAME} characters, this one has {len(item.key[0])}: its local port is a "
                "network interface of the system."
            )
        return super().plan_create(item)

    def consents(self, step: Step) -> Sequence[Consent]:
        ports = step.facts.get("ports", ())
        after = step.after or {}
        causes = []
        if step.action == DELETE:
            causes.append("it would take its ports with it")
        elif step.action == UPDATE:
            if "datapath_type" in step.options:
                causes.append("changing datapath_type takes the bridge down and builds it anew")
            if "fail_mode" in step.options and after.get("fail_mode") == "secure":
                causes.append("with fail_mode secure nothing is forwarded until a controller says what to forward")
            causes.extend(
                f"turning on {option} blocks the ports until the topology is learned"
                for option in ("stp_enable", "rstp_enable")
                if option in step.options and after.get(option)
            )
        if not ports or not causes:
            return ()
        text = f"{' and '.join(causes)}; its ports are {listed(list(ports))}"
        return (Consent(f"cut_bridge:{step.key[0]}", text),)

    # -- reading ----------------------------------------------------------------------------------------------------

    def decode(self, tables: Tables) -> Mapping[Key, Thing]:
        ports = {row["_uuid"]: row for row in tables["Port"]}
        targets = {row["_uuid"]: row["target"] for row in tables["Controller"]}
        interfaces = _by_name(tables["Interface"])
        result: dict[Key, Thing] = {}
        for row in tables["Bridge"]:
            name = row["name"]
            state: dict[str, Any] = {}
            raw: dict[str, Any] = {
                **{option: single(row[option]) for option in _EMPTY},
                **{option: row[option] for option in _MAPS},
                "protocols": elements(row["protocols"]),
                "controller": [targets[uuid] for uuid in elements(row["controller"]) if uuid in targets],
                "mtu_request": single(interfaces.get(name, {}).get("mtu_request", [])),
            }
            for field in self.option_rows:
                value = field.canonical(raw[field.name])
                if value is not None and value != field.default:
                    state[field.name] = value
            facts = {
                "ports": sorted(
                    ports[uuid]["name"]
                    for uuid in elements(row["ports"])
                    if uuid in ports and ports[uuid]["name"] != name
                ),
                "controllers": {targets[uuid]: uuid for uuid in elements(row["controller"]) if uuid in targets},
            }
            result[(name,)] = Thing(state, facts)
        return result

    # -- writing ----------------------------------------------------------------------------------------------------

    def commands(self, step: Step, tag: str) -> Sequence[Command]:
        name = str(step.key[0])
        if step.action == DELETE:
            return (("--if-exists", "del-br", name),)
        before, after = step.before or {}, step.after or {}
        commands: list[Command] = [("add-br", name)] if step.action == CREATE else []
        settings: list[str] = []
        for option in step.options:
            value = after.get(option)
            if option in _EMPTY:
                settings.append(f"{option}={_EMPTY[option] if value is None else _column(value)}")
            elif option == "protocols":
                settings.append(f"protocols=[{','.join(value or ())}]")
            elif option == "controller":
                commands.extend(_controllers(name, value or (), step.facts.get("controllers", {}), tag))
            elif option == "mtu_request":
                commands.append(("set", "Interface", name, f"mtu_request={'[]' if value is None else value}"))
            else:
                commands.extend(_map_entries(name, option, before.get(option) or {}, value or {}))
        if settings:
            commands.append(("set", "Bridge", name, *settings))
        return commands

    # -- what a transaction does not promise ------------------------------------------------------------------------

    def touches(self, step: Step) -> Collection[str]:
        quiet = step.action == UPDATE and set(step.options) <= {"external_ids"}
        return () if quiet else (str(step.key[0]),)

    def problems(self, plan: Plan, tables: Tables, host: Host) -> Sequence[str]:
        known = elements(tables["Open_vSwitch"][0]["datapath_types"]) if tables["Open_vSwitch"] else []
        ports = {row["name"] for row in tables["Port"]} - {row["name"] for row in tables["Bridge"]}
        problems = []
        for step in plan:
            name, after = step.key[0], step.after or {}
            if step.action == DELETE:
                continue
            if step.action == CREATE and name in ports:
                problems.append(f"bridge {name}: a port of another bridge has this name already")
            if after.get("stp_enable") and after.get("rstp_enable"):
                problems.append(f"bridge {name}: stp_enable and rstp_enable exclude each other; one is on already")
            kind = after.get("datapath_type") or "system"
            if known and kind not in known and (step.action == CREATE or "datapath_type" in step.options):
                problems.append(
                    f"bridge {name}: datapath_type {kind} is not among those that Open vSwitch has here "
                    f"({', '.join(sorted(known))})"
                )
        return problems

    def unmet(self, things: Mapping[Key, Thing], declared: Declaration, tables: Tables, host: Host) -> Sequence[Unmet]:
        result: list[Unmet] = []
        bridges, interfaces = _by_name(tables["Bridge"]), _by_name(tables["Interface"])
        controllers = {row["_uuid"]: row for row in tables["Controller"]}
        for item in declared.items:
            row = bridges.get(item.key[0])
            if row is not None and item.key in things:
                result.extend(_unmet_bridge(item, row, interfaces.get(item.key[0], {}), controllers))
        return result


def _unmet_bridge(item: Item, row: Row, local: Row, controllers: Mapping[str, Row]) -> Sequence[Unmet]:
    name = row["name"]
    error = single(local.get("error", []))
    if error:
        return (Unmet(f"bridge {name}: its local port does not work: {error}.", passing=True),)
    if single(row["datapath_id"]) is None or single(local.get("ofport", [])) in (None, -1):
        kind = single(row["datapath_type"]) or "system"
        return (
            Unmet(
                f"bridge {name}: there is no datapath: ovs-vswitchd could not make one of type {kind}. "
                "Its log says why; with type system, the kernel module openvswitch may be missing.",
                passing=True,
            ),
        )
    result = []
    wanted, mtu = single(local.get("mtu_request", [])), single(local.get("mtu", []))
    if wanted is not None and mtu != wanted:
        result.append(Unmet(f"bridge {name}: its MTU is {mtu}, not {wanted} as asked.", passing=True))
    if item.options.get("controller"):
        rows = [controllers[uuid] for uuid in elements(row["controller"]) if uuid in controllers]
        result.extend(
            Unmet(f"bridge {name}: no connection to controller {one['target']}.", passing=True)
            for one in sorted(rows, key=lambda one: str(one["target"]))
            if str(one["target"]).startswith(_ACTIVE) and not one["is_connected"]
        )
    return result


def _by_name(rows: Sequence[Row]) -> dict[str, Row]:
    return {row["name"]: row for row in rows}


def _column(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return atom(str(value))


def _map_entries(name: str, column: str, before: Mapping[str, str], after: Mapping[str, str]) -> Sequence[Command]:
    """Only the entries that differ: others may belong to somebody else, who may be writing them at the same time."""
    new = [f"{column}:{atom(key)}={atom(value)}" for key, value in after.items() if before.get(key) != value]
    gone = [atom(key) for key in before if key not in after]
    commands: list[Command] = []
    if gone:
        commands.append(("remove", "Bridge", name, column, *gone))
    if new:
        commands.append(("set", "Bridge", name, *new))
    return commands


def _controllers(name: str, wanted: Sequence[str], current: Mapping[str, str], tag: str) -> Sequence[Command]:
    """Only the controllers that come or go: ovs-vsctl's set-controller would cut the others' connections as well."""
    commands: list[Command] = []
    for number, target in enumerate(target for target in wanted if target not in current):
        row = f"@{tag}controller{number}"
        commands.append((f"--id={row}", "create", "Controller", f"target={atom(target)}"))
        commands.append(("add", "Bridge", name, "controller", row))
    gone = [uuid for target, uuid in sorted(current.items()) if target not in wanted]
    if gone:
        commands.append(("remove", "Bridge", name, "controller", *gone))
    return commands


def _boolean(name: str) -> Field:
    return Field(name, Boolean(), type="bool", default=False)


BRIDGE = BridgeKind(
    name="bridge",
    identity=("name",),
    words=("cut_bridge", "management_path"),
    tables=(
        ("Open_vSwitch", ("cur_cfg", "next_cfg", "datapath_types")),
        (
            "Bridge",
            ("_uuid", "name", "datapath_id", *_EMPTY, *_MAPS, "protocols", "controller", "ports"),
        ),
        ("Port", ("_uuid", "name")),
        ("Interface", ("name", "error", "ofport", "mtu", "mtu_request")),
        ("Controller", ("_uuid", "target", "is_connected")),
    ),
    fields=(
        Field("name"),
        Field("datapath_type", default="system"),
        Field("fail_mode", choices=("standalone", "secure"), default="standalone"),
        _boolean("stp_enable"),
        _boolean("rstp_enable"),
        _boolean("mcast_snooping_enable"),
        Field("protocols", Unordered(), type="list", elements="str", choices=PROTOCOLS),
        Field("controller", Unordered(separators=", \n"), type="list", elements="str"),
        Field("mtu_request", Number(), type="int"),
        Field("other_config", TextByKey(), type="dict", merged=True),
        # Written by whatever drives the switch (a cloud, a hypervisor): never reset as a whole.
        Field("external_ids", TextByKey(), type="dict", merged=True, kept=True),
    ),
)
