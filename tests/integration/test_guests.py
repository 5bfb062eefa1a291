# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""pve_vm against the lab."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import (
    ConsentMissing,
    InvalidInput,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import Locked, NodeOffline, NoQuorum
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.vm import VM
from lab.pve import Lab
from tests.integration.guest_runs import Guests, steps

WEB: dict[str, Any] = {
    "vmid": 100,
    "name": "web1",
    "node": "pve1",
    "memory": 2048,
    "cores": 2,
    "scsihw": "virtio-scsi-single",
    "ostype": "l26",
    "agent": True,
    "tags": ["B", "a"],
    "description": "first line\nsecond\n",
    "boot": ["scsi0", "net0"],
    "disks": [{"slot": "scsi0", "storage": "shared", "size": "32G", "discard": "on", "iothread": True}],
    "nics": [{"slot": "net0", "bridge": "vmbr0", "tag": 10}],
}


@pytest.fixture(scope="module")
def shared_lab() -> Iterator[Lab]:
    with Lab(nodes=3) as lab:
        yield lab


@pytest.fixture
def guests(shared_lab: Lab) -> Guests:
    shared_lab.reset()
    return Guests(shared_lab)


def disk(slot: str = "scsi0", **options: Any) -> dict[str, Any]:
    return {"vmid": 100, "disks": [{"slot": slot, **options}]}


def nic(slot: str = "net0", **options: Any) -> dict[str, Any]:
    return {"vmid": 100, "nics": [{"slot": slot, **options}]}


@pytest.fixture
def web(guests: Guests) -> Guests:
    """A lab with the running VM 100."""
    outcome = guests.vm({**WEB, "status": "running"})
    assert not outcome.failure
    guests.lab.reset_counters()
    return guests


# --- making, changing


def test_a_vm_is_made_and_started_as_written(guests: Guests) -> None:
    outcome = guests.settled(VM, {**WEB, "status": "running"})
    assert steps(outcome) == ["create VM 100", "start VM 100"]
    config = guests.lab.config(100)
    assert config["scsi0"] == "shared:vm-100-disk-0,discard=on,iothread=1,size=32G"
    assert config["net0"].startswith("virtio=BC:24:11:")
    assert config["net0"].endswith(",bridge=vmbr0,tag=10")
    assert config["boot"] == "order=scsi0;net0"


def test_what_is_as_written_costs_one_read_a_guest_and_no_write(guests: Guests) -> None:
    items = [{**WEB, "vmid": vmid, "name": f"web{vmid}"} for vmid in range(100, 120)]
    guests.settled(VM, *items)
    guests.lab.reset_counters()
    guests.vm(*items)
    assert len(guests.lab.requests) == 21
    assert guests.lab.writes == []


def test_only_what_differs_is_written(guests: Guests) -> None:
    guests.settled(VM, WEB)
    guests.lab.reset_counters()
    outcome = guests.settled(VM, {**WEB, "cores": 4, "tags": ["a"]})
    assert steps(outcome) == ["update VM 100: cores, tags"]
    (write,) = guests.lab.writes
    assert {name: str(write.params[name]) for name in write.params if name != "digest"} == {"cores": "4", "tags": "a"}


def test_another_node_is_no_difference(web: Guests) -> None:
    web.lab.move_guest(100, "pve3")
    assert not web.vm(WEB).changed
    outcome = web.settled(VM, {**WEB, "shares": 2000})
    assert steps(outcome) == ["update VM 100: shares"]
    assert web.sent() == ["PUT /nodes/pve3/qemu/100/config"]


def test_explicit_defaults_are_no_change_and_undo_one(guests: Guests) -> None:
    guests.settled(VM, {"vmid": 100, "node": "pve1"})
    defaults = {"vmid": 100, "acpi": True, "cores": 1, "bios": "seabios", "cpu": "kvm64", "vga": "std", "memory": 512}
    assert not guests.vm(defaults).changed
    guests.settled(VM, {"vmid": 100, "cores": 4, "vga": "qxl"})
    assert steps(guests.settled(VM, defaults)) == ["update VM 100: cores, vga"]


def test_property_strings_are_compared_by_what_they_say(guests: Guests) -> None:
    written = {"vmid": 100, "node": "pve1", "cpu": "host,flags=+aes;-pcid", "startup": "order=2,up=30"}
    guests.settled(VM, written)
    same = {
        "vmid": 100,
        "cpu": {"flags": ["-pcid", "+aes"], "cputype": "host", "hidden": False},
        "startup": "up=30,order=2",
    }
    assert not guests.vm(same).changed


