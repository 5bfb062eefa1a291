# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_restore. What it refuses, and how it fails: tests/contract/test_pve_restore.py."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Doing, Scenario

MODULE = "pve_restore"
POOL = f"{PREFIX}pool"


def store(system: Any) -> str:
    return str(system.backups)


def first(system: Any) -> int:
    return int(system.vmid(0))


def other(system: Any) -> int:
    return int(system.vmid(4))


def spare(system: Any) -> int:
    return int(system.vmid(5))


def back_up(system: Any, number: int = 0) -> None:
    system.api.post(f"/nodes/{system.node}/vzdump", vmid=system.vmid(number), storage=store(system))


def setup(system: Any) -> None:
    """A guest with a disk and a network card, and its backup."""
    system.make_backup_storage()
    system.make_guest(0, scsi0=f"{system.images}:1", net0=f"virtio,bridge={system.bridge}", description="PACS")
    back_up(system)


def a_container(system: Any) -> None:
    system.make_guest(2, container=True, net0=f"name=eth0,bridge={system.bridge}")
    back_up(system, 2)


def lost(system: Any) -> None:
    system.api.delete(f"/nodes/{system.node}/qemu/{first(system)}")


def running(system: Any) -> None:
    system.api.post(f"/nodes/{system.node}/qemu/{first(system)}/status/start")


def a_pool(system: Any) -> None:
    system.api.post("/pools", poolid=POOL)


def volid(system: Any) -> str:
    rows = system.api.get(f"/nodes/{system.node}/storage/{store(system)}/content", content="backup", vmid=first(system))
    return str(rows[0]["volid"])


def replace(system: Any) -> str:
    return f"replace_guest:{first(system)}"


def examples(system: Any) -> None:
    system.api.post("/storage", storage="backup", type="dir", path="/tank/backup", content="backup")
    system.api.post(f"/nodes/{system.node}/qemu", vmid=110, name="pacs", memory=64, scsi0=f"{system.images}:1")
    system.api.post(f"/nodes/{system.node}/vzdump", vmid=110, storage="backup")
    system.api.post(f"/nodes/{system.node}/qemu/110/status/start")


BESIDE: dict[str, Any] = {"vmid": first, "newid": other, "backup_storage": [store]}
IN_PLACE: dict[str, Any] = {"vmid": first, "backup_storage": [store], "beside": spare}
CASE = Case(
    module=MODULE,
    subsystem="pve",
    base=BESIDE,
    setup=setup,
    examples=examples,
    options=(),
    several=[],
    consents=(Scenario(replace, IN_PLACE, lambda s: str(first(s)), setup=running, label="replace_guest"),),
    doings=(
        Doing("beside", {**BESIDE, "newer_than": "1h"}, rests=True),
        Doing(
            "as it is told to",
            {
                **BESIDE,
                "node": lambda s: s.node,
                "storage": lambda s: s.images,
                "name": f"{PREFIX}restored",
                "pool": POOL,
                "unique": True,
                "disconnect": True,
                "start": True,
                "bwlimit": 102400,
                "timeout": 600,
            },
            setup=a_pool,
            rests=True,
        ),
        Doing("the one that is named", {**BESIDE, "backup": volid}, rests=True, faults=()),
        Doing("a container", {**BESIDE, "vmid": lambda s: s.vmid(2)}, setup=a_container, rests=True),
        Doing("one that is lost", {"vmid": first, "backup_storage": [store]}, setup=lost),
        Doing("one that runs", {**IN_PLACE, "allow": [replace]}, setup=running, repeats=True),
        Doing("one that is off", {**IN_PLACE, "start": False, "allow": [replace]}, repeats=True),
    ),
)
