# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_ha_resource. Guests stay off unless their state is the point."""

from __future__ import annotations

from typing import Any

from tests.contract.case import Case, Item, Option
from tests.contract.pve_api import comparable


def setup(system: Any) -> None:
    """Three guests to be looked after."""
    for number in (0, 1, 2):
        system.make_guest(number)


def sid(number: int) -> Any:
    return lambda system: f"vm:{system.vmid(number)}"


def raw(system: Any, item: Item) -> Any:
    return comparable(system.api.get(f"/cluster/ha/resources/{item['sid']}"))


def examples(system: Any) -> None:
    """The guests that the examples speak of."""
    for vmid in (110, 111):
        system.api.post(f"/nodes/{system.node}/qemu", vmid=vmid, name=f"pacs{vmid}", memory=64)


CASE = Case(
    module="pve_ha_resource",
    subsystem="pve",
    setup=setup,
    base={"sid": sid(0), "state": "stopped"},
    options=(
        Option("state", "stopped", "ignored"),
        Option("state", "disabled", "stopped", label="disabled"),
        Option("comment", "the radiology archive", "the archive of radiology, ü"),
        Option("failback", False, True),
        Option("max_restart", 2, 3),
        Option("max_relocate", 0, 2),
    ),
    raw=raw,
    several=[
        {"sid": sid(0), "state": "stopped", "comment": "first", "max_restart": 3},
        {"sid": sid(1), "state": "stopped", "failback": False},
        {"sid": sid(2), "state": "ignored"},
    ],
    changed=[
        {"sid": sid(0), "reset": ["comment"], "max_restart": 2},
        {"sid": sid(1), "failback": True, "max_relocate": 3},
        {"sid": sid(2), "state": "stopped"},
    ],
    examples=examples,
    info="ha_resource",
)
