# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_info, which reads. Point 5 of every other module is its round trip."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case


def setup(system: Any) -> None:
    """Something to read."""
    system.make_guest(0)
    system.api.post("/pools", poolid=f"{PREFIX}pool")


CASE = Case(module="pve_info", subsystem="pve", setup=setup, base={}, options=(), several=[], examples=setup)
