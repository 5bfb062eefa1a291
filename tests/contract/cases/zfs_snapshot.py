# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of zfs_snapshot. What a policy keeps is in tests/unit/zfs/test_retention.py, what time makes of it in
tests/integration/test_zfs_snapshot.py."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Item, Option, Scenario

DATA, OTHER = f"tank/{PREFIX}data", f"tank/{PREFIX}other"
BASE: Item = {"dataset": DATA, "prefix": "auto", "daily": 7}
BY_THE_HOUR: Item = {"dataset": DATA, "prefix": "auto", "hourly": 24}
POLICY = "hospital.continuity:snapshots."


def setup(system: Any) -> None:
    for name in (DATA, f"{DATA}/pacs", OTHER):
        system.lab.zfs("create", name)


def raw(system: Any, item: Item) -> Any:
    return system.dataset(item["dataset"]).get(f"{POLICY}{item['prefix']}")


def with_snapshots(system: Any) -> None:
    system.lab.zfs("set", f"{POLICY}auto=hourly=24", DATA)
    for hour in ("2026-01-01T07Z", "2026-01-01T08Z"):
        system.lab.zfs("snapshot", f"{DATA}@auto-{hour}")


def with_a_name(system: Any) -> None:
    system.lab.zfs("snapshot", f"{DATA}@before-upgrade")


def for_examples(system: Any) -> None:
    for name in ("tank/backup", "tank/backup/pacs", "tank/replica"):
        system.lab.zfs("create", name)


GONE = {"config": [{"dataset": DATA, "prefix": "auto"}], "state": "absent"}
GONE_BY_NAME = {"config": [{"dataset": DATA, "prefix": "auto", "names": ["before-upgrade"]}], "state": "absent"}

CASE = Case(
    module="zfs_snapshot",
    info="snapshot",
    subsystem="zfs",
    base=BASE,
    setup=setup,
    examples=for_examples,
    options=(
        Option("hourly", 24, 48),
        Option("daily", 7, 14, base=BY_THE_HOUR),
        Option("weekly", 4, 5),
        Option("monthly", 12, 24),
        Option("yearly", 1, 2),
        Option("recursive", True, False),
        Option("take", False, True),
        Option("names", ["before-upgrade"], mode="once"),
    ),
    raw=raw,
    several=[
        {**BASE, "hourly": 24, "weekly": 4, "recursive": True},
        {**BASE, "prefix": "manual", "monthly": 12},
        {"dataset": OTHER, "prefix": "auto", "daily": 7},
    ],
    changed=[
        {**BASE, "hourly": 48, "reset": ["weekly"]},
        {**BASE, "prefix": "manual", "monthly": 24},
        {"dataset": OTHER, "prefix": "auto", "daily": 14},
    ],
    stated={"daily": 7},
    removal=(
        f"destroy_snapshot:{DATA}@auto",
        f"destroy_snapshot:{DATA}@manual",
        f"destroy_snapshot:{OTHER}@auto",
    ),
    consents=(
        Scenario(f"destroy_snapshot:{DATA}@auto", GONE, "2026-01-01T08Z", setup=with_snapshots),
        Scenario(
            f"destroy_snapshot:{DATA}@before-upgrade",
            GONE_BY_NAME,
            "before-upgrade",
            setup=with_a_name,
            label="destroy_snapshot[by name]",
        ),
    ),
)
