# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_node_maintenance."""

from __future__ import annotations

from typing import Any

from tests.contract.case import Case, Scenario


def container(system: Any) -> None:
    """One that runs on pve1."""
    system.set(services={"ct:102": "pve1"}, homes={"ct:102": "pve1"})


def three(system: Any) -> None:
    """The node that the examples speak of."""
    system.set(nodes={"pve1": "10.99.0.11", "pve2": "10.99.0.12", "pve3": "10.99.0.13"})


CASE = Case(
    module="pve_node_maintenance",
    subsystem="pve-node",
    base={"node": "pve1"},
    options=(),
    several=[{"node": "pve1"}],
    consents=(
        Scenario("restart_guest", {"config": [{"node": "pve1"}]}, "ct:102", setup=container, exercises=("node",)),
    ),
    examples=three,
)
