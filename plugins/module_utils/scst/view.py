# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The tree as the module's states, and what is wrong in it, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.scst.devices import Inventory
from ansible_collections.hospital.continuity.plugins.module_utils.scst.names import SHORTEST_SECRET, several
from ansible_collections.hospital.continuity.plugins.module_utils.scst.state import (
    PASS_THROUGH,
    TAPE,
    Lun,
    Target,
    Tree,
)
from ansible_collections.hospital.continuity.plugins.module_utils.scst.target import SETTINGS, TargetKind


def states(kind: TargetKind, tree: Tree, inventory: Inventory) -> dict[Key, dict[str, Any]]:
    """The state of every target by its key."""
    return {(name,): _state(tree, inventory, target) for name, target in tree.targets.items()}


def _state(tree: Tree, inventory: Inventory, target: Target) -> dict[str, Any]:
    state: dict[str, Any] = {
        # Where the driver is switched off, its targets serve nobody whatever they say.
        "enabled": target.enabled and tree.driver_enabled,
        "allowed_portals": tuple(sorted(target.portals)),
        "incoming_users": {user.name: {"secret": user.secret} for user in target.incoming},
        "groups": {
            name: {
                option: value
                for option, value in (
                    ("initiators", tuple(sorted(group.initiators))),
                    ("luns", _luns(tree, inventory, group.luns)),
                )
                if value
            }
            for name, group in sorted(target.groups.items())
        },
        "default_luns": {number: inventory.identity(lun.device) for number, lun in sorted(target.luns.items())},
    }
    if target.outgoing is not None:
        state["outgoing_user"] = target.outgoing.name
        state["outgoing_secret"] = target.outgoing.secret
    for row in SETTINGS:
        text = target.settings.get(row.wire_name, "")
        try:
            value = row.canonical(text)
        except ValueError:
            # Set by hand to something that we would refuse: still what it is.
            value = text
        if not row.same(value, None):
            state[row.name] = value
    return {name: value for name, value in state.items() if value not in ((), {})}


def _luns(tree: Tree, inventory: Inventory, table: Mapping[int, Lun]) -> dict[int, dict[str, Any]]:
    result = {}
    for number, lun in sorted(table.items()):
        device = tree.devices.get(lun.device)
        fields = {
            "device": inventory.identity(lun.device),
            "read_only": lun.read_only,
            "handler": device.handler if device is not None else "",
            "type": device.type if device is not None else -1,
        }
        result[number] = {name: value for name, value in fields.items() if value != ""}
    return result


def troubles(tree: Tree, name: str) -> list[str]:
    """What is not as it should be in a target that was configured without an error."""
    target = tree.targets[name]
    result = []
    if not tree.serves:
        result.append(f"the daemon iscsi-scstd does not run (open_state {tree.open_state})")
    if target.luns:
        result.append("it has LUNs of its own, which everybody sees who is in no group; give its groups to remove them")
    if target.wedged:
        result.append("two outgoing users were added by hand, and SCST shows neither until the target is deleted")
    result.extend(
        f"the secret of {user.name} is too short to be used"
        for user in target.incoming
        if len(user.secret) < SHORTEST_SECRET
    )
    for group, members in sorted(target.groups.items()):
        for number, lun in sorted(members.luns.items()):
            device = tree.devices.get(lun.device)
            if device is None or not device.handler:
                result.append(
                    f"LUN {number} of group {group} is on {lun.device}, which nothing has claimed: nobody sees it"
                )
        for initiator in members.initiators:
            others = [
                other for other in target.groups if other < group and initiator in target.groups[other].initiators
            ]
            result.extend(f"{initiator} is in the groups {other} and {group}" for other in others)
    return [*result, *_shared(tree, name)]


def _shared(tree: Tree, name: str) -> list[str]:
    """Tape drives of a target that several initiators may use."""
    users: dict[str, set[str]] = {}
    mine: set[str] = set()
    for other, target in tree.targets.items():
        for group in target.groups.values():
            for lun in group.luns.values():
                device = tree.devices.get(lun.device)
                if device is not None and device.type == TAPE and device.handler in PASS_THROUGH:
                    users.setdefault(lun.device, set()).update(group.initiators)
                    mine.update({lun.device} if other == name else ())
    return [
        f"the tape drive at {address} is granted to {' and '.join(sorted(users[address]))}"
        for address in sorted(mine)
        if several(users[address])
    ]
