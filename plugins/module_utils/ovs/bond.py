# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Bonds of Open vSwitch. Source: ovs-vswitchd.conf.db(5), table Port, "Bonding Configuration".

A bond keeps its row, and members that stay keep theirs, whatever changes: that is what makes a change in place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
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
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import (
    Boolean,
    Key,
    Mac,
    Number,
    Unordered,
)
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.changes import (
    Change,
    Elements,
    Entries,
    Insert,
    Ref,
    Update,
)
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.database import Tables, single
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.host import Host
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.lacp import NOBODY
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.switch_port import (
    AGGREGATION_KEY,
    BRIDGE,
    LARGEST_MTU,
    NAME,
    SETTINGS,
    SMALLEST_MTU,
    TABLES,
    VLANS,
    Standing,
    SwitchPortKind,
    check_range,
    concerned,
    has_real_nics,
    interface_unmet,
    leaving,
    mtu_problem,
    nic_problem,
    standing,
)

BALANCE_TCP = "balance-tcp"
MODES = ("active-backup", "balance-slb", BALANCE_TCP)
LACP = ("active", "passive", "off")
_LONGEST_DELAY = 2**31 - 1
# Below a second, Open vSwitch takes a second; 0 turns rebalancing off.
_SHORTEST_REBALANCE = 1000


