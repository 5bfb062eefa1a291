# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Pools on a real OpenZFS: a whole one in one task, growth, and everything that can be wrong with disks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.case import PREFIX
from tests.contract.system import refused, succeeded
from tests.zfs.host import ZfsHost, refuse_unless_blank

POOL = f"{PREFIX}pool"
BY_ID = "/dev/disk/by-id/"
# Nothing is written to it meanwhile: a copy of several states is a pool that is damaged.
_COPY_AS_IT_IS = """
interval=/sys/module/zfs/parameters/zfs_txg_timeout
seconds=$(cat $interval)
echo 600 >$interval
zpool sync
zpool sync
dd if="$1" of=/run/hct-disk bs=1M conv=sparse status=none
echo "$seconds" >$interval
"""


def item(*disks: str, **more: Any) -> dict[str, Any]:
    return {"name": POOL, "layout": [{"type": "disk", "disks": list(disks)}], **more}


def mirror(*disks: str, **more: Any) -> dict[str, Any]:
    return {"name": POOL, "layout": [{"type": "mirror", "disks": list(disks)}], **more}


def refusal(host: ZfsHost, *config: Any, **arguments: Any) -> str:
    """The message of a run that must change nothing, which check mode gives as well."""
    before = host.sh("zpool status -P 2>&1; lsblk -no NAME,FSTYPE,PTTYPE")
    message = refused(host.run("zfs_pool", config, check=True, **arguments)).message
    assert refused(host.run("zfs_pool", config, **arguments)).message == message
    assert host.sh("zpool status -P 2>&1; lsblk -no NAME,FSTYPE,PTTYPE") == before
    return message


def verdict(host: ZfsHost, pool: str = POOL) -> dict[str, Any]:
    rows = succeeded(host.run("zfs_info", kinds=["pool"])).data["health"]
    return next(row for row in rows if row["pool"] == pool)


def unchanged(host: ZfsHost, wanted: dict[str, Any]) -> list[str]:
    """A run that changes nothing; what is unmet."""
    again = succeeded(host.run("zfs_pool", [wanted]))
    assert not again.changed, again.steps
    return list(again.data["unmet"])


def test_a_whole_pool_of_eight_disks_in_one_task(host: ZfsHost) -> None:
    disks = host.disks
    whole = {
        "name": POOL,
        "ashift": 12,
        "autoexpand": True,
        "autotrim": False,
        "comment": "films of the ward",
        "layout": [
            {"type": "raidz1", "disks": disks[:3]},
            {"type": "mirror", "class": "special", "disks": disks[3:5]},
            {"class": "log", "disks": [disks[5]]},
            {"class": "cache", "disks": [f"{BY_ID}{disks[6]}"]},
            {"class": "spare", "disks": [disks[7]]},
        ],
        "fs_properties": {"compression": "lz4", "atime": False, "recordsize": 1048576, "mountpoint": f"/{POOL}"},
    }
    predicted = succeeded(host.run("zfs_pool", [whole], check=True))
    made = succeeded(host.run("zfs_pool", [whole]))
    assert made.planned == predicted.planned == [f"create pool {POOL}"]
    assert made.diff == predicted.diff
    assert unchanged(host, whole) == []
    assert host.sh(f"zfs get -Hp -o value recordsize,atime,compression {POOL}").split() == ["1048576", "off", "lz4"]

    info = succeeded(host.run("zfs_info", kinds=["pool"], names=[POOL])).data
    (read,) = info["config"]["pool"]
    again = succeeded(host.run("zfs_pool", [read], unlisted_options="reset"))
    assert not again.changed, again.steps
    found = verdict(host)
    assert (found["verdict"], found["redundancy"]) == ("ok", 1), found
    assert found["spares"] == [{"disk": disks[7], "state": "available"}]

    host.sh(f"zpool scrub -w {POOL}")
    assert 0 <= verdict(host)["scrub_age"] < 600

    refusal(host, {"name": POOL}, state="absent")
    gone = succeeded(host.run("zfs_pool", [{"name": POOL}], state="absent", allow=[f"destroy_pool:{POOL}"]))
    assert gone.changed
    assert POOL not in host.sh("zpool list -H -o name").split()


