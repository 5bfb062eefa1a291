# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Planning in tests: raw answers of GET in, requests out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Request

Raw = Mapping[str, Any]


def plan(kind: Any, config: Sequence[Raw], *there: Raw, answers: Raw | None = None, **params: Any) -> Plan:
    """The plan of a task with this `config` against what GET shows."""
    declared = kind.resolve(kind.declare({"config": config, **params}), answers or {})
    things: dict[Any, Thing] = {kind.key_of(raw): kind.decode(raw) for raw in there}
    planned: Plan = kind.plan(things, declared)
    return planned


def requests(kind: Any, planned: Plan) -> list[Request]:
    return [request for step in planned for request in kind.requests(step)]


def sent(kind: Any, planned: Plan) -> list[tuple[str, str, dict[str, Any]]]:
    return [(request.method, request.path, dict(request.parameters)) for request in requests(kind, planned)]


def problems(kind: Any, config: Sequence[Raw], *there: Raw, answers: Raw, **params: Any) -> list[str]:
    """What the precheck says, asked only for what it said it wants to read."""
    declared = kind.resolve(kind.declare({"config": config, **params}), answers)
    things: dict[Any, Thing] = {kind.key_of(raw): kind.decode(raw) for raw in there}
    planned = kind.plan(things, declared)
    read = {path: answers[path] for path in kind.precheck_paths(planned, declared)}
    return list(kind.problems(planned, declared, read))
