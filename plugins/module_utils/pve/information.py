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
from ansible_collections.hospital.continuity.plugins.module_utils.pve.registry import KINDS, Registered


def gather(client: Client, names: Collection[str], patterns: Collection[str] = ()) -> dict[str, Any]:
    """`config` by kind and `health`. `patterns` (shell patterns) choose things by identity or name. Raises PveError."""
    chosen = [name for name in KINDS if name in names]
    calls: list[Callable[[], Any]] = [partial(_described, client, KINDS[name], patterns) for name in chosen]
    calls.append(partial(_health, client))
    answers = client.run_parallel(calls)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return {"config": dict(zip(chosen, answers)), "health": answers[-1]}


def _described(client: Client, entry: Registered, patterns: Collection[str]) -> list[Mapping[str, Any]]:
    kind = entry.kind
    things: Mapping[Key, Thing] = entry.backend(client).observe(kind, None, {row.name for row in kind.option_rows})
    return [kind.visible(key, things[key].state) for key in sorted(things) if _matches(key, things[key], patterns)]


def _matches(key: Key, thing: Thing, patterns: Collection[str]) -> bool:
    names = (label(key), str(thing.state.get("name", "")))
    return not patterns or any(fnmatchcase(name, str(pattern)) for pattern in patterns for name in names)


def _health(client: Client) -> list[dict[str, str]]:
    answers = dict(zip(health.PATHS, client.get_many(health.PATHS)))
    return [asdict(finding) for finding in health.findings(answers)]
