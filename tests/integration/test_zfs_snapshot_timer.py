# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The program with which a host takes its snapshots itself, run as systemd runs it: a Python that has nothing but its
standard library, the oldest there is here, on programs that behave as the recordings of OpenZFS do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.zfs import snapshot_program
from lab.zfs import ZfsLab
from tests.contract.invocation import run_module

HOUR = 3600
# 2026-11-22T08:25:00Z
NOW = 1795335900
POLICY = "hospital.continuity:snapshots.auto"


@pytest.fixture
def lab() -> Iterator[ZfsLab]:
    with ZfsLab("tank", "vault") as lab:
        with lab.change() as state:
            state.stopped_at = NOW
        for name in ("tank/a", "tank/b"):
            lab.zfs("create", name)
        yield lab


@pytest.fixture(scope="session")
def python() -> str:
    """The oldest Python here from 3.9 on that runs."""
    for minor in range(9, sys.version_info[1]):
        found = shutil.which(f"python3.{minor}")
        # What is found may be a wrapper that needs an environment, or has no Python to start.
        words = [str(found), "-c", "import sys; print(sys.executable)"]
        done = subprocess.run(words, capture_output=True, text=True, check=False) if found else None
        if done is not None and done.returncode == 0:
            return done.stdout.strip()
    return sys.executable


class Timer:
    def __init__(self, lab: ZfsLab, python: str, folder: Path) -> None:
        self.lab = lab
        file = folder / "snapshots.pyz"
        file.write_bytes(snapshot_program.archive())
        self._words = [python, "-I", "-S", str(file)]

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"]}
        done = subprocess.run(
            [*self._words, *words], env=environment, capture_output=True, text=True, check=False, cwd="/", timeout=60
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def later(self, hours: int) -> None:
        with self.lab.change() as state:
            state.stopped_at += hours * HOUR

    def snapshots(self, name: str) -> list[str]:
        return list(self.lab.state.datasets[name].snapshots)


@pytest.fixture
def timer(lab: ZfsLab, python: str, tmp_path: Path) -> Timer:
    return Timer(lab, python, tmp_path)


def test_what_is_due_is_taken_once_and_pruned(lab: ZfsLab, timer: Timer) -> None:
    lab.zfs("set", f"{POLICY}=hourly=2", "tank/a")
    lab.zfs("snapshot", "tank/a@by-hand")
    done = timer()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "done: take snapshot tank/a/auto: tank/a@auto-2026-11-22T08Z\n"
    writes = lab.writes
    again = timer()
    assert (again.returncode, again.stdout, lab.writes) == (0, "", writes), "the hour has one"
    for _hour in range(3):
        timer.later(1)
        assert timer().returncode == 0
    assert timer.snapshots("tank/a") == ["by-hand", "auto-2026-11-22T10Z", "auto-2026-11-22T11Z"]
    assert timer.snapshots("tank/b") == []


def test_it_does_what_the_module_does(lab: ZfsLab, timer: Timer) -> None:
    """A policy that the module wrote; recursive, and of one dataset below the other policy."""
    config = [
        {"dataset": "tank", "prefix": "auto", "hourly": 2, "recursive": True},
        {"dataset": "tank/b", "prefix": "auto", "daily": 7},
    ]
    assert not run_module("zfs_snapshot", {"config": config}).failed
    timer.later(1)
    assert timer().returncode == 0
    both = ["auto-2026-11-22T08Z", "auto-2026-11-22T09Z"]
    assert (timer.snapshots("tank"), timer.snapshots("tank/a")) == (both, both)
    assert timer.snapshots("tank/b") == ["auto-2026-11-22"]
    alone = [{"dataset": one["dataset"], "prefix": "auto"} for one in config]
    assert not run_module("zfs_snapshot", {"config": alone}).changed


def test_what_fails_keeps_nothing_else_from_being_done(lab: ZfsLab, timer: Timer) -> None:
    for name in ("tank/a", "tank/b", "vault"):
        lab.zfs("set", f"{POLICY}=hourly=2", name)
    lab.zfs("set", "hospital.continuity:snapshots.broken=nonsense", "tank/a")
    with lab.failing_write(1):
        done = timer()
    assert done.returncode == 1
    first, second = done.stderr.splitlines()
    assert first.startswith("tank/a/auto: ") and "the lab lets this write fail" in first
    assert "tank/a/broken: " in second and "keep nothing" in second
    assert timer.snapshots("tank/a") == []
    assert timer.snapshots("tank/b") == timer.snapshots("vault") == ["auto-2026-11-22T08Z"]
    assert timer().returncode == 1, "the broken policy is told at each run"
    assert timer.snapshots("tank/a") == ["auto-2026-11-22T08Z"]


def test_a_suspended_pool_is_told_and_left_alone(lab: ZfsLab, timer: Timer) -> None:
    for name in ("tank/a", "vault"):
        lab.zfs("set", f"{POLICY}=hourly=2", name)
    with lab.change() as state:
        state.pools["tank"].health, state.pools["tank"].hanging = "SUSPENDED", "data"
    done = timer()
    assert done.returncode == 1
    assert done.stderr == "pool tank: It is SUSPENDED: no policy of snapshots is applied there.\n"
    assert timer.snapshots("vault") == ["auto-2026-11-22T08Z"]


def test_a_policy_that_came_with_a_replication_is_the_sender_s(lab: ZfsLab, timer: Timer) -> None:
    with lab.change() as state:
        state.datasets["tank/a"].received[POLICY] = "hourly=2"
    done = timer()
    assert (done.returncode, done.stdout, timer.snapshots("tank/a")) == (0, "", [])


def test_it_takes_no_arguments(timer: Timer) -> None:
    done = timer("--help")
    assert done.returncode == 2 and "usage" in done.stderr
