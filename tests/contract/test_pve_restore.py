# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What pve_restore finds, what it refuses, and what is left when it fails or is killed half-way."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.restore import RESTORING
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.restore_backend import RestoreBackend
from tests.contract.at_once import at_once
from tests.contract.case import PREFIX
from tests.contract.cases.pve_restore import MODULE, back_up, first, lost, other, replace, running, setup, spare
from tests.contract.invocation import Result
from tests.contract.system import refused, succeeded

GIB = 1024**3


@pytest.fixture
def prepared(pve: Any) -> Any:
    setup(pve)
    return pve


def restore(pve: Any, **options: Any) -> Result:
    result: Result = pve.run(MODULE, vmid=first(pve), **options)
    return result


def beside(pve: Any, **options: Any) -> Result:
    return restore(pve, newid=other(pve), **options)


def in_place(pve: Any, **options: Any) -> Result:
    return restore(pve, beside=spare(pve), **{"allow": [replace(pve)], **options})


def guests(pve: Any) -> dict[int, str]:
    return {int(row["vmid"]): str(row["status"]) for row in pve.api.get("/cluster/resources", type="vm")}


def config(pve: Any, vmid: int) -> dict[str, Any]:
    node = next(row["node"] for row in pve.api.get("/cluster/resources", type="vm") if row["vmid"] == vmid)
    found = pve.api.get(f"/nodes/{node}/qemu/{vmid}/config")
    return {name: value for name, value in found.items() if name not in ("digest", "meta", "vmgenid")}


def archives(pve: Any, node: str = "") -> list[str]:
    rows = pve.api.get(f"/nodes/{node or pve.node}/storage/{pve.backups}/content", content="backup")
    return [row["volid"] for row in sorted(rows, key=lambda row: row["ctime"])]


# --- beside


def test_beside_it_has_other_addresses_and_its_cables_are_out(prepared: Any) -> None:
    succeeded(beside(prepared, start=True))
    there, here = config(prepared, other(prepared)), config(prepared, first(prepared))
    assert there["net0"].endswith("link_down=1") and here["net0"].split(",")[0] != there["net0"].split(",")[0]
    assert there["description"].startswith("PACS\nGuest ") and archives(prepared)[0] in there["description"]
    assert there["scsi0"] != here["scsi0"]
    assert guests(prepared) == {first(prepared): "stopped", other(prepared): "running"}


def test_the_newest_is_taken(lab: Any, prepared: Any) -> None:
    lab.set_config(first(prepared), memory="128")
    back_up(prepared)
    result = succeeded(beside(prepared))
    assert result.data["backup"]["volid"] == archives(prepared)[-1]
    assert config(prepared, other(prepared))["memory"] == "128"


def test_the_holder_of_the_newest_is_down(lab: Any, prepared: Any) -> None:
    """Its local storage goes with it: the next newest is taken, and that is said."""
    lab.move_guest(first(prepared), prepared.other_node)
    lab.set_config(first(prepared), memory="128")
    prepared.api.post(f"/nodes/{prepared.other_node}/vzdump", vmid=first(prepared), storage=prepared.backups)
    newest = archives(prepared, prepared.other_node)[-1]
    assert succeeded(beside(prepared, check=True)).data["backup"]["volid"] == newest
    lab.node_offline(prepared.other_node)
    result = succeeded(beside(prepared))
    assert result.data["backup"]["volid"] == archives(prepared)[0] != newest
    assert result.data["missed"] == [f"node {prepared.other_node} is offline"]
    assert any(prepared.other_node in text for text in map(str, result.data.get("warnings", []))), repr(
        result.data.get("warnings")
    )
    assert config(prepared, other(prepared))["memory"] == "64"


def test_the_holder_goes_down_in_the_middle(lab: Any, prepared: Any) -> None:
    """The cluster still takes it for online: its answers say otherwise."""
    lab.move_guest(first(prepared), prepared.other_node)
    prepared.api.post(f"/nodes/{prepared.other_node}/vzdump", vmid=first(prepared), storage=prepared.backups)
    lab.fail_requests("GET", f"/nodes/{prepared.other_node}/vzdump/extractconfig", status=595, times=10)
    result = succeeded(beside(prepared))
    assert result.data["guest"]["node"] == prepared.node
    assert result.data["missed"] == [f"node {prepared.other_node} is offline"]


