# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_replication. Jobs stay switched off unless their running is the point."""

from __future__ import annotations

from typing import Any

from tests.contract.case import Case, Item, Option, Scenario
from tests.contract.pve_api import comparable


def setup(system: Any) -> None:
    """Two guests on ZFS."""
    for number in (0, 1):
        system.make_replicable_guest(number)


def name(number: int, job: int = 0) -> Any:
    return lambda system: f"{system.vmid(number)}-{job}"


def other(system: Any) -> str:
    return str(system.other_node)


def third(system: Any) -> str:
    return str(system.nodes[1])


def raw(system: Any, item: Item) -> Any:
    return comparable(system.api.get(f"/cluster/replication/{item['id']}"))


def a_job(system: Any) -> None:
    system.api.post("/cluster/replication", id=name(0)(system), type="local", target=other(system), disable=1)


def examples(system: Any) -> None:
    system.make_zfs_storage()
    guest = {"name": "pacs", "memory": 64, "scsi0": f"{system.zfs_storage}:1"}
    system.api.post("/nodes/pve1/qemu", vmid=110, **guest)


BASE = {"id": name(0), "target": other, "disable": True}
GONE: Any = {"state": "absent", "config": [{"id": name(0)}]}
CASE = Case(
    module="pve_replication",
    subsystem="pve",
    setup=setup,
    base=BASE,
    options=(
        Option("target", other, third, nodes=3, mode="fixed"),
        Option("schedule", "*/30", "mon..fri 22:30"),
        Option("rate", 1.5, 10),
        Option("disable", True, False),
        Option("comment", "to the other room", "to the other house, ü"),
        Option("keep", True),
        Option("force", True),
    ),
    raw=raw,
    several=[
        {**BASE, "schedule": "*/20", "rate": 20, "comment": "first"},
        {"id": name(1), "target": other, "comment": "second"},
    ],
    changed=[
        {"id": name(0), "schedule": "daily", "reset": ["rate"]},
        {"id": name(1), "disable": True, "comment": "another"},
    ],
    removal=(
        lambda system: f"destroy_replica:{name(0)(system)}",
        lambda system: f"destroy_replica:{name(1)(system)}",
    ),
    consents=(
        Scenario(
            lambda system: f"destroy_replica:{name(0)(system)}",
            GONE,
            "is destroyed there",
            setup=a_job,
            label="destroy_replica",
        ),
    ),
    examples=examples,
    info="replication",
)
