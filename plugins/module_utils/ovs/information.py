# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What ovs_info returns: the kinds asked for in `config`'s own form, and what is wrong at the moment."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration, Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Thing, label
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.backend import OvsBackend
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.bond import BOND
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.bridge import BRIDGE
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.kind import OvsKind
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.port import PORT

KINDS: Mapping[str, OvsKind] = {kind.name: kind for kind in (BRIDGE, BOND, PORT)}
_SWITCH = "ovs-vswitchd"


def gather(backend: OvsBackend, names: Collection[str], patterns: Collection[str] = ()) -> dict[str, Any]:
    """`config` by kind and `health`. `patterns` (shell patterns) choose things by name. Raises SubsystemError."""
    config: dict[str, Any] = {}
    health: list[dict[str, str]] = []
    for name, kind in KINDS.items():
        things = backend.observe(kind, None, frozenset(row.name for row in kind.option_rows))
        if name in names:
            config[name] = [kind.visible(key, things[key].state) for key in sorted(things) if _matches(key, patterns)]
        health.extend(finding for finding in _findings(backend, kind, things) if finding not in health)
    return {"config": config, "health": health}


def _findings(backend: OvsBackend, kind: OvsKind, things: Mapping[Key, Thing]) -> list[dict[str, str]]:
    """What would be in `unmet` if everything that is there were declared."""
    items = tuple(Item(key, things[key].state) for key in sorted(things))
    subjects = [kind.described(key) for key in things]
    result = []
    for unmet in backend.verify(kind, things, Declaration(items)):
        subject = unmet.text.partition(": ")[0]
        result.append({"subject": subject if subject in subjects else _SWITCH, "message": unmet.text})
    return result


def _matches(key: Key, patterns: Collection[str]) -> bool:
    return not patterns or any(fnmatchcase(label(key), str(pattern)) for pattern in patterns)