def test_no_backup(prepared: Any) -> None:
    vmid = prepared.make_guest(1)
    with prepared.unwritten():
        result = refused(prepared.run(MODULE, vmid=vmid, newid=other(prepared)))
    assert f"no backup of guest {vmid}" in result.message
    assert succeeded(prepared.run(MODULE, vmid=vmid, newid=other(prepared), check=True)).changed


def test_a_backup_that_is_too_old(lab: Any, prepared: Any) -> None:
    def age() -> None:
        for entry in lab.cluster.storages[prepared.backups]["volumes"].values():
            entry["ctime"] -= 3 * 86400

    lab.call(age)
    with prepared.unwritten():
        assert "older than newer_than" in refused(beside(prepared, newer_than="26h")).message
    assert succeeded(beside(prepared, newer_than="7d")).changed


def test_a_number_that_somebody_else_has(prepared: Any) -> None:
    vmid = prepared.make_guest(4)
    before = config(prepared, vmid)
    with prepared.unwritten():
        assert "is taken" in refused(beside(prepared)).message
    assert config(prepared, vmid) == before


def test_a_copy_of_another_backup(prepared: Any) -> None:
    succeeded(beside(prepared))
    back_up(prepared)
    with prepared.unwritten():
        assert "already" in refused(beside(prepared)).message


@pytest.mark.parametrize("options", [{"unique": False}, {"disconnect": False}])
def test_two_with_the_same_addresses_never_run(prepared: Any, options: dict[str, Any]) -> None:
    running(prepared)
    with prepared.unwritten():
        assert "same addresses" in refused(beside(prepared, start=True, **options)).message
    succeeded(beside(prepared, **options))
    with prepared.unwritten():
        assert "same addresses" in refused(beside(prepared, start=True, **options)).message


def test_a_copy_of_a_guest_whose_node_is_off(lab: Any, prepared: Any) -> None:
    """It may run all the same."""
    lab.move_guest(first(prepared), prepared.other_node)
    lab.node_offline(prepared.other_node)
    with prepared.unwritten():
        assert "may run" in refused(beside(prepared, start=True, disconnect=False)).message
    assert succeeded(beside(prepared, start=True)).changed


