# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The faults of the database with MySQL. What follows the database (files, services) and the other data centre are
MariaDB's: there they do not know which server it is."""

from __future__ import annotations

import pytest

from lab.failover.faults import Crash, Cut, Fault, PowerOff, Stall, Switchover
from lab.failover.returns import ReturnsErrant
from lab.failover.scene import Scene
from tests.failover.conftest import expect_nothing_lost, strike


@pytest.mark.parametrize(
    "fault", [Crash, PowerOff, Cut, Switchover, Stall, ReturnsErrant], ids=lambda fault: fault.__name__
)
def test_nothing_acknowledged_is_lost(mysql: Scene, fault: type[Fault[Scene]]) -> None:
    expect_nothing_lost(strike(mysql, fault()))
