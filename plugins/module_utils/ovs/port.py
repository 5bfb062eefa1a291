# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Ports of Open vSwitch with one interface: NICs, internal interfaces, tunnels, patches.

Source: ovs-vswitchd.conf.db(5), table Interface; for IPsec, Open vSwitch's "Encrypt Open vSwitch Tunnels with IPsec".
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration, Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
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
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key, Mac, Number, TextByKey
from ansible_collections.hospital.continuity.plugins.module_utils.ovs import ipsec
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.changes import (
    Change,
    Elements,
    Insert,
    Ref,
    Update,
    entries,
)
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.database import Tables, elements, single
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.host import Host
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.switch_port import (
    BRIDGE,
    LARGEST_MTU,
    NAME,
    SETTINGS,
    SMALLEST_MTU,
    TABLES,
    VLANS,
    Standing,
    SwitchPortKind,
    check_map,
    check_range,
    concerned,
    has_real_nics,
    interface_unmet,
    leaving,
    mtu_problem,
    nic_problem,
    standing,
)

SYSTEM, INTERNAL, PATCH = "system", "internal", "patch"
TUNNELS = ("gre", "ip6gre", "vxlan", "geneve", "erspan", "ip6erspan", "stt", "lisp", "gtpu", "bareudp")
# What openvswitch-ipsec protects.
ENCRYPTED = ("gre", "ip6gre", "vxlan", "geneve", "stt")
IPSEC = ("psk", "remote_cert", "remote_name")
# Options that are keys of the interface's options, by the same name.
KEYS = ("peer", "remote_ip", "local_ip", "key", "dst_port", *IPSEC)
_FLOW = "flow"
# The name of an internal port is an interface of the system, and Linux gives those 15 characters.
LONGEST_NAME = 15
_KEY = re.compile(r"^(flow|\d+|0[xX][0-9a-fA-F]+)$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class PortKind(SwitchPortKind):
    def check(self, item: Item) -> None:
        super().check(item)
        options = item.options
        check_range(options, "mtu_request", SMALLEST_MTU, LARGEST_MTU)
        check_range(options, "dst_port", 1, 65535)
        check_map(options, "options", {name: name for name in KEYS})
        for option in ("remote_ip", "local_ip"):
            address = options.get(option)
            if address is not None and address != _FLOW and not _is_address(address):
                raise InvalidInput(f"{option}: {address!r} is no IP address.", hint=f"Give one, or {_FLOW}.")
        if options.get("key") is not None and not _KEY.match(options["key"]):
            raise InvalidInput(f"key: {options['key']!r} is no number.", hint=f"Give a number, or {_FLOW}.")
        if options.get("peer") is not None and not NAME.match(options["peer"]):
            raise InvalidInput(f"peer: {options['peer']!r} is no name of a port.", hint="Correct it.")
        for option in IPSEC:
            if _CONTROL.search(options.get(option) or ""):
                raise InvalidInput(f"{option}: it has a control character in it.", hint="Correct it.")
        if options.get("psk") and (options.get("remote_cert") or options.get("remote_name")):
            raise InvalidInput("psk excludes remote_cert and remote_name.", hint="Choose one way to know the peer.")

    def contradiction(self, step: Step) -> str:
        after = step.after or {}
        kind = after.get("type", SYSTEM)
        only = {
            "mac": (INTERNAL,),
            "peer": (PATCH,),
            **dict.fromkeys(("remote_ip", "local_ip", "key", "dst_port"), TUNNELS),
        }
        only.update(dict.fromkeys(IPSEC, ENCRYPTED))
        misplaced = [option for option, kinds in only.items() if option in after and kind not in kinds]
        if misplaced and concerned(step, {"type", *misplaced}):
            return f"type {kind} has no {' and no '.join(misplaced)}; choose another type, or reset them"
        if not concerned(step, {"type", *KEYS}):
            return super().contradiction(step)
        if kind in TUNNELS and "remote_ip" not in after and kind != "gtpu":
            return f"a tunnel of type {kind} needs remote_ip"
        if kind == PATCH and "peer" not in after:
            return "a port of type patch needs a peer"
        if "psk" in after and ("remote_cert" in after or "remote_name" in after):
            return "psk excludes remote_cert and remote_name; take one away (psk: '' or reset)"
        if any(option in after for option in IPSEC) and after.get("remote_ip") == _FLOW:
            return f"a tunnel whose remote_ip is {_FLOW} cannot be encrypted"
        return super().contradiction(step)

    def consents(self, step: Step) -> Sequence[Consent]:
        before, after = step.before or {}, step.after or {}
        if step.action == CREATE or step.facts.get("is_down"):
            return ()
        causes = []
        if step.action == DELETE:
            causes.append(f"it is cut off from {before['bridge']}")
        if "bridge" in step.options and step.action == UPDATE:
            causes.append(f"it goes from {before['bridge']} to {after['bridge']}")
        if "type" in step.options and step.action == UPDATE:
            causes.append(f"it is made anew as {after.get('type', SYSTEM)} instead of {before.get('type', SYSTEM)}")
        return (Consent(f"cut_port:{step.key[0]}", "; ".join(causes)),) if causes else ()

    def wants_another_look(self, step: Step) -> bool:
        # A tunnel that goes to another bridge is made there before it is taken away here, which fails ("File exists");
        # nothing but another change makes ovs-vswitchd try again (observed with Open vSwitch 3.1).
        return step.action == UPDATE and "bridge" in step.options and (step.after or {}).get("type") in TUNNELS

    def is_uplink(self, step: Step) -> bool:
        return any(state and state.get("type") != INTERNAL for state in (step.before, step.after))

    def plan_create(self, item: Item) -> Step:
        if item.options.get("type") == INTERNAL and len(item.key[0]) > LONGEST_NAME:
            raise InvalidInput(
                f"a name may have {LONGEST_NAME} characters, this one has {len(item.key[0])}: an internal port is a "
                "network interface of the system."
            )
        return super().plan_create(item)

    # -- reading and writing ----------------------------------------------------------------------------------------

    def includes(self, port: Standing) -> bool:
        return not port.is_bond

    def further(self, port: Standing) -> Mapping[str, Any]:
        (row,) = port.interfaces
        options = dict(row["options"])
        result: dict[str, Any] = {name: options.pop(name, None) for name in KEYS}
        return {
            **result,
            "type": row["type"] or SYSTEM,
            "mac": single(row["mac"]),
            "mtu_request": single(row["mtu_request"]),
            "options": options,
        }

    def changes(self, step: Step, tag: str) -> Sequence[Change]:
        if step.action == DELETE:
            return self.removal(step)
        before, after = step.before or {}, step.after or {}
        name = str(step.key[0])
        columns = {
            "type": after.get("type", SYSTEM) if after.get("type", SYSTEM) != SYSTEM else "",
            "mac": after.get("mac"),
            "mtu_request": after.get("mtu_request"),
        }
        if step.action == CREATE:
            interface, port = Ref(f"{tag}i", new=True), Ref(f"{tag}p", new=True)
            given = {column: value for column, value in columns.items() if value not in (None, "")}
            options = _options(after)
            given.update({"options": options} if options else {})
            bridge = Ref(after["bridge"], named=True)
            return [
                Insert("Interface", interface.row, {"name": name, **given}),
                Insert("Port", port.row, {"name": name, "interfaces": (interface,), **self.new_columns(after)}),
                Elements("Bridge", bridge, "ports", added=(port,)),
            ]
        row = Ref(step.facts["interfaces"][name])
        changed = {column: value for column, value in columns.items() if column in step.options}
        changes: list[Change] = [Update("Interface", row, changed)] if changed else []
        changes.extend(entries("Interface", row, "options", _options(before), _options(after)))
        return [*changes, *self.common_changes(step)]

    # -- what a transaction does not promise ------------------------------------------------------------------------

    def problems(self, plan: Plan, tables: Tables, host: Host) -> Sequence[str]:
        known = elements(tables["Open_vSwitch"][0]["iface_types"]) if tables["Open_vSwitch"] else []
        gone = leaving(plan)
        members = {
            str(row["name"]): port.described
            for port in standing(tables).values()
            for row in port.interfaces
            if port.is_bond and row["name"] not in gone
        }
        problems: list[str] = []
        for step in plan:
            if step.action == DELETE:
                continue
            name, after, who = str(step.key[0]), step.after or {}, self.described(step.key)
            kind = after.get("type", SYSTEM)
            problems.extend(self.place_problems(step, tables))
            if known and kind not in known and concerned(step, {"type"}):
                problems.append(f"{who}: this Open vSwitch has no ports of type {kind} ({', '.join(sorted(known))})")
            if step.action == CREATE and name in members:
                problems.append(f"{who}: it is a member of the {members[name]} already; take it out there first")
            elif kind == SYSTEM and has_real_nics(tables, after["bridge"]):
                mtu, trouble = after.get("mtu_request"), ""
                if concerned(step, {"type"}):
                    trouble = nic_problem(host, name, mtu)
                elif concerned(step, {"mtu_request"}) and mtu is not None and name in host.links:
                    trouble = mtu_problem(host.links[name], mtu)
                if trouble:
                    problems.append(f"{who}: {trouble}")
        return problems

    def unmet(self, things: Mapping[Key, Thing], declared: Declaration, tables: Tables, host: Host) -> Sequence[Unmet]:
        result: list[Unmet] = []
        ports = standing(tables)
        for item in declared.items:
            port = ports.get(str(item.key[0]))
            if port is None or item.key not in things:
                continue
            who, state = self.described(item.key), things[item.key].state
            (row,) = port.interfaces
            broken = interface_unmet(who, row)
            result.extend(broken)
            if not broken and state.get("type", SYSTEM) == SYSTEM and single(row["link_state"]) == "down":
                if single(row["admin_state"]) == "down":
                    text = f"it is switched off; ip link set {port.name} up switches it on"
                else:
                    text = "it has no carrier: look at its cable and at the port at its other end"
                result.append(Unmet(f"{who}: {text}.", passing=True))
            if any(option in state for option in IPSEC):
                result.extend(_unencrypted(who, state, host))
        return result


def _unencrypted(who: str, state: Mapping[str, Any], host: Host) -> Sequence[Unmet]:
    remote = str(state.get("remote_ip", ""))
    lacking = ipsec.lacking(host.associations, state.get("type", SYSTEM), remote)
    if not lacking:
        return ()
    causes = (
        "openvswitch-ipsec does not run here or there, the other side has another key or certificate, or its end of "
        "the tunnel is without IPsec"
    )
    text = f"{who}: the tunnel to {remote} is not encrypted ({', '.join(lacking)}): {causes}."
    return (Unmet(text, passing=True),)


def _options(state: Mapping[str, Any]) -> dict[str, str]:
    return {**(state.get("options") or {}), **{name: str(state[name]) for name in KEYS if state.get(name) is not None}}


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


PORT = PortKind(
    name="port",
    identity=("name",),
    words=("cut_port", "management_path"),
    tables=TABLES,
    fields=(
        Field("name"),
        BRIDGE,
        Field("type", default=SYSTEM),
        Field("mac", Mac()),
        *VLANS,
        Field("mtu_request", Number(), type="int"),
        Field("peer"),
        Field("remote_ip"),
        Field("local_ip"),
        Field("key"),
        Field("dst_port", Number(), type="int"),
        # What Open vSwitch tells us and we tell nobody. Leaving it out never takes it away.
        Field("psk", secret=True, kept=True),
        Field("remote_cert"),
        Field("remote_name"),
        Field("options", TextByKey(), type="dict", merged=True),
        *SETTINGS,
    ),
)
