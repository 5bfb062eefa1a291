# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Where guests go, and what stands against it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import NodeOffline
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.cluster import Cluster, Guest, Node
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.migration import MIGRATION
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.moving import (
    Disk,
    Ground,
    Move,
    Preconditions,
    Room,
    Terms,
    against,
    against_node,
    assigned,
    kept_to,
    of_container,
    of_vm,
)

VM = Guest(100, node="pve1", status="running", memory=10)
NODES = {name: Node(name, memory=100) for name in ("pve1", "pve2", "pve3")}
LOCAL = Preconditions(disks=(Disk("scsi0", "local-lvm:vm-100-disk-0", 50),))
# Recorded in 22-clone-template-snapshot-disk.txt, shortened.
RECORDED = {
    "mapped-resources": [],
    "local_resources": [],
    "mapped-resource-info": {},
    "local_disks": [
        {"volid": "local:300/vm-300-disk-2.raw", "is_unused": 1, "is_attached": 0, "cdrom": 0, "shared": 0},
        {"drivename": "scsi0", "volid": "local:300/vm-300-disk-1.qcow2", "size": 3221225472, "cdrom": 0, "shared": 0},
        {"drivename": "ide2", "volid": "local:300/vm-300-cloudinit.qcow2", "cdrom": 1, "is_cloudinit": 1, "shared": 0},
    ],
    "allowed_nodes": ["pve2", "pve3"],
    "has-dbus-vmstate": 1,
    "not_allowed_nodes": {"pve3": {}, "pve2": {}},
    "running": 0,
}


FREE = Preconditions()


def ground(known: Preconditions = FREE, **more: Any) -> Ground:
    return Ground(Cluster(nodes={**NODES, **more.pop("nodes", {})}), {100: known}, **more)


def test_what_was_recorded() -> None:
    known = of_vm(RECORDED, VM)
    assert [disk.slot for disk in known.disks] == ["ide2", "scsi0", "unused"]
    assert not any(disk.cd for disk in known.disks), "a cloud-init drive is made anew anywhere"
    assert known.refused == {}, "an empty entry says nothing against a node"
    (problem,) = against(VM, ground(known), Terms())
    assert "with_local_disks" in problem and "scsi0" in problem
    assert not against(VM, ground(known), Terms(local_disks=True))


@pytest.mark.parametrize(
    ("guest", "known", "says"),
    [
        (VM, Preconditions(bound=("hostpci0",)), "hostpci0"),
        (VM, Preconditions(frozen=("hostpci0",)), "hostpci0"),
        (VM, Preconditions(disks=(Disk("ide2", "local:iso/x.iso", cd=True),)), "CD image"),
        (Guest(100, node="pve1", lock="backup"), Preconditions(), "locked (backup)"),
        (VM, Preconditions(unknown="its node pve1 is offline"), "offline"),
    ],
)
def test_what_keeps_it_where_it_is(guest: Guest, known: Preconditions, says: str) -> None:
    (problem,) = against(guest, ground(known), Terms(local_disks=True))
    assert says in problem


def test_mapped_devices_do_not_keep_one_that_is_off() -> None:
    assert not against(Guest(100, node="pve1", status="stopped"), ground(Preconditions(frozen=("hostpci0",))), Terms())


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"nodes": {"pve2": Node("pve2", online=False)}}, "offline"),
        ({"nodes": {"pve2": Node("pve2", maintenance=True)}}, "maintenance"),
        ({"kept": {100: frozenset({"pve1"})}}, "strict HA rule"),
        ({"known": Preconditions(refused={"pve2": ("storage nas is not there",)})}, "nas"),
        ({"known": LOCAL}, "local-lvm is not active on pve2"),
        ({"known": LOCAL, "rooms": {("pve2", "local-lvm"): Room(("iso",))}}, "does not hold images"),
        ({"known": LOCAL, "rooms": {("pve2", "local-lvm"): Room(("images",), 49)}}, "49 bytes left"),
    ],
)
def test_what_keeps_it_off_a_node(more: dict[str, Any], says: str) -> None:
    (problem,) = against_node(VM, "pve2", ground(**more), Terms(local_disks=True))
    assert says in problem


def test_a_disk_may_go_to_another_storage() -> None:
    there = ground(LOCAL, rooms={("pve2", "fast"): Room(("images",), 50)})
    assert not against_node(VM, "pve2", there, Terms(True, {"local-lvm": "fast"}))
    assert not against_node(VM, "pve2", there, Terms(True, everything_to="fast"))
    assert against_node(VM, "pve2", there, Terms(True, {"other": "fast"}))


