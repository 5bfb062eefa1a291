# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What pve_backup refuses beforehand, and what is left when backups fail."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.backup import BACKUP
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.backup_backend import BackupBackend
from tests.contract.at_once import at_once
from tests.contract.case import PREFIX
from tests.contract.cases.pve_backup import MODULE, saved, setup
from tests.contract.invocation import Result
from tests.contract.system import refused, succeeded


def back_up(pve: Any, *numbers: int, **options: Any) -> Result:
    result: Result = pve.run(MODULE, vmid=[pve.vmid(number) for number in numbers], storage=pve.backups, **options)
    return result


@pytest.fixture
def prepared(pve: Any) -> Any:
    setup(pve)
    return pve


def test_it_tells_what_it_made(prepared: Any) -> None:
    result = succeeded(back_up(prepared, 0, 1, compress="zstd"))
    assert [one["vmid"] for one in result.data["backups"]] == [prepared.vmid(0), prepared.vmid(1)]
    there = prepared.api.get(f"/nodes/{prepared.node}/storage/{prepared.backups}/content", content="backup")
    assert {one["volid"]: one["size"] for one in result.data["backups"]} == {row["volid"]: row["size"] for row in there}
    assert all(one["made"] and one["volid"].endswith(".zst") for one in result.data["backups"])
    assert result.data["without"] == []
    again = succeeded(back_up(prepared, 0, 1, newer_than="1h"))
    assert not again.changed and not any(one["made"] for one in again.data["backups"])


def test_older_backups_stay_unless_it_is_told_otherwise(lab: Any, prepared: Any) -> None:
    prepared.api.put(f"/storage/{prepared.backups}", **{"prune-backups": "keep-last=1"})
    for _time in range(2):
        succeeded(back_up(prepared, 0))
    path = f"/nodes/{prepared.node}/storage/{prepared.backups}/content"
    assert len(prepared.api.get(path, content="backup")) == 2
    succeeded(back_up(prepared, 0, remove=True))
    assert len(prepared.api.get(path, content="backup")) == 1


def test_a_guest_that_does_not_exist(prepared: Any) -> None:
    with prepared.unwritten():
        result = refused(back_up(prepared, 0, 7))
    assert str(prepared.vmid(7)) in result.message and "does not exist" in result.message
    assert succeeded(back_up(prepared, 0, 7, check=True)).changed, "an earlier task may be about to make it"


@pytest.mark.parametrize("vmid", [[], [7], [100, 100], ["pacs"]])
def test_numbers_that_are_none(prepared: Any, vmid: list[Any]) -> None:
    with prepared.unwritten():
        assert "vmid" in refused(prepared.run(MODULE, vmid=vmid, storage=prepared.backups)).message


def test_a_storage_that_takes_no_backups(prepared: Any) -> None:
    prepared.make_storage(f"{PREFIX}images", "images")
    with prepared.unwritten():
        result = refused(prepared.run(MODULE, vmid=[prepared.vmid(0)], storage=f"{PREFIX}images"))
    assert "storage" in result.message and "does not hold backup" in result.message


def test_a_storage_that_is_not_for_the_guests_node(lab: Any, prepared: Any) -> None:
    prepared.api.put(f"/storage/{prepared.backups}", nodes=prepared.other_node)
    with prepared.unwritten():
        result = refused(back_up(prepared, 0))
    assert prepared.backups in result.message and prepared.node in result.message


def test_a_storage_that_is_not_active(lab: Any, prepared: Any) -> None:
    lab.storage_active(prepared.backups, False)
    with prepared.unwritten():
        assert "not active" in refused(back_up(prepared, 0)).message
    lab.storage_active(prepared.backups, True)
    assert succeeded(back_up(prepared, 0)).changed


def test_a_storage_without_room(lab: Any, prepared: Any) -> None:
    saved(prepared)
    lab.storage_room(prepared.backups, 100)
    with prepared.unwritten():
        result = refused(back_up(prepared, 0))
    assert "100 bytes left" in result.message
    lab.storage_room(prepared.backups, 0)
    with prepared.unwritten():
        assert "is full" in refused(back_up(prepared, 1)).message