@dataclass(frozen=True)
class BondKind(SwitchPortKind):
    def check(self, item: Item) -> None:
        super().check(item)
        options = item.options
        if "members" in options and options["members"] is None:
            raise InvalidInput("members: a bond without members is none.", hint="Use state: absent to remove a bond.")
        for member in options.get("members") or ():
            if not NAME.match(member) or member == item.key[0]:
                raise InvalidInput(f"members: {member!r} is no interface that can be in it.", hint="Correct it.")
        for option in ("bond_updelay", "bond_downdelay", "rebalance_interval"):
            check_range(options, option, 0, _LONGEST_DELAY)
        if 0 < (options.get("rebalance_interval") or 0) < _SHORTEST_REBALANCE:
            raise InvalidInput(
                f"rebalance_interval: {options['rebalance_interval']} is less than Open vSwitch can do.",
                hint=f"Give {_SHORTEST_REBALANCE} or more milliseconds, or 0 for never.",
            )
        check_range(options, "miimon_interval", 1, _LONGEST_DELAY)
        check_range(options, "lacp_system_priority", 1, 65535)
        check_range(options, "mtu", SMALLEST_MTU, LARGEST_MTU)
        if options.get("lacp_system_id") == NOBODY:
            raise InvalidInput(f"lacp_system_id: {NOBODY} means nobody.", hint="Leave it out or correct it.")

    def contradiction(self, step: Step) -> str:
        after = step.after or {}
        without_lacp = after.get("lacp", "off") == "off"
        if after.get("mode") == BALANCE_TCP and without_lacp and concerned(step, {"mode", "lacp"}):
            return (
                f"mode {BALANCE_TCP} without LACP forwards nothing; set lacp (active), here and at the switch, or "
                "choose another mode"
            )
        if step.action == CREATE and len(after["members"]) < 2:
            return f"a new bond needs two members or more, this one has {', '.join(after['members'])} only"
        return super().contradiction(step)

    def consents(self, step: Step) -> Sequence[Consent]:
        before, after = step.before or {}, step.after or {}
        if step.action == CREATE or step.facts.get("is_down"):
            return ()
        members = ", ".join(before.get("members") or ())
        if step.action == DELETE:
            return (Consent(f"cut_port:{step.key[0]}", f"what passes {members} is cut off from {before['bridge']}"),)
        if "bridge" in step.options:
            text = f"every member ({members}) goes down while it moves from {before['bridge']} to {after['bridge']}"
            return (Consent("bond_flap", text),)
        causes = []
        if "lacp" in step.options and "off" in (before.get("lacp", "off"), after.get("lacp", "off")):
            causes.append(f"until both sides of it agree on LACP, nothing passes {members}")
        if not set(before.get("members") or ()) & set(after.get("members") or ()):
            causes.append(f"no member stays: what passes {members} is cut off until the new ones are in use")
        return (Consent("bond_flap", "; ".join(causes)),) if causes else ()

    # -- reading and writing ----------------------------------------------------------------------------------------

    def includes(self, port: Standing) -> bool:
        return port.is_bond

    def further(self, port: Standing) -> Mapping[str, Any]:
        requests = {single(row["mtu_request"]) for row in port.interfaces}
        return {
            "mode": single(port.row["bond_mode"]),
            "members": [row["name"] for row in port.interfaces],
            # Set for the bond when it is set alike for every member.
            "mtu": requests.pop() if len(requests) == 1 else None,
        }

    def new_columns(self, state: Mapping[str, Any]) -> dict[str, Any]:
        mode = {"bond_mode": state["mode"]} if "mode" in state else {}
        return {**super().new_columns(state), **mode}

    def releases(self, step: Step) -> Collection[str]:
        before, after = step.before or {}, step.after or {}
        if before.get("lacp", "off") == "off":
            return ()
        return set(before.get("members") or ()) - set(after.get("members") or ())

    def prepared(self, step: Step, host: Host) -> Step:
        """With the key of the members' LACP where it has to be written down: when some leave, or it is already."""
        before, after = step.before or {}, step.after or {}
        if step.action != UPDATE or "members" not in step.options or before.get("lacp", "off") == "off":
            return step
        written = set(step.facts["keys"].values()) - {""}
        leaves = not set(before["members"]) <= set(after["members"])
        key = written.pop() if len(written) == 1 else host.aggregation_key(str(step.key[0])) if leaves else ""
        return replace(step, facts={**step.facts, "key": key}) if key else step

    def changes(self, step: Step, tag: str) -> Sequence[Change]:
        if step.action == DELETE:
            return self.removal(step)
        after = step.after or {}
        known: Mapping[str, str] = step.facts.get("interfaces", {})
        mtu = {"mtu_request": after["mtu"]} if "mtu" in after else {}
        key = {AGGREGATION_KEY: step.facts["key"]} if "key" in step.facts else {}
        columns = {**mtu, **({"other_config": key} if key else {})}
        new = [name for name in after["members"] if name not in known]
        changes: list[Change] = [
            Insert("Interface", f"{tag}i{number}", {"name": name, **columns}) for number, name in enumerate(new)
        ]
        refs = tuple(Ref(change.name, new=True) for change in changes if isinstance(change, Insert))
        if step.action == CREATE:
            port = Ref(f"{tag}p", new=True)
            settings = {"name": step.key[0], "interfaces": refs, **self.new_columns(after)}
            bridge = Ref(after["bridge"], named=True)
            return [*changes, Insert("Port", port.row, settings), Elements("Bridge", bridge, "ports", added=(port,))]
        if key:
            stay = [uuid for name, uuid in known.items() if name in after["members"] and not step.facts["keys"][name]]
            changes.extend(Entries("Interface", Ref(uuid), "other_config", key) for uuid in stay)
        if "members" in step.options:
            gone = tuple(Ref(uuid) for name, uuid in known.items() if name not in after["members"])
            changes.append(Elements("Port", Ref(step.facts["uuid"]), "interfaces", refs, gone))
        if "mtu" in step.options:
            stay = [uuid for name, uuid in known.items() if name in after["members"]]
            changes.extend(Update("Interface", Ref(uuid), {"mtu_request": after.get("mtu")}) for uuid in stay)
        if "mode" in step.options:
            changes.append(Update("Port", Ref(step.facts["uuid"]), {"bond_mode": after.get("mode")}))
        return [*changes, *self.common_changes(step)]

    # -- what a transaction does not promise ------------------------------------------------------------------------

    def problems(self, plan: Plan, tables: Tables, host: Host) -> Sequence[str]:
        gone = leaving(plan)
        taken = {
            str(row["name"]): f"belongs to the {port.described}"
            for port in standing(tables).values()
            for row in port.interfaces
            if row["name"] not in gone
        }
        problems: list[str] = []
        for step in plan:
            if step.action == DELETE:
                continue
            after, before = step.after or {}, step.before or {}
            who = self.described(step.key)
            problems.extend(self.place_problems(step, tables))
            real = has_real_nics(tables, after["bridge"])
            for member in after["members"]:
                new = member not in (before.get("members") or ())
                trouble = ""
                if new and member in taken:
                    trouble = f"it {taken[member]} already; take it out there first"
                elif new and real:
                    trouble = nic_problem(host, member, after.get("mtu"))
                elif "mtu" in step.options and "mtu" in after and real and member in host.links:
                    trouble = mtu_problem(host.links[member], after["mtu"])
                if new:
                    taken.setdefault(member, f"is a member of {who} in this task")
                if trouble:
                    problems.append(f"{who}: member {member}: {trouble}")
        return problems

    def unmet(self, things: Mapping[Key, Thing], declared: Declaration, tables: Tables, host: Host) -> Sequence[Unmet]:
        result: list[Unmet] = []
        ports = standing(tables)
        for item in declared.items:
            port = ports.get(str(item.key[0]))
            if port is not None and item.key in things:
                result.extend(self._unmet_bond(port, things[item.key].state, host))
        return result

    def _unmet_bond(self, port: Standing, state: Mapping[str, Any], host: Host) -> Sequence[Unmet]:
        who = f"bond {port.name}"
        broken = [unmet for row in port.interfaces for unmet in interface_unmet(who, row)]
        working = [row for row in port.interfaces if not single(row["error"])]
        if len(port.interfaces) < 2:
            return broken
        states = {row["name"]: single(row["link_state"]) for row in working}
        found = host.bond_problems(
            port.name,
            lacp_on=state.get("lacp", "off") != "off",
            members=list(states),
            carriers={name: link == "up" for name, link in states.items() if link is not None},
            off={row["name"] for row in working if single(row["admin_state"]) == "down"},
            fallback=bool(state.get("lacp_fallback_ab")),
        )
        if state.get("mode") == BALANCE_TCP and state.get("lacp", "off") == "off":
            lost = Unmet(f"{who}: mode {BALANCE_TCP} without LACP forwards nothing.")
            return [*broken, lost, *found]
        return [*broken, *found]


