# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What other people's modules for ZFS get wrong, each as a test that ours pass. On a real OpenZFS: tests/zfs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract.case import PREFIX
from tests.contract.system import refused, succeeded

POOL = f"{PREFIX}pool"
DATA = f"tank/{PREFIX}data"


@pytest.fixture
def zfs(system_of: Callable[[str], Any]) -> Iterator[Any]:
    """A host with a pool, tank, and blank disks."""
    system = system_of("zfs")
    system.reset()
    yield system
    system.reset()


def mirror(system: Any, **more: Any) -> dict[str, Any]:
    return {"name": POOL, "layout": [{"type": "mirror", "disks": system.disks[:2]}], **more}


def with_spare(system: Any) -> dict[str, Any]:
    return {
        "name": POOL,
        "layout": [
            {"type": "mirror", "disks": system.disks[:2]},
            {"class": "spare", "disks": [system.disks[2]]},
        ],
    }


def put_spare_to_work(system: Any) -> None:
    """The second disk breaks, and the spare takes its place for now."""
    with system.lab.change() as state:
        state.slow = True
        broken = state.pools[POOL].vdevs["normal"][0].children[1]
        broken.state = "REMOVED"
        spare = state.pools[POOL].vdevs["spare"][0]
        lent = type(spare)("disk", spare.guid, disk=spare.disk, shown=spare.shown)
        stand_in = type(spare)("spare", state.guid(), number=1, children=[broken, lent])
        state.pools[POOL].vdevs["normal"][0].children[1] = stand_in


def test_an_unchanged_declaration_by_id_plans_nothing(zfs: Any) -> None:
    """Elsewhere: paths by id never match, so that a pool that is as declared is to get `add` and `remove`."""
    assert succeeded(zfs.run("zfs_pool", [mirror(zfs)])).changed
    paths = [f"/dev/disk/by-id/{disk}" for disk in zfs.disks[:2]]
    other_names = [disk.ids[1] for disk in list(zfs.lab.state.disks.values())[:2]]
    for disks in (zfs.disks[:2], paths, paths[::-1], other_names):
        with zfs.unwritten():
            result = succeeded(zfs.run("zfs_pool", [{"name": POOL, "layout": [{"type": "mirror", "disks": disks}]}]))
        assert not result.changed, result.steps
        assert not result.data["unmet"], "and nothing is said to be undeclared"


def test_a_spare_at_work_and_an_unchanged_declaration_plan_nothing(zfs: Any) -> None:
    """Elsewhere: `zpool add`, to a degraded pool."""
    item = with_spare(zfs)
    succeeded(zfs.run("zfs_pool", [item]))
    put_spare_to_work(zfs)
    with zfs.unwritten():
        result = succeeded(zfs.run("zfs_pool", [item]))
    assert not result.changed, result.steps
    assert zfs.disks[2] in result.data["unmet"][0] and "stands in for" in result.data["unmet"][0]


def test_growth_of_a_pool_with_a_spare_at_work_is_refused(zfs: Any) -> None:
    succeeded(zfs.run("zfs_pool", [with_spare(zfs)]))
    put_spare_to_work(zfs)
    item = {"name": POOL, "layout": [{"class": "cache", "disks": [zfs.disks[3]]}]}
    with zfs.unwritten():
        result = refused(zfs.run("zfs_pool", [item], allow=[f"change_pool_layout:{POOL}"]))
    assert "stands in for" in result.message and zfs.disks[3] in result.message


@pytest.mark.parametrize("value", [1048576, "1048576", "1M", "1m"])
def test_a_size_in_bytes_is_changed_once(zfs: Any, value: Any) -> None:
    """Elsewhere: `recordsize: 1048576` of a pool is changed for ever, and so is "10M" of a dataset."""
    item = mirror(zfs, fs_properties={"recordsize": value})
    assert succeeded(zfs.run("zfs_pool", [item])).changed
    with zfs.unwritten():
        assert not succeeded(zfs.run("zfs_pool", [item])).changed
    dataset = {"name": f"{POOL}/films", "recordsize": value, "quota": "10M" if value == "1M" else 10485760}
    assert succeeded(zfs.run("zfs_dataset", [dataset])).changed
    with zfs.unwritten():
        assert not succeeded(zfs.run("zfs_dataset", [dataset])).changed


def test_absent_does_not_take_with_it_what_nobody_named(zfs: Any) -> None:
    """Elsewhere: `absent` always destroys recursively, clones elsewhere included."""
    zfs.lab.zfs("create", DATA)
    zfs.lab.zfs("create", f"{DATA}/below")
    zfs.lab.zfs("snapshot", f"{DATA}@monday")
    zfs.lab.zfs("clone", f"{DATA}@monday", f"tank/{PREFIX}clone")
    absent = {"state": "absent", "allow": [f"destroy_dataset:{DATA}"]}
    with zfs.unwritten():
        result = refused(zfs.run("zfs_dataset", [{"name": DATA}], **absent))
        assert f"tank/{PREFIX}clone" in result.message
    zfs.lab.zfs("destroy", f"tank/{PREFIX}clone")
    with zfs.unwritten():
        result = refused(zfs.run("zfs_dataset", [{"name": DATA}], **absent))
    assert f"{DATA}/below" in result.message and "monday" in result.message


def test_there_is_retention(zfs: Any) -> None:
    """Elsewhere: none."""
    zfs.lab.zfs("create", DATA)
    succeeded(zfs.run("zfs_snapshot", [{"dataset": DATA, "prefix": "auto", "daily": 7}]))
    (taken,) = zfs.lab.state.datasets[DATA].snapshots
    assert taken.startswith("auto-")


def test_there_is_replication(zfs: Any) -> None:
    """Elsewhere: none."""
    zfs.pool("vault")
    zfs.lab.zfs("create", DATA)
    zfs.lab.zfs("snapshot", f"{DATA}@one")
    succeeded(zfs.run("zfs_replication", source=DATA, target=f"vault/{PREFIX}copy"))
    sent, received = (zfs.lab.state.datasets[name].snapshots["one"] for name in (DATA, f"vault/{PREFIX}copy"))
    assert sent.guid == received.guid


def test_there_is_the_age_of_the_scrub_and_a_verdict(zfs: Any) -> None:
    """Elsewhere: neither."""
    succeeded(zfs.run("zfs_pool", [with_spare(zfs)]))
    zfs.zpool("scrub", POOL)
    with zfs.lab.change() as state:
        state.pools[POOL].scrubbed -= 40 * 86400
    health = {row["pool"]: row for row in succeeded(zfs.run("zfs_info")).data["health"]}
    assert health[POOL]["verdict"] == "warning"
    assert health[POOL]["scrub_age"] // 86400 == 40
    assert "40 days" in " ".join(health[POOL]["reasons"])
    put_spare_to_work(zfs)
    health = {row["pool"]: row for row in succeeded(zfs.run("zfs_info")).data["health"]}
    assert "stands in for" in " ".join(health[POOL]["reasons"])
