# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of scst_info, which reads. Point 5 of scst_target is its round trip."""

from __future__ import annotations

from typing import Any

from tests.contract.case import Case
from tests.contract.cases.scst_target import logged_in


def setup(system: Any) -> None:
    """Something to read."""
    system.start()
    logged_in(system)


CASE = Case(module="scst_info", subsystem="scst", setup=setup, base={}, options=(), several=[], examples=setup)
