# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_pool."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Item, Option

NAME, OTHER = f"{PREFIX}pool", f"{PREFIX}other"
STORES = (f"{PREFIX}store1", f"{PREFIX}store2")


def setup(system: Any) -> None:
    """Two guests and two storages to be members."""
    for number in (0, 1):
        system.make_guest(number)
    for name in STORES:
        system.make_storage(name, "iso")


def in_another_pool(system: Any) -> None:
    system.api.post("/pools", poolid=OTHER)
    system.api.put("/pools", poolid=OTHER, vms=system.vmid(0))


def raw(system: Any, item: Item) -> Any:
    (pool,) = system.api.get("/pools", poolid=item["poolid"])
    members = sorted({str(member.get("vmid") or member["storage"]) for member in pool.get("members") or []})
    return {"comment": pool.get("comment", ""), "members": members}


def examples(system: Any) -> None:
    """The guests and the storage that the examples speak of."""
    for vmid in (110, 111):
        system.api.post(f"/nodes/{system.node}/qemu", vmid=vmid, name=f"pacs{vmid}", memory=64)
    system.api.post("/storage", storage="backup", type="dir", path="/tank/backup", content="backup")


SEVERAL = [
    {"poolid": f"{PREFIX}wards/icu", "vms": [lambda s: s.vmid(1)], "comment": "intensive care"},
    {"poolid": f"{PREFIX}wards", "vms": [lambda s: s.vmid(0)], "storage": [STORES[0]]},
]
CHANGED = [
    {"poolid": f"{PREFIX}wards/icu", "vms": [lambda s: s.vmid(0), lambda s: s.vmid(1)], "comment": "ICU"},
    {"poolid": f"{PREFIX}wards", "vms": [], "storage": [STORES[1]]},
]
CASE = Case(
    module="pve_pool",
    subsystem="pve",
    setup=setup,
    base={"poolid": NAME},
    options=(
        Option("comment", "First floor", "Second floor, with umlaut: ü"),
        Option("vms", [lambda s: s.vmid(0)], [lambda s: s.vmid(0), lambda s: s.vmid(1)]),
        Option("vms", [lambda s: s.vmid(0), lambda s: s.vmid(1)], [lambda s: s.vmid(1)], label="fewer"),
        Option("storage", [STORES[0]], [STORES[1], STORES[0]]),
        Option("allow_move", True, beside={"vms": [lambda s: s.vmid(0)]}, setup=in_another_pool),
    ),
    raw=raw,
    several=SEVERAL,
    changed=CHANGED,
    gone=SEVERAL,
    examples=examples,
    info="pool",
)
