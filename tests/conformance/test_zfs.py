# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The stand-in for zfs against the recorded sessions of OpenZFS 2.3.9: same texts, same exit codes."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.zfs import ZfsLab
from lab.zfs.state import State

SESSION = Path(__file__).resolve().parent.parent / "data" / "zfs" / "01-create-list-props.txt"

# Part of a recorded command that is not zfs's -> what is replayed instead, and why its output is not compared.
REPLACED = {
    "; ls -l /dev/zvol/backup/": ("", "device links are udev's"),
    "; mount | grep veeam": ("", "the stand-in mounts nothing"),
    "touch /backup/veeam/f; ": ("", "the stand-in mounts nothing"),
    "cd /backup/veeam && ": ("", "being in the directory is played by `busy`"),
}
# Commands with output that belongs to the replaced parts: how many of its last lines.
DROPPED = {"; ls -l /dev/zvol/backup/": 2, "; mount | grep veeam": 1}
# What differs for a reason: pattern in both texts, and the reason.
MASKED = {
    r"(?<=refreservation\t)\d{8}(?=\t)": "a thick volume's reservation depends on the pool's raidz geometry",
}
# Recorded zfs commands that are not replayed.
LEFT_OUT = {
    "cat /sys/module/zfs/version": "looks at the machine, not at zfs",
    "zpool ": "pools are a later issue's; here only which there are",
    "blkid": "looks at the machine, not at zfs",
}


@dataclass(frozen=True)
class Exchange:
    command: str
    output: str
    status: int


def exchanges(section: str) -> list[Exchange]:
    """The recorded commands of a section that concern zfs."""
    text = re.search(rf"^##### {section}\n(.*?)(?=^##### |\Z)", SESSION.read_text(), re.MULTILINE | re.DOTALL)
    assert text is not None
    found = re.findall(r"^\$ (.*?)\n(.*?)^\[rc=(\d+)\]$", text.group(1), re.MULTILINE | re.DOTALL)
    return [Exchange(command, output, int(status)) for command, output, status in found]


def of_zfs(exchange: Exchange) -> bool:
    return "zfs " in exchange.command and not any(part in exchange.command for part in LEFT_OUT)


def answer(command: str) -> Exchange:
    done = subprocess.run(
        ["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False
    )
    return Exchange(command, done.stdout, done.returncode)


def comparable(text: str) -> str:
    for pattern in MASKED:
        text = re.sub(pattern, "…", text)
    return text


def recorded_pools(state: State) -> None:
    """The pools as they were when the recording of datasets began."""
    for name in ("backup", "bad name"):
        ZfsLab.add_pool(state, name)
    state.pools["bad name"].free = 872298496
    backup, other = state.datasets["backup"], state.datasets["bad name"]
    backup.local = {"mountpoint": "/backup", "compression": "lz4", "atime": "off", "xattr": "on", "acltype": "posix"}
    statistics = {
        "creation": "1795305283",
        "createtxg": "1",
        "guid": "2821745473833429140",
        "objsetid": "54",
        "overhead": "464256",
        "logicalused": "143360",
        "logicalreferenced": "43008",
    }
    backup.fixed.update(statistics)
    other.fixed.update({"createtxg": "1", "used": "24576", "overhead": "92160"})


@pytest.fixture
def lab() -> Iterator[ZfsLab]:
    with ZfsLab("backup") as lab:
        with lab.change() as state:
            state.pools.clear()
            state.datasets.clear()
        yield lab


def test_without_pools(lab):
    compared = [one for one in exchanges("no pools") if of_zfs(one) or one.command.startswith("zpool list -Hp")]
    assert len(compared) >= 4
    for recorded in compared:
        assert answer(recorded.command) == recorded


def test_which_pools_there_are(lab):
    with lab.change() as state:
        recorded_pools(state)
    assert answer("zpool list -H -o name,health,readonly").output == "backup\tONLINE\toff\nbad name\tONLINE\toff\n"
    with lab.change() as state:
        state.pools["backup"].imported, state.pools["backup"].health = False, "UNAVAIL"
    text = answer("zpool import").output
    recorded = (SESSION.parent / "03-degraded-import.txt").read_text()
    for line in ("   pool: backup", "  state: UNAVAIL", "comment: ", " config:"):
        assert line in text.splitlines()
        assert line in recorded.splitlines()


def test_reading_properties(lab):
    with lab.change() as state:
        recorded_pools(state)
    compared = [one for one in exchanges("healthy") if of_zfs(one)]
    assert len(compared) >= 4
    for recorded in compared:
        mine = answer(recorded.command)
        if " -j" in recorded.command:
            assert json.loads(mine.output) == json.loads(recorded.output), recorded.command
        else:
            assert mine == recorded


def test_the_session_of_datasets(lab, capsys):
    with lab.change() as state:
        recorded_pools(state)
    recorded = exchanges(r"datasets, properties")
    compared = [one for one in recorded if of_zfs(one)]
    different = []
    for one in compared:
        command, output = one.command, one.output
        for part, (instead, _reason) in REPLACED.items():
            if part in command:
                command = command.replace(part, instead)
                output = "".join(output.splitlines(keepends=True)[: -DROPPED[part]] if part in DROPPED else output)
        with lab.change() as state:
            if "backup/veeam" in state.datasets:
                state.datasets["backup/veeam"].busy = "cd /backup/veeam" in one.command
        mine = answer(command)
        if (comparable(mine.output), mine.status) != (comparable(output), one.status):
            different.append((one.command, output, one.status, mine.output, mine.status))
    left_out = [one.command for one in recorded if not of_zfs(one)]
    with capsys.disabled():
        print(f"\nzfs: {len(compared)} recorded exchanges replayed, {len(compared) - len(different)} equal")
        for part, reason in {**MASKED, **{part: reason for part, (_instead, reason) in REPLACED.items()}}.items():
            print(f"  not compared: {part}: {reason}")
        print(f"  {len(left_out)} commands are zpool's, for a later issue")
    assert not different, json.dumps(different, indent=1)
    assert len(compared) >= 50


def test_what_nobody_recorded_is_refused(lab):
    with lab.change() as state:
        recorded_pools(state)
    for command in ("zfs send -R backup@x", "zfs allow backup", "zfs get -r compression backup", "zpool reguid backup"):
        mine = answer(command)
        assert (mine.status, "lab.zfs does not know" in mine.output) == (64, True), command
