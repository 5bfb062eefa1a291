# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_evacuation_info, which reads. What it says of nodes: tests/contract/test_pve_evacuation.py."""

from __future__ import annotations

from typing import Any

from tests.contract.case import Case


def setup(system: Any) -> None:
    """Something to read."""
    system.make_guest(0)


CASE = Case(module="pve_evacuation_info", subsystem="pve", setup=setup, base={}, options=(), several=[], examples=setup)
