# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Everything that can go wrong with a pair of MariaDB servers and the third in another data centre."""

from __future__ import annotations

import pytest

from lab.failover import disasters
from lab.failover.faults import EVERY_FAULT, Fault
from lab.failover.returns import RETURNS
from lab.failover.scene import Scene
from tests.failover.conftest import expect_nothing_lost, keep, strike


@pytest.mark.parametrize("fault", [*EVERY_FAULT, *RETURNS], ids=lambda fault: fault.__name__)
def test_nothing_acknowledged_is_lost(mariadb: Scene, fault: type[Fault[Scene]]) -> None:
    expect_nothing_lost(strike(mariadb, fault()))


def test_a_deletion_is_taken_back(mariadb: Scene) -> None:
    line = disasters.delete_undone(mariadb)
    keep(line)
    expect_nothing_lost(line)


def test_the_other_data_centre_lacks_what_was_shown_before(mariadb: Scene) -> None:
    """The last one: a and b are gone."""
    line, lag = disasters.site_promoted(mariadb)
    keep(line)
    assert line.missing == lag > 0, line
    assert line.holders <= 1 and line.writers == 1, line
