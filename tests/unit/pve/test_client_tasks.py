# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Waiting for a task: running, finished, finished with warnings, failed and timed out are told apart."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.pve import errors
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from lab.pve import Lab

Connect = Callable[..., Client]


def start(client: Client, vmid: int = 100) -> str:
    upid = client.post(f"/nodes/pve1/qemu/{vmid}/status/start")
    assert upid.startswith("UPID:pve1:")
    return str(upid)


@pytest.fixture
def guest(pve_lab: Lab) -> int:
    return pve_lab.add_guests(1, first_vmid=100)[0]


def test_a_finished_task_costs_one_request(connect: Connect, pve_lab: Lab, clock: Any, guest: int) -> None:
    client = connect(clock=clock)
    upid = start(client, guest)
    result = client.wait(upid)
    assert (result.upid, result.exitstatus, result.warnings) == (upid, "OK", ())
    assert client.requests == 2
    assert clock.pauses == []


def test_a_failed_task_shows_the_end_of_its_log(connect: Connect, pve_lab: Lab, guest: int) -> None:
    log = [f"line {n}" for n in range(1200)]
    pve_lab.fail_tasks("qmstart", "start failed: org.freedesktop.systemd1.UnitExists", log=log)
    client = connect()
    upid = start(client, guest)
    with pytest.raises(errors.TaskFailed) as caught:
        client.wait(upid)
    failure = caught.value
    assert (failure.upid, failure.exitstatus) == (upid, "start failed: org.freedesktop.systemd1.UnitExists")
    assert failure.log[-1] == "line 1199"
    assert 5 <= len(failure.log) <= 20
    assert all(part in str(failure) for part in (upid, "UnitExists", "line 1199"))


def test_a_task_that_failed_for_want_of_quorum_says_so(connect: Connect, pve_lab: Lab, guest: int) -> None:
    pve_lab.fail_tasks("qmstart", "cfs-lock 'x' error: no quorum!")
    client = connect()
    with pytest.raises(errors.TaskFailed) as caught:
        client.wait(start(client, guest))
    assert isinstance(caught.value.cause, errors.NoQuorum)
    assert caught.value.affects_everything


def test_warnings_are_not_a_failure_and_not_silent(connect: Connect, pve_lab: Lab, guest: int) -> None:
    pve_lab.fail_tasks("qmstart", log=["starting", "WARN: interface not recognized", "done"], warnings=True)
    client = connect()
    result = client.wait(start(client, guest))
    assert result.exitstatus == "WARNINGS: 1"
    assert result.warnings == ("WARN: interface not recognized",)


def test_a_task_that_takes_long_is_polled_ever_more_rarely(
    connect: Connect, pve_lab: Lab, clock: Any, guest: int
) -> None:
    client = connect(clock=clock)
    upid = start(client, guest)
    task = pve_lab.cluster.tasks[upid]
    ended = {"status": task["status"], "exitstatus": task.pop("exitstatus")}
    task["status"] = "running"
    clock.at(30, lambda: task.update(ended))
    assert client.wait(upid).exitstatus == "OK"
    assert clock.pauses == sorted(clock.pauses)
    assert (clock.pauses[0], clock.pauses[-1]) == (0.05, 2.0)
    assert len(clock.pauses) < 30


def test_a_task_that_never_ends_is_not_a_failed_one(connect: Connect, pve_lab: Lab, clock: Any, guest: int) -> None:
    client = connect(clock=clock, task_timeout=100)
    upid = start(client, guest)
    pve_lab.cluster.tasks[upid]["status"] = "running"
    with pytest.raises(errors.TaskTimedOut, match=r"still running after 100 s.*task_timeout") as caught:
        client.wait(upid)
    assert caught.value.upid == upid
    assert sum(clock.pauses) == pytest.approx(100)
    with pytest.raises(errors.TaskTimedOut, match="after 5 s"):
        client.wait(upid, timeout=5)


def test_a_silence_is_survived(connect: Connect, pve_lab: Lab, clock: Any, guest: int) -> None:
    """Applying a network configuration cuts its own task off for a while."""
    client = connect(clock=clock)
    upid = start(client, guest)
    pve_lab.fail_requests("GET", "/tasks/", status=0, times=7)
    assert client.wait(upid).exitstatus == "OK"


def test_a_long_silence_is_not(connect: Connect, pve_lab: Lab, clock: Any, guest: int) -> None:
    client = connect(clock=clock)
    upid = start(client, guest)
    pve_lab.fail_requests("GET", "/tasks/", status=0, times=10_000)
    with pytest.raises(errors.Unreachable):
        client.wait(upid)
    assert sum(clock.pauses) < 120


def test_many_tasks_are_waited_for_side_by_side(connect: Connect, pve_lab: Lab) -> None:
    vmids = pve_lab.add_guests(12, first_vmid=200)
    pve_lab.time_scale = 1.0
    for vmid in vmids:
        pve_lab.cluster.vm(vmid).start_secs = 0.5
    client = connect()
    nodes = {vmid: pve_lab.cluster.vm(vmid).node for vmid in vmids}
    upids = client.run_parallel(
        [partial(client.post, f"/nodes/{nodes[vmid]}/qemu/{vmid}/status/start") for vmid in vmids]
    )
    began = time.monotonic()
    results = client.run_parallel([partial(client.wait, str(upid)) for upid in upids])
    assert [result.exitstatus for result in results] == ["OK"] * 12
    assert time.monotonic() - began < 3
    pve_lab.time_scale = 0.0


@pytest.mark.parametrize("upid", ["", "OK", "UPID", "UPID::x", "pve1:1:2"])
def test_what_is_not_a_task_is_said(connect: Connect, upid: str) -> None:
    with pytest.raises(errors.PveError, match="task"):
        connect().wait(upid)
