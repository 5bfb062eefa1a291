# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""zfs_snapshot on a real OpenZFS. What a policy keeps over time is in tests/unit/zfs."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.zfs.datasets import ONE, TWO, Pools, two_pools
from tests.zfs.host import ZfsHost

MODULE = "zfs_snapshot"


@pytest.fixture(scope="module")
def pools(zfs_host: ZfsHost) -> Iterator[Pools]:
    with two_pools(zfs_host) as pools:
        yield pools


def test_a_policy_takes_prunes_and_rests(pools: Pools) -> None:
    root = f"{ONE}/data"
    pools.sh('zfs create "$1"; zfs create "$1/pacs"; zfs create -s -V 16M "$1/volume"', root)
    # Of long ago, by their names; by the pool's clock they are of now, and young ones stay.
    pools.sh('zfs snapshot -r "$1@auto-2020-01-01T00Z"; zfs snapshot "$1@by-hand"', root)
    policy = {"dataset": root, "prefix": "auto", "yearly": 1, "recursive": True}
    check = pools.run(MODULE, [policy], check=True)
    done = pools.run(MODULE, [policy])
    assert check.planned == done.planned == [f"create snapshot policy {root}/auto"], "this year has one already"
    hourly = {"dataset": root, "prefix": "hour", "hourly": 2, "recursive": True, "names": ["before-upgrade"]}
    taken = pools.run(MODULE, [hourly])
    found = [name for name in pools.snapshots(f"{root}/pacs") if name.startswith("hour-")]
    assert len(found) == 1 and re.fullmatch(r"hour-\d{4}-\d\d-\d\dT\d\dZ", found[0])
    times = {pools.get(f"{one}@{found[0]}", "createtxg")[0] for one in (root, f"{root}/pacs", f"{root}/volume")}
    assert len(times) == 1, "not taken in one moment"
    assert len(taken.steps) == 2 and "before-upgrade" in taken.steps[1]
    pools.rests(MODULE, [hourly, policy])
    # By the name and the prefix alone: the policy is at the dataset.
    pools.rests(MODULE, [{"dataset": root, "prefix": "hour"}])
    gone = [{"dataset": root, "prefix": "hour", "names": ["before-upgrade"]}]
    message = pools.fails(MODULE, gone, state="absent")
    words = [f"destroy_snapshot:{root}@hour", f"destroy_snapshot:{root}@before-upgrade"]
    assert all(word in message for word in words)
    pools.run(MODULE, gone, state="absent", allow=words)
    assert pools.snapshots(root) == ["auto-2020-01-01T00Z", "by-hand"]
    pools.rests(MODULE, gone, state="absent")


def test_what_is_old_goes_and_what_is_held_stays(pools: Pools) -> None:
    """The clock of a host is not turned back for a test; `date` is, as the module asks it."""
    root = f"{TWO}/old"
    pools.sh('zfs create "$1"; for h in 00 01 02 03; do zfs snapshot "$1@auto-2020-01-01T${h}Z"; done', root)
    pools.sh('zfs hold kept "$1@auto-2020-01-01T01Z"', root)
    with pools.later(days=2):
        policy = {"dataset": root, "prefix": "auto", "hourly": 2}
        done = pools.run(MODULE, [policy])
        assert [step.split()[1] for step in done.steps] == ["create", "destroy", "take"]
    left = pools.snapshots(root)
    # By the pool's clock the four are of one hour, or two: the newest, the held one, and the one just taken are left.
    assert "auto-2020-01-01T01Z" in left and "auto-2020-01-01T03Z" in left and "auto-2020-01-01T02Z" not in left
    assert "held" in pools.fails(
        MODULE, [{"dataset": root, "prefix": "auto"}], state="absent", allow=[f"destroy_snapshot:{root}@auto"]
    )


def test_a_replica_is_not_taken_a_snapshot_of(pools: Pools) -> None:
    source, target = f"{ONE}/sent", f"{TWO}/received"
    pools.sh('zfs create "$1"; zfs snapshot "$1@auto-2020-01-01"', source)
    pools.run("zfs_replication", source=source, target=target)
    message = pools.fails(MODULE, [{"dataset": target, "prefix": "auto", "daily": 3}])
    assert "receiver of a replication" in message and "take: false" in message
    pools.run(MODULE, [{"dataset": target, "prefix": "auto", "daily": 3, "take": False}])
    # Nor by a policy above it, which takes of all the others.
    pools.run(MODULE, [{"dataset": TWO, "prefix": "all", "daily": 3, "recursive": True}])
    assert pools.snapshots(target) == ["auto-2020-01-01"]
    assert any(name.startswith("all-") for name in pools.snapshots(TWO))
    pools.sh('zfs snapshot "$1@auto-2020-01-02"', source)
    pools.run("zfs_replication", source=source, target=target)
