# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The suite `scst`: a host with SCST and a tape library, in the lab or the one that SCST_HOST names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.scst_system import ScstSystem, open_scst_system


@pytest.fixture(scope="session")
def scst_host() -> Iterator[ScstSystem]:
    system = open_scst_system()
    yield system
    system.close()


@pytest.fixture
def scst(scst_host: ScstSystem) -> Iterator[ScstSystem]:
    """Installed and not loaded, before and after."""
    scst_host.reset()
    yield scst_host
    scst_host.reset()
