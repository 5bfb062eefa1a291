# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_backup. What it refuses, and how it fails: tests/contract/test_pve_backup.py."""

from __future__ import annotations

from typing import Any

from tests.contract.case import Case, Doing, Scenario

MODULE = "pve_backup"


def store(system: Any) -> str:
    return str(system.backups)


ONE: dict[str, Any] = {"vmid": [lambda s: s.vmid(0)], "storage": store}
BOTH: dict[str, Any] = {"vmid": [lambda s: s.vmid(1), lambda s: s.vmid(0)], "storage": store}


def setup(system: Any) -> None:
    """Two guests, and a storage for their backups."""
    system.make_backup_storage()
    for number in (0, 1):
        system.make_guest(number)


def running(system: Any) -> None:
    system.api.post(f"/nodes/{system.node}/qemu/{system.vmid(0)}/status/start")


def saved(system: Any) -> None:
    system.api.post(f"/nodes/{system.node}/vzdump", vmid=system.vmid(0), storage=store(system))


def a_container(system: Any) -> None:
    system.make_guest(2, container=True)


def examples(system: Any) -> None:
    system.api.post("/storage", storage="backup", type="dir", path="/tank/backup", content="backup")
    for vmid in (110, 111):
        system.api.post(f"/nodes/{system.node}/qemu", vmid=vmid, name=f"pacs{vmid}", memory=64)


CASE = Case(
    module=MODULE,
    subsystem="pve",
    base=ONE,
    setup=setup,
    examples=examples,
    options=(),
    several=[],
    consents=(
        Scenario("stop_guest", {**ONE, "mode": "stop"}, lambda s: str(s.vmid(0)), setup=running, label="stop_guest"),
    ),
    doings=(
        Doing("a guest that has none", {**ONE, "newer_than": "24h"}, rests=True),
        Doing("the one that has none", {**BOTH, "newer_than": "1h", "mode": "snapshot"}, setup=saved, rests=True),
        Doing(
            "as it is told to",
            {
                **BOTH,
                "mode": "suspend",
                "compress": "zstd",
                "notes_template": "{{guestname}} of {{cluster}}",
                "protected": True,
                "prune_backups": {"keep-last": 2},
                "bwlimit": 102400,
                "ionice": 8,
                "lockwait": 10,
                "stopwait": 5,
                "zstd": 2,
                "pigz": 0,
                "performance": {"max-workers": 4},
                "timeout": 600,
            },
            repeats=True,
        ),
        Doing(
            "with an image for what is overwritten",
            {**ONE, "fleecing": {"enabled": True, "storage": lambda s: s.images}, "compress": "0", "remove": False},
            repeats=True,
        ),
        Doing(
            "a container",
            {
                "vmid": [lambda s: s.vmid(2)],
                "storage": store,
                "mode": "stop",
                "compress": "gzip",
                "exclude_path": ["/var/cache/*"],
                "stdexcludes": True,
                "pbs_change_detection_mode": "metadata",
            },
            setup=a_container,
            repeats=True,
        ),
        Doing("old words", {**ONE, "compress": "lzo", "pbs_change_detection_mode": "data"}, repeats=True, faults=()),
        Doing("older words", {**ONE, "compress": "1", "pbs_change_detection_mode": "legacy"}, repeats=True, faults=()),
        Doing("nothing", {**ONE, "newer_than": "24h"}, setup=saved, rests=True, unchanged=True, faults=()),
    ),
)
