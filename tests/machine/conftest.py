# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Machines with a kernel of their own. Each file of tests starts its own, fresh from the same saved state."""

from __future__ import annotations

import pytest

from lab.machine import Machine, join
from tests.machine.possible import possible

__all__ = ["possible"]


@pytest.fixture(scope="module")
def machine():
    with Machine("alpha") as alpha:
        yield alpha


@pytest.fixture(scope="module")
def pair(machine):
    """Two machines and three cables between them: eno1, eno2 and eno3 of each."""
    with Machine("beta") as beta:
        for nic in (1, 2, 3):
            join(machine, beta, nic)
        yield machine, beta
