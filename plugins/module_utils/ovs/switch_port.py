# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What bonds and ports of Open vSwitch have in common: their bridge, their VLANs, their settings and marks.

Source: ovs-vswitchd.conf.db(5), tables Port and Interface. A bond is a port with several interfaces, or with one that
has another name; any other port has one interface of its own name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing, Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration, Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    DELETE,
    UPDATE,
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
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.changes import (
    Change,
    Elements,
    Ref,
    Update,
    entries,
)
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.database import (
    Row,
    Tables,
    elements,
    single,
)
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.host import Host, Link
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.kind import OvsKind

NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.@+-]*$")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
HIGHEST_VLAN = 4095
LARGEST_MTU = 65535
SMALLEST_MTU = 68
ACCESS, TRUNK, TUNNEL = "access", "trunk", "dot1q-tunnel"
VLAN_MODES = (ACCESS, TRUNK, "native-tagged", "native-untagged", TUNNEL)
# By default a bond's LACP key is the number of one of its members, and changes when that one leaves; the partner then
# takes out those that stay as well. Written down for every member, it stays. Source: table Interface, "LACP".
AGGREGATION_KEY = "lacp-aggregation-key"
# A datapath for tests only: what it calls interfaces are none of the system's.
_DUMMY = "dummy"

BRIDGE = Field("bridge", required=True)
VLANS = (
    Field("vlan_mode", choices=VLAN_MODES),
    Field("tag", Number(), type="int"),
    Field("trunks", Unordered(element=Number()), type="list", elements="int"),
    Field("cvlans", Unordered(element=Number()), type="list", elements="int"),
)
SETTINGS = (
    Field("other_config", TextByKey(), type="dict", merged=True),
    # Written by whatever drives the switch (a cloud, a hypervisor): never reset as a whole.
    Field("external_ids", TextByKey(), type="dict", merged=True, kept=True),
)
_OWN_VALUES = ("bond_mode", "lacp", "bond_updelay", "bond_downdelay", "vlan_mode", "tag", "trunks", "cvlans")
_PORT = ("_uuid", "name", "interfaces", *_OWN_VALUES, "other_config", "external_ids")
_STATE = ("mtu", "error", "ofport", "link_state", "admin_state")
_INTERFACE = ("_uuid", "name", "type", "mac", "mtu_request", "options", "other_config", *_STATE)
TABLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Open_vSwitch", ("cur_cfg", "next_cfg", "iface_types")),
    ("Bridge", ("_uuid", "name", "datapath_type", "ports")),
    ("Port", _PORT),
    ("Interface", _INTERFACE),
)


@dataclass(frozen=True)
class Standing:
    """A port as the tables hold it."""

    row: Row
    bridge: str
    interfaces: tuple[Row, ...]

    @property
    def name(self) -> str:
        return str(self.row["name"])

    @property
    def is_bond(self) -> bool:
        return [row["name"] for row in self.interfaces] != [self.name]

    @property
    def is_local(self) -> bool:
        """The bridge's own port, which comes and goes with it."""
        return self.name == self.bridge

    @property
    def described(self) -> str:
        if self.is_local:
            return f"bridge {self.name}"
        return f"bond {self.name} of {self.bridge}" if self.is_bond else f"port {self.name} of {self.bridge}"

    @property
    def is_down(self) -> bool:
        """Whether nothing can be passing: every interface is known to be down."""
        return all(single(row["link_state"]) == "down" for row in self.interfaces)


def standing(tables: Tables) -> dict[str, Standing]:
    """Every port, by name."""
    interfaces = {row["_uuid"]: row for row in tables["Interface"]}
    ports = {row["_uuid"]: row for row in tables["Port"]}
    result = {}
    for bridge in tables["Bridge"]:
        for uuid in elements(bridge["ports"]):
            if uuid in ports:
                rows = [interfaces[one] for one in elements(ports[uuid]["interfaces"]) if one in interfaces]
                rows.sort(key=lambda row: str(row["name"]))
                result[str(ports[uuid]["name"])] = Standing(ports[uuid], bridge["name"], tuple(rows))
    return result


