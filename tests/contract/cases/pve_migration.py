# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_migration. What it refuses, and how it fails: tests/contract/test_pve_migration.py."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Doing, Scenario

MODULE = "pve_migration"
STORE = f"{PREFIX}disks"


def first(system: Any) -> int:
    return int(system.vmid(0))


def there(system: Any) -> str:
    return str(system.other_node)


ONE: dict[str, Any] = {"vmid": [first], "target": there}


def setup(system: Any) -> None:
    if system.node_count < 2:
        system.need_lab(MODULE, "everything", "there is no other node")
    for number in (0, 1):
        system.make_guest(number)


def running(system: Any) -> None:
    system.api.post(f"/nodes/{system.node}/qemu/{first(system)}/status/start")


def a_running_container(system: Any) -> None:
    vmid = system.make_guest(2, container=True)
    system.api.post(f"/nodes/{system.node}/lxc/{vmid}/status/start")


def a_local_disk(system: Any) -> None:
    system.make_storage(STORE, "images")
    system.api.put(f"/nodes/{system.node}/qemu/{first(system)}/config", scsi0=f"{STORE}:1")


def under_ha(system: Any) -> None:
    system.api.post("/cluster/ha/resources", sid=f"vm:{first(system)}", state="stopped")


def moved(system: Any) -> None:
    system.api.post(f"/nodes/{system.node}/qemu/{first(system)}/migrate", target=there(system))


def examples(system: Any) -> None:
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
        Scenario(
            "restart_guest",
            {"vmid": [lambda s: s.vmid(2)], "target": there, "with_local_disks": True},
            lambda s: str(s.vmid(2)),
            setup=a_running_container,
            label="restart_guest",
        ),
    ),
    doings=(
        Doing("one that is off", ONE, rests=True),
        Doing(
            "one that runs",
            {**ONE, "bwlimit": 102400, "migration_network": "10.99.0.0/24", "migration_type": "secure", "timeout": 600},
            setup=running,
            rests=True,
        ),
        Doing("unencrypted", {**ONE, "migration_type": "insecure"}, rests=True, faults=()),
        Doing(
            "away from a node",
            {"vmid": [lambda s: s.vmid(1), first], "away_from": lambda s: s.node, "max_workers": 4},
            setup=running,
            rests=True,
        ),
        Doing(
            "with its disks",
            {**ONE, "with_local_disks": True, "targetstorage": [f"{STORE}:{STORE}"]},
            setup=a_local_disk,
            rests=True,
        ),
        Doing("by the HA manager", ONE, setup=under_ha, rests=True),
        Doing("as it is", ONE, setup=moved, rests=True, unchanged=True, faults=()),
    ),
)