def test_reset_goes_back_to_defaults_and_leaves_devices_alone(guests: Guests) -> None:
    guests.settled(VM, WEB)
    before = guests.lab.config(100)
    guests.settled(VM, {"vmid": 100, "memory": 2048}, unlisted_options="reset")
    after = guests.lab.config(100)
    kept = ("name", "scsi0", "net0", "boot", "memory", "smbios1", "vmgenid")
    assert {key: after.get(key) for key in kept} == {key: before.get(key) for key in kept}
    assert not {"cores", "agent", "tags", "description", "ostype", "scsihw"} & set(after)


# --- disks


def test_a_disk_grows_and_is_made_once(web: Guests) -> None:
    outcome = web.settled(VM, disk(size="40G"))
    assert steps(outcome) == ["update VM 100: disks"]
    assert web.sent() == ["PUT /nodes/pve1/qemu/100/resize"]
    assert web.lab.config(100)["scsi0"] == "shared:vm-100-disk-0,discard=on,iothread=1,size=40G"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (disk(size="10G"), ("scsi0", "32G", "10G", "cannot shrink")),
        (disk(storage="local-lvm"), ("scsi0", "shared", "local-lvm", "not moved")),
        (disk(file="shared:vm-100-disk-9"), ("scsi0", "shared:vm-100-disk-0", "shared:vm-100-disk-9")),
        (disk(media="cdrom"), ("scsi0", "CD-ROM")),
        (disk("scsi1"), ("scsi1", "storage and size")),
        (disk("scsi1", storage="local", size="1G"), ("scsi1", "local", "images")),
        (disk("scsi77", size="1G"), ("scsi77", "scsi30")),
        (disk("ide0", storage="shared", size="1G", iothread=True), ("ide0", "iothread", "virtio")),
        (disk(size="big"), ("size", "big", "32G")),
    ],
)
def test_what_cannot_be_done_to_a_disk_is_refused(web: Guests, change: dict[str, Any], words: tuple[str, ...]) -> None:
    problem = web.refused(VM, change)
    assert isinstance(problem, InvalidInput)
    for word in words:
        assert word in str(problem)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (disk("scsi1", storage="nowhere", size="1G"), ("scsi1", "nowhere", "local-lvm")),
        ({"vmid": 120, "node": "pve1", "pool": "nowhere"}, ("pool", "nowhere")),
    ],
)
def test_what_another_task_may_make_is_missed_by_the_run_and_foreseen_in_check_mode(
    web: Guests, item: dict[str, Any], words: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidInput) as problem:
        web.vm(item)
    foreseen = web.vm(item, check=True)
    assert foreseen.changed
    for word in words:
        assert word in str(problem.value)
        assert word in foreseen.warnings[0]
    assert web.lab.writes == []


def test_a_size_that_the_storage_rounded_up_is_as_asked_for(web: Guests) -> None:
    web.lab.set_config(100, scsi0="shared:vm-100-disk-0,discard=on,iothread=1,size=33556480K")
    assert not web.vm(WEB).changed


def test_a_disk_keeps_its_volume_when_an_option_changes(web: Guests) -> None:
    web.settled(VM, {**disk(backup=False), "status": "running"})
    assert web.lab.config(100)["scsi0"] == "shared:vm-100-disk-0,backup=0,discard=on,iothread=1,size=32G"
    assert not [key for key in web.lab.config(100) if key.startswith("unused")]


def test_a_detached_disk_is_kept_and_can_be_attached_again(web: Guests) -> None:
    web.settled(VM, disk("scsi1", storage="local-lvm", size="1G"))
    problem = web.refused(VM, disk("scsi1", state="detached"))
    assert isinstance(problem, ConsentMissing)
    assert "detach_disk" in str(problem)
    web.settled(VM, disk("scsi1", state="detached"), allow=["detach_disk"])
    assert web.lab.config(100)["unused0"] == "local-lvm:vm-100-disk-0"
    web.settled(VM, disk("scsi2", file="local-lvm:vm-100-disk-0"))
    assert web.lab.config(100)["scsi2"].startswith("local-lvm:vm-100-disk-0")
    assert "unused0" not in web.lab.config(100)


