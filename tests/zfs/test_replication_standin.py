# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What the stand-in says of snapshots, holds and streams, against the real one: same texts, same exit codes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from lab.zfs import ZfsLab
from tests.zfs.datasets import ONE, TWO, Pools, two_pools
from tests.zfs.host import ZfsHost

A, B = f"{ONE}/talk", f"{TWO}/talk"
SESSION = f"""
zfs create {A}
zfs snapshot {A}@s1
zfs snapshot {A}@s1
zfs create {A}/below
zfs snapshot -r {A}@s1
zfs snapshot -r {A}@s2
zfs list -H -t snapshot -o name -d 1 {A}
zfs list -H -t snapshot -o name -r {A}
zfs hold tag {A}@s1
zfs hold tag {A}@s1
zfs list -Hp -t snapshot -o name,userrefs -d 1 {A}
zfs destroy {A}@s1
zfs release tag {A}@s1
zfs release tag {A}@s1
zfs holds -H {A}@s1
zfs hold tag {A}@nosuch
zfs rollback {A}@nosuch
zfs send {A}@nosuch
zfs send -i {A}@nosuch {A}@s2
zfs send -nvt 1-nonsense
zfs send -Lec {A}@s1 | zfs receive -s -u -o readonly=on -o hospital.continuity:replica={A} {B}
zfs get -Hp -o value,source readonly,hospital.continuity:replica,receive_resume_token,mounted {B}
zfs send -Lec {A}@s1 | zfs receive -s -u {B}
zfs send -Lec -i {A}@s1 {A}@s2 | zfs receive -s -u {B}
zfs send -Lec -i {A}@s1 {A}@s2 | zfs receive -s -u {B}
zfs send -Lec -i {A}@s1 {A}@s2 | zfs receive -s -u {TWO}/nosuch
zfs send -Lec {A}@s1 | zfs receive -s -u {TWO}/nosuch/below
zfs receive -s -u {TWO}/nothing </dev/null
zfs receive -A {B}
zfs rollback {B}@s1
zfs rollback -r {B}@s1
zfs list -H -t snapshot -o name -d 1 {B}
zfs snapshot {A}@s3 {A}/below@s3
zfs destroy {A}@s1,s3
zfs destroy -r {A}
""".strip().splitlines()
# Why an answer is not compared as it stands: pattern, and the reason.
MASKED = {r"\t\w{3} \w{3} [ \d]\d [ \d]\d:\d\d \d{4}": "when a hold was made"}


@pytest.fixture(scope="module")
def pools(zfs_host: ZfsHost) -> Iterator[Pools]:
    with two_pools(zfs_host) as pools:
        yield pools


def comparable(text: str) -> str:
    for pattern in MASKED:
        text = re.sub(pattern, "", text)
    return text.strip()


def answers(output: str) -> list[tuple[str, str, str]]:
    """Command, what it said, exit code."""
    parts = [part.rpartition("\n=") for part in output.split("\n=end=\n") if part.strip()]
    return [
        (command, comparable(said), status) for command, (said, _equals, status) in zip(SESSION, parts, strict=True)
    ]


def test_it_answers_as_the_real_one_does(pools: Pools) -> None:
    after = " || status=$?; echo; echo =${status:-0}; status=; echo =end="
    script = "\n".join(f"{{ {command}; }} 2>&1{after}" for command in SESSION)
    real = answers(pools.sh(script))
    with ZfsLab(ONE, TWO):
        done = subprocess.run(["sh", "-ec", script], capture_output=True, text=True, check=True)
    different = [(one, two) for one, two in zip(real, answers(done.stdout), strict=True) if one != two]
    assert not different, "\n".join(f"{one[0]}\n  real {one[1:]}\n  mine {two[1:]}" for one, two in different)