def test_a_disk_that_is_looked_at_is_waited_for(host: ZfsHost) -> None:
    """As udev and multipathd do after anybody opened it for writing."""
    holding = "import os, sys, time; os.open(sys.argv[1], os.O_RDONLY | os.O_EXCL); time.sleep(float(sys.argv[2]))"
    held = 'python3 -c "$1" "/dev/disk/by-id/$2" "$3" >/dev/null 2>&1 </dev/null & sleep 1'
    host.sh(held, holding, host.disks[0], "8")
    assert succeeded(host.run("zfs_pool", [item(host.disks[0])])).changed


def test_growing_step_by_step(host: ZfsHost) -> None:
    disks = host.disks
    succeeded(host.run("zfs_pool", [item(disks[0], ashift=12)]))
    assert "cannot repair" in " ".join(verdict(host)["reasons"])

    assert succeeded(host.run("zfs_pool", [mirror(*disks[:2])])).changed
    host.sh(f"zpool wait -t resilver {POOL}")
    assert unchanged(host, mirror(*disks[:2])) == []

    two = {"name": POOL, "layout": [{"type": "mirror", "disks": disks[:2]}, {"type": "mirror", "disks": disks[2:4]}]}
    assert f"change_pool_layout:{POOL}" in refusal(host, two)
    assert succeeded(host.run("zfs_pool", [two], allow=[f"change_pool_layout:{POOL}"])).changed
    assert unchanged(host, two) == []

    helpers = [{"class": "log", "disks": [disks[4]]}, {"class": "cache", "disks": [disks[5]]}]
    more = {"name": POOL, "layout": [*two["layout"], *helpers, {"class": "spare", "disks": [disks[6]]}]}
    assert succeeded(host.run("zfs_pool", [more])).changed
    assert unchanged(host, more) == []
    # What is not listed stays, and is told.
    told = unchanged(host, two)
    assert [disk for disk in disks[4:7] if any(disk in text for text in told)] == disks[4:7]

    swapped = {"name": POOL, "replace": {disks[3]: disks[7]}}
    assert disks[3] in refusal(host, swapped)
    assert succeeded(host.run("zfs_pool", [swapped], allow=[f"change_pool_layout:{POOL}"])).changed
    unchanged(host, swapped)
    host.sh(f"zpool wait -t resilver {POOL}; zpool wait -t replace {POOL}")
    assert unchanged(host, swapped) == []
    assert disks[7] in host.sh(f"zpool status {POOL}")

    gone = {"name": POOL, "layout": [{**row, "state": "absent"} for row in more["layout"][2:]]}
    assert succeeded(host.run("zfs_pool", [gone], allow=[f"change_pool_layout:{POOL}"])).changed
    status = host.sh(f"zpool status {POOL}")
    assert not [word for word in ("logs", "cache", "spares") if word in status]


def test_properties_are_put_right_and_given_up(host: ZfsHost) -> None:
    wanted = item(host.disks[0], autoreplace=True, failmode="continue", listsnapshots=True, comment="one")
    succeeded(host.run("zfs_pool", [wanted]))
    assert unchanged(host, wanted) == []
    host.sh(f"zpool set failmode=panic {POOL}; zpool set comment=two {POOL}")
    mended = succeeded(host.run("zfs_pool", [wanted]))
    assert mended.planned == [f"update pool {POOL}: comment, failmode"]
    bare = {"name": POOL, "reset": ["autoreplace", "failmode", "listsnapshots", "comment"]}
    assert succeeded(host.run("zfs_pool", [bare])).changed
    unchanged(host, bare)
    names = "autoreplace,failmode,listsnapshots,comment"
    values = host.sh(f"zpool get -H -o value {names} {POOL}").splitlines()
    assert values == ["off", "wait", "off", ""], "a comment that was taken away is empty, one that never was is a dash"
    assert "fixed when the pool is created" in refusal(host, item(host.disks[0], ashift=14))


