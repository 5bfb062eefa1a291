# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a change of one interface interrupts, and the words that consent to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    DELETE,
    Consent,
    Step,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_requests import is_made_again
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_types import (
    BOND,
    BONDS,
    BRIDGE,
    BRIDGES,
    CARDS,
    OVS_BOND,
    effective,
    members,
)


def losses(step: Step) -> Sequence[Consent]:
    """Consents of a step. Its facts: `raw`, the entry of PVE's list; `used_by`, what stands on it."""
    if step.action == CREATE:
        return ()
    before, raw = step.before or {}, step.facts.get("raw") or {}
    if step.action == DELETE or is_made_again(step) or _changes_its_part(step):
        return tuple(_of_removal(step, before, raw))
    return tuple(_of_update(step, before, raw))


def _of_removal(step: Step, before: Mapping[str, Any], raw: Mapping[str, Any]) -> Iterator[Consent]:
    name, kind = str(step.key[1]), before.get("type")
    has = _addresses(before)
    used_by = [str(user) for user in step.facts.get("used_by") or ()]
    if kind in BRIDGES:
        ports = [*(before.get("bridge_ports") or ()), *str(raw.get("ovs_ports") or "").split()]
        lost = [f"{', '.join(ports)} lose their bridge, and guests on it their network"] if ports else []
        lost += [f"{has} is gone"] if has else []
        lost += [f"{', '.join(used_by)} stands on it"] if used_by else []
        if lost:
            yield Consent(f"cut_bridge:{name}", "; ".join(lost))
    elif kind in BONDS and step.action != DELETE:
        yield Consent("bond_flap", f"{name} is taken down and made again: nothing passes in between")
    elif raw.get("active") or has or used_by or kind in BONDS:
        lost = [f"{has} is gone"] if has else []
        lost += [f"{', '.join(used_by)} loses it"] if used_by else []
        yield Consent(f"cut_port:{name}", "; ".join(lost) or f"nothing passes through {name} any more")


def _of_update(step: Step, before: Mapping[str, Any], raw: Mapping[str, Any]) -> Iterator[Consent]:
    name, after = str(step.key[1]), step.after or {}
    if before.get("type") == BRIDGE and raw.get("active"):
        for port in sorted(set(before.get("bridge_ports") or ()) - set(after.get("bridge_ports") or ())):
            yield Consent(f"cut_port:{port}", f"{port} leaves {name}, which no longer reaches anything through it")
    if before.get("type") == BOND and raw.get("active") and "bond_mode" in step.options:
        yield Consent("bond_flap", f"the kernel changes the mode of {name} only while it is down")
    # Open vSwitch has no interface for a bond, so PVE never calls one active.
    if (before.get("type") == OVS_BOND or (before.get("type") == BOND and raw.get("active"))) and members(before):
        had, has = (_has_lacp(state) for state in (before, after))
        if had != has and before.get("type") == OVS_BOND:
            yield Consent("bond_flap", f"until both sides of {name} agree on LACP, nothing passes it")
        if not set(members(before)) & set(members(after)):
            gone = ", ".join(members(before))
            yield Consent("bond_flap", f"no member of {name} stays: what passes {gone} is cut off until others are up")


def _has_lacp(state: Mapping[str, Any]) -> bool:
    return str(effective(state, "bond_mode")).startswith("lacp-")


def _changes_its_part(step: Step) -> bool:
    """A network card that becomes a port of Open vSwitch, stops being one or moves to another bridge."""
    before, after = step.before or {}, step.after or {}
    if before.get("type") not in CARDS:
        return False
    return before.get("type") != after.get("type") or before.get("ovs_bridge") != after.get("ovs_bridge")


def _addresses(state: Mapping[str, Any]) -> str:
    return " and ".join(str(state[name]) for name in ("cidr", "cidr6") if state.get(name))
