# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What pve_migration refuses before anything moves, where it sends guests, and what is left when a move fails."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.migration import MIGRATION
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.migration_backend import (
    MigrationBackend,
)
from tests.contract.at_once import at_once
from tests.contract.case import PREFIX
from tests.contract.cases.pve_migration import MODULE
from tests.contract.invocation import Result
from tests.contract.system import refused, succeeded

GIB = 1024**3


@pytest.fixture
def guests(pve: Any) -> list[int]:
    return [pve.make_guest(number) for number in range(3)]


def move(pve: Any, *vmids: int, **options: Any) -> Result:
    given = {"vmid": list(vmids), **options} if vmids else options
    result: Result = pve.run(MODULE, **given)
    return result


def where(pve: Any) -> dict[int, str]:
    return {int(row["vmid"]): str(row["node"]) for row in pve.api.get("/cluster/resources", type="vm")}


def test_a_guest_that_refuses_is_named_before_any_has_moved(lab: Any, pve: Any, guests: list[int]) -> None:
    first, second, third = guests
    lab.set_config(second, hostpci0="0000:01:00.0")
    lab.set_config(third, ide2="local:iso/debian.iso,media=cdrom")
    with pve.unwritten():
        result = refused(move(pve, first, second, third, target=pve.other_node))
    assert f"guest {second}" in result.message and "hostpci0" in result.message
    assert f"guest {third}" in result.message and "CD image" in result.message and "debian.iso" in result.message
    assert f"guest {first} " not in result.message
    assert set(where(pve).values()) == {pve.node}
    assert succeeded(move(pve, first, target=pve.other_node)).changed


def test_a_locked_guest(lab: Any, pve: Any, guests: list[int]) -> None:
    lab.lock_guest(guests[0], "backup")
    with pve.unwritten():
        assert "locked (backup)" in refused(move(pve, guests[0], target=pve.other_node)).message


def test_disks_that_only_its_node_has(lab: Any, pve: Any) -> None:
    (vmid,) = lab.add_guests(1, first_vmid=pve.vmid(0), running=True, storage="local-lvm")
    with pve.unwritten():
        result = refused(move(pve, vmid, target=pve.other_node))
    assert "scsi0" in result.message and "with_local_disks" in result.message
    assert succeeded(move(pve, vmid, target=pve.other_node, with_local_disks=True, targetstorage=["shared"])).changed
    assert lab.config(vmid)["scsi0"].startswith("shared:")


def test_disks_that_have_no_room_there(lab: Any, pve: Any) -> None:
    (vmid,) = lab.add_guests(1, first_vmid=pve.vmid(0), storage="local-lvm")
    lab.storage_room("shared", GIB)
    with pve.unwritten():
        result = refused(
            move(pve, vmid, target=pve.other_node, with_local_disks=True, targetstorage=["local-lvm:shared"])
        )
    assert "shared has 1.0 GiB left" in result.message and "8.0 GiB" in result.message


def test_a_storage_that_is_not_there(lab: Any, pve: Any) -> None:
    (vmid,) = lab.add_guests(1, first_vmid=pve.vmid(0))
    pve.api.put("/storage/shared", nodes=pve.node)
    with pve.unwritten():
        result = refused(move(pve, vmid, target=pve.other_node))
    assert "shared is not there" in result.message


def test_a_target_that_is_off(lab: Any, pve: Any, guests: list[int]) -> None:
    lab.node_offline(pve.other_node)
    with pve.unwritten():
        assert f"{pve.other_node} is offline" in refused(move(pve, guests[0], target=pve.other_node)).message


def test_a_guest_whose_node_is_off(lab: Any, pve: Any, guests: list[int]) -> None:
    lab.node_offline(pve.node)
    with pve.unwritten():
        assert f"{pve.node} is offline" in refused(move(pve, guests[0], target=pve.other_node)).message


@pytest.mark.parametrize("option", ["target", "away_from"])
def test_a_node_that_does_not_exist(pve: Any, guests: list[int], option: str) -> None:
    with pve.unwritten():
        result = refused(move(pve, guests[0], **{option: "pve99"}))
    assert option in result.message and "pve99" in result.message


def test_a_guest_that_does_not_exist(pve: Any, guests: list[int]) -> None:
    with pve.unwritten():
        assert "does not exist" in refused(move(pve, pve.vmid(7), target=pve.other_node)).message


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"target": "pve1", "away_from": "pve2"},
        {"target": "pve1"},
        {"vmid": [9000], "target": "pve2", "targetstorage": ["shared"]},
        {"vmid": [9000], "target": "pve2", "with_local_disks": True, "targetstorage": ["a:b", "c"]},
        {"vmid": [9000], "target": "pve2", "max_workers": 0},
    ],
)
def test_options_that_make_no_sense(pve: Any, options: dict[str, Any]) -> None:
    with pve.unwritten():
        refused(pve.run(MODULE, **options))


def test_all_of_a_node_go_where_there_is_room(lab: Any, pve: Any) -> None:
    """They are spread: what was sent to a node before counts."""
    vmids = lab.add_guests(6, first_vmid=pve.vmid(0), running=True)
    for vmid in vmids:
        lab.move_guest(vmid, pve.node)
    result = succeeded(move(pve, away_from=pve.node))
    places = [where(pve)[vmid] for vmid in vmids]
    assert pve.node not in places
    assert sorted(places.count(node) for node in pve.nodes if node != pve.node) == [3, 3]
    assert [row["vmid"] for row in result.data["guests"]] == vmids
    assert {row["came_from"] for row in result.data["guests"]} == {pve.node}
    with pve.unwritten():
        assert not succeeded(move(pve, away_from=pve.node)).changed


