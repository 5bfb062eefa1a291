# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Whether another run is at work, or was killed."""

from __future__ import annotations

import multiprocessing
import os
from dataclasses import replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.pve_node.run_lock import (
    Seat,
    content_of,
    our_seat,
    started_at,
    verdict,
)

US = Seat("control1", "m1", 100, "5000")
NOW = 1_000_000.0


def note(seat: Seat, lease: int = 3600) -> dict[str, Any]:
    return {"exists": True, "owner": seat.owner, "content": content_of(seat, "upgrade of pve1", lease, NOW)}


def running(pid: int) -> str:
    return {100: "5000", 200: "6000"}.get(pid, "")


def test_a_note_that_is_free_or_ours() -> None:
    assert verdict({"exists": False, "owner": "", "content": {}}, US, NOW, running).free
    assert verdict(note(US), US, NOW, running).free


def test_a_run_that_lives_is_named() -> None:
    found = verdict(note(replace(US, pid=200, started="6000")), US, NOW, running)
    assert not found.free and not found.dead
    assert "upgrade of pve1" in found.says and "process 200 on control1" in found.says


def test_a_process_that_is_gone_is_dead_and_one_that_has_its_number_now_is_another() -> None:
    assert verdict(note(replace(US, pid=300, started="7000")), US, NOW, running).dead
    assert verdict(note(replace(US, pid=200, started="4000")), US, NOW, running).dead


def test_of_another_control_host_only_its_word_counts() -> None:
    for other in (replace(US, host="control2", pid=300), replace(US, machine="m2", pid=300)):
        assert not verdict(note(other), US, NOW + 3599, running).dead
        assert verdict(note(other), US, NOW + 3601, running).dead


def test_awx_runs_one_job_of_a_template_at_a_time() -> None:
    before, now = (replace(US, host="pod", template="7", job=job) for job in ("41", "42"))
    assert verdict(note(before), now, NOW, running).dead
    assert not verdict(note(replace(before, template="8")), now, NOW, running).dead
    assert not verdict(note(before), US, NOW, running).dead


def test_a_note_that_nobody_can_read_is_held() -> None:
    found = verdict({"exists": True, "owner": "unreadable", "content": {}}, US, NOW, running)
    assert not found.free and not found.dead


def test_all_processes_of_a_run_have_its_seat() -> None:
    """Ansible's workers are forks of it."""
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe(duplex=False)
    worker = fork.Process(target=lambda: there.send(our_seat()))
    worker.start()
    assert here.poll(60) and here.recv() == our_seat()
    worker.join(60)
    assert worker.exitcode == 0
    assert our_seat().pid == os.getpid() and started_at(os.getpid()) == our_seat().started
