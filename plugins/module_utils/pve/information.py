# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What pve_info returns: the kinds asked for in `config`'s own form, and what is wrong with the cluster."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Thing, label
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve import health
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import NodeOffline, PveError
from ansible_collections.hospital.continuity.plugins.module_utils.pve.registry import KINDS, Registered

Things = Mapping[Key, Thing]


def gather(client: Client, names: Collection[str], patterns: Collection[str] = ()) -> dict[str, Any]:
    """`config` by kind and `health`. `patterns` (shell patterns) choose things by identity or name. Raises PveError.

    Guests whose node is offline cannot be read: they are in `health`, not in `config`.
    """
    told = dict(zip(health.PATHS, client.get_many(health.PATHS)))
    further = health.further_paths(told)
    told.update(zip(further, client.get_many(further)))
    offline = health.offline_nodes(told[health.STATUS])
    chosen = [name for name in KINDS if name in names]
    calls: list[Callable[[], Any]] = [partial(_read, client, KINDS[name], told, offline) for name in chosen]
    read: dict[str, Things] = {}
    for name, answer in zip(chosen, client.run_parallel(calls)):
        if isinstance(answer, Exception):
            raise answer
        read[name] = answer
    config = {name: _shown(KINDS[name].kind, things, patterns) for name, things in read.items()}
    return {"config": config, "health": [asdict(finding) for finding in health.findings(told, offline)]}


def _read(client: Client, entry: Registered, told: Mapping[str, Any], offline: set[str]) -> Things:
    kind = entry.kind
    options = {row.name for row in kind.option_rows}
    while True:
        keys = _reachable(getattr(kind, "guest_type", ""), told[health.RESOURCES], offline)
        try:
            things: Things = entry.backend(client).observe(kind, keys, options)
        except NodeOffline as problem:
            if problem.node in offline:
                raise
            offline.add(problem.node)
        else:
            return things


def _reachable(guest_type: str, resources: Any, offline: set[str]) -> list[Key] | None:
    """The guests to read; None means all there are of the kind."""
    if not guest_type or not offline or isinstance(resources, PveError):
        return None
    return [(row["vmid"],) for row in resources if row.get("type") == guest_type and row.get("node") not in offline]


def _shown(kind: Any, things: Things, patterns: Collection[str]) -> list[Mapping[str, Any]]:
    return [kind.visible(key, things[key].state) for key in sorted(things) if _matches(key, things[key], patterns)]


def _matches(key: Key, thing: Thing, patterns: Collection[str]) -> bool:
    names = (label(key), str(thing.state.get("name") or thing.state.get("hostname") or ""))
    return not patterns or any(fnmatchcase(name, str(pattern)) for pattern in patterns for name in names)
