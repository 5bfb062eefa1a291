# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""zfs_dataset on a real OpenZFS: what other modules get wrong, and what only the kernel knows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.zfs.datasets import ONE, Pools, two_pools
from tests.zfs.host import ZfsHost

MODULE = "zfs_dataset"
MIB = 1024**2


@pytest.fixture(scope="module")
def pools(zfs_host: ZfsHost) -> Iterator[Pools]:
    with two_pools(zfs_host) as pools:
        yield pools


def test_sizes_and_words_are_compared_by_what_they_mean(pools: Pools) -> None:
    """Others change "10M" against bytes, a record size in bytes and a rounded volsize at every run."""
    several = [
        {
            "name": f"{ONE}/data",
            "quota": "10M",
            "recordsize": 1048576,
            "refquota": "0.5G",
            "reservation": 0,
            "compression": "zstd-3",
            "atime": False,
            "xattr": "sa",
            "acltype": "posixacl",
            "special_small_blocks": 0,
            "mountpoint": "/srv/hct-data/",
            "properties": {"com.hospital:role": "backup"},
        },
        {"name": f"{ONE}/volume", "type": "volume", "volsize": "33333333", "volblocksize": "16K", "sparse": True},
        {"name": f"{ONE}/data/inherits", "compression": "zstd", "atime": False},
    ]
    first = pools.run(MODULE, several)
    assert first.changed and not first.data["unmet"]
    assert pools.get(f"{ONE}/data", "quota", "recordsize") == [str(10 * MIB), str(MIB)]
    pools.rests(MODULE, several)
    found = [item for item in first.data["after"].values() if item]
    pools.rests(MODULE, found, unlisted_options="reset")
    smaller = [{"name": f"{ONE}/volume", "volsize": "16M"}]
    assert "would shrink" in pools.fails(MODULE, smaller)
    pools.run(MODULE, [{"name": f"{ONE}/volume", "volsize": "48M"}])
    reset = [{"name": f"{ONE}/data", "reset": ["quota", "refquota", "compression", "mountpoint"]}]
    pools.run(MODULE, reset)
    assert pools.get(f"{ONE}/data", "quota", "refquota", "mountpoint") == ["0", "0", f"/{ONE}/data"]
    pools.rests(MODULE, reset)


def test_absent_destroys_nothing_that_was_not_named(pools: Pools) -> None:
    """Others destroy recursively, clones elsewhere included."""
    root, clone = f"{ONE}/old", f"{ONE}/clone"
    pools.sh('zfs create "$1"; zfs create "$1/below"; zfs snapshot -r "$1@monday"', root)
    pools.sh('zfs clone "$1@monday" "$2"', root, clone)
    gone = [{"name": root}]
    words = [f"destroy_dataset:{root}", f"destroy_dataset:{root}/below"]
    words += [f"destroy_snapshot:{root}", f"destroy_snapshot:{root}/below"]
    message = pools.fails(MODULE, gone, state="absent")
    assert clone in message and "promote" in message
    pools.sh('zfs destroy "$1"; zfs hold kept "$2/below@monday"', clone, root)
    message = pools.fails(MODULE, gone, state="absent", allow=words)
    assert f"{root}/below@monday is held" in message
    pools.sh('zfs release kept "$1/below@monday"', root)
    message = pools.fails(MODULE, gone, state="absent", allow=words[:1])
    assert all(word in message for word in words[1:])
    assert pools.snapshots(f"{root}/below") == ["monday"]
    pools.run(MODULE, gone, state="absent", allow=words)
    pools.rests(MODULE, gone, state="absent")


def test_what_is_in_use_is_not_destroyed(pools: Pools) -> None:
    name = f"{ONE}/used"
    pools.sh('zfs create "$1"; cd "/$1" && nohup sleep 300 >/dev/null 2>&1 & sleep 1', name)
    gone = [{"name": name}]
    message = pools.fails(MODULE, gone, state="absent", allow=[f"destroy_dataset:{name}"])
    assert "busy" in message and "Something uses it" in message
    pools.sh('for p in /proc/[0-9]*; do [ "$(readlink $p/cwd)" = "/$1" ] && kill "${p#/proc/}"; done; sleep 1', name)
    pools.run(MODULE, gone, state="absent", allow=[f"destroy_dataset:{name}"])


def test_a_directory_with_something_in_it_is_not_hidden(pools: Pools) -> None:
    name, place = f"{ONE}/covers", "/srv/hct-not-empty"
    pools.sh('mkdir -p "$1"; echo old >"$1/file"', place)
    try:
        item = {"name": name, "mountpoint": place}
        assert place in pools.fails(MODULE, [item]) and "not empty" in pools.fails(MODULE, [item], check=True)
        pools.run(MODULE, [{**item, "overlay": True}])
        pools.rests(MODULE, [{**item, "overlay": True}])
        pools.sh('zfs unmount "$1"', name)
        (unmet,) = pools.rests(MODULE, [item]).data["unmet"]
        assert "not mounted" in unmet and place in unmet
    finally:
        pools.sh('zfs destroy -f "$1" || true; rm -rf "$2"', name, place)


def test_an_encrypted_dataset_and_its_key(pools: Pools) -> None:
    name = f"{ONE}/keyed"
    keyed = {"encryption": "on", "keyformat": "passphrase", "keylocation": "prompt"}
    item = {"name": name, **keyed, "encryption_key": "correct horse battery"}
    pools.run(MODULE, [item])
    assert pools.get(name, "encryption", "keystatus", "mounted") == ["aes-256-gcm", "available", "yes"]
    pools.rests(MODULE, [item])
    pools.run(MODULE, [{**item, "encryption_key": "another passphrase"}], update_secrets="always")
    pools.sh('zfs unmount "$1"; zfs unload-key "$1"', name)
    assert pools.host.try_sh('zfs load-key "$1"', name, stdin="correct horse battery\n").returncode != 0
    (unmet,) = pools.rests(MODULE, [{"name": name, **keyed}]).data["unmet"]
    assert "key is not loaded" in unmet
    pools.sh('zfs load-key "$1" && zfs mount "$1"', name, stdin="another passphrase\n")