def test_the_spot_where_somebody_set_ashift_later(host: ZfsHost) -> None:
    """ZFS takes it, and what is added then does not fit. Ours says so, and adds what fits."""
    succeeded(host.run("zfs_pool", [item(host.disks[0], ashift=12)]))
    host.sh(f"zpool set ashift=13 {POOL}")
    assert "ashift was set to 13 later" in " ".join(unchanged(host, item(host.disks[0], ashift=12)))
    log = {"name": POOL, "layout": [{"class": "log", "disks": [host.disks[1]]}]}
    assert succeeded(host.run("zfs_pool", [log])).changed


# -- disks that are not free ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (
            "sgdisk -n 1:0:+64M $1 >/dev/null || printf 'label: gpt\\n,64M\\n' | sfdisk -q $1; udevadm settle",
            "a partition table (gpt)",
        ),
        ("mkfs.ext4 -q -F -L films $1 || mkfs.xfs -q -f -L films $1; udevadm settle", "filesystem named films"),
        ("pvcreate -qq -y $1; udevadm settle", "an LVM physical volume"),
        (
            f"zpool create -f {PREFIX}old $1; zpool export {PREFIX}old; udevadm settle",
            f"a label of the ZFS pool {PREFIX}old",
        ),
    ],
    ids=["partition table", "filesystem", "LVM label", "another pool's label"],
)
def test_a_disk_that_carries_something(host: ZfsHost, script: str, told: str) -> None:
    disk = host.disks[0]
    host.sh(script, f"{BY_ID}{disk}")
    message = refusal(host, item(disk))
    assert told in message and f"wipe_disk:{disk}" in message
    refusal(host, item(disk), allow=[f"wipe_disk:{host.disks[1]}"])
    # An exported pool is still a pool.
    words = [f"wipe_disk:{disk}", f"destroy_pool:{PREFIX}old"]
    assert succeeded(host.run("zfs_pool", [item(disk)], allow=words)).changed
    assert unchanged(host, item(disk)) == []
    with pytest.raises(LookupError, match="is not blank"):
        refuse_unless_blank(host, disk)


def test_a_disk_in_use_is_not_taken_with_the_word_either(host: ZfsHost) -> None:
    disk = host.disks[0]
    allow = {"allow": [f"wipe_disk:{disk}"]}
    path = f"{BY_ID}{disk}"
    host.sh(f"mkfs.ext4 -q -F {path} || mkfs.xfs -q -f {path}; mkdir -p /run/hct; mount {path} /run/hct")
    try:
        assert "is mounted at /run/hct" in refusal(host, item(disk), **allow)
    finally:
        host.sh("umount /run/hct")
    host.sh(
        f"wipefs -aq {path}; pvcreate -qq -y {path}; vgcreate -qq hct-vg {path}; lvcreate -qq -y -n films -L 64M hct-vg"
    )
    try:
        assert "holds the LVM volume" in refusal(host, item(disk), **allow)
    finally:
        host.sh(f"vgremove -qq -f hct-vg; pvremove -qq {path}")
    host.sh(f"zpool create -f {PREFIX}old {path}")
    assert f"belongs to the imported pool {PREFIX}old" in refusal(host, item(disk), **allow)


def test_the_disk_of_the_running_system(host: ZfsHost) -> None:
    """Its name below by-id, or one made for the test where it has none."""
    script = """
root=$(lsblk -nro PKNAME "$(findmnt -no SOURCE /)" 2>/dev/null | head -1)
root=${root:-$(basename "$(findmnt -no SOURCE /)")}
for link in /dev/disk/by-id/*; do
    [ "$(readlink -e "$link")" = "/dev/$root" ] && { basename "$link"; exit; }
done
ln -s "../../$root" /dev/disk/by-id/hct-root; echo hct-root
"""
    name = host.sh(script).strip()
    try:
        assert "the running system is on" in refusal(host, item(name), allow=[f"wipe_disk:{name}"])
    finally:
        host.sh("rm -f /dev/disk/by-id/hct-root")


