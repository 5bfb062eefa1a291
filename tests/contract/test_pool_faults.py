# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Disks and pools that are not as somebody thinks. Each ends in a message that names the disk and the reason, with
nothing written. The same on a real OpenZFS: tests/zfs/test_pool.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract.case import PREFIX
from tests.contract.system import refused, succeeded

POOL = f"{PREFIX}pool"


@pytest.fixture
def zfs(system_of: Callable[[str], Any]) -> Iterator[Any]:
    system = system_of("zfs")
    system.reset()
    yield system
    system.reset()


def item(*disks: str, **more: Any) -> dict[str, Any]:
    return {"name": POOL, "layout": [{"type": "disk", "disks": list(disks)}], **more}


def refusal(zfs: Any, *config: Any, **arguments: Any) -> str:
    """The message of a run that must change nothing, whether it is a check or not."""
    messages = []
    for check in (True, False):
        with zfs.unwritten():
            messages.append(refused(zfs.run("zfs_pool", list(config), check=check, **arguments)).message)
    assert messages[0] == messages[1]
    return messages[0]


@pytest.mark.parametrize(
    ("signatures", "told"),
    [
        ({"": [("gpt", "")], "1": []}, "a partition table (gpt)"),
        ({"": [("dos", "")], "1": [("vfat", "")]}, "a vfat filesystem in partition"),
        ({"": [("xfs", "films")]}, "a xfs filesystem named films"),
        ({"": [("LVM2_member", "")]}, "an LVM physical volume"),
        ({"": [("gpt", "")], "1": [("zfs_member", "archive")], "9": []}, "a label of the ZFS pool archive"),
    ],
)
def test_a_disk_that_carries_something_is_not_taken(zfs: Any, signatures: Any, told: str) -> None:
    with zfs.lab.change() as state:
        state.disks["sda"].signatures = signatures
    disk = zfs.disks[0]
    assert told in refusal(zfs, item(disk))
    assert f"wipe_disk:{disk}" in refusal(zfs, item(disk))
    refusal(zfs, item(disk), allow=[f"wipe_disk:{zfs.disks[1]}"])
    assert succeeded(zfs.run("zfs_pool", [item(disk)], allow=[f"wipe_disk:{disk}"])).changed


@pytest.mark.parametrize(
    ("use", "told"),
    [
        ({"mountpoint": "/", "signatures": {"": [("ext4", "")]}}, "the running system is on"),
        ({"mountpoint": "/srv/films", "signatures": {"": [("ext4", "")]}}, "is mounted at /srv/films"),
        ({"holder": ("lvm", "guests-root"), "signatures": {"": [("LVM2_member", "")]}}, "the LVM volume guests-root"),
        ({"holder": ("mpath", "mpatha"), "signatures": {"": [("mpath_member", "")]}}, "the multipath device mpatha"),
    ],
)
def test_a_disk_in_use_is_not_taken_whatever_is_consented_to(zfs: Any, use: dict[str, Any], told: str) -> None:
    with zfs.lab.change() as state:
        for name, value in use.items():
            setattr(state.disks["sda"], name, value)
    assert told in refusal(zfs, item(zfs.disks[0]), allow=[f"wipe_disk:{zfs.disks[0]}"])


def test_a_disk_of_an_imported_pool(zfs: Any) -> None:
    succeeded(zfs.run("zfs_pool", [item(zfs.disks[0])]))
    other = {"name": f"{PREFIX}other", "layout": [{"disks": [zfs.disks[0]]}]}
    assert f"belongs to the imported pool {POOL}" in refusal(zfs, other, allow=[f"wipe_disk:{zfs.disks[0]}"])


def test_a_disk_of_an_exported_pool(zfs: Any) -> None:
    succeeded(zfs.run("zfs_pool", [item(zfs.disks[0])]))
    zfs.zpool("export", POOL)
    other = {"name": f"{PREFIX}other", "layout": [{"disks": [zfs.disks[0]]}]}
    assert f"a label of the ZFS pool {POOL}" in refusal(zfs, other)
    # A word that was left in an inventory does not wipe a pool that only got another name.
    message = refusal(zfs, other, allow=[f"wipe_disk:{zfs.disks[0]}"])
    assert f"pool {POOL}, which waits to be imported, loses disk {zfs.disks[0]}" in message