def test_destroying_a_disk_needs_its_name(web: Guests) -> None:
    web.settled(VM, disk("scsi1", storage="local-lvm", size="1G"))
    problem = web.refused(VM, disk("scsi1", state="absent"), allow=["destroy_disk:100/scsi0"])
    assert "destroy_disk:100/scsi1" in str(problem)
    assert "local-lvm:vm-100-disk-0" in str(problem)
    web.settled(VM, disk("scsi1", state="absent"), allow=["destroy_disk:100/scsi1"])
    assert not {"scsi1", "unused0"} & set(web.lab.config(100))


def test_a_disk_that_somebody_took_out_is_not_replaced_by_an_empty_one(web: Guests) -> None:
    web.settled(VM, disk("scsi0", state="detached"), allow=["detach_disk"])
    text = str(web.refused(VM, disk("scsi0", storage="shared", size="32G")))
    assert "shared:vm-100-disk-0" in text
    assert "a new disk would be empty" in text
    web.settled(VM, disk("scsi5", storage="local-lvm", size="1G"))
    wanted = [{"slot": "scsi0", "storage": "shared", "size": "1G"}, {"slot": "unused0"}]
    web.settled(VM, {"vmid": 100, "disks": wanted})
    assert web.lab.config(100)["unused0"] == "shared:vm-100-disk-0"
    assert web.lab.config(100)["scsi0"] == "shared:vm-100-disk-1,size=1G"


def test_a_disk_that_leaves_at_the_next_restart_is_not_replaced_by_an_empty_one(web: Guests) -> None:
    added = disk("sata1", storage="shared", size="1G")
    web.settled(VM, added, allow=["restart_guest"])
    web.settled(VM, disk("sata1", state="detached"), allow=["detach_disk"])
    assert "leaves at the next restart" in str(web.refused(VM, added))


def test_a_clone_beyond_the_reach_of_its_disks_is_refused_beforehand(guests: Guests) -> None:
    local = {"slot": "scsi0", "storage": "local-lvm", "size": "1G"}
    guests.settled(VM, {"vmid": 100, "node": "pve1", "disks": [local]})
    text = str(guests.refused(VM, {"vmid": 101, "node": "pve2", "clone": "100"}))
    assert "node: 100 is on pve1 and has disks on local-lvm, which other nodes do not reach" in text


def test_an_unused_disk_can_be_destroyed(web: Guests) -> None:
    web.settled(VM, disk("scsi1", storage="local-lvm", size="1G"))
    web.settled(VM, disk("scsi1", state="detached"), allow=["detach_disk"])
    web.settled(VM, disk("unused0", state="absent"), allow=["destroy_disk:100/unused0"])
    assert "unused0" not in web.lab.config(100)


def test_cdroms_are_emptied_and_go_without_consent(guests: Guests) -> None:
    guests.settled(VM, {**WEB, "disks": [*WEB["disks"], {"slot": "ide2", "media": "cdrom"}]})
    assert guests.lab.config(100)["ide2"] == "none,media=cdrom"
    assert not guests.vm(disk("ide2", media="cdrom", file="none")).changed
    guests.settled(VM, disk("ide2", state="absent"))
    assert "ide2" not in guests.lab.config(100)


def test_efi_tpm_and_cloudinit_drives(guests: Guests) -> None:
    windows = {
        "vmid": 100,
        "node": "pve2",
        "ostype": "win11",
        "machine": "q35",
        "bios": "ovmf",
        "cipassword": "hct-secret",
        "disks": [
            {"slot": "efidisk0", "storage": "shared", "efitype": "4m"},
            {"slot": "tpmstate0", "storage": "shared", "version": "v2.0", "size": "4M"},
            {"slot": "ide2", "media": "cloudinit", "storage": "local-lvm"},
        ],
    }
    guests.settled(VM, windows)
    assert guests.lab.config(100)["machine"] == "pc-q35-10.1"
    assert guests.lab.config(100)["tpmstate0"].endswith("size=4M,version=v2.0")
    assert not guests.vm({**windows, "machine": {"type": "q35"}}).changed
    assert guests.vm({**windows, "machine": "pc"}, check=True).changed


# --- network cards


def test_a_card_keeps_its_address(web: Guests) -> None:
    mac = web.lab.config(100)["net0"].split(",")[0]
    web.settled(VM, nic(tag=20, firewall=True))
    assert web.lab.config(100)["net0"] == f"{mac},bridge=vmbr0,firewall=1,tag=20"


