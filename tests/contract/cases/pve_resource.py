# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_resource, with directory mappings and metric servers: when these get modules of their own, others."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Item, Option, Scenario, Secret
from tests.contract.pve_api import comparable

DIRS, METRICS = "/cluster/mapping/dir", "/cluster/metrics/server"
NAME, OTHER, SERVER = f"{PREFIX}dir", f"{PREFIX}other", f"{PREFIX}metrics"


def mapped(path: str) -> Any:
    return lambda system: [f"node={system.node},path={path}"]


def directory(name: str, path: str = "/var/tmp", **options: Any) -> Item:
    return {
        "path": f"{DIRS}/{name}",
        "create_options": {"id": name},
        "options": {"map": mapped(path), **options},
        "resent": ["map"],
    }


def server(**options: Any) -> Item:
    path = f"{METRICS}/{SERVER}"
    return {
        "path": path,
        "create_path": path,
        "create_options": {"type": "influxdb"},
        # Switched off, so that nothing is sent anywhere.
        "options": {"server": "192.0.2.10", "port": 8089, "disable": True, **options},
        "resent": ["server", "port"],
    }


def raw(system: Any, item: Item) -> Any:
    return comparable(system.api.get(item["path"]))


def there(system: Any) -> None:
    system.api.post(DIRS, id=NAME, map=mapped("/var/tmp")(system))


def redescribed(system: Any, item: Item) -> None:
    system.api.put(item["path"], map=mapped("/srv")(system), description="somebody else's")


def filled(system: Any, item: Item) -> None:
    system.api.put(item["path"], server="192.0.2.11", port=8089, bucket="figures")


BASE = directory(NAME)
STEP = f"update resource {DIRS}/{NAME}: description, map"
CASE = Case(
    module="pve_resource",
    subsystem="pve",
    base=BASE,
    options=(
        Option(
            "options",
            {"map": mapped("/var/tmp"), "description": "for results, ü"},
            drift=redescribed,
            planned=[STEP],
        ),
        Option(
            "options",
            {"server": "192.0.2.10", "port": "8089", "disable": True, "timeout": 2, "bucket": None},
            base=server(),
            drift=filled,
            planned=[f"update resource {METRICS}/{SERVER}: bucket, server"],
            label="metrics",
        ),
        Option("resent", ["map"]),
        Option("create_path", DIRS),
        Option("create_options", {"id": NAME, "description": "kept from the beginning"}),
    ),
    raw=raw,
    several=[
        directory(NAME, description="first"),
        directory(OTHER, "/srv"),
        server(timeout=3),
    ],
    changed=[
        {**directory(NAME, description=""), "create_options": None},
        directory(OTHER, "/tmp", description="second"),
        server(timeout=5, mtu=1400),
    ],
    removal=tuple(f"delete_resource:{path}" for path in (f"{DIRS}/{NAME}", f"{DIRS}/{OTHER}", f"{METRICS}/{SERVER}")),
    consents=(
        Scenario(
            f"delete_resource:{DIRS}/{NAME}",
            {"state": "absent", "config": [{"path": f"{DIRS}/{NAME}"}]},
            "it is deleted",
            setup=there,
            label="delete_resource",
        ),
    ),
    # As Ansible reads a mapping that is written as text.
    secrets=(Secret("secrets", "token=hct-s3cret-token", base=server()),),
)