def test_a_disk_that_is_not_there(zfs: Any) -> None:
    message = refusal(zfs, item("scsi-nosuch"))
    assert "scsi-nosuch is not there" in message and "/dev/disk/by-id/scsi-nosuch" in message


def test_a_disk_without_a_lasting_name(zfs: Any) -> None:
    assert "'/dev/sda' may be another disk after the next boot" in refusal(zfs, item("/dev/sda"))


def test_two_vdevs_on_one_disk(zfs: Any) -> None:
    disk, alias = zfs.lab.state.disks["sda"].ids
    assert "in two places" in refusal(zfs, item(disk, f"/dev/disk/by-id/{disk}"))
    assert f"{disk} and {alias} are names of one disk" in refusal(zfs, item(disk, alias))
    other = {"name": f"{PREFIX}other", "layout": [{"disks": [disk]}]}
    assert f"for pool {POOL} and for pool {PREFIX}other" in refusal(zfs, item(disk), other)


def test_vdevs_that_differ_in_what_they_can_lose(zfs: Any) -> None:
    rows = [{"type": "raidz2", "disks": zfs.disks[:4]}, {"type": "mirror", "class": "special", "disks": zfs.disks[4:6]}]
    assert "the weaker would decide" in refusal(zfs, {"name": POOL, "layout": rows})


def test_a_pool_that_lacks_too_many_disks_is_neither_absent_nor_created(zfs: Any) -> None:
    succeeded(zfs.run("zfs_pool", [item(zfs.disks[0])]))
    zfs.zpool("export", POOL)
    with zfs.lab.change() as state:
        state.disks["sda"].present = False
    for arguments in ({}, {"state": "absent", "allow": [f"destroy_pool:{POOL}"]}):
        message = refusal(zfs, item(zfs.disks[0]), **arguments)
        assert "UNAVAIL" in message
        assert "re-create" not in message, "what ZFS advises is the last thing to do"
    refusal(zfs, item(zfs.disks[1]))
    with zfs.lab.change() as state:
        state.disks["sda"].present = True
    assert succeeded(zfs.run("zfs_pool", [item(zfs.disks[0])])).planned == [f"import pool {POOL}"]
    with zfs.unwritten():
        assert not succeeded(zfs.run("zfs_pool", [item(zfs.disks[0])])).changed


def test_an_exported_pool_is_imported_and_then_set_right(zfs: Any) -> None:
    succeeded(zfs.run("zfs_pool", [item(zfs.disks[0])]))
    zfs.zpool("export", POOL)
    wanted = item(zfs.disks[0], autotrim=True)
    with zfs.unwritten():
        check = succeeded(zfs.run("zfs_pool", [wanted], check=True))
    done = succeeded(zfs.run("zfs_pool", [wanted]))
    assert check.planned == done.planned == [f"import pool {POOL}"]
    assert "autotrim=on" in " ".join(" ".join(argv) for argv in zfs.lab.log)
    assert "-f" not in [word for argv in zfs.lab.log for word in argv]
    with zfs.unwritten():
        assert not succeeded(zfs.run("zfs_pool", [wanted])).changed


@pytest.mark.parametrize(
    ("hostid", "hostname"),
    [(0x3D12120F, "clone"), (0, "without"), (0, "lab")],
    ids=["a clone", "no hostid", "none here"],
)
def test_equal_host_ids_do_not_prove_that_a_pool_is_ours(zfs: Any, hostid: int, hostname: str) -> None:
    """Cloned hosts have one hostid, many have none: ZFS itself would not even ask to be forced."""
    succeeded(zfs.run("zfs_pool", [item(zfs.disks[0])]))
    zfs.zpool("export", POOL)
    with zfs.lab.change() as state:
        state.pools[POOL].hostid, state.pools[POOL].hostname = hostid, hostname
    assert f"import_foreign_pool:{POOL}" in refusal(zfs, item(zfs.disks[0]))


def test_a_label_that_cannot_be_read_is_nobody_s_for_certain(zfs: Any) -> None:
    succeeded(zfs.run("zfs_pool", [item(zfs.disks[0])]))
    zfs.zpool("export", POOL)
    with zfs.lab.change() as state:
        state.disks["sda"].signatures["1"] = []
    assert "cannot be told" in refusal(zfs, item(zfs.disks[0]))