def _delay(name: str) -> Field:
    # A column that always has a number.
    return Field(name, Number(), type="int", default=0, written=True)


BOND = BondKind(
    name="bond",
    identity=("name",),
    words=("bond_flap", "cut_port", "management_path"),
    tables=TABLES,
    columns=("lacp", "bond_updelay", "bond_downdelay"),
    keys=(
        ("lacp_time", "lacp-time"),
        ("lacp_fallback_ab", "lacp-fallback-ab"),
        ("lacp_system_id", "lacp-system-id"),
        ("lacp_system_priority", "lacp-system-priority"),
        ("rebalance_interval", "bond-rebalance-interval"),
        ("detect_mode", "bond-detect-mode"),
        ("miimon_interval", "bond-miimon-interval"),
    ),
    fields=(
        Field("name"),
        BRIDGE,
        Field("members", Unordered(), type="list", elements="str", required=True),
        Field("mode", choices=MODES, default=MODES[0], wire="bond_mode"),
        Field("lacp", choices=LACP, default="off"),
        Field("lacp_time", choices=("fast", "slow"), default="slow"),
        Field("lacp_fallback_ab", Boolean(), type="bool", default=False),
        Field("lacp_system_id", Mac()),
        Field("lacp_system_priority", Number(), type="int"),
        _delay("bond_updelay"),
        _delay("bond_downdelay"),
        Field("rebalance_interval", Number(), type="int", default=10000),
        Field("detect_mode", choices=("carrier", "miimon"), default="carrier"),
        Field("miimon_interval", Number(), type="int", default=200),
        *VLANS,
        Field("mtu", Number(), type="int"),
        *SETTINGS,
    ),
)
