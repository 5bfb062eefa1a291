# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_snapshot, on guests without disks, of which a snapshot can be taken anywhere."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Item, Option, Scenario

NAME, OTHER = f"{PREFIX}before", f"{PREFIX}after"


def setup(system: Any) -> None:
    for number in (0, 1):
        system.make_guest(number)


def vmid(number: int) -> Any:
    return lambda system: system.vmid(number)


def word(number: int, name: str) -> Any:
    return lambda system: f"destroy_snapshot:{system.vmid(number)}/{name}"


def raw(system: Any, item: Item) -> Any:
    rows = system.api.get(f"/nodes/{system.node}/qemu/{item['vmid']}/snapshot")
    return [(row["name"], row.get("description")) for row in rows if row["name"] == item["snapname"]]


def taken(system: Any) -> None:
    system.api.post(f"/nodes/{system.node}/qemu/{system.vmid(0)}/snapshot", snapname=NAME)


def examples(system: Any) -> None:
    """The guests that the examples speak of."""
    for number in (110, 111):
        system.api.post(f"/nodes/{system.node}/qemu", vmid=number, name=f"pacs{number}", memory=64)


CASE = Case(
    module="pve_snapshot",
    subsystem="pve",
    setup=setup,
    base={"vmid": vmid(0), "snapname": NAME},
    options=(
        Option("description", "before the upgrade", "before\nthe upgrade, ü"),
        Option("vmstate", True),
    ),
    raw=raw,
    several=[
        {"vmid": vmid(0), "snapname": NAME, "description": "first"},
        {"vmid": vmid(0), "snapname": OTHER, "description": "second"},
        {"vmid": vmid(1), "snapname": NAME},
    ],
    changed=[
        {"vmid": vmid(0), "snapname": NAME, "reset": ["description"]},
        {"vmid": vmid(0), "snapname": OTHER, "description": "another"},
        {"vmid": vmid(1), "snapname": NAME, "description": "now with one"},
    ],
    removal=(word(0, NAME), word(0, OTHER), word(1, NAME)),
    consents=(
        Scenario(
            word(0, NAME),
            {"state": "absent", "config": [{"vmid": vmid(0), "snapname": NAME}]},
            "can no longer go back",
            setup=taken,
            label="destroy_snapshot",
        ),
    ),
    examples=examples,
    info="snapshot",
)