@dataclass(frozen=True)
class SwitchPortKind(OvsKind):
    """A bond or another port. columns: options that are a column of their port, as it is.  keys: options that are a key
    of their port's other_config, with the key."""

    columns: tuple[str, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()

    # -- what the user asks for -------------------------------------------------------------------------------------

    def check(self, item: Item) -> None:
        for option in ("name", "bridge"):
            value = str(item.key[0]) if option == "name" else item.options.get("bridge")
            if value is not None and not NAME.match(value):
                raise InvalidInput(
                    f"{option}: {value!r} is no name.", hint="Use letters, digits and _ . @ + -, as in bond0."
                )
        check_range(item.options, "tag", 0, HIGHEST_VLAN)
        for option in ("trunks", "cvlans"):
            for number in item.options.get(option) or ():
                if not isinstance(number, int) or not 0 <= number <= HIGHEST_VLAN:
                    raise InvalidInput(f"{option}: {number} is no VLAN.", hint=f"VLANs go from 0 to {HIGHEST_VLAN}.")
        check_map(item.options, "other_config", {key: option for option, key in self.keys})
        check_map(item.options, "external_ids", {})

    def plan_present(self, item: Item, thing: Optional[Thing], declared: Declaration) -> Sequence[Step]:
        steps = super().plan_present(item, thing, declared)
        for step in steps:
            trouble = self.contradiction(step)
            if trouble:
                raise InvalidInput(trouble)
        return steps

    def contradiction(self, step: Step) -> str:
        """What in a state excludes something else in it, as far as the step is about that."""
        options = {row.name for row in VLANS}
        return vlan_contradiction(step.after or {}) if concerned(step, options) else ""

    def touches(self, step: Step) -> Collection[str]:
        if step.action == UPDATE and set(step.options) <= {"external_ids"}:
            return ()
        before, after = step.before or {}, step.after or {}
        names = {str(step.key[0]), *(before.get("members") or ()), *(after.get("members") or ())}
        if self.is_uplink(step) and before.get("bridge") != after.get("bridge"):
            names |= {str(state["bridge"]) for state in (before, after) if state.get("bridge")}
        return names

    def is_uplink(self, step: Step) -> bool:
        """Whether frames leave the host through it."""
        return True

    # -- reading ----------------------------------------------------------------------------------------------------

    def decode(self, tables: Tables) -> Mapping[Key, Thing]:
        result: dict[Key, Thing] = {}
        for port in standing(tables).values():
            if port.is_local or not self.includes(port):
                continue
            other_config = dict(port.row["other_config"])
            raw = {"bridge": port.bridge, "external_ids": port.row["external_ids"]}
            raw.update({option: other_config.pop(key, None) for option, key in self.keys})
            raw.update({option: elements(port.row[option]) for option in ("trunks", "cvlans")})
            raw.update({option: single(port.row[option]) for option in ("vlan_mode", "tag", *self.columns)})
            raw["other_config"] = other_config
            raw.update(self.further(port))
            state = {}
            for field in self.option_rows:
                value = _understood(field, raw.get(field.name))
                if value is not None and value != field.default:
                    state[field.name] = value
            facts = {
                "uuid": port.row["_uuid"],
                "interfaces": {row["name"]: row["_uuid"] for row in port.interfaces},
                "keys": {
                    row["name"]: (row.get("other_config") or {}).get(AGGREGATION_KEY, "") for row in port.interfaces
                },
                "is_down": port.is_down,
            }
            result[(port.name,)] = Thing(state, facts)
        return result

    def includes(self, port: Standing) -> bool:
        """Whether a port is of this kind."""
        return True

    def further(self, port: Standing) -> Mapping[str, Any]:
        """Options that are not in the columns of the port."""
        return {}

    # -- writing ----------------------------------------------------------------------------------------------------

    def removal(self, step: Step) -> Sequence[Change]:
        (before,) = (step.before or {},)
        return (Elements("Bridge", Ref(before["bridge"], named=True), "ports", removed=(Ref(step.facts["uuid"]),)),)

    def new_columns(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of a new port, without its interfaces."""
        names = ("vlan_mode", "tag", "trunks", "cvlans", *self.columns)
        columns = {name: state[name] for name in names if name in state}
        maps = {"other_config": self._other_config(state), "external_ids": state.get("external_ids")}
        return {**columns, **{name: value for name, value in maps.items() if value}}

    def common_changes(self, step: Step) -> Sequence[Change]:
        """What a change of an existing port writes to its own row and to those of bridges."""
        before, after = step.before or {}, step.after or {}
        port = Ref(step.facts["uuid"])
        changes: list[Change] = []
        if "bridge" in step.options:
            changes.append(Elements("Bridge", Ref(after["bridge"], named=True), "ports", added=(port,)))
            changes.append(Elements("Bridge", Ref(before["bridge"], named=True), "ports", removed=(port,)))
        names = [name for name in ("vlan_mode", "tag", "trunks", "cvlans", *self.columns) if name in step.options]
        if names:
            unset = {row.name: row.default for row in self.option_rows if row.written}
            changes.append(Update("Port", port, {name: after.get(name, unset.get(name)) for name in names}))
        changes.extend(entries("Port", port, "other_config", self._other_config(before), self._other_config(after)))
        marks = (before.get("external_ids") or {}, after.get("external_ids") or {})
        changes.extend(entries("Port", port, "external_ids", *marks))
        return changes

    def _other_config(self, state: Mapping[str, Any]) -> dict[str, str]:
        own = {key: _written(state[option]) for option, key in self.keys if state.get(option) is not None}
        return {**(state.get("other_config") or {}), **own}

    # -- what a transaction does not promise ------------------------------------------------------------------------

    def place_problems(self, step: Step, tables: Tables) -> Sequence[str]:
        """Whether its bridge is there, and its name free."""
        name, after = str(step.key[0]), step.after or {}
        bridges = {row["name"] for row in tables["Bridge"]}
        problems: list[str] = []
        if concerned(step, {"bridge"}) and after["bridge"] not in bridges:
            problems.append(Missing(f"{self.described(step.key)}: there is no bridge {after['bridge']}"))
        there = standing(tables).get(name)
        if step.action == CREATE and there is not None:
            problems.append(f"{self.described(step.key)}: this name is taken by the {there.described}")
        return problems


def concerned(step: Step, options: Collection[str]) -> bool:
    """Whether a step makes a thing, or changes one of these options of it."""
    return step.action == CREATE or (step.action == UPDATE and bool(set(step.options) & set(options)))


def check_range(options: Mapping[str, Any], name: str, least: int, most: int) -> None:
    value = options.get(name)
    if value is not None and not (isinstance(value, int) and least <= value <= most):
        raise InvalidInput(f"{name}: {value} is not between {least} and {most}.", hint="Leave it out or correct it.")


def check_map(options: Mapping[str, Any], name: str, own: Mapping[str, str]) -> None:
    """Raises InvalidInput for keys that are options of their own, and for what no such map can hold."""
    for key, value in (options.get(name) or {}).items():
        if key in own:
            raise InvalidInput(f"{name}: {key} has an option of its own.", hint=f"Use {own[key]}.")
        if not key or CONTROL.search(key + value):
            raise InvalidInput(f"{name}: {key!r} has an empty key or a control character in it.", hint="Correct it.")


def vlan_contradiction(state: Mapping[str, Any]) -> str:
    """What Open vSwitch would take and not do."""
    mode, tag, trunks = state.get("vlan_mode"), state.get("tag"), state.get("trunks")
    if state.get("cvlans") and mode != TUNNEL:
        return f"cvlans go with vlan_mode {TUNNEL} only"
    if mode is None and tag is not None and trunks:
        return "tag and trunks together need a vlan_mode (native-tagged or native-untagged); else trunks are ignored"
    if mode == TRUNK and tag is not None:
        return f"vlan_mode {TRUNK} ignores tag; reset it, or choose native-tagged or native-untagged"
    if mode in (ACCESS, TUNNEL) and trunks:
        return f"vlan_mode {mode} ignores trunks; reset them, or choose another mode"
    if mode not in (None, TRUNK) and tag is None:
        return f"vlan_mode {mode} needs a tag"
    return ""


def mtu_problem(link: Link, mtu: int) -> str:
    """Why an interface cannot have this MTU; empty when it can."""
    if link.most_mtu and mtu > link.most_mtu:
        return f"its largest MTU is {link.most_mtu}, less than {mtu}"
    return f"its smallest MTU is {link.least_mtu}, more than {mtu}" if mtu < link.least_mtu else ""


def nic_problem(host: Host, name: str, mtu: Optional[int]) -> str:
    """Why an interface of the system cannot become a port; empty when it can."""
    link = host.links.get(name)
    if link is None:
        return "there is no such network interface on this host"
    if link.master and link.master != "ovs-system":
        return f"it belongs to {link.master}, a bridge or bond of Linux"
    return mtu_problem(link, mtu) if mtu is not None else ""


def has_real_nics(tables: Tables, bridge: str) -> bool:
    kinds = [single(row["datapath_type"]) for row in tables["Bridge"] if row["name"] == bridge]
    return kinds != [_DUMMY]


def leaving(plan: Plan) -> set[str]:
    """The interfaces that the plan takes out of their port."""
    result: set[str] = set()
    for step in plan:
        interfaces = set(step.facts.get("interfaces", ()))
        if step.action == DELETE:
            result |= interfaces
        elif step.action == UPDATE and "members" in step.options:
            result |= interfaces - set((step.after or {}).get("members") or ())
    return result


def interface_unmet(who: str, row: Row) -> Sequence[Unmet]:
    """What is wrong with one interface itself."""
    error = single(row["error"])
    if error:
        return (Unmet(f"{who}: {row['name']} does not work: {str(error).rstrip('.')}.", passing=True),)
    wanted, mtu = single(row["mtu_request"]), single(row["mtu"])
    if wanted is not None and mtu is not None and mtu != wanted:
        return (Unmet(f"{who}: the MTU of {row['name']} is {mtu}, not {wanted} as asked.", passing=True),)
    return ()


def _understood(field: Field, raw: Any) -> Any:
    """The canonical value; what Open vSwitch itself does not understand counts as not set, as it does there."""
    if isinstance(field.form, Boolean) and raw not in ("true", "false"):
        return None
    try:
        return field.canonical(raw)
    except ValueError:
        return None


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
