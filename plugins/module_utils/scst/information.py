# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What scst_info returns: targets in `config`'s own form, devices, sessions, libraries, and what is wrong."""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.command import Runner, run
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.scst import conf, saved
from ansible_collections.hospital.continuity.plugins.module_utils.scst.backend import ScstBackend
from ansible_collections.hospital.continuity.plugins.module_utils.scst.devices import Inventory, ScsiDevice
from ansible_collections.hospital.continuity.plugins.module_utils.scst.record import located
from ansible_collections.hospital.continuity.plugins.module_utils.scst.state import CHANGER, Tree
from ansible_collections.hospital.continuity.plugins.module_utils.scst.target import TARGET
from ansible_collections.hospital.continuity.plugins.module_utils.scst.view import states, troubles
from ansible_collections.hospital.continuity.plugins.module_utils.tape.library import shown
from ansible_collections.hospital.continuity.plugins.module_utils.tape.mtx import Mtx

_SCST = "scst"


def gather(
    backend: ScstBackend, patterns: Collection[str] = (), *, libraries: bool = True, runner: Runner = run
) -> dict[str, Any]:
    """Everything that is there. `patterns` (shell patterns) choose targets by name; `libraries`: whether the robots are
    asked what they hold. Raises SubsystemError."""
    tree, inventory = backend.tree(), backend.inventory()
    found = states(TARGET, tree, inventory)
    health = _findings(backend, tree, inventory)
    held: list[dict[str, Any]] = []
    if libraries:
        held, problems = _libraries(inventory, runner)
        health.extend(problems)
    return {
        "config": {
            "target": [
                TARGET.pasted(key, found[key])
                for key in sorted(found)
                if not patterns or any(fnmatchcase(str(key[0]), str(pattern)) for pattern in patterns)
            ]
        },
        "open_state": tree.open_state,
        "version": tree.version,
        "devices": [_device(tree, inventory, device) for device in inventory.devices],
        "sessions": _sessions(tree),
        "libraries": held,
        "health": health,
    }


def _device(tree: Tree, inventory: Inventory, device: ScsiDevice) -> dict[str, Any]:
    claimed = tree.devices[device.address].handler if device.address in tree.devices else ""
    return {
        "device": inventory.identity(device.address),
        "address": device.address,
        "type": device.sort,
        "vendor": device.vendor,
        "model": device.model,
        "serial": device.serial,
        "naa": device.naa,
        "by_id": list(device.by_id),
        "generic": device.generic,
        "handler": claimed,
        "imported": device.imported,
        "exported_by": sorted(
            f"{name} {group} LUN {number}"
            for name, target in tree.targets.items()
            for group, members in target.groups.items()
            for number, lun in members.luns.items()
            if lun.device == device.address
        ),
    }


def _sessions(tree: Tree) -> list[dict[str, Any]]:
    return [
        {
            "target": name,
            "initiator": session.initiator,
            "group": session.group,
            "addresses": list(session.addresses),
            "active_commands": session.commands,
        }
        for name, target in sorted(tree.targets.items())
        for session in target.sessions
    ]


def _findings(backend: ScstBackend, tree: Tree, inventory: Inventory) -> list[dict[str, str]]:
    said: list[tuple[str, str]] = []
    if not tree.loaded:
        said.append((_SCST, "SCST is not loaded: nothing is exported."))
    elif not tree.serves:
        text = f"The daemon iscsi-scstd does not run (open_state {tree.open_state}): nothing is exported by iSCSI."
        said.append((_SCST, f"{text} Run scst_target, or systemctl restart scst."))
    elif any(target.enabled for target in tree.targets.values()) and not tree.driver_enabled:
        said.append((_SCST, "The iSCSI target driver is switched off: no target serves anybody."))
    said.extend((f"target {name}", f"{text}.") for name in sorted(tree.targets) for text in troubles(tree, name))
    said.extend((_SCST, text) for text in backend.service.problems())
    said.extend((backend.places.conf, text) for text in _file(backend, tree))
    for one in backend.remembered().luns:
        if not located(inventory, one.names):
            text = f"{one.names[0]} is not on this host, so LUN {one.lun} of group {one.group} is not exported."
            said.append((f"target {one.target}", text))
    return [{"subject": subject, "message": text} for subject, text in said]


def _file(backend: ScstBackend, tree: Tree) -> list[str]:
    """What is wrong with scst.conf."""
    path = backend.places.conf
    try:
        text, mode = conf.load(path)
        existing = conf.parse(text, path)
    except SubsystemError as problem:
        return [str(problem)]
    result = []
    if mode and mode != conf.MODE:
        result.append(f"Others than root can read it (mode {mode:04o}), and it holds CHAP secrets.")
    if not conf.startable(text, existing):
        result.append("SCST's start would not find all the modules it needs in it, for its form. Run scst_target.")
    if conf.meaning(saved.merged(existing, tree)) != conf.meaning(existing):
        result.append("It is not what runs: after a reboot something else would be exported. Run scst_target.")
    lost = [name for name in saved.targets(existing) if name not in tree.targets]
    return [*result, *(f"It has the target {name}, which does not run." for name in lost)]


def _libraries(inventory: Inventory, runner: Runner) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """What the changers hold that are attached to this host."""
    held, problems = [], []
    for device in inventory.devices:
        if device.type != CHANGER or device.imported:
            continue
        identity = inventory.identity(device.address)
        try:
            if not device.generic:
                raise SubsystemError("It has no /dev/sgN.", hint="Load the kernel module sg.")
            held.append({"library": identity, **shown(Mtx(device.generic, runner).contents())})
        except SubsystemError as problem:
            problems.append({"subject": f"library {identity}", "message": str(problem)})
    return held, problems