def test_a_disk_that_cannot_be_looked_at_is_not_blank(zfs: Any) -> None:
    with zfs.lab.change() as state:
        state.disks["sda"].broken = True
    message = refusal(zfs, item(*zfs.disks[:2]), allow=[f"wipe_disk:{zfs.disks[0]}"])
    assert f"disk {zfs.disks[0]} cannot be looked at" in message and "Input/output error" in message
    assert f"disk {zfs.disks[1]}" not in message


def test_a_disk_of_a_volume_group_without_active_volumes(zfs: Any) -> None:
    """The volume group of the whole cluster, on a node that runs no guest."""
    with zfs.lab.change() as state:
        state.disks["sda"].signatures[""], state.disks["sda"].group = [("LVM2_member", "")], "guests"
    assert "belongs to the volume group guests" in refusal(zfs, item(zfs.disks[0]), allow=[f"wipe_disk:{zfs.disks[0]}"])


def test_what_zfs_would_refuse_is_found_before_a_disk_is_wiped(zfs: Any) -> None:
    zfs.make_filesystem(zfs.disks[0])
    wrong = item(zfs.disks[0], fs_properties={"compression": "bogus"})
    assert "compression" in refusal(zfs, wrong, allow=[f"wipe_disk:{zfs.disks[0]}"])


def test_a_broken_disk_that_is_declared_by_another_of_its_names(zfs: Any) -> None:
    """It has no names any more by which to tell that both are one; the rest of the role must not fail for that."""
    first, second = (disk.ids for disk in list(zfs.lab.state.disks.values())[:2])
    declared = {"name": POOL, "layout": [{"type": "mirror", "disks": [first[0], second[1]]}]}
    succeeded(zfs.run("zfs_pool", [{"name": POOL, "layout": [{"type": "mirror", "disks": [first[0], second[0]]}]}]))
    with zfs.lab.change() as state:
        state.disks["sdb"].present = False
    with zfs.unwritten():
        result = succeeded(zfs.run("zfs_pool", [declared]))
    assert not result.changed and f"disk {second[0]} is UNAVAIL" in result.data["unmet"][0]


@pytest.mark.parametrize("exported", [True, False], ids=["let-go", "not-let-go"])
def test_a_pool_of_another_host_is_not_imported_unasked(zfs: Any, exported: bool) -> None:
    succeeded(zfs.run("zfs_pool", [item(zfs.disks[0])]))
    zfs.leave_to_another_host(POOL)
    with zfs.lab.change() as state:
        state.pools[POOL].exported = exported
    assert "last used by host other" in refusal(zfs, item(zfs.disks[0]))
    succeeded(zfs.run("zfs_pool", [item(zfs.disks[0])], allow=[f"import_foreign_pool:{POOL}"]))
    (imported,) = [argv for argv in zfs.lab.log if argv[:2] == ["zpool", "import"]]
    assert ("-f" in imported) == (not exported), "forced only where ZFS asks for it"


def test_a_resilver_that_goes_on(zfs: Any) -> None:
    """The plan that began it is not repeated, and nothing else is planned until it is over."""
    mirror = {"name": POOL, "layout": [{"type": "mirror", "disks": zfs.disks[:2]}]}
    succeeded(zfs.run("zfs_pool", [item(zfs.disks[0])]))
    with zfs.lab.change() as state:
        state.slow = True
    assert succeeded(zfs.run("zfs_pool", [mirror])).changed
    with zfs.unwritten():
        again = succeeded(zfs.run("zfs_pool", [mirror]))
    assert not again.changed and "resilvering" in again.data["unmet"][0]
    more = {"name": POOL, "layout": [{"class": "spare", "disks": [zfs.disks[3]]}]}
    assert "resilvering" in refusal(zfs, more)
    zfs.zpool("wait", "-t", "resilver", POOL)
    assert succeeded(zfs.run("zfs_pool", [more])).changed


def test_a_full_pool_shows_in_health(zfs: Any) -> None:
    succeeded(zfs.run("zfs_pool", [item(zfs.disks[0])]))
    with zfs.lab.change() as state:
        state.pools[POOL].capacity = 97
    health = {row["pool"]: row for row in succeeded(zfs.run("zfs_info")).data["health"]}[POOL]
    assert health["verdict"] == "critical"
    assert "97 percent" in " ".join(health["reasons"])
    assert "cannot repair" in " ".join(health["reasons"]), "one disk, so no redundancy"


