# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of zfs_snapshot_timer. What its program does is in tests/integration/test_zfs_snapshot_timer.py."""

from __future__ import annotations

from typing import Any

from tests.contract.case import Case, Doing
from tests.contract.host_system import STATE, UNITS
from tests.contract.system import succeeded

MODULE = "zfs_snapshot_timer"
FAULTS = (STATE, UNITS, "systemctl")


def installed(system: Any) -> None:
    succeeded(system.run(MODULE))


def stopped(system: Any) -> None:
    installed(system)
    system.host.run("systemctl", "disable", "--now", "hospital-continuity-snapshots.timer")


def spoiled(system: Any) -> None:
    """Somebody edited the unit."""
    installed(system)
    unit = f"{UNITS}/hospital-continuity-snapshots.timer"
    system.host.write(unit, system.host.read(unit).replace("hourly", "yearly"))


CASE = Case(
    module=MODULE,
    subsystem="host",
    base={},
    options=(),
    several=[],
    doings=(
        Doing("install", {"state": "present"}, rests=True, faults=FAULTS),
        Doing("another time", {"calendar": "*:0/15", "verify_timeout": 5}, setup=installed, rests=True, faults=()),
        Doing("start again", {}, setup=stopped, rests=True, faults=("systemctl",)),
        Doing("put right", {}, setup=spoiled, rests=True, faults=()),
        Doing("nothing to do", {}, setup=installed, rests=True, faults=(), unchanged=True),
        Doing("remove", {"state": "absent"}, setup=installed, rests=True, faults=(UNITS, "systemctl")),
    ),
)