def test_nowhere_is_there_room(lab: Any, pve: Any) -> None:
    (vmid,) = lab.add_guests(1, first_vmid=pve.vmid(0), running=True)
    lab.set_config(vmid, memory=str(1024 * 1024))
    lab.call(lambda: setattr(lab.cluster.guest(vmid), "booted_memory", 1024 * GIB))
    with pve.unwritten():
        result = refused(move(pve, away_from=pve.node))
    assert "of memory left" in result.message and "1.0 TiB" in result.message


def test_away_from_a_node_leaves_out_one_that_is_off(lab: Any, pve: Any, guests: list[int]) -> None:
    lab.node_offline(pve.nodes[1])
    succeeded(move(pve, away_from=pve.node))
    assert set(where(pve).values()) == {pve.nodes[2]}


def test_a_strict_rule_of_high_availability(pve: Any, guests: list[int]) -> None:
    sid = f"vm:{guests[0]}"
    pve.api.post("/cluster/ha/resources", sid=sid, state="stopped")
    rule = {"rule": f"{PREFIX}stay", "type": "node-affinity", "resources": sid, "nodes": pve.node, "strict": 1}
    pve.api.post("/cluster/ha/rules", **rule)
    with pve.unwritten():
        result = refused(move(pve, guests[0], target=pve.other_node))
    assert "strict HA rule" in result.message and pve.node in result.message


def test_the_ha_manager_is_asked_and_waited_for(lab: Any, pve: Any, guests: list[int]) -> None:
    pve.api.post("/cluster/ha/resources", sid=f"vm:{guests[0]}", state="started")
    lab.time_scale = 0.2
    try:
        result = succeeded(move(pve, guests[0], target=pve.other_node))
    finally:
        lab.time_scale = 0
    assert where(pve)[guests[0]] == pve.other_node
    assert result.data["guests"][0]["seconds"] >= 0.2
    assert not [request for request in lab.writes if request.path.endswith(f"/qemu/{guests[0]}/migrate")]


def test_the_ha_manager_does_not_act(lab: Any, pve: Any, guests: list[int]) -> None:
    pve.api.post("/cluster/ha/resources", sid=f"vm:{guests[0]}", state="started")
    lab.time_scale = 1
    lab.call(lambda: setattr(lab.cluster, "migration_secs", 3600))
    try:
        result = refused(move(pve, guests[0], target=pve.other_node, timeout=1))
    finally:
        lab.time_scale = 0
        lab.call(lambda: [job.cancel() for job in lab.cluster.jobs])
    assert "HA manager" in result.message and pve.other_node in result.message


def test_a_move_that_fails_says_why_and_where_the_guest_is(lab: Any, pve: Any, guests: list[int]) -> None:
    line = "2026-11-22 00:58:29 ERROR: migration aborted (duration 00:00:01): Can't connect to destination address"
    lab.fail_tasks("qmigrate", "migration aborted", log=[line])
    result = refused(move(pve, *guests, target=pve.other_node, max_workers=1))
    assert "Can't connect to destination address" in result.message and f"It is on {pve.node}" in result.message
    assert "1 of 3 steps failed" in result.message
    assert where(pve) == {guests[0]: pve.node, guests[1]: pve.other_node, guests[2]: pve.other_node}
    assert len(succeeded(move(pve, *guests, target=pve.other_node)).steps) == 1


def test_a_move_that_fails_after_ten_minutes(lab: Any, pve: Any, guests: list[int]) -> None:
    lab.time_scale = 0.001
    try:
        lab.fail_tasks("qmigrate", "migration aborted", log=["ERROR: the target went away"], after=600)
        assert "the target went away" in refused(move(pve, guests[0], target=pve.other_node)).message
    finally:
        lab.time_scale = 0


def test_as_many_at_once_as_it_is_told(lab: Any, pve: Any) -> None:
    vmids = lab.add_guests(6, first_vmid=pve.vmid(0))
    for vmid in vmids:
        lab.move_guest(vmid, pve.node)
    lab.time_scale = 0.3
    try:
        result = succeeded(move(pve, *vmids, target=pve.other_node, max_workers=3))
    finally:
        lab.time_scale = 0
    assert all(row["seconds"] >= 0.3 for row in result.data["guests"])
    begun = [task["id"] for task in lab.cluster.tasklog if task["type"] == "qmigrate"]
    assert sorted(begun[:3]) == [str(vmid) for vmid in vmids[:3]], "in the order that was given"


def test_two_runs_at_once(lab: Any, pve: Any, guests: list[int]) -> None:
    lab.time_scale = 0.1
    try:
        failures = at_once(pve, MIGRATION, MigrationBackend, vmid=guests, target=pve.other_node, max_workers=2)
        pve.lab_rests()
    finally:
        lab.time_scale = 0
    for failure in filter(None, failures):
        assert "locked (migrate)" in failure or "got timeout" in failure or "does not exist" in failure, failure
    assert set(where(pve).values()) == {pve.other_node}
    assert not succeeded(move(pve, *guests, target=pve.other_node)).changed