def test_removing_a_card_needs_consent(web: Guests) -> None:
    web.settled(VM, nic("net1", bridge="vmbr0", model="e1000"))
    assert "detach_nic" in str(web.refused(VM, nic("net1", state="absent")))
    web.settled(VM, nic("net1", state="absent"), allow=["detach_nic:100"])
    assert "net1" not in web.lab.config(100)


def test_a_refused_hotplug_is_told_and_waits(web: Guests) -> None:
    web.lab.call(lambda: setattr(web.lab.cluster.guest(100), "acpi", False))
    outcome = web.vm(nic(model="e1000"))
    assert not outcome.failure
    assert "hotplug problem" in outcome.warnings[0]
    assert "nics net0" in outcome.unmet[0]
    assert web.vm(nic(model="e1000")).unmet == outcome.unmet


# --- what waits for a restart


def test_what_waits_is_told_until_a_restart_is_allowed(web: Guests) -> None:
    outcome = web.settled(VM, {**WEB, "memory": 4096})
    assert steps(outcome) == ["update VM 100: memory"]
    assert outcome.unmet == (
        "memory 4096 waits for a restart of VM 100 (now 2048); allow restart_guest to have it restarted",
    )
    outcome = web.settled(VM, {**WEB, "memory": 4096}, allow=["restart_guest"])
    assert steps(outcome) == ["restart VM 100"]
    assert outcome.unmet == ()
    assert web.lab.config(100)["memory"] == "4096"


def test_a_restart_is_planned_with_the_change_and_only_for_what_needs_it(web: Guests) -> None:
    outcome = web.settled(VM, {**WEB, "cores": 4}, allow=["restart_guest:100"])
    assert steps(outcome) == ["update VM 100: cores", "restart VM 100"]
    outcome = web.settled(VM, {**WEB, "cores": 4, "tags": ["x"], "shares": 2000}, allow=["restart_guest"])
    assert steps(outcome) == ["update VM 100: shares, tags"]


def test_hotplug_decides_whether_a_card_waits(web: Guests) -> None:
    web.settled(VM, {"vmid": 100, "hotplug": ["0"]})
    outcome = web.settled(VM, nic(tag=30), allow=["restart_guest"])
    assert steps(outcome) == ["update VM 100: nics", "restart VM 100"]


def test_changes_that_wait_for_others_options_are_not_ours(web: Guests) -> None:
    web.settled(VM, {"vmid": 100, "memory": 4096})
    outcome = web.vm({"vmid": 100, "tags": ["a", "b"]}, allow=["restart_guest"])
    assert (steps(outcome), outcome.unmet) == ([], ())


# --- power


def test_stopping_needs_consent_and_shuts_down(web: Guests) -> None:
    assert "stop_guest" in str(web.refused(VM, {"vmid": 100, "status": "stopped"}))
    web.settled(VM, {"vmid": 100, "status": "stopped", "cores": 3}, allow=["stop_guest"])
    assert web.sent() == ["POST /nodes/pve1/qemu/100/status/shutdown", "PUT /nodes/pve1/qemu/100/config"]


def test_a_deaf_guest_is_switched_off_only_when_told(web: Guests) -> None:
    web.lab.call(lambda: setattr(web.lab.cluster.guest(100), "acpi", False))
    off = {"vmid": 100, "status": "stopped", "shutdown_timeout": 3}
    assert "got timeout" in web.vm(off, allow=["stop_guest"]).failure
    web.settled(VM, {**off, "force_stop": True}, allow=["stop_guest"])


def test_paused_guests_resume_and_stop(web: Guests) -> None:
    web.settled(VM, {"vmid": 100, "status": "paused"}, allow=["stop_guest"])
    assert steps(web.settled(VM, {"vmid": 100, "status": "running"})) == ["resume VM 100"]
    web.settled(VM, {"vmid": 100, "status": "paused"}, allow=["stop_guest"])
    web.settled(VM, {"vmid": 100, "status": "stopped"}, allow=["stop_guest"])


def test_the_power_of_a_managed_guest_is_not_ours(web: Guests) -> None:
    with Client(web.connection()) as client:
        client.post("/cluster/ha/resources", {"sid": "vm:100", "state": "started"})
    assert not web.vm({"vmid": 100, "status": "running"}).changed
    problem = web.refused(VM, {"vmid": 100, "status": "stopped"}, allow=["stop_guest"])
    assert "pve_ha_resource" in str(problem)
    problem = web.refused(VM, {"vmid": 100}, state="absent", allow=["stop_guest", "destroy_guest:100"])
    assert "purge" in str(problem)


