# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A node's network interfaces. PVE API: /nodes/{node}/network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration, Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    UPDATE,
    Consent,
    Plan,
    Step,
    Thing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key, Lines, Unordered
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import PveKind, Request, decoded
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_checks import (
    check_name,
    check_options,
    check_state,
    from_name,
    tidied,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_losses import losses
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_order import in_order
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_requests import Staging
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_types import (
    BOND_MODES,
    ETH,
    TYPES,
    VLAN,
    type_of,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_values import (
    Address,
    Interface,
    OvsOptions,
    Switch,
    VlanIds,
    Whole,
)

# What is done when nothing but other people's pending changes is left.
PENDING = "pending changes"


@dataclass(frozen=True)
class NetworkKind(PveKind):
    """One interface in /etc/network/interfaces, by node and name."""

    def check(self, item: Item) -> None:
        check_name(str(item.key[1]))
        if item.options.get("type") in TYPES:
            check_options(str(item.options["type"]), {**item.options, **dict.fromkeys(item.reset)})

    def key_of(self, raw: Mapping[str, Any]) -> Key:
        return (str(raw["node"]), str(raw["iface"]))

    def decode(self, raw: Mapping[str, Any], facts: Mapping[str, Any] | None = None) -> Thing:
        """An entry of the list that GET gives."""
        kind = type_of(raw)
        if kind is None:
            return Thing({"type": raw.get("type")}, {**(facts or {}), "raw": raw})
        rows = [row for row in self.option_rows if row.name == "type" or row.name in kind.options]
        state = decoded(rows, raw)
        for method, options in (("method", ("cidr", "gateway")), ("method6", ("cidr6", "gateway6"))):
            if raw.get(method, "static") != "static":
                # PVE also shows addresses that stand in the file and are not in force.
                state = {name: value for name, value in state.items() if name not in options}
        return Thing(tidied(state), {**(facts or {}), "raw": raw})

    def row_for(self, row: Field, current: Mapping[str, Any]) -> Field:
        kind = type_of(current)
        if kind is None:
            return row
        if row.name in kind.defaults:
            row = replace(row, default=kind.defaults[row.name])
        if row.name in kind.required:
            # Neither ifupdown2 nor the kernel gives an existing VLAN another number or device.
            return replace(row, required=True, create_only=current.get("type") == VLAN)
        return row

    def wanted(self, item: Item, current: Mapping[str, Any], declared: Declaration) -> tuple[dict[str, Any], list[str]]:
        kind = str(item.options.get("type") or current.get("type"))
        if kind not in TYPES:
            raise InvalidInput(
                f"it is of type {kind}, which this module does not describe.", hint="Say with type what it shall be."
            )
        was = str(current.get("type"))
        check_options(kind, {**item.options, **dict.fromkeys(item.reset)})
        base = {name: value for name, value in current.items() if name == "type" or name in TYPES[kind].options}
        if was != kind:
            if base.get("bond_mode") not in TYPES[kind].modes:
                base.pop("bond_mode", None)
            base = {**({} if was not in TYPES else base), **_implied(kind, item), "type": kind}
        after, options = super().wanted(item, base, declared)
        after = tidied(after)
        check_state(str(item.key[1]), after, item.options)
        if was != kind:
            self._require(kind, after)
            others = [row.name for row in self.option_rows if row.name != "type"]
            return after, ["type", *(name for name in others if current.get(name) != after.get(name))]
        moot = [name for name in base if name not in after and name not in options]
        return after, [*options, *moot]

    def _require(self, kind: str, state: Mapping[str, Any]) -> None:
        lacking = [name for name in TYPES[kind].required if state.get(name) is None]
        if lacking:
            raise InvalidInput(f"an interface of type {kind} needs {' and '.join(lacking)}.")

    def plan_create(self, item: Item) -> Step:
        step = super().plan_create(item)
        kind = str(item.options["type"])
        after = tidied({**_implied(kind, item), **(step.after or {})})
        self._require(kind, after)
        check_state(str(item.key[1]), after, item.options)
        return replace(step, after=after)

    def plan_absent(self, key: Key, thing: Thing | None) -> Sequence[Step]:
        if thing is not None and thing.state.get("type") == ETH and not _is_configured(thing.state):
            return ()
        return super().plan_absent(key, thing)

    def plan(self, observed: Mapping[Key, Thing], declared: Declaration) -> Plan:
        plan = super().plan(observed, declared)
        waiting = self._waiting(observed, declared) if not plan else None
        return plan if waiting is None else Plan((waiting,))

    def _waiting(self, observed: Mapping[Key, Thing], declared: Declaration) -> Step | None:
        """With nothing else to do: pending changes of which the user said what becomes of them."""
        for key in declared.keys:
            thing = observed.get(key)
            words = {f"{word}:{key[0]}" for word in ("apply_pending", "discard_pending")}
            if thing is not None and thing.facts.get("pending") and words & declared.allow:
                state = thing.state
                return Step(UPDATE, self.name, key, before=state, after=state, options=(PENDING,), facts=thing.facts)
        return None

    def consents(self, step: Step) -> Sequence[Consent]:
        return losses(step)

    def order(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return in_order(steps)

    def requests(self, step: Step) -> Sequence[Request]:
        """Of one step alone. Several make one staging, see Staging."""
        raw = step.facts.get("raw")
        return tuple(Staging(self.option_rows, {str(step.key[1]): raw} if raw else {}).requests(step))

    def differences(self, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
        """The options in which what PVE has differs from what it was given."""
        rows = [self.row_for(row, wanted) for row in self.option_rows]
        return [row.name for row in rows if not row.same(wanted.get(row.name), found.get(row.name))]

    def unmet_of(self, key: Key, thing: Thing) -> Sequence[Unmet]:
        """What the list says of an interface that should be up."""
        raw, kind = thing.facts.get("raw") or {}, thing.state.get("type")
        if raw.get("active") or not thing.state.get("autostart") or kind in ("OVSBond", "alias"):
            return ()
        return (Unmet(f"{key[1]} on {key[0]} is not up", passing=True),)


def _implied(kind: str, item: Item) -> dict[str, Any]:
    return from_name(str(item.key[1])) if kind == VLAN else {}


def _is_configured(state: Mapping[str, Any]) -> bool:
    """A network card is there as long as the machine has it; it can only be without a configuration."""
    return any(state.get(name) is not None for name in state if name not in ("type", "autostart"))


def _names(name: str) -> Field:
    """A list of interfaces, in any order; blanks separate them in PVE."""
    return Field(name, Unordered(separators=" ,;\n", joined_by=" "), type="list", elements="str")


NETWORK = NetworkKind(
    name="network",
    identity=("node", "iface"),
    words=("cut_bridge", "cut_port", "bond_flap", "management_path", "apply_pending", "discard_pending"),
    fields=(
        Field("node"),
        Field("iface"),
        Field("type", choices=tuple(TYPES), required=True),
        Field("autostart", Switch(), type="bool", default=False),
        # Addresses.
        Field("cidr", Interface(4)),
        Field("gateway", Address(4)),
        Field("cidr6", Interface(6)),
        Field("gateway6", Address(6)),
        Field("mtu", Whole(1280, 65520), type="int"),
        Field("comments", Lines()),
        # Linux bridges.
        _names("bridge_ports"),
        Field("bridge_vlan_aware", Switch(), type="bool", default=False),
        Field("bridge_vids", VlanIds(), type="list", elements="str", default="2-4094"),
        # Bonds.
        _names("slaves"),
        _names("ovs_bonds"),
        Field("bond_mode", choices=BOND_MODES),
        Field("bond_xmit_hash_policy", choices=("layer2", "layer2+3", "layer3+4"), default="layer2"),
        Field("bond_primary", wire="bond-primary"),
        # VLANs.
        Field("vlan_id", Whole(1, 4094), type="int", wire="vlan-id"),
        Field("vlan_raw_device", wire="vlan-raw-device"),
        # Open vSwitch.
        Field("ovs_bridge"),
        Field("ovs_tag", Whole(1, 4094), type="int"),
        Field("ovs_options", OvsOptions(), type="raw", merged=True),
    ),
)
