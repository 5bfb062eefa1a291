# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
from __future__ import annotations

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Thing
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.storage import STATUS, STORAGE
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.storage_types import COMMON, TYPES
from tests.unit.pve.planning import plan, problems, sent

DIR = {
    "storage": "backup",
    "type": "dir",
    "path": "/tank/backup",
    "content": "iso,backup",
    "nodes": "pve2,pve1",
    "digest": "abc",
    "prune-backups": "keep-last=3,keep-monthly=0",
}
NODES = {"/nodes": [{"node": "pve1"}, {"node": "pve2"}]}


def test_another_order_of_content_and_nodes_is_no_change() -> None:
    assert not plan(STORAGE, [{"storage": "backup", "content": ["backup", "iso"], "nodes": ["pve1", "pve2"]}], DIR)


def test_keep_nothing_of_a_span_is_the_same_as_not_saying_so() -> None:
    assert not plan(STORAGE, [{"storage": "backup", "prune_backups": {"keep-last": 3}}], DIR)
    assert not plan(STORAGE, [{"storage": "backup", "prune_backups": "keep-last=3"}], DIR)


def test_only_what_differs_is_sent_with_the_digest_that_was_read() -> None:
    planned = plan(STORAGE, [{"storage": "backup", "content": ["backup"], "shared": False, "disable": True}], DIR)
    assert sent(STORAGE, planned) == [("PUT", "/storage/backup", {"content": "backup", "disable": 1, "digest": "abc"})]


def test_several_changes_send_no_digest_because_the_first_makes_it_stale() -> None:
    other = {"storage": "other", "type": "dir", "path": "/other", "content": "iso", "digest": "abc"}
    planned = plan(STORAGE, [{"storage": name, "content": ["backup"]} for name in ("backup", "other")], DIR, other)
    assert [parameters for _method, _path, parameters in sent(STORAGE, planned)] == [{"content": "backup"}] * 2


def test_an_option_is_unset_by_deleting_it() -> None:
    planned = plan(STORAGE, [{"storage": "backup", "nodes": []}], DIR)
    assert sent(STORAGE, planned) == [("PUT", "/storage/backup", {"delete": "nodes", "digest": "abc"})]


def test_resetting_everything_leaves_the_types_own_content_alone() -> None:
    shown = {"storage": "backup", "type": "dir", "path": "/x", "content": "rootdir,images"}
    assert not plan(STORAGE, [{"storage": "backup"}], shown, unlisted_options="reset")


def test_the_path_is_fixed_and_the_message_names_both() -> None:
    with pytest.raises(InvalidInput, match=r"path is '/tank/backup' and cannot become '/x'"):
        plan(STORAGE, [{"storage": "backup", "path": "/x"}], DIR)


@pytest.mark.parametrize(
    ("kind", "option", "old", "new"),
    [("zfs", "blocksize", "4k", "8k"), ("nfs", "server", "nas1", "nas2"), ("zfspool", "pool", "tank", "other")],
)
def test_some_options_are_fixed_for_some_types_only(kind: str, option: str, old: str, new: str) -> None:
    shown = {"storage": "s1", "type": kind, "content": "images", option: old}
    with pytest.raises(InvalidInput, match="it is fixed"):
        plan(STORAGE, [{"storage": "s1", option: new}], shown)


def test_the_same_option_of_another_type_can_change() -> None:
    shown = {"storage": "s1", "type": "zfspool", "pool": "tank", "blocksize": "4k"}
    ((_method, _path, parameters),) = sent(STORAGE, plan(STORAGE, [{"storage": "s1", "blocksize": "8k"}], shown))
    assert parameters == {"blocksize": "8k"}


def test_a_fixed_option_survives_a_reset() -> None:
    shown = {"storage": "s1", "type": "esxi", "server": "esx1", "username": "root", "content": "import"}
    assert not plan(STORAGE, [{"storage": "s1"}], shown, unlisted_options="reset")


