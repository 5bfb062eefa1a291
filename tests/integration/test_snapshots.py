# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Snapshots of guests, and the way back, when something is in the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.converge import Outcome, converge
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import operate
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import (
    Connection,
    options_from_environment,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import NodeOffline
from ansible_collections.hospital.continuity.plugins.module_utils.pve.information import gather
from ansible_collections.hospital.continuity.plugins.module_utils.pve.registry import KINDS
from ansible_collections.hospital.continuity.plugins.module_utils.pve.rollback_backend import RollbackBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.rollback_operation import GOING_BACK
from lab.pve import Lab

ONE = {"vmid": 100, "snapname": "before", "description": "x"}


@pytest.fixture(scope="module")
def _lab() -> Iterator[Lab]:
    with Lab(nodes=2) as lab:
        yield lab


@pytest.fixture
def lab(_lab: Lab) -> Lab:
    """VMs 100 and 101 on pve1 and pve2, containers 200 and 201 likewise, all on thin LVM."""
    _lab.reset()
    _lab.add_guests(2, 100, storage="local-lvm", running=True)
    _lab.add_guests(2, 200, storage="local-lvm", kind="lxc")
    return _lab


@pytest.fixture
def client(lab: Lab) -> Iterator[Client]:
    with Client(Connection.from_options(options_from_environment(lab.environment()))) as client:
        yield client


def run(client: Client, *config: dict[str, Any], check: bool = False, **params: Any) -> Outcome:
    entry = KINDS["snapshot"]
    declared = entry.kind.declare({"config": config, **params})
    return converge(entry.kind, declared, entry.backend(client), check=check)


def go_back(client: Client, **options: Any) -> Outcome:
    order = GOING_BACK.order({"vmid": 100, "snapname": "before", "allow": ["rollback_guest:100"], **options})
    return operate(GOING_BACK, order, RollbackBackend(client, order.options)).outcome


def lines(outcome: Outcome) -> list[str]:
    assert not outcome.failure
    return [result.line for result in outcome.results]


def test_guests_of_both_kinds_wherever_they_are(client: Client) -> None:
    config = [{"vmid": vmid, "snapname": "before"} for vmid in (100, 101, 200, 201)]
    assert len(lines(run(client, *config))) == 4
    assert lines(run(client, *config)) == []
    assert len(gather(client, ["snapshot"], ["20*/before"])["config"]["snapshot"]) == 2


def test_a_container_has_no_ram_to_save_and_thick_lvm_takes_no_snapshots(lab: Lab, client: Client) -> None:
    lab.add_guests(1, 300, storage="shared")
    config = [{"vmid": 200, "snapname": "s1", "vmstate": True}, {"vmid": 300, "snapname": "s1"}]
    for check in (True, False):
        with pytest.raises(InvalidInput) as refusal:
            run(client, *config, check=check)
        assert "snapshot 200/s1: vmstate: guest 200 is a container" in str(refusal.value)
        assert "snapshot 300/s1: vmid: a volume of guest 300" in str(refusal.value)
    assert lab.writes == []


def test_a_guest_that_an_earlier_task_will_make_is_a_warning_in_check_mode(client: Client) -> None:
    outcome = run(client, {"vmid": 900, "snapname": "s1"}, check=True)
    assert "guest 900 does not exist" in outcome.warnings[0]
    with pytest.raises(InvalidInput, match="guest 900 does not exist"):
        run(client, {"vmid": 900, "snapname": "s1"})
    assert lines(run(client, {"vmid": 900, "snapname": "s1"}, state="absent")) == []


def test_a_locked_guest_says_so_and_the_other_is_taken(lab: Lab, client: Client) -> None:
    lab.lock_guest(100)
    outcome = run(client, {"vmid": 100, "snapname": "s1"}, {"vmid": 101, "snapname": "s1"})
    assert "VM is locked (backup)" in outcome.failure
    lab.unlock_guest(100)
    assert lines(run(client, {"vmid": 100, "snapname": "s1"}, {"vmid": 101, "snapname": "s1"})) == [
        "done: create snapshot 100/s1"
    ]


def test_an_offline_node_is_named_and_info_leaves_its_guests_out(lab: Lab, client: Client) -> None:
    run(client, ONE, {"vmid": 101, "snapname": "before"})
    lab.node_offline("pve2")
    with pytest.raises(NodeOffline, match="pve2"):
        run(client, {"vmid": 101, "snapname": "s1"})
    with Client(Connection.from_options(options_from_environment(lab.environment()))) as other:
        assert [item["vmid"] for item in gather(other, ["snapshot"])["config"]["snapshot"]] == [100]


def test_the_way_back_is_gone_once(lab: Lab, client: Client) -> None:
    run(client, ONE)
    lab.set_config(100, cores=7)
    outcome = go_back(client)
    assert lines(outcome) == ["done: rollback guest 100: before"]
    assert outcome.after == {(100,): {"parent": "before", "went_back_to": "before", "status": "stopped"}}
    assert lab.config(100)["cores"] == 2
    assert lines(go_back(client)) == []
    lab.move_guest(100, "pve2")
    assert lines(go_back(client)) == [], "the task was another node's"
    assert lines(go_back(client, again=True, start=True)) == ["done: rollback guest 100: before"]
    assert client.get("/nodes/pve2/qemu/100/status/current")["status"] == "running"


def test_with_its_ram_it_runs_on(client: Client) -> None:
    run(client, {**ONE, "vmstate": True})
    outcome = go_back(client)
    back = {"parent": "before", "went_back_to": "before", "status": "running"}
    assert outcome.predicted[1] == outcome.after == {(100,): back}


def test_a_rollback_that_fails_is_tried_again(lab: Lab, client: Client) -> None:
    run(client, ONE)
    lab.fail_tasks("qmrollback", "can't rollback, more recent snapshots exist")
    assert "more recent snapshots exist" in go_back(client).failure
    assert lines(go_back(client)) == ["done: rollback guest 100: before"]


def test_a_way_back_that_is_not_there_is_refused(lab: Lab, client: Client) -> None:
    with pytest.raises(InvalidInput, match="guest 100 has no snapshot before, it has none"):
        go_back(client)
    assert lab.writes == []