# --- identity


def test_a_guest_with_another_name_is_left_alone(web: Guests) -> None:
    problem = web.refused(VM, {"vmid": 100, "name": "pacs1", "memory": 64})
    assert isinstance(problem, ConsentMissing)
    assert "web1" in str(problem)
    assert "pacs1" in str(problem)
    assert steps(web.settled(VM, {"vmid": 100, "name": "pacs1"}, allow=["rename_guest"])) == ["update VM 100: name"]


def test_a_container_is_not_a_vm(guests: Guests) -> None:
    guests.lab.add_guests(1, first_vmid=200, kind="lxc")
    problem = guests.refused(VM, {"vmid": 200, "memory": 64})
    assert "pve_container" in str(problem)


def test_two_items_with_one_number_are_refused(guests: Guests) -> None:
    assert "config[0]" in str(guests.refused(VM, {"vmid": 100}, {"vmid": 100}))


# --- cloning and templates


def test_a_clone_gets_what_its_item_says(guests: Guests) -> None:
    guests.settled(VM, {**WEB, "template": True})
    clone = {
        "vmid": 110,
        "name": "clone1",
        "clone": "web1",
        "node": "pve2",
        "full": True,
        "memory": 1024,
        "disks": [{"slot": "scsi0", "size": "40G"}, {"slot": "scsi1", "storage": "local-lvm", "size": "1G"}],
        "nics": [{"slot": "net0", "tag": 33}],
        "status": "running",
    }
    outcome = guests.settled(VM, clone)
    assert steps(outcome)[0] == "create VM 110"
    assert steps(outcome)[-1] == "start VM 110"
    config, original = guests.lab.config(110), guests.lab.config(100)
    assert (config["name"], config["memory"], config["cores"]) == ("clone1", "1024", 2)
    assert config["scsi0"].startswith("shared:vm-110-disk-0,")
    assert "size=40G" in config["scsi0"]
    assert config["net0"].split(",")[0] != original["net0"].split(",")[0]
    assert "tag=33" in config["net0"]


def test_an_existing_clone_does_not_need_its_template(guests: Guests) -> None:
    guests.settled(VM, {"vmid": 100, "node": "pve1"})
    assert not guests.vm({"vmid": 100, "clone": "gone"}).changed
    assert "gone" in str(guests.refused(VM, {"vmid": 101, "clone": "gone"}))


def test_a_linked_clone_that_the_storage_cannot_make_is_refused(guests: Guests) -> None:
    guests.settled(VM, {**WEB, "template": True})
    message = str(guests.refused(VM, {"vmid": 110, "clone": "100"}))
    for word in ("full", "scsi0", "shared", "lvm"):
        assert word in message
    assert "full" in str(guests.refused(VM, {"vmid": 110, "clone": "100", "storage": "local-lvm"}))


def test_a_linked_clone_where_the_storage_can(guests: Guests) -> None:
    disks = [{"slot": "scsi0", "storage": "local-lvm", "size": "4G"}]
    guests.settled(VM, {**WEB, "disks": disks, "template": True})
    guests.settled(VM, {"vmid": 110, "name": "linked", "clone": "web1", "cores": 1})
    assert guests.lab.config(110)["scsi0"].startswith("local-lvm:")


def test_a_hibernated_guest_wakes_and_takes_no_other_change(guests: Guests) -> None:
    guests.lab.add_guests(1)
    guests.lab.lock_guest(100, "suspended")
    assert not guests.vm({"vmid": 100, "status": "stopped"}).changed
    problem = guests.refused(VM, {"vmid": 100, "cores": 4})
    assert isinstance(problem, Locked)
    assert "hibernated" in str(problem)
    assert steps(guests.vm({"vmid": 100, "status": "running"})) == ["start VM 100"]


def test_templates_stay_templates(guests: Guests) -> None:
    guests.settled(VM, {"vmid": 100, "node": "pve1", "template": True})
    assert "template" in str(guests.refused(VM, {"vmid": 100, "template": False}))
    assert "template" in str(guests.refused(VM, {"vmid": 100, "status": "running"}))


# --- removing


