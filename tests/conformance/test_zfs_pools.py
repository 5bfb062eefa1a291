# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The stand-in for zpool against the recorded sessions of OpenZFS 2.3.9: same texts, same exit codes."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.zfs import ZfsLab
from lab.zfs.state import State

DATA = Path(__file__).resolve().parent.parent / "data" / "zfs"
DISK = "/dev/disk/by-id/scsi-35000c500a000000"

# What differs for a reason: pattern in both texts, and the reason.
MASKED = {
    r"\b\d{16,20}\b": "GUIDs are drawn at random",
    r"(?<=scan: )(scrub repaired|resilvered) \S+ in \S+ with 0 errors on \w{3} \w{3} [ \d]\d [\d:]{8} \d{4}": "time",
    r"\n  scan: \S+[^\n]*(?=\nconfig)": "which scrub came last depends on what is not replayed",
    r"'/backup\S*'": "what is mounted and busy is played",
    r"(?<=\t)\d+(?=\t)": "sizes are not simulated",
}
# Part of a recorded command -> why it is not replayed.
LEFT_OUT = {
    "mkfs": "looks at the machine, not at ZFS",
    "mkdir": "a directory at the mountpoint; the stand-in mounts nothing",
    "rm -rf": "a directory at the mountpoint; the stand-in mounts nothing",
    "umount": "the stand-in mounts nothing",
    "time ": "played: the pool as it was created",
    "zfs ": "tests/conformance/test_zfs.py",
    "blkid": "looks at the machine, not at ZFS",
    "which": "looks at the machine, not at ZFS",
    "sfdisk": "looks at the machine, not at ZFS",
    "rmmod": "the kernel's modules are not simulated",
    "su -s": "users are not simulated",
    "jq": "parts of the JSON, compared as a whole elsewhere",
    "zpool version": "looks at the machine",
    "zpool list -v": "the table for people",
    "list -Hpv": "not asked by the modules",
    "list -j": "not asked by the modules",
    "zpool get all": "not asked by the modules",
    "get -Hp all": "not asked by the modules",
    "get -H all": "not asked by the modules",
    "get -j": "not asked by the modules",
    "zpool get ashift": "the table for people",
    "-v -s -t -i": "not asked by the modules",
    "flat-vdevs": "not asked by the modules",
    "key-guid": "not asked by the modules",
    "zpool history": "times of that day",
    "zpool events": "not asked by the modules",
    "zpool upgrade": "not asked by the modules",
    "import -j": "not asked by the modules",
    "import -D": "not asked by the modules",
    "od -c": "spaces in names: tests/unit/zfs/test_layout_status.py",
    "size,alloc": "sizes are not simulated",
    "wipefs /dev": "the table for people",
    "/dev/vda": "the root disk of the recorded machine",
    "ls -l": "looks at the machine, not at ZFS",
    "feature@": "feature flags are not simulated",
    "grep": "parts of what is compared as a whole",
    "systemctl": "looks at the machine, not at ZFS",
    "device/delete": "played: disks are pulled and come back",
    "scsi_host": "played: disks are pulled and come back",
    "sleep": "played: a resilver's steps",
    "cachefile": "the recorded one answers for the host's own file",
    "zpool clear": "says nothing",
}


@dataclass(frozen=True)
class Exchange:
    command: str
    output: str
    status: int


def exchanges(file: str, begin: str = "", end: str = "") -> list[Exchange]:
    """The recorded commands between two lines of a session."""
    text = (DATA / file).read_text()
    text = text.partition(begin)[2] if begin else text
    text = text.partition(end)[0] if end else text
    found = re.findall(r"^\$ (.*?)\n(.*?)^\[rc=(\d+)\]$", text, re.MULTILINE | re.DOTALL)
    return [Exchange(command, output, int(status)) for command, output, status in found]


def why_not(exchange: Exchange) -> str:
    return next((reason for part, reason in LEFT_OUT.items() if part in exchange.command), "")


