# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The steps of a restore, from every state that a run before may have left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.archives import Archive
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.cluster import (
    Cluster,
    Guest,
    Node,
    Store,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.restore import (
    RESTORING,
    Beside,
    Situation,
    choose,
    no_backup,
    place,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.saved import (
    ORIGIN,
    STAND_IN,
    UNFINISHED,
    Mark,
    Saved,
)

NOW = 1_800_000_000.0
OLD = Archive("local:backup/vzdump-qemu-100-1.vma", 100, "qemu", "local", ("pve1",), time=int(NOW - 90000))
NEW = Archive("nas:backup/vzdump-qemu-100-2.vma", 100, "qemu", "nas", ("pve2", "pve3"), True, int(NOW - 3600))
RUNS = Guest(100, node="pve1", name="pacs", status="running")
OFF = replace(RUNS, status="stopped")
COPY = Guest(900, node="pve1", status="stopped")
SAVED = Saved("qemu", "", {"scsi0": "shared:vm-100-disk-0,size=8G"})


def actions(target: Guest | None, mark: Mark | None = None, stands: Beside | None = None, **params: Any) -> list[str]:
    order = RESTORING.order({"vmid": 100, **params})
    situation = Situation(
        archive=OLD, node="pve1", saved=SAVED, source=RUNS, target=target, mark=mark, beside=stands, free=901, now=NOW
    )
    return [step.action for step in RESTORING.plan(RESTORING.things(situation, order), order)]


def stand_in(*, ran: bool) -> Beside:
    return Beside(COPY, Mark(STAND_IN, 100, OLD.volid, ran))


HALF, WHOLE = Mark(UNFINISHED, 100, OLD.volid), Mark(ORIGIN, 100, OLD.volid)


@pytest.mark.parametrize(
    ("target", "mark", "stands", "params", "wanted"),
    [
        (RUNS, None, None, {}, ["restore", "replace", "start", "tidy up"]),
        (OFF, None, None, {}, ["restore", "replace", "tidy up"]),
        (OFF, None, None, {"start": True}, ["restore", "replace", "start", "tidy up"]),
        (RUNS, None, None, {"start": False}, ["restore", "replace", "tidy up"]),
        (RUNS, None, stand_in(ran=True), {}, ["replace", "start", "tidy up"]),
        (OFF, None, stand_in(ran=True), {}, ["replace", "start", "tidy up"]),
        (None, None, stand_in(ran=True), {}, ["restore", "start", "tidy up"]),
        (OFF, HALF, stand_in(ran=True), {}, ["start", "tidy up"]),
        (RUNS, HALF, stand_in(ran=True), {}, ["tidy up"]),
        (RUNS, HALF, None, {}, ["tidy up"]),
        (None, None, None, {}, ["restore"]),
        (None, None, None, {"start": True}, ["restore", "start"]),
    ],
)
def test_in_place(target: Any, mark: Any, stands: Any, params: dict[str, Any], wanted: list[str]) -> None:
    assert actions(target, mark, stands, **params) == wanted


@pytest.mark.parametrize(
    ("target", "mark", "params", "wanted"),
    [
        (None, None, {}, ["restore"]),
        (None, None, {"start": True}, ["restore", "start"]),
        (COPY, HALF, {"start": True}, ["finish", "start"]),
        (COPY, WHOLE, {"start": True}, ["start"]),
        (COPY, WHOLE, {}, []),
        (replace(COPY, status="running"), WHOLE, {"start": True}, []),
    ],
)
def test_beside(target: Any, mark: Any, params: dict[str, Any], wanted: list[str]) -> None:
    assert actions(target, mark, newid=900, **params) == wanted


@pytest.mark.parametrize(
    ("target", "mark", "says"),
    [
        (COPY, None, "is taken"),
        (COPY, Mark(ORIGIN, 77, OLD.volid), "is taken"),
        (COPY, Mark(STAND_IN, 100, OLD.volid), "is taken"),
        (COPY, Mark(ORIGIN, 100, "nas:another"), "already"),
        (replace(COPY, lock="create"), None, "being made"),
    ],
)
def test_a_number_that_is_not_free(target: Guest, mark: Mark | None, says: str) -> None:
    with pytest.raises(InvalidInput) as problem:
        actions(target, mark, newid=900)
    assert says in problem.value.message and "newid" in problem.value.message


def test_only_writing_over_needs_a_word() -> None:
    order = RESTORING.order({"vmid": 100})
    situation = Situation(archive=OLD, node="pve1", saved=SAVED, source=RUNS, target=RUNS, free=901, now=NOW)
    steps = list(RESTORING.plan(RESTORING.things(situation, order), order))
    words = {step.action: [consent.word for consent in RESTORING.consents(step)] for step in steps}
    assert words == {"restore": [], "replace": ["replace_guest:100"], "start": [], "tidy up": []}


@pytest.mark.parametrize(
    ("params", "mark", "at", "wanted"),
    [
        ({}, None, "", NEW),
        ({}, None, "pve1", OLD),
        ({"backup": OLD.volid}, None, "", OLD),
        ({"backup": OLD.volid}, None, "pve2", None),
        ({}, HALF, "", OLD),
        ({"newer_than": "2h"}, None, "pve1", None),
        ({"newer_than": "2h"}, None, "", NEW),
    ],
    ids=["newest", "what its node can read", "named", "named elsewhere", "as begun", "too old", "new enough"],
)
def test_which_backup(params: dict[str, Any], mark: Mark | None, at: str, wanted: Archive | None) -> None:
    order = RESTORING.order({"vmid": 100, **params})
    assert choose([NEW, OLD], order, NOW, mark, at) == wanted


def test_where_nothing_is_seen_it_says_so() -> None:
    order = RESTORING.order({"vmid": 100})
    assert "the token sees no storage" in no_backup(Situation(now=NOW), order)
    seen = Cluster(stores=(Store("nas", "pve1", ("backup",)),))
    text = no_backup(Situation(cluster=seen, missed=("node pve3 is offline",), now=NOW), order)
    assert text == "there is no backup of guest 100 (not looked at: node pve3 is offline)"


def test_one_that_nobody_can_read_is_passed_over() -> None:
    order = RESTORING.order({"vmid": 100})
    assert choose([replace(NEW, nodes=()), OLD], order, NOW, None, "") == OLD


def test_which_node() -> None:
    order = RESTORING.order({"vmid": 100})
    cluster = Cluster(nodes={name: Node(name, memory=size) for name, size in (("pve2", 5), ("pve3", 9))})
    assert place(NEW, order, cluster, None) == "pve3"
    assert place(NEW, order, cluster, replace(RUNS, node="pve2")) == "pve2"
    assert place(NEW, order, cluster, RUNS) == "pve3", "its own node cannot read it"
    assert place(NEW, RESTORING.order({"vmid": 100, "node": "pve2"}), cluster, None) == "pve2"


def test_the_stand_in_keeps_its_identity_and_never_starts() -> None:
    order = RESTORING.order({"vmid": 100})
    situation = Situation(archive=OLD, node="pve1", saved=SAVED, source=replace(RUNS, pool="imaging"), target=RUNS)
    mark = Mark(STAND_IN, 100, OLD.volid, ran=True)
    sent = RESTORING.parameters(situation, order, vmid=901, mark=mark, over=False)
    assert sent == {
        "vmid": 901,
        "archive": OLD.volid,
        "description": mark.line,
        "tags": "hc-stand-in",
        "pool": "imaging",
    }
    over = RESTORING.parameters(situation, order, vmid=100, mark=HALF, over=True)
    assert over == {"vmid": 100, "archive": OLD.volid, "description": HALF.line, "force": 1}


def test_a_container_is_restored_to_one_storage() -> None:
    order = RESTORING.order({"vmid": 101, "newid": 902})
    saved = Saved("lxc", "", {"rootfs": "local-lvm:vm-101-disk-0,size=8G"})
    situation = Situation(archive=replace(OLD, kind="lxc"), node="pve1", saved=saved)
    sent = RESTORING.parameters(situation, order, vmid=902, mark=HALF, over=False)
    assert sent["storage"] == "local-lvm", "Proxmox VE would take `local`"
    assert sent["ostemplate"] == OLD.volid and sent["restore"] == 1 and sent["unique"] == 1