def test_removing_needs_the_number_and_stops_first(web: Guests) -> None:
    problem = web.refused(VM, {"vmid": 100}, state="absent")
    assert "destroy_guest:100" in str(problem)
    assert "stop_guest" in str(problem)
    assert "shared:vm-100-disk-0" in str(problem)
    assert "web1" in str(web.refused(VM, {"vmid": 100, "name": "pacs"}, state="absent", allow=["destroy_guest:100"]))
    outcome = web.settled(VM, {"vmid": 100}, state="absent", allow=["destroy_guest:100", "stop_guest"])
    assert steps(outcome) == ["stop VM 100", "delete VM 100"]


def test_a_protected_guest_is_not_removed(guests: Guests) -> None:
    guests.settled(VM, {"vmid": 100, "node": "pve1", "protection": True})
    assert "protection" in str(guests.refused(VM, {"vmid": 100}, state="absent", allow=["destroy_guest:100"]))


def test_what_is_absent_may_be_absent(guests: Guests) -> None:
    assert not guests.vm({"vmid": 999}, state="absent").changed


# --- faults, known beforehand


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"vmid": 120, "node": "pve9"}, ("pve9", "pve1, pve2, pve3")),
        ({"vmid": 120}, ("node",)),
        ({"vmid": 120, "node": "pve1", "name": "no_name"}, ("name", "no_name")),
        ({"vmid": 120, "node": "pve1", "cores": 0}, ("cores", "1 or more")),
        ({"vmid": 120, "node": "pve1", "boot": ["scsi3"]}, ("boot", "scsi3")),
        ({"vmid": 5, "node": "pve1"}, ("vmid", "100")),
    ],
)
def test_a_new_guest_that_cannot_be_is_refused(guests: Guests, item: dict[str, Any], words: tuple[str, ...]) -> None:
    message = str(guests.refused(VM, item, {"vmid": 130, "node": "pve1"}))
    for word in words:
        assert word in message


def test_an_offline_node_is_named_with_its_guests(guests: Guests) -> None:
    guests.lab.add_guests(3, first_vmid=100)
    guests.lab.node_offline("pve2")
    problem = guests.refused(VM, {"vmid": 100, "cores": 4}, {"vmid": 101, "cores": 4})
    assert isinstance(problem, NodeOffline)
    assert "pve2" in str(problem)
    assert "101 (vm101)" in str(problem)
    assert isinstance(guests.refused(VM, {"vmid": 300, "node": "pve2"}), NodeOffline)
    guests.settled(VM, {"vmid": 100, "cores": 4})


def test_without_quorum_nothing_is_tried(guests: Guests) -> None:
    guests.lab.add_guests(1)
    guests.lab.lose_quorum()
    assert isinstance(guests.refused(VM, {"vmid": 100, "cores": 4}), NoQuorum)
    assert not guests.vm({"vmid": 100, "cores": 2}).changed


def test_a_locked_guest_is_named_with_its_lock(guests: Guests) -> None:
    guests.lab.add_guests(1)
    guests.lab.lock_guest(100, "backup")
    problem = guests.refused(VM, {"vmid": 100, "cores": 4})
    assert isinstance(problem, Locked)
    assert problem.lock == "backup"
    assert not guests.vm({"vmid": 100, "cores": 2}).changed


# --- faults on the way


def test_a_task_that_fails_stops_only_its_guest(guests: Guests) -> None:
    guests.lab.fail_tasks("qmcreate", "no space left")
    items = [{"vmid": 100, "node": "pve1"}, {"vmid": 101, "node": "pve2"}]
    outcome = guests.vm(*items)
    assert "no space left" in outcome.failure
    assert [result.outcome for result in outcome.results] == ["failed", "done"]
    assert steps(guests.settled(VM, *items)) == ["create VM 100"]


def test_a_digest_that_is_stale_is_said(web: Guests) -> None:
    web.lab.fail_requests("PUT", "/config$", 500, "checksum mismatch (file change by other user?)")
    outcome = web.vm({**WEB, "cores": 7})
    assert "update VM 100: cores" in outcome.failure
    assert steps(web.settled(VM, {**WEB, "cores": 7})) == ["update VM 100: cores"]


def test_a_guest_the_list_does_not_show_yet_is_read_where_it_was_made(guests: Guests) -> None:
    guests.settled(VM, {"vmid": 100, "node": "pve1", "name": "new"})
    guests.lab.forget_status(100)
    assert not guests.vm({"vmid": 100, "name": "new", "status": "stopped"}).changed