def test_containers_tell_by_their_configuration() -> None:
    guest = Guest(101, "lxc", "pve1")
    config = {
        "rootfs": "local-lvm:vm-101-disk-0,size=8G",
        "mp0": "nas:vm-101-disk-1,mp=/srv,size=1G",
        "mp1": "/tank/pictures,mp=/pictures",
        "mp2": "/everywhere,mp=/shared,shared=1",
        "dev0": "/dev/ttyUSB0",
    }
    known = of_container({"not-allowed-nodes": {}}, config, guest, {"nas"})
    assert known.disks == (Disk("rootfs", "local-lvm:vm-101-disk-0", 8 * 1024**3),)
    assert known.bound == ("dev0", "mp1 (/tank/pictures)")
    away = NodeOffline("x", node="pve1")
    assert "offline" in of_container(away, config, guest, ()).unknown


def test_strict_rules() -> None:
    rules = [
        {"type": "node-affinity", "strict": 1, "resources": "vm:100,vm:7", "nodes": "pve1:2,pve2"},
        {"type": "node-affinity", "strict": 1, "resources": "vm:100", "nodes": "pve2,pve3"},
        {"type": "node-affinity", "resources": "vm:100", "nodes": "pve9"},
        {"type": "node-affinity", "strict": 1, "disable": 1, "resources": "vm:100", "nodes": "pve9"},
        {"type": "resource-affinity", "resources": "vm:100", "affinity": "negative"},
    ]
    assert kept_to(rules, [VM]) == {100: frozenset({"pve2"})}


sizes = st.integers(min_value=0, max_value=120)


@given(st.lists(sizes, max_size=12), st.dictionaries(st.sampled_from(["pve2", "pve3", "pve4"]), sizes))
def test_no_node_gets_more_than_it_has_memory_for(memories: list[int], free: dict[str, int]) -> None:
    guests = [Guest(100 + n, node="pve1", status="running", memory=size) for n, size in enumerate(memories)]
    nodes = {"pve1": Node("pve1", memory=10**6), **{name: Node(name, memory=size) for name, size in free.items()}}
    moves = assigned(guests, Ground(Cluster(nodes=nodes)), Terms(), away_from="pve1")
    assert [move.guest for move in moves] == guests, "in the order given"
    sent: dict[str, int] = {}
    for move in moves:
        assert bool(move.target) != bool(move.problems)
        assert move.target != "pve1"
        if move.target:
            sent[move.target] = sent.get(move.target, 0) + move.guest.memory
    assert all(size <= free[node] for node, size in sent.items())


@given(st.lists(sizes, min_size=1, max_size=8), sizes)
def test_no_storage_gets_more_than_it_has_room_for(disks: list[int], left: int) -> None:
    guests = [Guest(100 + n, node="pve1") for n in range(len(disks))]
    known = {100 + n: Preconditions(disks=(Disk("scsi0", "local:x", size),)) for n, size in enumerate(disks)}
    there = Ground(Cluster(nodes=NODES), known, {("pve2", "local"): Room(("images",), left)})
    moves = assigned(guests, there, Terms(local_disks=True), target="pve2")
    gone = [disks[move.guest.vmid - 100] for move in moves if not move.problems]
    assert sum(gone) <= left
    assert len(gone) == len(disks) or sum(disks) > left, "nothing is refused that has room"


@pytest.mark.parametrize(
    ("guest", "disks", "sent"),
    [
        (VM, False, {"target": "pve2", "bwlimit": 5, "migration_type": "insecure", "online": 1}),
        (
            Guest(100, node="pve1", status="stopped"),
            True,
            {
                "target": "pve2",
                "bwlimit": 5,
                "migration_type": "insecure",
                "targetstorage": "a:b",
                "with-local-disks": 1,
            },
        ),
        (
            Guest(101, "lxc", "pve1", status="running"),
            True,
            {"target": "pve2", "bwlimit": 5, "target-storage": "a:b", "restart": 1},
        ),
    ],
)
def test_the_parameters_are_proxmoxs(guest: Guest, disks: bool, sent: dict[str, Any]) -> None:
    options = {"with_local_disks": True, "targetstorage": ["a:b"], "bwlimit": 5, "migration_type": "insecure"}
    order = MIGRATION.order({"vmid": [100], "target": "pve2", **options})
    assert MIGRATION.parameters(Move(guest, "pve2", takes_disks=disks), order) == sent
