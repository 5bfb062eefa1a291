# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""On a cluster whose tasks take time and whose list of resources is some seconds old, one run after the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.container import CONTAINER
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.vm import VM
from lab.pve import Lab
from tests.integration.guest_runs import Guests, steps

DISK = {"slot": "scsi0", "storage": "local", "size": "1G"}


def vm(vmid: int, name: str, **options: object) -> dict[str, object]:
    return {"vmid": vmid, "name": name, "node": "pve1", "memory": 64, **options}


@pytest.fixture
def guests() -> Iterator[Guests]:
    with Lab(nodes=3, like_recorded=True) as lab:
        yield Guests(lab)


def listed(guests: Guests, vmid: int) -> dict[str, object]:
    """What GET /cluster/resources says of a guest."""
    client = guests.client()
    try:
        return next(row for row in client.get("/cluster/resources", type="vm") if row["vmid"] == vmid)
    finally:
        client.close()


def test_a_template_is_cloned_by_name_right_after_it_was_made(guests: Guests) -> None:
    listed_before = guests.vm(vm(100, "golden", disks=[DISK], template=True))
    assert not listed_before.failure
    assert "name" not in listed(guests, 100), "the cluster is not slow enough for this test"
    outcome = guests.settled(VM, {"vmid": 110, "name": "web1", "clone": "golden", "full": True})
    assert steps(outcome)[0].startswith("create VM 110")
    assert guests.lab.config(110)["name"] == "web1"


def test_a_name_that_belonged_to_another_guest_under_the_vmid_is_not_cloned(guests: Guests) -> None:
    guests.vm(vm(100, "golden"))
    guests.lab.call(lambda: setattr(guests.lab.cluster, "next_round", 0.0))
    assert listed(guests, 100)["name"] == "golden"
    guests.vm({"vmid": 100}, state="absent", allow=["destroy_guest:100"])
    guests.vm(vm(100, "patients"))
    assert listed(guests, 100)["name"] == "golden", "the cluster is not slow enough for this test"
    assert "golden" in str(guests.refused(VM, {"vmid": 110, "name": "web1", "clone": "golden", "full": True}))


def test_what_was_just_stopped_can_become_a_template(guests: Guests) -> None:
    guests.vm(vm(100, "golden", disks=[DISK], status="running"))
    guests.lab.call(lambda: setattr(guests.lab.cluster, "next_round", 0.0))
    assert listed(guests, 100)["status"] == "running"
    off = {"vmid": 100, "status": "stopped", "force_stop": True, "shutdown_timeout": 1}
    assert not guests.vm(off, allow=["stop_guest"]).failure
    assert listed(guests, 100)["status"] == "running", "the cluster is not slow enough for this test"
    assert not guests.settled(VM, {"vmid": 100, "template": True}).failure


def test_a_life(guests: Guests) -> None:
    """Created, started, changed, stopped, removed and made again, each in a run of its own, without a pause."""
    web1 = vm(100, "web1", disks=[DISK], nics=[{"slot": "net0", "bridge": "vmbr0"}], tags=["web"])
    guests.settled(VM, web1)
    guests.settled(VM, {"vmid": 100, "status": "running"})
    guests.settled(VM, {"vmid": 100, "description": "running", "nics": [{"slot": "net0", "tag": 10}]})
    off = {"vmid": 100, "status": "stopped", "force_stop": True, "shutdown_timeout": 1}
    guests.settled(VM, off, allow=["stop_guest"])
    guests.settled(VM, {"vmid": 100}, state="absent", allow=["destroy_guest:100"])
    guests.settled(VM, {**web1, "name": "web2"})
    template = "local:vztmpl/debian-12-mini_12.0_amd64.tar.gz"
    rootfs = [{"slot": "rootfs", "storage": "local", "size": "1G"}]
    container = {"vmid": 101, "hostname": "ct1", "node": "pve2", "ostemplate": template, "disks": rootfs}
    guests.settled(CONTAINER, container)
    guests.settled(CONTAINER, {"vmid": 101}, state="absent", allow=["destroy_guest:101"])


def test_what_the_hosts_lack_is_said_in_their_words(guests: Guests) -> None:
    cloudinit = {"slot": "ide2", "media": "cloudinit", "storage": "local"}
    outcome = guests.vm(vm(100, "web1", disks=[cloudinit], status="running"))
    assert "genisoimage" in outcome.failure
    assert "Mend the cause and run again" in outcome.failure


def test_what_waits_for_a_restart_is_said_of_a_guest_that_was_just_started(guests: Guests) -> None:
    guests.vm(vm(100, "web1"))
    guests.lab.call(lambda: setattr(guests.lab.cluster, "next_round", 0.0))
    assert listed(guests, 100)["status"] == "stopped"
    guests.vm({"vmid": 100, "status": "running"})
    assert listed(guests, 100)["status"] == "stopped", "the cluster is not slow enough for this test"
    outcome = guests.settled(VM, {"vmid": 100, "cores": 2})
    assert any("restart_guest" in text for text in outcome.unmet)


@pytest.mark.parametrize("listens", [True, False], ids=["listens", "deaf"])
def test_a_restart_is_over_when_the_guest_is_back(guests: Guests, listens: bool) -> None:
    """PVE's reboot task ends while the guest is down; one without an operating system does not reboot at all."""
    guests.vm(vm(100, "web1", status="running"))
    guests.lab.call(lambda: setattr(guests.lab.cluster.guest(100), "acpi", listens))
    change = {"vmid": 100, "cores": 2, "status": "running", "shutdown_timeout": 1, "force_stop": True}
    outcome = guests.settled(VM, change, allow=["restart_guest"])
    assert "restart VM 100" in steps(outcome)
    assert not outcome.unmet
    assert any("force_stop" in warning for warning in outcome.warnings) != listens
    assert guests.lab.config(100)["cores"] == 2


def test_a_guest_that_does_not_listen_stays_up_unless_force_is_allowed(guests: Guests) -> None:
    guests.vm(vm(100, "web1", status="running"))
    outcome = guests.vm({"vmid": 100, "cores": 2, "shutdown_timeout": 1}, allow=["restart_guest"])
    assert "got timeout" in outcome.failure
    assert guests.lab.call(lambda: guests.lab.cluster.guest(100).running)