def test_a_storage_without_room(lab: Any, prepared: Any) -> None:
    lab.storage_room(prepared.images, GIB // 2)
    with prepared.unwritten():
        result = refused(beside(prepared))
    assert "512.0 MiB left" in result.message and "1.0 GiB" in result.message


def test_a_storage_that_turns_out_to_be_full(lab: Any, prepared: Any) -> None:
    """Nobody knows beforehand what a thin disk takes. Nothing is left of it."""
    lab.storage_room("local-lvm", GIB // 2)
    prepared.api.put("/storage/local-lvm", content="images")
    before = prepared.inventory()
    result = refused(beside(prepared, storage="local-lvm"))
    assert "No space left on device" in result.message and "Nothing of it is left" in result.message
    assert prepared.inventory() == before
    lab.storage_room("local-lvm", 2 * GIB)
    assert succeeded(beside(prepared, storage="local-lvm")).changed


def test_a_storage_that_holds_no_disks(prepared: Any) -> None:
    with prepared.unwritten():
        assert "does not hold images" in refused(beside(prepared, storage=prepared.backups)).message


def test_a_restore_that_fails_after_ten_minutes(lab: Any, prepared: Any) -> None:
    before = prepared.inventory()
    lab.time_scale = 0.001
    try:
        lab.fail_tasks("qmrestore", "error extracting archive - got signal 9", after=600)
        result = refused(beside(prepared))
    finally:
        lab.time_scale = 0
    assert "got signal 9" in result.message and prepared.inventory() == before
    assert succeeded(beside(prepared)).changed


def test_two_runs_at_once_make_one_copy(lab: Any, prepared: Any) -> None:
    lab.time_scale = 0.1
    try:
        failures = at_once(prepared, RESTORING, RestoreBackend, vmid=first(prepared), newid=other(prepared))
        prepared.lab_rests()
    finally:
        lab.time_scale = 0
    assert "" in failures
    assert all("already exists" in text or "being made" in text for text in failures if text)
    assert not succeeded(beside(prepared)).changed
    assert set(guests(prepared)) == {first(prepared), other(prepared)}


# --- in place


def test_in_place_it_is_as_it_was_saved(lab: Any, prepared: Any) -> None:
    running(prepared)
    saved = config(prepared, first(prepared))
    lab.set_config(first(prepared), memory="128", description="broken by an upgrade")
    result = succeeded(in_place(prepared))
    assert config(prepared, first(prepared)) == saved
    assert guests(prepared) == {first(prepared): "running"}
    assert [step.split(" ")[1] for step in result.steps] == ["restore", "replace", "start", "tidy"]


def test_in_place_a_guest_that_was_off_stays_off(prepared: Any) -> None:
    succeeded(in_place(prepared))
    assert guests(prepared) == {first(prepared): "stopped"}


def test_in_place_where_nothing_is(prepared: Any) -> None:
    saved = config(prepared, first(prepared))
    lost(prepared)
    result = succeeded(restore(prepared, start=True))
    assert [step.split(" ")[1] for step in result.steps] == ["restore", "start"]
    assert config(prepared, first(prepared)) == {**saved, "scsi0": config(prepared, first(prepared))["scsi0"]}


def test_the_pool_is_kept(prepared: Any) -> None:
    prepared.api.post("/pools", poolid=f"{PREFIX}pool")
    prepared.api.put("/pools", poolid=f"{PREFIX}pool", vms=first(prepared))
    succeeded(in_place(prepared))
    (pool,) = prepared.api.get("/pools", poolid=f"{PREFIX}pool")
    assert [member["vmid"] for member in pool["members"]] == [first(prepared)]


def test_under_high_availability(lab: Any, prepared: Any) -> None:
    prepared.api.post("/cluster/ha/resources", sid=f"vm:{first(prepared)}", state="started")
    assert guests(prepared)[first(prepared)] == "running"
    succeeded(in_place(prepared))
    assert guests(prepared) == {first(prepared): "running"}
    (resource,) = prepared.api.get("/cluster/ha/resources")
    assert resource["state"] == "started"


@pytest.mark.parametrize("number", range(1, 8))
def test_killed_half_way_the_next_run_goes_on(prepared: Any, number: int) -> None:
    """The write is carried out and nobody hears of it; so ends a run that is killed. At no time is nothing whole."""
    running(prepared)
    saved = config(prepared, first(prepared))
    with prepared.failing_write(number, lost=True):
        result = in_place(prepared)
    if not result.failed:
        assert number > 6, "it writes less than this test thinks"
        return
    whole = [vmid for vmid in guests(prepared) if "scsi0" in config(prepared, vmid)]
    assert whole
    assert list(guests(prepared).values()).count("running") <= 1, "two with the same identity"
    again = in_place(prepared)
    assert not again.failed, again.message
    assert config(prepared, first(prepared)) == saved
    assert guests(prepared) == {first(prepared): "running"}


def test_two_runs_at_once_in_place(lab: Any, prepared: Any) -> None:
    """One of them restores it, the other one says what it met; nothing else is left."""
    running(prepared)
    saved = config(prepared, first(prepared))
    lab.time_scale = 0.05
    try:
        failures = at_once(prepared, RESTORING, RestoreBackend, vmid=first(prepared), allow=[replace(prepared)])
        prepared.lab_rests()
    finally:
        lab.time_scale = 0
    assert "" in failures, failures
    assert config(prepared, first(prepared)) == saved, failures
    assert guests(prepared) == {first(prepared): "running"}, failures


def test_somebody_changes_the_guest_meanwhile(lab: Any, prepared: Any) -> None:
    """What it became while its backup was restored beside it is not thrown away, and nothing is left beside it."""
    running(prepared)
    real = prepared.lab.cluster.free_name

    def changing(storage: str, vmid: int) -> str:
        if vmid == spare(prepared):
            prepared.lab.cluster.guest(first(prepared)).config["onboot"] = 1
        return str(real(storage, vmid))

    lab.call(lambda: setattr(lab.cluster, "free_name", changing))
    result = refused(in_place(prepared))
    lab.call(lambda: lab.cluster.__dict__.pop("free_name"))
    assert f"Guest {first(prepared)} was left alone" in result.message
    assert guests(prepared) == {first(prepared): "running"}
    assert config(prepared, first(prepared))["onboot"] == 1


def test_writing_over_it_fails_and_what_is_beside_is_whole(lab: Any, prepared: Any) -> None:
    running(prepared)
    saved = config(prepared, first(prepared))
    real = prepared.lab.cluster.free_name

    def full_then(storage: str, vmid: int) -> str:
        if vmid == first(prepared):
            prepared.lab.cluster.storages[storage]["total"] = 0
        return str(real(storage, vmid))

    lab.call(lambda: setattr(lab.cluster, "free_name", full_then))
    result = refused(in_place(prepared))
    lab.call(lambda: lab.cluster.__dict__.pop("free_name"))
    assert f"guest {spare(prepared)} beside it has everything" in result.message
    assert "scsi0" not in config(prepared, first(prepared)), "in Proxmox VE the old disk has gone by then"
    assert config(prepared, spare(prepared))["scsi0"]
    lab.storage_room(prepared.images, 10 * GIB)
    succeeded(in_place(prepared))
    assert config(prepared, first(prepared)) == saved and guests(prepared) == {first(prepared): "running"}


def test_the_copy_beside_cannot_be_made_and_the_guest_runs_on(lab: Any, prepared: Any) -> None:
    running(prepared)
    before = config(prepared, first(prepared))
    lab.fail_tasks("qmrestore", "error before or during data restore")
    refused(in_place(prepared))
    assert guests(prepared) == {first(prepared): "running"} and config(prepared, first(prepared)) == before


def test_a_protected_guest(prepared: Any) -> None:
    prepared.api.put(f"/nodes/{prepared.node}/qemu/{first(prepared)}/config", protection=1)
    with prepared.unwritten():
        assert "protected" in refused(in_place(prepared)).message


def test_a_locked_guest(lab: Any, prepared: Any) -> None:
    lab.lock_guest(first(prepared), "backup")
    with prepared.unwritten():
        assert "locked (backup)" in refused(in_place(prepared)).message


def test_a_number_for_beside_that_is_taken(prepared: Any) -> None:
    prepared.make_guest(5)
    with prepared.unwritten():
        assert "is taken" in refused(in_place(prepared)).message


def test_a_backup_that_its_node_cannot_read(lab: Any, prepared: Any) -> None:
    lab.move_guest(first(prepared), prepared.other_node)
    with prepared.unwritten():
        result = refused(in_place(prepared))
    assert archives(prepared)[0] in result.message and "its node can read" in result.message


def test_an_older_backup_takes_its_place_only_when_it_is_named(lab: Any, prepared: Any) -> None:
    """It moved, was backed up there, and moved back: the newest is where it is not."""
    lab.move_guest(first(prepared), prepared.other_node)
    prepared.api.post(f"/nodes/{prepared.other_node}/vzdump", vmid=first(prepared), storage=prepared.backups)
    lab.move_guest(first(prepared), prepared.node)
    (older,), (newest,) = archives(prepared), archives(prepared, prepared.other_node)
    with prepared.unwritten():
        result = refused(in_place(prepared))
    assert newest in result.message and f"only {prepared.other_node} can read" in result.message
    assert f"backup={older}" in result.message
    assert succeeded(in_place(prepared, backup=older)).data["backup"]["volid"] == older


def test_a_guest_on_a_node_that_is_off(lab: Any, prepared: Any) -> None:
    lab.move_guest(first(prepared), prepared.other_node)
    lab.node_offline(prepared.other_node)
    with prepared.unwritten():
        result = refused(in_place(prepared))
    assert prepared.other_node in result.message and "newid" in result.message


def test_what_was_restored_before_can_be_backed_up_and_restored(prepared: Any) -> None:
    """Its mark is that of another guest's backup, and says nothing of its own."""
    succeeded(beside(prepared))
    prepared.api.post(f"/nodes/{prepared.node}/vzdump", vmid=other(prepared), storage=prepared.backups)
    allow = [f"replace_guest:{other(prepared)}"]
    succeeded(prepared.run(MODULE, vmid=other(prepared), beside=spare(prepared), allow=allow))
    assert config(prepared, other(prepared))["description"].strip() == "PACS"


@pytest.mark.parametrize(
    "options",
    [
        {"vmid": 7},
        {"newid": 100, "vmid": 100},
        {"vmid": 100, "newid": 101, "beside": 102},
        {"vmid": 100, "backup": "vzdump-qemu-100"},
        {"vmid": 100, "timeout": 0},
    ],
)
def test_options_that_make_no_sense(pve: Any, options: dict[str, Any]) -> None:
    with pve.unwritten():
        refused(pve.run(MODULE, **options))
