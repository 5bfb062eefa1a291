# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of zfs_pool, on eight blank disks of whatever host it is."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Item, Option, Scenario
from tests.contract.system import succeeded

NAME = f"{PREFIX}pool"
SETTABLE = "autoexpand,autoreplace,autotrim,cachefile,comment,compatibility,delegation,failmode,listsnapshots,multihost"


def disk(number: int) -> Any:
    return lambda system: system.disks[number]


def disks(first: int, last: int) -> Any:
    return lambda system: system.disks[first : last + 1]


def raw(system: Any, item: Item) -> Any:
    """Properties and layout as zpool shows them."""
    words = ("get", "-Hp", "-o", "property,value,source", f"ashift,{SETTABLE}", item["name"])
    layout = system.zpool("status", "-P", item["name"]).partition("config:")[2]
    return system.zpool(*words), layout


def existing(layout: Any) -> Any:
    """A pool that is there already."""

    def setup(system: Any) -> None:
        rows = [{**row, "disks": row["disks"](system)} for row in layout]
        succeeded(system.run("zfs_pool", [{"name": NAME, "layout": rows}]))

    return setup


def full_disk(system: Any) -> None:
    system.make_filesystem(system.disks[0])


def foreign(system: Any) -> None:
    existing([{"disks": disks(0, 0)}])(system)
    system.leave_to_another_host(NAME)


MIRROR = {"type": "mirror", "disks": disks(0, 1)}
BASE = {"name": NAME, "layout": [{"disks": disks(0, 0)}]}
REPLACED = {"name": NAME, "replace": lambda system: {system.disks[1]: system.disks[2]}}

CASE = Case(
    module="zfs_pool",
    subsystem="zfs",
    base=BASE,
    options=(
        Option("layout", [MIRROR], [{"type": "raidz1", "disks": disks(0, 1)}], mode="fixed"),
        Option("layout.type", [MIRROR], mode="once"),
        Option("layout.class", [MIRROR, {"class": "log", "disks": disks(2, 2)}], mode="once"),
        Option("layout.disks", [{"type": "disk", "disks": disks(0, 1)}], mode="once"),
        Option(
            "layout.draid_data",
            [{"type": "draid1", "draid_data": 2, "disks": disks(0, 3)}],
            [{"type": "draid1", "draid_data": 3, "disks": disks(0, 3)}],
            mode="fixed",
        ),
        Option(
            "layout.draid_spares",
            [{"type": "draid1", "draid_data": 2, "draid_spares": 1, "disks": disks(0, 3)}],
            [{"type": "draid1", "draid_data": 2, "disks": disks(0, 3)}],
            mode="fixed",
        ),
        Option("layout.state", [MIRROR, {"class": "cache", "disks": disks(2, 2), "state": "absent"}], mode="once"),
        Option("replace", lambda system: {system.disks[1]: system.disks[0]}),
        Option("ashift", 12, 13),
        Option("autoexpand", True, False),
        Option("autoreplace", True, False),
        Option("autotrim", True, False),
        Option("cachefile", "none", "/run/hct.cache"),
        Option("comment", "films of the ward", "other films"),
        Option("compatibility", "openzfs-2.1-linux", "legacy"),
        Option("delegation", False, True),
        Option("failmode", "continue", "panic"),
        Option("listsnapshots", True, False),
        Option("multihost", True, False),
        Option("fs_properties", {"compression": "zstd", "recordsize": 1048576, "atime": False}),
    ),
    raw=raw,
    several=[
        {
            "name": NAME,
            "ashift": 12,
            "comment": "all eight",
            "autoexpand": True,
            "layout": [
                {"type": "raidz1", "disks": disks(0, 2)},
                {"type": "mirror", "class": "special", "disks": disks(3, 4)},
                {"class": "log", "disks": disks(5, 5)},
                {"class": "cache", "disks": disks(6, 6)},
                {"class": "spare", "disks": disks(7, 7)},
            ],
            "fs_properties": {"mountpoint": f"/{NAME}"},
        }
    ],
    changed=[
        {
            "name": NAME,
            "comment": "fewer",
            "reset": ["autoexpand"],
            "failmode": "continue",
            "layout": [{"class": "cache", "disks": disks(6, 6), "state": "absent"}],
        },
    ],
    allow=(f"change_pool_layout:{NAME}",),
    removal=(f"destroy_pool:{NAME}",),
    consents=(
        Scenario(
            lambda system: f"wipe_disk:{system.disks[0]}",
            {"config": [BASE]},
            "filesystem named films",
            setup=full_disk,
            label="wipe_disk",
        ),
        Scenario(
            f"destroy_pool:{NAME}",
            {"config": [{"name": NAME}], "state": "absent"},
            NAME,
            setup=existing([{"disks": disks(0, 0)}]),
        ),
        Scenario(f"import_foreign_pool:{NAME}", {"config": [BASE]}, NAME, setup=foreign),
        Scenario(f"change_pool_layout:{NAME}", {"config": [REPLACED]}, disk(1), setup=existing([MIRROR])),
    ),
    info="pool",
)