def test_what_a_pool_is_destroyed_with_is_named(zfs: Any) -> None:
    succeeded(zfs.run("zfs_pool", [item(zfs.disks[0])]))
    zfs.lab.zfs("create", f"{POOL}/films")
    zfs.lab.zfs("snapshot", f"{POOL}/films@monday")
    message = refusal(zfs, {"name": POOL}, state="absent")
    assert f"{POOL}/films" in message and f"{POOL}/films@monday" in message and f"destroy_pool:{POOL}" in message
    succeeded(zfs.run("zfs_pool", [{"name": POOL}], state="absent", allow=[f"destroy_pool:{POOL}"]))
    with zfs.unwritten():
        assert not succeeded(zfs.run("zfs_pool", [{"name": POOL}], state="absent")).changed


def test_an_older_openzfs_is_read_as_text(zfs: Any) -> None:
    """OpenZFS 2.1 has no JSON; what is read is the same."""
    rows = [
        {"type": "raidz1", "disks": zfs.disks[:3]},
        {"type": "mirror", "class": "special", "disks": zfs.disks[3:5]},
        {"class": "spare", "disks": [zfs.disks[5]]},
    ]
    succeeded(zfs.run("zfs_pool", [{"name": POOL, "ashift": 12, "layout": rows}]))
    newer = succeeded(zfs.run("zfs_info", names=[POOL])).data
    with zfs.lab.change() as state:
        state.release = "2.1.11-1"
    with zfs.unwritten():
        assert not succeeded(zfs.run("zfs_pool", [{"name": POOL, "layout": rows}])).changed
    assert succeeded(zfs.run("zfs_info", names=[POOL])).data == newer


# Seconds for one program: enough for one that answers, and not long to wait for one that does not.
IMPATIENT = {"timeout": 3}


@pytest.mark.parametrize(
    ("hanging", "release"), [("data", "2.3.9-1"), ("all", "2.3.9-1"), ("all", "2.1.11-1")], ids=["data", "json", "text"]
)
def test_a_pool_that_does_not_answer_hides_no_other(zfs: Any, hanging: str, release: str) -> None:
    """Whether only what is in it cannot be read, or zpool status waits as well."""
    other = f"{PREFIX}other"
    succeeded(zfs.run("zfs_pool", [item(zfs.disks[0]), {"name": other, "layout": [{"disks": [zfs.disks[1]]}]}]))
    zfs.lab.zfs("create", f"{other}/films")
    with zfs.lab.change() as state:
        state.release, state.pools[POOL].hanging = release, hanging
    found = succeeded(zfs.run("zfs_info", **IMPATIENT)).data
    health = {row["pool"]: row for row in found["health"]}
    assert health[POOL]["verdict"] == "critical"
    assert "It does not answer" in " ".join(health[POOL]["reasons"])
    assert health[other]["verdict"] == "ok"
    assert f"{other}/films" in [row["name"] for row in found["config"]["dataset"]]
    # The other one can still be worked on.
    more = {"name": other, "layout": [{"disks": [zfs.disks[1]]}], "comment": "films"}
    assert succeeded(zfs.run("zfs_pool", [more], **IMPATIENT)).changed


def test_a_pool_that_does_not_answer_is_left_alone(zfs: Any) -> None:
    """And so are its disks, although nobody can tell which they are."""
    succeeded(zfs.run("zfs_pool", [item(zfs.disks[0])]))
    with zfs.lab.change() as state:
        state.pools[POOL].hanging = "all"
    wanted, word = {"name": f"{PREFIX}other", "layout": [{"disks": [zfs.disks[0]]}]}, f"wipe_disk:{zfs.disks[0]}"
    with zfs.unwritten():
        assert f"Pool {POOL} does not answer" in refused(zfs.run("zfs_pool", [item(zfs.disks[0])], **IMPATIENT)).message
        message = refused(zfs.run("zfs_pool", [wanted], allow=[word], **IMPATIENT)).message
    assert f"pool {POOL} does not answer" in message


