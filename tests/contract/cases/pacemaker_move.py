# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pacemaker_move. What it refuses, and why: tests/contract/test_pacemaker_move.py."""

from __future__ import annotations

from typing import Any

from tests.contract.case import Case, Doing


def left_behind(system: Any) -> None:
    """Somebody moved it and left the constraint."""
    system.somebody("crm_resource", "--move", "--resource", "writer", "--node", "b")


CASE = Case(
    module="pacemaker_move",
    subsystem="pacemaker-cluster",
    base={"resource": "writer", "node": "b"},
    options=(),
    several=[],
    doings=(
        Doing("to a node", {"resource": "writer", "node": "b", "timeout": 20}, rests=True),
        Doing("a group", {"resource": "web", "node": "b"}, rests=True),
        Doing("away", {"resource": "alone", "away_from": "a"}, rests=True),
        Doing("a constraint that was left", {"resource": "writer", "node": "b"}, setup=left_behind, rests=True),
        Doing("as it is", {"resource": "writer", "node": "a"}, rests=True, unchanged=True, faults=()),
    ),
)