def test_a_storage_that_turns_out_to_be_full(lab: Any, prepared: Any) -> None:
    """How large the first backup of a guest will be nobody knows beforehand."""
    lab.storage_room(prepared.backups, 100)
    result = refused(back_up(prepared, 0))
    assert "No space left on device" in result.message and f"has none on {prepared.backups}" in result.message
    assert result.data["without"] == [prepared.vmid(0)]
    lab.storage_room(prepared.backups, 1 << 30)
    assert succeeded(back_up(prepared, 0)).changed


def test_a_guest_on_a_node_that_is_off(lab: Any, prepared: Any) -> None:
    lab.move_guest(prepared.vmid(1), prepared.other_node)
    lab.node_offline(prepared.other_node)
    with prepared.unwritten():
        assert prepared.other_node in refused(back_up(prepared, 0, 1)).message
    assert succeeded(back_up(prepared, 0)).changed


def test_a_guest_that_is_being_backed_up(lab: Any, prepared: Any) -> None:
    lab.lock_guest(prepared.vmid(0), "backup")
    with prepared.unwritten():
        result = refused(back_up(prepared, 0))
    assert "locked (backup)" in result.message
    lab.unlock_guest(prepared.vmid(0))
    assert succeeded(back_up(prepared, 0)).changed


def test_one_that_fails_keeps_the_others_from_nothing(lab: Any, prepared: Any) -> None:
    said = "qmp command 'backup' failed - got timeout"
    line = f"ERROR: Backup of VM {prepared.vmid(0)} failed - VM {prepared.vmid(0)} {said}"
    lab.fail_tasks("vzdump", "job errors", log=["INFO: backup mode: snapshot", line])
    result = refused(back_up(prepared, 0, 1, newer_than="1h"))
    assert said in result.message
    assert "has none" in result.message and "1 of 2 steps failed" in result.message
    assert result.data["without"] == [prepared.vmid(0)]
    again = succeeded(back_up(prepared, 0, 1, newer_than="1h"))
    assert len(again.steps) == 1, "what is done stays done"


def test_a_task_that_fails_after_ten_minutes(lab: Any, prepared: Any) -> None:
    saved(prepared)
    lab.time_scale = 0.001
    try:
        lab.fail_tasks(
            "vzdump", "job errors", log=["ERROR: Backup failed - the connection to the storage broke"], after=600
        )
        result = refused(back_up(prepared, 0))
    finally:
        lab.time_scale = 0
    assert "the connection to the storage broke" in result.message
    assert "Its last one there is of 20" in result.message


def test_a_task_that_takes_longer_than_it_may(lab: Any, prepared: Any) -> None:
    lab.time_scale = 0.01
    try:
        lab.call(lambda: setattr(lab.cluster, "backup_secs", 150))
        result = refused(back_up(prepared, 0, timeout=1))
        assert "still running after 1 s" in result.message
        assert "locked (backup)" in refused(back_up(prepared, 0)).message
        prepared.lab_rests()
    finally:
        lab.time_scale = 0


def test_a_backup_on_a_node_that_is_off_does_not_count(lab: Any, prepared: Any) -> None:
    saved(prepared)
    lab.move_guest(prepared.vmid(0), prepared.other_node)
    lab.node_offline(prepared.node)
    result = succeeded(back_up(prepared, 0, newer_than="24h"))
    assert result.changed, "nobody could restore from the one that is there"


def test_two_runs_at_once(lab: Any, prepared: Any) -> None:
    """Both end well or say why not, and what they made is whole."""
    lab.time_scale = 0.1
    try:
        vmids = [prepared.vmid(0), prepared.vmid(1)]
        failures = at_once(prepared, BACKUP, BackupBackend, vmid=vmids, storage=prepared.backups, newer_than="1h")
    finally:
        lab.time_scale = 0
    assert "" in failures
    assert all("locked (backup)" in failure for failure in failures if failure)
    assert not succeeded(back_up(prepared, 0, 1, newer_than="1h")).changed
