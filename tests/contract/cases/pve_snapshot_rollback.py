# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_snapshot_rollback."""

from __future__ import annotations

import time
from typing import Any

from tests.contract.case import PREFIX, Case, Doing, Scenario

NAME = f"{PREFIX}before"


def guest(system: Any) -> str:
    return f"/nodes/{system.node}/qemu/{system.vmid(0)}"


def setup(system: Any) -> None:
    """A guest that was changed since its snapshot."""
    system.make_guest(0)
    if (
        not system.is_lab
    ):  # it keeps its tasks, which are told by the second: the last rollback was before this snapshot
        time.sleep(1.1)
    system.api.post(f"{guest(system)}/snapshot", snapname=NAME)
    system.api.put(f"{guest(system)}/config", cores=2)


def gone_back(system: Any) -> None:
    system.api.post(f"{guest(system)}/snapshot/{NAME}/rollback")


def examples(system: Any) -> None:
    """The guests that the examples speak of."""
    for vmid, name in ((110, "before-upgrade"), (111, "lesson")):
        system.api.post(f"/nodes/{system.node}/qemu", vmid=vmid, name=f"pacs{vmid}", memory=64)
        system.api.post(f"/nodes/{system.node}/qemu/{vmid}/snapshot", snapname=name)


BASE = {"vmid": lambda system: system.vmid(0), "snapname": NAME}
GIVEN = {**BASE, "allow": [lambda system: f"rollback_guest:{system.vmid(0)}"]}
CASE = Case(
    module="pve_snapshot_rollback",
    subsystem="pve",
    setup=setup,
    base=BASE,
    options=(),
    several=[],
    consents=(Scenario(lambda system: f"rollback_guest:{system.vmid(0)}", BASE, "is lost", label="rollback_guest"),),
    doings=(
        Doing("back", GIVEN, rests=True),
        Doing("back, not started", {**GIVEN, "start": False, "again": False}, rests=True, faults=()),
        Doing("as it is", BASE, setup=gone_back, rests=True, unchanged=True, faults=()),
    ),
    examples=examples,
)
