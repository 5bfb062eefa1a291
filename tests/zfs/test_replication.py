# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""zfs_replication on a real OpenZFS: between two pools of one host, over SSH where a receiver is another host."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tests.contract.invocation import Result
from tests.zfs.datasets import ONE, TWO, Pools, two_pools
from tests.zfs.host import ZfsHost

MODULE = "zfs_replication"
MIB = 1024**2


@pytest.fixture(scope="module")
def pools(zfs_host: ZfsHost) -> Iterator[Pools]:
    with two_pools(zfs_host) as pools:
        yield pools


def test_to_another_host_the_first_time_and_then_what_is_new(pools: Pools) -> None:
    source, target = f"{ONE}/life", f"{TWO}/life"
    pools.sh('zfs create "$1"', source)
    pools.write(source, 3)
    pools.sh('zfs snapshot "$1@monday"', source)
    pair = {"source": source, "target": target, "target_host": pools.host.address}
    check = pools.run(MODULE, **pair, check=True)
    first = pools.run(MODULE, **pair)
    assert check.planned == first.planned and check.diff == first.diff
    assert first.data["recovery_point"]["snapshot"] == f"{source}@monday"
    assert 0 <= first.data["recovery_point"]["age"] < 600
    assert first.data["bytes"] > 3 * MIB and not first.data["resumed"] and not first.data["unmet"]
    assert pools.get(target, "readonly", "canmount", "mounted", "hospital.continuity:replica") == [
        *("on", "noauto", "no", source),
    ]
    assert (pools.holds(source), pools.holds(target)) == ({"monday"}, {"monday"})
    pools.rests(MODULE, **pair)
    # Names mean nothing, GUIDs do; what lies between is sent as well.
    pools.sh(
        'zfs rename "$2@monday" first; dd if=/dev/urandom of="/$1/more" bs=64K count=1 status=none', source, target
    )
    pools.sh('zfs snapshot "$1@tuesday"; zfs snapshot "$1@wednesday"', source)
    second = pools.run(MODULE, **pair)
    assert pools.snapshots(target) == ["first", "tuesday", "wednesday"]
    assert (pools.holds(source), pools.holds(target)) == ({"wednesday"}, {"wednesday"})
    assert 64 * 1024 < second.data["bytes"] < MIB
    assert pools.get(f"{source}@wednesday", "guid") == pools.get(f"{target}@wednesday", "guid")
    # What the recovery point is built on cannot be destroyed by anybody's pruning.
    assert "held" in pools.host.try_sh('zfs destroy "$1@wednesday"', source).stderr


def test_a_send_that_is_cut_off_goes_on_where_it_stopped(pools: Pools) -> None:
    source, target = f"{ONE}/cut", f"{TWO}/cut"
    pools.sh('zfs create "$1"', source)
    pools.write(source, 12)
    pools.sh('zfs snapshot "$1@one"', source)
    pair = {"source": source, "target": target}
    ended: list[Result] = []
    run = threading.Thread(target=lambda: ended.append(pools.host.run(MODULE, **pair, bandwidth="2M")))
    run.start()
    _wait_for(pools, target)
    # The sender dies, as it does when the host is reset or the line is lost.
    pools.sh('sleep 1; pkill -f "^zfs send .*$1@one"', source)
    run.join(120)
    (broken,) = ended
    assert broken.failed and not broken.crash, broken.stdout
    assert "goes on from there" in broken.message and f"{source}@one" in broken.message
    arrived = broken.data["bytes"]
    assert 0 < arrived < 12 * MIB
    assert pools.get(target, "receive_resume_token") != ["-"]
    assert pools.holds(source) == {"one"}, "what was begun must not be pruned"
    again = pools.run(MODULE, **pair)
    assert again.data["resumed"] and "(resumed)" in again.steps[0]
    assert again.data["bytes"] < 12 * MIB, "it began anew"
    assert pools.get(f"{source}@one", "guid") == pools.get(f"{target}@one", "guid")
    assert pools.get(target, "readonly", "canmount", "mounted") == ["on", "noauto", "no"]
    assert pools.holds(target) == {"one"}
    pools.rests(MODULE, **pair)


def _wait_for(pools: Pools, target: str) -> None:
    """Until something of it is there."""
    for _attempt in range(60):
        if pools.host.try_sh('zfs list "$1"', target).returncode == 0:
            return
        time.sleep(0.5)
    raise AssertionError(f"nothing of {target} arrived")


