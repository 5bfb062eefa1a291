# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Two readers, one model: the JSON of OpenZFS 2.3 and the text that older ones have, from the recorded sessions."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.zfs.errors import ZfsError
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout import Row
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout_plan import redundancy, sickness
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout_status import (
    Changed,
    PoolStatus,
    Vdev,
    begun_scrub,
    from_json,
    from_text,
    stamp,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.pool_import import (
    Label,
    last_host,
    parsed_label,
    parsed_waiting,
)

DATA = Path(__file__).resolve().parents[2] / "data" / "zfs"
DISK = "scsi-35000c500a000000"


def recorded(file: str, command: str, number: int = 0) -> str:
    """What a recorded command printed."""
    text = (DATA / file).read_text()
    found = re.findall(rf"^\$ {re.escape(command)}\n(.*?)^\[rc=\d+\]$", text, re.MULTILINE | re.DOTALL)
    return str(found[number])


HEALTHY, DEGRADED, CLASSES = "01-create-list-props.txt", "03-degraded-import.txt", "04-all-classes.txt"


def without_guids(pool: PoolStatus) -> PoolStatus:
    def bare(vdev: Vdev) -> Vdev:
        return replace(vdev, guid="", path="", children=tuple(bare(child) for child in vdev.children))

    return replace(pool, guid="", vdevs={which: tuple(map(bare, vdevs)) for which, vdevs in pool.vdevs.items()})


@pytest.mark.parametrize(
    ("file", "command"),
    [(HEALTHY, "zpool status"), (DEGRADED, "zpool status backup")],
    ids=["healthy", "a disk offline"],
)
def test_both_readers_see_the_same_pools(file: str, command: str) -> None:
    # In the first session it was asked before there were pools, and again.
    number = 1 if file == HEALTHY else 0
    as_json = from_json(recorded(file, command.replace("status", "status -j"), number))
    paths = recorded(file, "zpool status -P") if file == HEALTHY else ""
    as_text = from_text(recorded(file, command, number), paths, "")
    assert as_text
    assert {name: without_guids(pool) for name, pool in as_text.items()} == {
        name: without_guids(pool) for name, pool in as_json.items()
    }
    if paths:
        assert [leaf.path for leaf in as_text["backup"].leaves] == [leaf.path for leaf in as_json["backup"].leaves]


@pytest.mark.parametrize("situation", ["", ": scrubbed; ", ": spare at work; "], ids=["sound", "scrubbed", "a spare"])
def test_both_readers_see_the_same_of_all_classes_of_vdevs(situation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, paths, GUIDs, states, errors, scans: everything, of eight disks in all classes but dedup."""
    # The text has the recorded host's local time.
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    texts = [recorded(CLASSES, f"{situation}zpool status {flag} hct-pool") for flag in ("-p", "-pP", "-pg")]
    as_text = from_text(*texts)["hct-pool"]
    as_json = from_json(recorded(CLASSES, f"{situation}zpool status -j --json-int hct-pool"))["hct-pool"]
    assert as_text == replace(as_json, guid="", scan=replace(as_json.scan, start=None))
    assert len(as_text.leaves) == (9 if "spare" in situation else 8)
    assert bool(sickness(as_text)) == ("spare" in situation)
    assert redundancy(as_text) == 1


def test_a_pool_whose_name_has_a_space_and_a_cache() -> None:
    pools = from_json(recorded(HEALTHY, "zpool status -j", 1))
    assert pools["bad name"].layout == (Row("normal", "disk", (f"{DISK}5",)),)
    assert pools["backup"].layout == (
        Row("normal", "raidz2", tuple(f"{DISK}{number}" for number in (1, 2, 3, 4))),
        Row("cache", "disk", (f"{DISK}8",)),
    )
    assert pools["backup"].vdevs["normal"][0].guid == "1769769964930777390"
    assert not sickness(pools["backup"])
    assert redundancy(pools["backup"]) == 2


def test_guids_come_from_a_third_reading() -> None:
    names = recorded(DEGRADED, "zpool status backup").replace("DEGRADED", "ONLINE  ")
    table = names.partition("config:")[2]
    order = iter(range(100, 200))
    # The pool itself keeps its name there.
    numbered = re.sub(r"(?m)^(\t *)(?!NAME|cache|backup)\S+", lambda found: f"{found.group(1)}{next(order)}", table)
    pool = from_text(names, "", f"  pool: backup\nconfig:{numbered}")["backup"]
    assert [leaf.guid for leaf in pool.leaves] == ["101", "102", "103", "104", "105"]


def test_a_disk_that_was_pulled() -> None:
    command = next(
        line[2:] for line in (DATA / DEGRADED).read_text().splitlines() if line.startswith("$ echo 1 > /sys/block/sdb")
    )
    pool = from_text(recorded(DEGRADED, command), "", "")["backup"]
    assert pool.state == "DEGRADED"
    assert [leaf.state for leaf in pool.leaves] == ["ONLINE", "REMOVED", "ONLINE", "ONLINE", "ONLINE"]
    assert pool.scan.function == "scrub" and pool.scan.end == stamp("Sat Nov 21 23:59:09 2026")
    assert any(f"{DISK}2 is REMOVED" in text for text in sickness(pool))
    assert redundancy(pool) == 1


def test_a_disk_that_is_being_replaced_is_still_the_place_of_the_old_one() -> None:
    command = f"zpool replace backup {DISK}2 /dev/disk/by-id/{DISK}6; sleep 1; zpool status backup"
    pool = from_text(recorded(DEGRADED, command), "", "")["backup"]
    assert pool.layout[0] == Row("normal", "raidz2", tuple(f"{DISK}{number}" for number in (1, 2, 3, 4)))
    assert pool.vdevs["normal"][0].slots[1].others == (f"{DISK}6",)
    assert pool.scan.resilvering
    assert sickness(pool)


def test_spares_are_no_data() -> None:
    pool = from_text(recorded(DEGRADED, "zpool status backup", 2), "", "")["backup"]
    assert pool.layout[-1] == Row("spare", "disk", (f"{DISK}5",))
    assert not sickness(pool)


# The table is indented by tabs.
SPARE_AT_WORK = f"""  pool: backup
 state: DEGRADED
status: One or more devices have been removed.
  scan: resilvered 3.93M in 00:00:02 with 0 errors on Sat Nov 21 23:59:22 2026
config:

>NAME                          STATE     READ WRITE CKSUM
>backup                        DEGRADED     0     0     0
>  mirror-0                    DEGRADED     0     0     0
>    {DISK}1    ONLINE       0     0     0
>    spare-1                   DEGRADED     0     0     0
>      1526306138123456789     UNAVAIL      0     0     0  was /dev/disk/by-id/{DISK}2-part1
>      {DISK}5  ONLINE       0     0     0
>spares
>  {DISK}5      INUSE     currently in use

errors: 3 data errors, use '-v' for a list
""".replace(">", "\t")


def test_a_spare_at_work_leaves_the_layout_as_it_was() -> None:
    """The lines are laid out as zpool lays them out; a missing disk is named by number and told by `was`."""
    pool = from_text(SPARE_AT_WORK, "", "")["backup"]
    assert pool.layout == (
        Row("normal", "mirror", (f"{DISK}1", f"{DISK}2")),
        Row("spare", "disk", (f"{DISK}5",)),
    )
    assert pool.data_errors == 3
    assert any("stands in" in text for text in sickness(pool))
    assert redundancy(pool) == 1


def test_no_pools() -> None:
    assert from_json(recorded(HEALTHY, "zpool status -j")) == {}
    assert from_json("") == {}
    assert from_text("no pools available\n", "", "") == {}


def test_what_is_no_json_is_no_empty_list_of_pools() -> None:
    for text in ("internal error", "[]", '{"pools": {"a": 5}}'):
        with pytest.raises(ZfsError):
            from_json(text)


def test_pools_that_wait_to_be_imported() -> None:
    text = recorded(DEGRADED, "zpool export backup; for x in a c d; do echo 1 > /sys/block/sd$x/device/delete; done; "
                    "zpool import; zpool import backup; zpool import -f backup")  # fmt: skip
    (pool,) = parsed_waiting(text.partition("cannot import")[0])
    assert (pool.name, pool.guid, pool.state) == ("backup", "6934250136762663862", "UNAVAIL")
    assert not pool.usable and not pool.foreign
    assert f"{DISK}1 UNAVAIL" in pool.lacking and f"{DISK}6 ONLINE" not in pool.lacking
    text = recorded(DEGRADED, "zpool export backup; zpool export backup; zpool import; zpool list -H")
    (pool,) = parsed_waiting(text.partition("\n")[2])
    assert pool.usable and not pool.claimed and not pool.lacking


def test_a_pool_that_another_host_did_not_let_go() -> None:
    text = (
        "   pool: tank\n     id: 123\n  state: ONLINE\nstatus: The pool was last accessed by another system.\n"
        " action: The pool can be imported using its name or numeric identifier and\n\tthe '-f' flag.\n"
        "   see: https://openzfs.github.io/openzfs-docs/msg/ZFS-8000-EY\n config:\n\n\ttank  ONLINE\n\t  sda  ONLINE\n"
    )
    (pool,) = parsed_waiting(text)
    assert pool.usable and pool.claimed and pool.foreign


def test_whose_label_it_is() -> None:
    text = (
        "------------------------------------\nLABEL 0 \n------------------------------------\n    version: 5000\n"
        "    name: 'backup'\n    state: 1\n    pool_guid: 6934250136762663862\n    hostid: 1024594191\n"
        "    hostname: 'node2'\n    vdev_tree:\n        guid: 17\n        hostid: 5\n"
    )
    label = parsed_label(text)
    assert (label.pool, label.hostid, label.hostname) == ("backup", 0x3D12110F, "node2")
    assert parsed_label("failed to unpack label 0").hostid == 0


@pytest.mark.parametrize(
    ("labels", "ours"),
    [
        ([Label("tank", "1", 7, "lab", 5)], True),
        ([Label("tank", "1", 8, "lab", 5)], False),
        ([Label("tank", "1", 7, "clone", 5)], False),
        ([Label("tank", "1", 0, "lab", 5)], False),
        ([Label("tank", "1", 8, "other", 4), Label("tank", "1", 7, "lab", 9)], True),
        ([Label("old", "2", 7, "lab", 9)], False),
        ([], False),
    ],
)
def test_who_used_a_pool_last(labels: list[Label], ours: bool) -> None:
    """By the newest of its labels, and never for certain by the hostid alone."""
    assert (last_host(labels, "1", 7, "lab") == "") == ours


def test_a_missing_disk_is_not_called_by_the_name_of_what_is_there_now() -> None:
    missing = Vdev("1526306138123456789", "disk", "UNAVAIL", path="/dev/sdb1")
    assert missing.disk == "1526306138123456789"
    assert replace(missing, path=f"/dev/disk/by-id/{DISK}2-part1").disk == f"{DISK}2"


def test_a_disk_that_resilvers_is_no_redundancy_yet() -> None:
    text = (
        "  pool: backup\n state: ONLINE\n  scan: resilver (mirror-0) in progress since Sat Nov 21 23:59:20 2026\n"
        "config:\n\n\tNAME        STATE     READ WRITE CKSUM\n\tbackup      ONLINE       0     0     0\n"
        f"\t  mirror-0  ONLINE       0     0     0\n\t    {DISK}1  ONLINE       0     0     0\n"
        f"\t    {DISK}2  ONLINE       0     0     0  (resilvering)\n\nerrors: No known data errors\n"
    )
    pool = from_text(text, "", "")["backup"]
    assert pool.scan.resilvering
    assert f"disk {DISK}2 is resilvering" in sickness(pool)
    assert redundancy(pool) == 0


def test_a_counter_that_is_no_number_keeps_nothing_from_being_read() -> None:
    text = recorded(CLASSES, "zpool status -j --json-int hct-pool").replace('"read_errors":0', '"read_errors":"1.2K"')
    assert from_json(text)["hct-pool"].layout


def test_when_a_scrub_was_begun() -> None:
    history = (
        "History for 'backup':\n2026-11-01.00:24:01 zpool scrub backup\n2026-11-02.00:00:00 zpool scrub -e backup\n"
        "2026-11-21.23:54:46 zpool add backup spare x\n"
    )
    assert begun_scrub(history) == stamp("Sun Nov  1 00:24:01 2026")
    assert begun_scrub(f"{history}2026-11-22.00:00:00 zpool scrub -s backup\n") is None, "cancelled"
    assert begun_scrub(f"{history}2026-11-22.00:00:00 zpool scrub -p backup\n") is None, "not gone on with"
    assert begun_scrub("") is None


def test_a_pool_that_changed_between_the_readings_is_not_guessed() -> None:
    """Without GUIDs, a plan would not know which vdev it is about."""
    texts = [recorded(CLASSES, f"zpool status {flag} hct-pool") for flag in ("-p", "-pP", "-pg")]
    for number in (1, 2):
        other = list(texts)
        other[number] = re.sub(r"(?m)^\t    .*\n", "", texts[number], count=1)
        with pytest.raises(Changed, match="changed while it was read"):
            from_text(*other)


def test_a_checkpoint_is_seen() -> None:
    text = recorded(HEALTHY, "zpool status", 1)
    with_one = text.replace("config:", "checkpoint: created Sun Nov 22 08:00:00 2026, consumes 109K\nconfig:", 1)
    assert any(pool.checkpoint for pool in from_text(with_one, "", "").values())
    assert not from_text(text, "", "")["backup"].checkpoint
    json_text = recorded(CLASSES, "zpool status -j --json-int hct-pool")
    stats = '"checkpoint_stats":{"state":"EXISTS","start_time":1,"space":2},"error_count"'
    assert from_json(json_text.replace('"error_count"', stats, 1))["hct-pool"].checkpoint
    assert not from_json(json_text)["hct-pool"].checkpoint


def test_errors_that_cannot_be_listed() -> None:
    text = SPARE_AT_WORK.replace("3 data errors, use '-v' for a list", "List of errors unavailable: permission denied")
    assert "permission denied" in from_text(text, "", "")["backup"].errors_hidden
    assert not from_text(SPARE_AT_WORK, "", "")["backup"].errors_hidden