def test_network_storages_are_shared_without_saying_so() -> None:
    shown = {"storage": "s1", "type": "nfs", "server": "nas", "export": "/e", "shared": 1, "content": "images"}
    assert not plan(STORAGE, [{"storage": "s1"}], shown, unlisted_options="reset")
    with pytest.raises(InvalidInput, match="shared is no option of a storage of type nfs"):
        plan(STORAGE, [{"storage": "s1", "shared": True}], shown)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"type": "lvm", "vgname": "vg", "content": ["iso"]}, "content: a storage of type lvm cannot hold iso"),
        ({"type": "dir", "path": "/x", "krbd": True}, "krbd is no option of a storage of type dir"),
        ({"type": "lvm", "vgname": "vg", "is_mountpoint": True}, "is_mountpoint is no option of a storage of type lvm"),
        ({"type": "btrfs", "path": "/x", "format": "qcow2"}, "format: a storage of type btrfs has no format qcow2"),
        ({"type": "dir", "path": "/x", "is_mountpoint": "maybe"}, "neither yes, no nor an absolute path"),
        ({"type": "dir", "path": "/x", "prune_backups": {"keep-lst": 3}}, "prune_backups: keep-lst is none of"),
        ({"type": "dir"}, "cannot be created without path"),
        ({"type": "nfs", "server": "nas"}, "cannot be created without export"),
        ({}, "cannot be created without type"),
    ],
)
def test_what_pve_would_refuse_or_drop_is_refused_beforehand(item: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        plan(STORAGE, [{"storage": "s1", **item}])


def test_the_type_is_known_from_what_is_there() -> None:
    with pytest.raises(InvalidInput, match="cannot hold vztmpl"):
        plan(STORAGE, [{"storage": "s1", "content": ["vztmpl"]}], {"storage": "s1", "type": "rbd", "content": "images"})


@pytest.mark.parametrize(("written", "canonical"), [(True, "yes"), ("1", "yes"), ("no", "no"), ("/tank/", "/tank")])
def test_a_mount_point_is_yes_no_or_a_path(written: object, canonical: str) -> None:
    planned = plan(STORAGE, [{"storage": "s1", "type": "dir", "path": "/tank/b", "is_mountpoint": written}])
    assert (next(iter(planned)).after or {})["is_mountpoint"] == canonical


def test_a_password_is_written_once_and_shown_never() -> None:
    item = {"storage": "s1", "type": "pbs", "server": "s", "datastore": "d", "username": "u@pbs", "password": "hush"}
    planned = plan(STORAGE, [item])
    assert sent(STORAGE, planned)[0][2]["password"] == "hush"
    assert "hush" not in str([planned.after(), planned.before(), *planned])
    shown = {"storage": "s1", "type": "pbs", "server": "s", "datastore": "d", "username": "u@pbs", "content": "backup"}
    assert not plan(STORAGE, [item], shown)
    again = plan(STORAGE, [item], shown, update_secrets="always")
    assert sent(STORAGE, again) == [("PUT", "/storage/s1", {"password": "hush"})]


def test_removing_a_definition_asks_for_its_name() -> None:
    (step,) = plan(STORAGE, [{"storage": "backup"}], DIR, state="absent")
    assert [consent.word for consent in step.consent] == ["remove_storage:backup"]


def test_an_unknown_node_is_named_with_those_there_are() -> None:
    (problem,) = problems(STORAGE, [{"storage": "backup", "nodes": ["pve1", "pve9"]}], DIR, answers=NODES)
    assert problem == "storage backup: nodes: pve9 is no node of this cluster, which has pve1, pve2"


def test_a_storage_that_is_not_mounted_is_unmet_and_says_why() -> None:
    things = {
        ("backup",): Thing({"type": "dir", "is_mountpoint": "yes"}),
        ("off",): Thing({"type": "dir", "disable": True}),
    }
    rows = [
        {"id": "storage/pve1/backup", "storage": "backup", "node": "pve1", "status": "available"},
        {"id": "storage/pve2/backup", "storage": "backup", "node": "pve2", "status": "unknown"},
        {"id": "storage/pve2/off", "storage": "off", "node": "pve2", "status": "unknown"},
        {"id": "storage/pve2/other", "storage": "other", "node": "pve2", "status": "unknown"},
    ]
    declared = STORAGE.declare({"config": [{"storage": "backup"}]})
    (unmet,) = STORAGE.unmet(things, declared, {STATUS: rows})
    assert unmet.passing
    assert unmet.text.startswith("storage backup is not active on pve2 (unknown)")
    assert "mounted" in unmet.text


def test_every_option_belongs_to_a_type() -> None:
    named = set().union(*(kind.options for kind in TYPES.values())) | COMMON
    assert named == {row.name for row in STORAGE.option_rows}
    assert all(set(kind.required) | kind.fixed <= kind.options for kind in TYPES.values())
    assert all(set(kind.content) <= set(kind.contents) for kind in TYPES.values())