def test_disks_that_are_not_there_or_meant_twice(host: ZfsHost) -> None:
    assert "scsi-nosuch is not there" in refusal(host, item("scsi-nosuch"))
    assert "may be another disk after the next boot" in refusal(host, item(f"/dev/{host.kernel_name(host.disks[0])}"))
    disk = host.disks[0]
    assert "in two places" in refusal(host, mirror(disk, f"{BY_ID}{disk}"))
    links = host.sh(f"udevadm info --query=symlink --name={BY_ID}{disk}").split()
    other = next(link.rpartition("/")[2] for link in links if link.startswith("disk/by-id/") and link[11:] != disk)
    assert "are names of one disk" in refusal(host, mirror(disk, other))
    # By its other name it is the same disk, too, in a pool that is there.
    succeeded(host.run("zfs_pool", [item(disk)]))
    assert unchanged(host, item(other)) == []


def test_vdevs_that_differ_in_what_they_can_lose(host: ZfsHost) -> None:
    rows = [
        {"type": "raidz2", "disks": host.disks[:4]},
        {"type": "mirror", "class": "special", "disks": host.disks[4:6]},
    ]
    assert "the weaker would decide" in refusal(host, {"name": POOL, "layout": rows})
    succeeded(host.run("zfs_pool", [mirror(*host.disks[:2])]))
    wide = {"name": POOL, "layout": [{"disks": [host.disks[2]]}]}
    assert "the weaker would decide" in refusal(host, wide, allow=[f"change_pool_layout:{POOL}"])


# -- pools that are sick, away, or somebody else's -----------------------------------------------------------------


@pytest.fixture
def pulled(host: ZfsHost) -> Iterator[ZfsHost]:
    """A host whose disks come back in the end."""
    yield host
    host.rescan()


def test_a_pool_that_lacks_disks_is_an_error_and_comes_back(pulled: ZfsHost) -> None:
    host, disks = pulled, pulled.disks
    wanted = mirror(*disks[:2])
    succeeded(host.run("zfs_pool", [wanted]))
    host.sh(f"dd if=/dev/urandom of=/{POOL}/films bs=1M count=4 status=none; zpool export {POOL}")
    host.pull(*disks[:2])
    # Nothing of it is to be seen: its disks are asked for, and are not there.
    assert "is not there" in refusal(host, wanted)
    host.rescan()
    # One of two that stood alone: ZFS itself advises to destroy the pool and to create it anew.
    host.blank()
    alone = item(*disks[:2])
    succeeded(host.run("zfs_pool", [alone]))
    host.sh(f"echo kept >/{POOL}/films; zpool export {POOL}")
    host.pull(disks[1])
    for arguments in ({}, {"state": "absent", "allow": [f"destroy_pool:{POOL}"]}):
        message = refusal(host, alone, **arguments)
        assert "UNAVAIL" in message and "re-create" not in message
    assert verdict(host)["verdict"] == "critical"
    host.rescan()
    assert succeeded(host.run("zfs_pool", [alone])).planned == [f"import pool {POOL}"]
    assert host.sh(f"cat /{POOL}/films") == "kept\n"
    unchanged(host, alone)