def answer(command: str) -> Exchange:
    done = subprocess.run(
        ["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False
    )
    return Exchange(command, done.stdout, done.returncode)


def comparable(text: str) -> Any:
    """Without what differs for a reason; JSON as its names of vdevs, their sorts and states."""
    if text.startswith("{"):
        return _essence(json.loads(text))
    for pattern in MASKED:
        text = re.sub(pattern, "…", text)
    return text


def _essence(value: Any) -> Any:
    keep = {"pools", "vdevs", "l2cache", "spares", "logs", "special", "name", "vdev_type", "state", "path", "class"}
    keep |= {"error_count", "read_errors", "write_errors", "checksum_errors", "status", "action"}
    if not isinstance(value, dict):
        return value
    named = {"vdevs", "pools", "l2cache", "spares"}
    return {
        key: {name: _essence(one) for name, one in inner.items()} if key in named else _essence(inner)
        for key, inner in value.items()
        if key in keep
    }


@pytest.fixture
def lab() -> Iterator[ZfsLab]:
    with ZfsLab("backup") as lab:
        with lab.change() as state:
            state.pools.clear()
            state.datasets.clear()
        yield lab


def make_recorded_pool(lab: ZfsLab) -> None:
    (created,) = (
        one for one in exchanges("01-create-list-props.txt", "##### create, misuse") if "time zpool" in one.command
    )
    lab.zpool(*created.command.removeprefix("time ").split()[1:])


def replay(recorded: list[Exchange], lab: ZfsLab) -> tuple[int, list[Any]]:
    """How many were compared, and which differ."""
    different = []
    compared = [one for one in recorded if not why_not(one)]
    for one in compared:
        mine = answer(one.command)
        if (comparable(mine.output), mine.status) != (comparable(one.output), one.status):
            different.append((one.command, one.output, one.status, mine.output, mine.status))
    return len(compared), different


def test_without_pools(lab: ZfsLab) -> None:
    count, different = replay(exchanges("01-create-list-props.txt", "##### no pools", "##### create"), lab)
    assert not different, json.dumps(different, indent=1)
    assert count >= 6


def test_creating_and_how_people_misuse_it(lab: ZfsLab) -> None:
    recorded = exchanges("01-create-list-props.txt", "##### create, misuse", "##### healthy")
    before = [one for one in recorded if "time zpool" not in one.command]
    first = next(number for number, one in enumerate(recorded) if "time zpool" in one.command)
    count, different = replay(before[:first], lab)
    make_recorded_pool(lab)
    more, others = replay(before[first:], lab)
    assert not different + others, json.dumps(different + others, indent=1)
    assert count + more >= 20


def recorded_pools(lab: ZfsLab) -> None:
    make_recorded_pool(lab)
    lab.zpool("create", "bad name", f"{DISK}5")


def test_what_status_shows_of_sound_pools(lab: ZfsLab) -> None:
    recorded_pools(lab)
    count, different = replay(exchanges("01-create-list-props.txt", "##### healthy", "##### datasets"), lab)
    assert not different, json.dumps(different, indent=1)
    assert count >= 6


def test_setting_properties(lab: ZfsLab) -> None:
    recorded_pools(lab)
    recorded = exchanges("01-create-list-props.txt", "$ zfs set readonly=on nosuch/x", "$ zfs destroy backup\n")
    count, different = replay([one for one in recorded if one.command.startswith("zpool set")], lab)
    assert not different, json.dumps(different, indent=1)
    assert count >= 5


def test_growing_replacing_and_taking_out(lab: ZfsLab, capsys: pytest.CaptureFixture[str]) -> None:
    make_recorded_pool(lab)
    recorded = exchanges("03-degraded-import.txt")
    replaced = next(number for number, one in enumerate(recorded) if one.command.startswith("zpool replace backup"))
    degraded, grown = recorded[:replaced], recorded[replaced + 1 :]
    first = next(number for number, one in enumerate(degraded) if "zpool offline backup" in one.command)
    count, different = replay(degraded[first : first + 4], lab)
    lab.zpool("online", "backup", "scsi-35000c500a0000002")
    lab.zpool("replace", "backup", "scsi-35000c500a0000002", f"{DISK}6")
    lab.zpool("set", "ashift=13", "backup")
    last = next(number for number, one in enumerate(grown) if "zpool scrub" in one.command)
    more, others = replay(grown[:last], lab)
    with capsys.disabled():
        reasons = {why_not(one) for one in recorded} - {""}
        print(f"\nzpool: {count + more} recorded exchanges of a pool's life replayed. Left out:")
        print("\n".join(f"  {reason}" for reason in sorted(reasons)))
    assert not different + others, json.dumps(different + others, indent=1)
    assert count + more >= 18


def test_exporting_and_importing(lab: ZfsLab) -> None:
    make_recorded_pool(lab)
    lab.zpool("replace", "backup", "scsi-35000c500a0000002", f"{DISK}6")
    recorded = exchanges("03-degraded-import.txt", "--- busy, export, import", "--- two disks missing")
    exported = next(one for one in recorded if one.command.startswith("zpool export backup; zpool export"))
    mine = answer(exported.command)
    assert comparable(mine.output) == comparable(exported.output)
    assert answer("zpool import nosuch").output == "cannot import 'nosuch': no such pool available\n"
    lab.zpool("import", "backup")
    again = next(one for one in recorded if one.command.startswith("zpool import backup;"))
    assert answer("zpool import backup").output in again.output


def test_a_pool_that_lacks_disks_is_unavailable_and_not_imported(lab: ZfsLab) -> None:
    make_recorded_pool(lab)
    lab.zpool("replace", "backup", "scsi-35000c500a0000002", f"{DISK}6")
    lab.zpool("export", "backup")
    with lab.change() as state:
        for kernel in ("sda", "sdc", "sdd"):
            state.disks[kernel].present = False
    (recorded,) = (one for one in exchanges("03-degraded-import.txt") if "for x in a c d" in one.command)
    mine = answer("zpool import; zpool import backup; zpool import -f backup")
    assert mine.status == recorded.status
    for text in (mine.output, recorded.output):
        assert "  state: UNAVAIL" in text and "    scsi-35000c500a0000003  UNAVAIL" in text
    refused = recorded.output.partition("cannot import")[2]
    assert mine.output.partition("cannot import")[2] == refused


def test_what_nobody_recorded_is_refused(lab: ZfsLab) -> None:
    make_recorded_pool(lab)
    for command in ("zpool split backup x", "zpool get all backup", "zpool reguid backup", "lsblk", "zdb -C backup"):
        mine = answer(command)
        assert (mine.status, "lab.zfs does not know" in mine.output) == (64, True), command


def test_a_new_lab_has_a_pool_with_a_disk(lab: ZfsLab) -> None:
    with lab.change() as state:
        assert isinstance(state, State)
        lab.add_pool(state, "tank")
    assert json.loads(answer("zpool status -j --json-int").output)["pools"]["tank"]["state"] == "ONLINE"