def test_a_receiver_that_diverged_is_left_alone_without_the_word(pools: Pools) -> None:
    source, target = f"{ONE}/apart", f"{TWO}/apart"
    pools.sh('zfs create "$1"; zfs snapshot "$1@one"', source)
    pair = {"source": source, "target": target}
    pools.run(MODULE, **pair)
    # Somebody took it over: writable, mounted, written to, and a snapshot of that.
    script = 'zfs set readonly=off "$1"; zfs mount "$1"; echo work >"/$1/file"; zfs snapshot "$1@theirs"'
    pools.sh(f'{script}; echo more >"/$1/file"; sync', target)
    pools.sh('zfs snapshot "$1@two"', source)
    message = pools.fails(MODULE, **pair)
    assert f"rollback_receiver:{target}" in message and "theirs" in message and "bytes that were written" in message
    assert pools.sh('cat "/$1/file"', target) == "more\n"
    assert "theirs" in pools.fails(MODULE, **pair, allow=[f"rollback_receiver:{TWO}/other"])
    done = pools.run(MODULE, **pair, allow=[f"rollback_receiver:{target}"])
    assert done.data["recovery_point"]["snapshot"] == f"{source}@two"
    assert pools.snapshots(target) == ["one", "two"] and pools.get(target, "readonly") == ["on"]


def test_what_is_encrypted_arrives_as_it_is_stored(pools: Pools) -> None:
    source, target = f"{ONE}/secret", f"{TWO}/secret"
    key = "zfs create -o encryption=on -o keyformat=passphrase"
    pools.sh(f'{key} "$1"; echo patients >"/$1/file"; zfs snapshot "$1@one"', source, stdin="correct horse\n")
    pair = {"source": source, "target": target}
    first = pools.run(MODULE, **pair)
    assert pools.get(target, "encryption", "keystatus") == ["aes-256-gcm", "unavailable"]
    assert not first.data["unmet"]
    # The key is not even needed at the sender.
    pools.sh('echo more >"/$1/file"; zfs snapshot "$1@two"; zfs unmount "$1"; zfs unload-key "$1"', source)
    assert "key is not loaded" in pools.fails(MODULE, **pair, raw=False)
    pools.run(MODULE, **pair)
    pools.sh('zfs load-key "$1" && zfs mount -o ro "$1"', target, stdin="correct horse\n")
    assert pools.sh('cat "/$1/file"', target) == "more\n"


def test_a_receiver_without_space_says_so_and_the_next_run_goes_on(pools: Pools) -> None:
    source, target = f"{ONE}/large", f"{TWO}/small/large"
    pools.sh('zfs create "$1"; zfs create -o quota=6M "${2%/*}"', source, target)
    pools.write(source, 10)
    pools.sh('zfs snapshot "$1@one"', source)
    pair = {"source": source, "target": target}
    message = pools.fails(MODULE, **pair)
    assert "out of space" in message or "quota exceeded" in message, message
    pools.sh('zfs set quota=none "${1%/*}"', target)
    assert pools.run(MODULE, **pair).data["recovery_point"]["snapshot"] == f"{source}@one"


def test_all_below_and_what_came_since(pools: Pools) -> None:
    source, target = f"{ONE}/tree", f"{TWO}/tree"
    pools.sh('zfs create "$1"; zfs create "$1/a"; zfs create -s -V 16M "$1/v"', source)
    pools.sh('zfs snapshot -r "$1@one"; zfs create "$1/late"', source)
    pair = {"source": source, "target": target, "recursive": True}
    first = pools.run(MODULE, **pair)
    assert [row["target"] for row in first.data["datasets"]] == [target, f"{target}/a", f"{target}/late", f"{target}/v"]
    assert "late has no snapshot" in first.data["unmet"][0] and first.data["recovery_point"]["age"] is None
    assert pools.get(f"{target}/v", "type", "volsize", "readonly") == ["volume", str(16 * MIB), "on"]
    pools.sh('zfs snapshot -r "$1@two"', source)
    second = pools.run(MODULE, **pair)
    assert not second.data["unmet"] and pools.snapshots(f"{target}/late") == ["two"]
    pools.rests(MODULE, **pair)