def test_a_degraded_pool_is_left_alone(pulled: ZfsHost) -> None:
    host, disks = pulled, pulled.disks
    wanted = mirror(*disks[:2])
    succeeded(host.run("zfs_pool", [wanted]))
    host.pull(disks[1])
    host.sh(f"dd if=/dev/urandom of=/{POOL}/films bs=1M count=4 conv=fsync status=none; zpool sync {POOL}")
    told = unchanged(host, wanted)
    assert disks[1] in told[0] and "nothing about its layout is planned" in told[0]
    found = verdict(host)
    assert (found["verdict"], found["redundancy"]) == ("critical", 0)
    more = mirror(*disks[:3])
    assert "until it is sound again" in refusal(host, more, allow=[f"change_pool_layout:{POOL}"])
    assert "zpool replace" in refusal(
        host, {"name": POOL, "replace": {disks[1]: disks[2]}}, allow=[f"change_pool_layout:{POOL}"]
    )


def test_a_spare_at_work_and_an_unchanged_declaration(pulled: ZfsHost) -> None:
    host, disks = pulled, pulled.disks
    wanted = mirror(*disks[:2])
    wanted["layout"].append({"class": "spare", "disks": [disks[2]]})
    succeeded(host.run("zfs_pool", [wanted]))
    # As the daemon does it when a disk breaks; where it is faster than we are, it is done already.
    host.sh(f"zpool offline -f {POOL} {disks[1]}; sleep 1")
    host.try_sh(f"zpool replace {POOL} {disks[1]} {disks[2]}")
    host.sh(f"zpool wait -t resilver {POOL}")
    assert "INUSE" in host.sh(f"zpool status {POOL}")
    told = unchanged(host, wanted)
    assert f"spare {disks[2]} stands in for {disks[1]}" in told[0]
    assert verdict(host)["spares"] == [{"disk": disks[2], "state": "in use"}]
    more = {"name": POOL, "layout": [{"class": "cache", "disks": [disks[3]]}]}
    assert "stands in for" in refusal(host, more)


@pytest.mark.parametrize("let_go", [True, False], ids=["exported", "not exported"])
def test_a_pool_of_another_host(host: ZfsHost, let_go: bool) -> None:
    """Made here, while this host had another identity; not let go of, it looks as after a crash of that host."""
    wanted = item(host.disks[0])
    with host.another_identity():
        host.sh(f"zpool create -f {POOL} {BY_ID}{host.disks[0]}; echo kept >/{POOL}/films; zpool sync {POOL}")
        if let_go:
            host.sh(f"zpool export {POOL}")
        else:
            host.sh(_COPY_AS_IT_IS, f"{BY_ID}{host.disks[0]}")
            host.sh(f"zpool export {POOL}; dd if=/run/hct-disk of={BY_ID}{host.disks[0]} bs=1M status=none")
            host.sh("rm /run/hct-disk; udevadm settle")
    message = refusal(host, wanted)
    assert "another host" in message or "badcafe" in message
    assert f"import_foreign_pool:{POOL}" in message
    assert any("another host" in text for text in verdict(host)["reasons"])
    taken = succeeded(host.run("zfs_pool", [wanted], allow=[f"import_foreign_pool:{POOL}"]))
    assert taken.planned == [f"import pool {POOL}"]
    assert host.sh(f"cat /{POOL}/films") == "kept\n"
    assert unchanged(host, wanted) == []


def test_a_full_pool(host: ZfsHost) -> None:
    if int(host.sh(f"lsblk -bdno SIZE {BY_ID}{host.disks[0]}")) > 4 << 30:
        pytest.skip("filling a whole disk of yours takes too long")
    wanted = item(host.disks[0], fs_properties={"compression": "off"})
    succeeded(host.run("zfs_pool", [wanted]))
    assert host.try_sh(f"fallocate -l 2G /{POOL}/never").returncode != 0
    host.try_sh(f"head -c 2G /dev/zero >/{POOL}/films; zpool sync {POOL}", timeout=300)
    found = verdict(host)
    assert found["capacity"] > 80, found  # what ZFS keeps back of a small pool is more than of a large one
    assert found["verdict"] in ("warning", "critical")
    assert any("full to" in text for text in found["reasons"])
    unchanged(host, wanted)
