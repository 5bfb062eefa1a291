# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The Open vSwitch bonds of a node as they are, beside how its file says they should be.

ifupdown2 does not change the members of a bond that exists, and says that all is well: they are changed here, in one
transaction, before the file is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.command import Runner
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import UPDATE, Step
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.database import (
    Command,
    Database,
    elements,
    single,
)
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.host import Host
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.released import let_go
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.switch_port import AGGREGATION_KEY
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_requests import is_made_again
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_types import (
    OVS_BOND,
    effective,
    members,
)

_TABLES = {
    "Bridge": ["name", "ports"],
    "Port": ["_uuid", "name", "interfaces", "bond_mode", "lacp"],
    "Interface": ["_uuid", "name", "other_config"],
}


@dataclass(frozen=True)
class LiveBond:
    """One port of Open vSwitch as its database has it. mode: as Proxmox VE says it.  key: its LACP key, where it is
    written down."""

    bridge: str
    members: tuple[str, ...]
    mode: str
    key: str = ""

    @property
    def has_lacp(self) -> bool:
        return self.mode.startswith("lacp-")


@dataclass(frozen=True)
class Change:
    """Members of a bond that are to come and to go."""

    bond: str
    added: tuple[str, ...]
    removed: tuple[str, ...]

    def commands(self) -> list[Command]:
        """First who comes: a bond is never without members."""
        return [
            *(["add-bond-iface", self.bond, member] for member in self.added),
            *(["del-bond-iface", self.bond, member] for member in self.removed),
        ]

    def undone(self) -> Change:
        return Change(self.bond, self.removed, self.added)

    @property
    def text(self) -> str:
        words = [f"{sign}{member}" for sign, names in (("+", self.added), ("-", self.removed)) for member in names]
        return f"{self.bond}: {' '.join(words)}"


class NodeSwitch:
    """Open vSwitch of one node. run: how programs run where `address` is."""

    def __init__(self, address: str, run: Runner) -> None:
        self._database = Database(address, runner=run)
        self._address, self._run = address, run

    @property
    def writes(self) -> int:
        return self._database.writes

    def bonds(self) -> dict[str, LiveBond]:
        """Every port by its name, as one with members."""
        tables = self._database.read(_TABLES)
        names = {row["_uuid"]: str(row["name"]) for row in tables["Interface"]}
        keys = {row["_uuid"]: row["other_config"].get(AGGREGATION_KEY, "") for row in tables["Interface"]}
        bridges = {port: str(row["name"]) for row in tables["Bridge"] for port in elements(row["ports"])}
        return {
            str(row["name"]): LiveBond(
                bridges.get(row["_uuid"], ""),
                tuple(sorted(names[interface] for interface in elements(row["interfaces"]) if interface in names)),
                _mode(row),
                next((keys[interface] for interface in elements(row["interfaces"]) if keys.get(interface)), ""),
            )
            for row in tables["Port"]
        }

    def change(self, changes: Sequence[Change]) -> Sequence[str]:
        """All changes in one transaction, and a look at what came of them. Raises SubsystemError."""
        commands = [command for change in changes for command in change.commands()]
        was, host = self.bonds(), Host(self._run, self._address)
        commands += [command for change in changes for command in _keys(change, was.get(change.bond), host)]
        released = {member for change in changes if was[change.bond].has_lacp for member in change.removed}
        with let_go(self._run, host, released - {member for change in changes for member in change.added}) as warnings:
            said = self._database.transact(commands)
        found = self.bonds()
        for change in changes:
            bond = found.get(change.bond)
            has = set(bond.members) if bond else set()
            if not set(change.added) <= has or set(change.removed) & has:
                raise SubsystemError(
                    f"Open vSwitch took the change of {change.bond} and its members are {', '.join(sorted(has))} now.",
                    hint="Look at ovs-vsctl show on the node.",
                )
        return [*said, *warnings]

    def unmet(self, states: Mapping[str, Mapping[str, Any]], node: str) -> list[Unmet]:
        """Where bonds that the file describes are different, or do not work. States by name."""
        found = self.bonds()
        host = Host(self._run, self._address)
        result: list[Unmet] = []
        for name, state in sorted(states.items()):
            if state.get("type") != OVS_BOND:
                continue
            differs = difference(name, state, found.get(name))
            if differs:
                text = f"{name} on {node}: {differs}; if that stays so, put it right with ovs_bond on the node"
                result.append(Unmet(text, passing=True))
            else:
                lacp = str(effective(state, "bond_mode")).startswith("lacp-")
                wanted = state.get("ovs_bonds") or ()
                options = state.get("ovs_options") or {}
                fallback = options.get("other_config:lacp-fallback-ab") == "true"
                result.extend(host.bond_problems(name, lacp_on=lacp, members=wanted, fallback=fallback))
        return result


def _keys(change: Change, bond: LiveBond | None, host: Host) -> Iterator[Command]:
    """What keeps the key of the bond's LACP the same when members leave, see AGGREGATION_KEY."""
    if bond is None or not bond.has_lacp:
        return
    key = bond.key or (host.aggregation_key(change.bond) if change.removed else "")
    for member in sorted({*bond.members, *change.added} - set(change.removed)) if key else ():
        yield ["set", "Interface", member, f"other_config:{AGGREGATION_KEY}={key}"]


def _mode(row: Mapping[str, Any]) -> str:
    mode = single(row["bond_mode"]) or "active-backup"
    return f"lacp-{mode}" if single(row["lacp"]) in ("active", "passive") else str(mode)


def difference(name: str, state: Mapping[str, Any], live: LiveBond | None) -> str:
    """In what a bond that runs is not as its file says; empty where it is."""
    if live is None:
        return "it is in the file, and Open vSwitch has no such bond"
    wanted = tuple(sorted(state.get("ovs_bonds") or ()))
    if wanted != live.members:
        return f"the file says {', '.join(wanted) or 'nothing'}, Open vSwitch has {', '.join(live.members)}"
    if state.get("ovs_bridge") != live.bridge:
        return f"the file puts it on {state.get('ovs_bridge')}, Open vSwitch has it on {live.bridge}"
    mode = effective(state, "bond_mode")
    # Without a second member there is nothing to balance.
    if len(wanted) > 1 and mode != live.mode:
        return f"the file says {mode}, Open vSwitch runs it as {live.mode}"
    return ""


def changes_members(step: Step) -> bool:
    """A bond of Open vSwitch that stays where it is and gets other members."""
    after = step.after or {}
    return (
        step.action == UPDATE
        and after.get("type") == OVS_BOND
        and "ovs_bonds" in step.options
        and not is_made_again(step)
    )


def live_changes(step: Step, found: Mapping[str, LiveBond]) -> Iterator[Change]:
    name = str(step.key[1])
    bond = found.get(name)
    if bond is None:
        return  # ifupdown2 makes it, with the members of the file
    wanted, has = set(members(step.after or {})), set(bond.members)
    added, removed = tuple(sorted(wanted - has)), tuple(sorted(has - wanted))
    if added or removed:
        yield Change(name, added, removed)


def still_needed(change: Change, found: Mapping[str, LiveBond]) -> Change | None:
    bond = found.get(change.bond)
    has = set(bond.members) if bond else set()
    added = tuple(member for member in change.added if member not in has)
    removed = tuple(member for member in change.removed if member in has)
    return Change(change.bond, added, removed) if added or removed else None
