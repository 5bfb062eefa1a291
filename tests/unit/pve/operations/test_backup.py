# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Which guests are backed up, in which order, and with which parameters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.archives import Archive
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.backup import (
    BACKUP,
    Situation,
    status_path,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.cluster import Cluster, Guest

NOW = 1_800_000_000.0
GUESTS = {vmid: Guest(vmid, node=f"pve{vmid % 3}", status="running") for vmid in range(100, 112)}


def plan(vmids: list[int], archives: tuple[Archive, ...] = (), **params: Any) -> Any:
    order = BACKUP.order({"vmid": vmids, "storage": "nas", **params})
    things = BACKUP.things(Situation(Cluster(guests=GUESTS), archives, now=NOW), order)
    return order, BACKUP.plan(things, order)


def of(vmid: int, age: float, **more: Any) -> Archive:
    return Archive(f"nas:{vmid}", vmid, "qemu", "nas", ("pve1",), time=int(NOW - age), **more)


@given(st.lists(st.sampled_from(sorted(GUESTS)), unique=True, min_size=1))
def test_every_guest_once_and_those_of_a_node_in_the_order_given(vmids: list[int]) -> None:
    _order, planned = plan(vmids)
    keys = [step.key[0] for step in planned]
    assert sorted(keys) == sorted(vmids)
    for node in {GUESTS[vmid].node for vmid in vmids}:
        assert [key for key in keys if GUESTS[key].node == node] == [v for v in vmids if GUESTS[v].node == node]


def test_nodes_take_turns() -> None:
    _order, planned = plan([100, 103, 106, 101, 102])
    assert [step.key[0] for step in planned] == [100, 101, 102, 103, 106]


@pytest.mark.parametrize(
    ("archive", "made"),
    [
        (of(100, 3600), False),
        (of(100, 90000), True),
        (of(100, -100), False),
        (of(100, -90000), True),
        (of(100, 3600, broken=True), True),
        (of(101, 3600), True),
    ],
    ids=["new", "old", "a clock that is ahead", "of the future", "failed verification", "another guest's"],
)
def test_new_enough(archive: Archive, made: bool) -> None:
    _order, planned = plan([100], (archive,), newer_than="24h")
    assert bool(planned) == made


@pytest.mark.parametrize(
    ("given", "remove"),
    [({}, 0), ({"prune_backups": {"keep-last": 3}}, 1), ({"remove": True}, 1)],
)
def test_older_ones_are_removed_only_when_asked_for(given: dict[str, Any], remove: int) -> None:
    order, planned = plan([100], **given)
    (step,) = planned
    assert BACKUP.parameters(step, order)["remove"] == remove


def test_the_parameters_are_proxmoxs() -> None:
    options = {
        "notes_template": "x",
        "prune_backups": {"keep-last": 2},
        "fleecing": {"enabled": True, "storage": "fast"},
        "exclude_path": ["/a,b", "/c"],
        "protected": True,
        "newer_than": "1h",
    }
    order, planned = plan([100], **options)
    (step,) = planned
    assert BACKUP.parameters(step, order) == {
        "vmid": 100,
        "storage": "nas",
        "mode": "snapshot",
        "notes-template": "x",
        "prune-backups": "keep-last=2",
        "fleecing": "enabled=1,storage=fast",
        "exclude-path": ["/a,b", "/c"],
        "protected": 1,
        "remove": 1,
    }


@pytest.mark.parametrize("mode", ["suspend", "stop"])
def test_what_interrupts_needs_a_word(mode: str) -> None:
    _order, planned = plan([100], mode=mode)
    (step,) = planned
    (consent,) = BACKUP.consents(step)
    assert consent.word == "stop_guest:100"
    _order, planned = plan([100])
    assert not BACKUP.consents(next(iter(planned)))


def test_room_is_that_of_the_last_backups() -> None:
    order, planned = plan([100, 101, 103], (of(100, 9, size=60), of(103, 9, size=60), of(101, 9, size=60)))
    storages = [{"storage": "nas", "content": "backup"}]
    local = {"enabled": 1, "active": 1, "avail": 100, "total": 1000, "type": "dir"}

    def problems(status: dict[str, Any]) -> list[str]:
        answers: dict[str, Any] = {"/storage": storages}
        answers.update({status_path(f"pve{n}", "nas"): status for n in (0, 1, 2)})
        return BACKUP.problems(planned, order, answers)

    # 100 is on pve1, 101 on pve2, 103 on pve1.
    (problem,) = problems(local)
    assert "pve1" in problem and "120 bytes" in problem
    (problem,) = problems({**local, "shared": 1, "avail": 150})
    assert "180 bytes" in problem
    assert not problems({**local, "avail": 120})
    assert not problems({**local, "type": "pbs"}), "it keeps what is the same once"


@pytest.mark.parametrize("params", [{"vmid": []}, {"vmid": [1]}, {"vmid": [100, 100]}, {"notes_template": "a\nb"}])
def test_what_makes_no_sense(params: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as problem:
        BACKUP.order({"vmid": [100], "storage": "nas", **params})
    assert next(iter(params)) in problem.value.message
