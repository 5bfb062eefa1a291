# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""pve_container against the lab."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.container import CONTAINER
from lab.pve import Lab
from tests.integration.guest_runs import TEMPLATE, Guests, steps

PXE: dict[str, Any] = {
    "vmid": 200,
    "hostname": "pxe",
    "node": "pve2",
    "ostemplate": TEMPLATE,
    "password": "hct-secret",
    "unprivileged": True,
    "features": "nesting=1",
    "memory": 512,
    "description": "boots\nthe others",
    "nameserver": ["10.0.0.1", "10.0.0.2"],
    "tags": ["net", "A"],
    "disks": [
        {"slot": "rootfs", "storage": "shared", "size": "8G"},
        {"slot": "mp0", "storage": "local-lvm", "size": "2G", "mp": "/srv", "backup": True},
    ],
    "nics": [{"slot": "net0", "name": "eth0", "bridge": "vmbr0", "ip": "dhcp"}],
}


@pytest.fixture(scope="module")
def shared_lab() -> Iterator[Lab]:
    with Lab(nodes=3) as lab:
        yield lab


@pytest.fixture
def guests(shared_lab: Lab) -> Guests:
    shared_lab.reset()
    return Guests(shared_lab)


@pytest.fixture
def pxe(guests: Guests) -> Guests:
    """A lab with the running container 200."""
    outcome = guests.container({**PXE, "status": "running"})
    assert not outcome.failure
    guests.lab.reset_counters()
    return guests


def disk(slot: str, **options: Any) -> dict[str, Any]:
    return {"vmid": 200, "disks": [{"slot": slot, **options}]}


def test_a_container_is_made_and_started_as_written(guests: Guests) -> None:
    outcome = guests.settled(CONTAINER, {**PXE, "status": "running"})
    assert steps(outcome) == ["create container 200", "start container 200"]
    config = guests.lab.config(200)
    assert config["rootfs"] == "shared:vm-200-disk-0,size=8G"
    assert config["nameserver"] == "10.0.0.1 10.0.0.2"
    assert config["unprivileged"] == 1


def test_the_password_is_given_once_and_never_shown(guests: Guests) -> None:
    outcome = guests.container(PXE)
    assert "hct-secret" not in repr(outcome)
    assert [write.path for write in guests.lab.writes if "hct-secret" in str(write.params)] == ["/nodes/pve2/lxc"]
    assert not guests.container(PXE, update_secrets="always").changed


def test_what_a_running_container_takes_at_once(pxe: Guests) -> None:
    outcome = pxe.settled(CONTAINER, {**PXE, "memory": 1024, "cores": 2}, allow=["restart_guest"])
    assert steps(outcome) == ["update container 200: cores, memory"]
    outcome = pxe.settled(CONTAINER, {**PXE, "memory": 1024, "tty": 4}, allow=["restart_guest"])
    assert steps(outcome) == ["update container 200: tty", "restart container 200"]


def test_what_waits_is_told(pxe: Guests) -> None:
    outcome = pxe.settled(CONTAINER, {"vmid": 200, "tty": 4})
    assert outcome.unmet == (
        "tty 4 waits for a restart of container 200 (now the default); allow restart_guest to have it restarted",
    )


def test_volumes_grow(pxe: Guests) -> None:
    pxe.settled(CONTAINER, disk("mp0", size="3G"))
    assert pxe.sent() == ["PUT /nodes/pve2/lxc/200/resize"]
    assert "size=3G" in pxe.lab.config(200)["mp0"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (disk("rootfs", size="1G"), ("rootfs", "8G", "1G")),
        (disk("rootfs", state="absent"), ("rootfs",)),
        (disk("rootfs", storage="local-lvm"), ("rootfs", "shared", "local-lvm")),
        (disk("mp1", storage="shared", size="1G"), ("mp1", "mp")),
        (disk("mp1", storage="local", size="1G", mp="/x"), ("mp1", "local", "rootdir")),
        ({"vmid": 200, "unprivileged": False}, ("unprivileged",)),
        ({"vmid": 200, "nics": [{"slot": "net1", "bridge": "vmbr0"}]}, ("net1", "name")),
        ({"vmid": 201, "node": "pve1"}, ("ostemplate",)),
        ({"vmid": 201, "node": "pve1", "ostemplate": TEMPLATE}, ("storage", "local", "rootdir")),
        (
            {"vmid": 201, "node": "pve1", "ostemplate": "local:vztmpl/none.tar.zst", "storage": "shared"},
            ("ostemplate", "none.tar.zst", TEMPLATE),
        ),
    ],
)
def test_what_cannot_be_is_refused(pxe: Guests, change: dict[str, Any], words: tuple[str, ...]) -> None:
    message = str(pxe.refused(CONTAINER, change))
    for word in words:
        assert word in message


def test_destroying_the_volume_of_a_running_container_takes_a_restart(pxe: Guests) -> None:
    outcome = pxe.settled(
        CONTAINER, disk("mp0", state="absent"), allow=["destroy_disk:200/mp0", "restart_guest", "detach_disk"]
    )
    assert steps(outcome) == [
        "update container 200: disks",
        "restart container 200",
        "destroy volumes of container 200: mp0",
    ]
    assert not {"mp0", "unused0"} & set(pxe.lab.config(200))


def test_a_mount_point_is_detached_and_attached_elsewhere(pxe: Guests) -> None:
    pxe.settled(CONTAINER, {"vmid": 200, "status": "stopped"}, allow=["stop_guest"])
    pxe.settled(CONTAINER, disk("mp0", state="detached"), allow=["detach_disk"])
    volume = pxe.lab.config(200)["unused0"]
    pxe.settled(CONTAINER, disk("mp3", volume=volume, mp="/data"))
    assert pxe.lab.config(200)["mp3"].startswith(f"{volume},mp=/data")


def test_a_card_keeps_its_address(pxe: Guests) -> None:
    before = pxe.lab.config(200)["net0"]
    address = before.split("hwaddr=")[1].split(",")[0]
    change = {"slot": "net0", "ip": "10.0.0.5/24", "gw": "10.0.0.1", "trunks": [10, 20]}
    pxe.settled(CONTAINER, {"vmid": 200, "nics": [change]})
    assert f"hwaddr={address}" in pxe.lab.config(200)["net0"]
    assert "trunks=10;20" in pxe.lab.config(200)["net0"]


def test_a_clone_gets_what_its_item_says(guests: Guests) -> None:
    guests.settled(CONTAINER, {**PXE, "template": True})
    clone = {"vmid": 210, "hostname": "pxe2", "clone": "pxe", "full": True, "storage": "shared", "memory": 1024}
    guests.settled(CONTAINER, {**clone, "status": "running"})
    config = guests.lab.config(210)
    assert (config["hostname"], config["memory"]) == ("pxe2", 1024)
    assert config["mp0"].startswith("shared:vm-210-disk-")


def test_a_container_is_removed(pxe: Guests) -> None:
    assert "destroy_guest:200" in str(pxe.refused(CONTAINER, {"vmid": 200}, state="absent"))
    pxe.settled(CONTAINER, {"vmid": 200}, state="absent", allow=["stop_guest", "destroy_guest:200"])
    assert not pxe.container({"vmid": 200}, state="absent").changed