def test_a_suspended_pool_is_not_waited_for(zfs: Any) -> None:
    succeeded(zfs.run("zfs_pool", [item(zfs.disks[0])]))
    with zfs.lab.change() as state:
        state.pools[POOL].health, state.pools[POOL].hanging = "SUSPENDED", "data"
    health = {row["pool"]: row for row in succeeded(zfs.run("zfs_info", timeout=60)).data["health"]}[POOL]
    assert health["verdict"] == "critical" and health["scrub_age"] is None
    assert "because it is SUSPENDED" in " ".join(health["reasons"])
    assert "never scrubbed" not in " ".join(health["reasons"]), "nobody looked"


def test_two_partitions_of_one_disk_mirror_nothing(zfs: Any) -> None:
    first = zfs.disks[0]
    with zfs.lab.change() as state:
        state.disks["sda"].signatures = {"": [("gpt", "")], "1": [], "2": []}
    mirror = {"name": POOL, "layout": [{"type": "mirror", "disks": [f"{first}-part1", f"{first}-part2"]}]}
    assert "are partitions of one disk" in refusal(zfs, mirror)
    whole = [{"disks": [first]}, {"class": "log", "disks": [f"{first}-part2"]}]
    assert f"{first}-part2 is a partition of {first}" in refusal(zfs, {"name": POOL, "layout": whole})


def test_a_pool_is_imported_without_a_disk_only_in_so_many_words(zfs: Any) -> None:
    mirror = {"name": POOL, "layout": [{"type": "mirror", "disks": zfs.disks[:2]}]}
    succeeded(zfs.run("zfs_pool", [mirror]))
    zfs.zpool("export", POOL)
    with zfs.lab.change() as state:
        state.disks["sdb"].present = False
    (step,) = succeeded(zfs.run("zfs_pool", [mirror], check=True)).planned
    assert step.startswith(f"import pool {POOL}: without ") and "UNAVAIL" in step
    # The disk was only late.
    with zfs.lab.change() as state:
        state.disks["sdb"].present, state.disks["sdb"].late = False, True
    assert succeeded(zfs.run("zfs_pool", [mirror])).planned == [f"import pool {POOL}"]


def test_what_an_import_leaves_unmounted_is_told(zfs: Any) -> None:
    succeeded(zfs.run("zfs_pool", [item(zfs.disks[0])]))
    zfs.lab.zfs("create", f"{POOL}/films")
    zfs.zpool("export", POOL)
    with zfs.lab.change() as state:
        state.datasets[f"{POOL}/films"].mounted = False
    done = succeeded(zfs.run("zfs_pool", [item(zfs.disks[0])], verify_timeout=0))
    assert any(f"{POOL}/films is not mounted" in text for text in done.data["unmet"])


def test_a_spare_may_stand_ready_for_two_pools(zfs: Any) -> None:
    first, second, spare = zfs.disks[:3]
    ready = {"class": "spare", "disks": [spare]}
    one, other = ([{"type": "disk", "disks": [disk]}] for disk in (first, second))
    config = [{"name": POOL, "layout": [*one, ready]}, {"name": f"{PREFIX}other", "layout": [*other, ready]}]
    check = zfs.run("zfs_pool", config, check=True)
    assert not check.failed, check.message
    config[1]["layout"] = [*other, {"class": "cache", "disks": [spare]}]
    assert f"for pool {POOL} and for pool {PREFIX}other" in refusal(zfs, *config)


def test_holds_are_told_before_a_pool_goes(zfs: Any) -> None:
    succeeded(zfs.run("zfs_pool", [item(zfs.disks[0])]))
    zfs.lab.zfs("snapshot", f"{POOL}@monday")
    zfs.lab.zfs("hold", "replication", f"{POOL}@monday")
    assert f"are held, by replications that go on from them ({POOL}@monday)" in refusal(
        zfs, {"name": POOL}, state="absent"
    )


@pytest.mark.parametrize("name", ["logs", "cachepool", "special-archive"])
def test_names_that_zfs_takes_are_taken(zfs: Any, name: str) -> None:
    succeeded(zfs.run("zfs_pool", [{**item(zfs.disks[0]), "name": name}], check=True))


@pytest.mark.parametrize("name", ["log", "mirror-films", "raidz1"])
def test_names_that_zfs_refuses_are_refused(zfs: Any, name: str) -> None:
    assert "a word of zpool's own" in refusal(zfs, {**item(zfs.disks[0]), "name": name})
    with zfs.unwritten():
        assert not succeeded(zfs.run("zfs_pool", [{"name": name}], state="absent")).changed
