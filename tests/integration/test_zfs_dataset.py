# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The module zfs_dataset on programs that behave as the recordings of OpenZFS do (tests/conformance/test_zfs.py)."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from ansible_collections.hospital.continuity.plugins.module_utils import command
from lab.zfs import ZfsLab
from tests.contract.discovery import loaded
from tests.contract.invocation import Result, run_module


@pytest.fixture(scope="module")
def _lab():
    with ZfsLab("tank", "bad name") as lab:
        yield lab


@pytest.fixture
def lab(_lab):
    _lab.reset()
    return _lab


class Datasets:
    """Runs the module and counts what it wrote."""

    def __init__(self, lab: ZfsLab) -> None:
        self.lab = lab
        self.wrote = 0

    def __call__(self, *config, check=False, **params) -> Result:
        before = self.lab.writes
        result = run_module("zfs_dataset", {"config": list(config), "verify_timeout": 0, **params}, check=check)
        self.wrote = self.lab.writes - before
        assert not result.crash, result.crash
        return result


@pytest.fixture
def datasets(lab):
    return Datasets(lab)


FULL = {
    "name": "tank/backup",
    "compression": "zstd-3",
    "atime": False,
    "recordsize": 1048576,
    "quota": "10G",
    "refquota": "10M",
    "reservation": "1M",
    "mountpoint": "/srv/backup",
    "xattr": "sa",
    "acltype": "posixacl",
    "copies": 2,
    "snapdir": "visible",
    "utf8only": True,
    "properties": {"com.hospital:role": "backup", "com.hospital:number": 7},
}
VOLUME = {"name": "tank/v", "type": "volume", "volsize": "65000001", "volblocksize": "16K"}


def test_written_once_and_found_as_written(lab, datasets):
    first = datasets(FULL, VOLUME)
    assert not first.failed, first.message
    assert (first.changed, datasets.wrote, first.data["unmet"]) == (True, 2, [])
    assert first.data["after"]["tank/backup"]["quota"] == 10 * 1024**3
    assert first.data["after"]["tank/v"]["volsize"] == 65011712
    again = datasets(FULL, VOLUME)
    assert (again.changed, datasets.wrote, again.steps) == (False, 0, [])
    # What was found, as config with everything else reset, is no change either.
    assert not datasets(*first.data["after"].values(), unlisted_options="reset").changed


def test_check_mode_says_the_same_and_writes_nothing(lab, datasets):
    predicted = datasets(FULL, VOLUME, check=True)
    assert (predicted.failed, predicted.changed, datasets.wrote) == (False, True, 0)
    real = datasets(FULL, VOLUME)
    assert (predicted.planned, predicted.diff) == (real.planned, real.diff)


@pytest.mark.parametrize(("release", "meaning"), [("2.3.9-0+deb13u1", "sa"), ("2.1.11-1", "dir")])
def test_what_xattr_on_means_depends_on_the_release(lab, datasets, release, meaning):
    with lab.change() as state:
        state.release = release
        state.datasets["tank"].local["xattr"] = "on"
    assert not datasets({"name": "tank", "xattr": meaning}).changed
    assert not datasets({"name": "tank", "xattr": "on"}).changed
    assert datasets({"name": "tank", "xattr": "dir" if meaning == "sa" else "sa"}, check=True).changed


@pytest.mark.parametrize(
    ("drift", "option"),
    [
        (["set", "compression=lz4"], "compression"),
        (["inherit", "compression"], "compression"),
        (["set", "atime=on"], "atime"),
        (["set", "quota=none"], "quota"),
        (["set", "reservation=5M"], "reservation"),
        (["set", "mountpoint=/elsewhere"], "mountpoint"),
        (["set", "xattr=dir"], "xattr"),
        (["set", "com.hospital:role=other"], "properties"),
        (["inherit", "com.hospital:number"], "properties"),
    ],
)
def test_what_changed_behind_our_back_is_put_right_alone(lab, datasets, drift, option):
    datasets(FULL)
    lab.zfs("set", "others:mark=1", "tank/backup")
    lab.zfs(*drift, "tank/backup")
    result = datasets(FULL)
    assert not result.failed, result.message
    assert (result.planned, datasets.wrote) == ([f"update dataset tank/backup: {option}"], 1)
    assert not datasets(FULL).changed
    assert lab.state.datasets["tank/backup"].local["others:mark"] == "1"


def test_reset_and_none(lab, datasets):
    datasets(FULL)
    result = datasets({"name": "tank/backup", "quota": "none", "reset": ["compression", "atime", "refquota"]})
    assert not result.failed, result.message
    found = result.data["after"]["tank/backup"]
    assert not {"quota", "refquota", "compression", "atime"} & set(found)
    assert not datasets({"name": "tank/backup", "quota": 0, "compression": "off"}).changed


def test_one_task_may_change_what_another_item_inherits(lab, datasets):
    lab.zfs("set", "compression=lz4", "tank")
    lab.zfs("create", "-p", "tank/a/b")
    config = [{"name": "tank/a/b", "compression": "lz4"}, {"name": "tank", "compression": "zstd"}]
    result = datasets(*config)
    assert not result.failed, result.message
    assert not datasets(*config).changed


def test_parents_and_names_with_spaces(lab, datasets):
    refused = datasets({"name": "bad name/a/b c"})
    assert refused.failed and "parent bad name/a does not exist" in refused.message and datasets.wrote == 0
    assert datasets({"name": "bad name/a/b c", "create_parents": True}).changed
    assert not datasets({"name": "bad name/a/b c", "create_parents": True}).changed
    # Listed in the wrong order, created in the right one.
    assert not datasets({"name": "tank/x/y/z"}, {"name": "tank/x/y"}, {"name": "tank/x"}).failed


def test_a_volume_grows_and_is_never_cut_off(lab, datasets):
    datasets(VOLUME)
    assert datasets({**VOLUME, "volsize": "128M"}).changed
    refused = datasets({**VOLUME, "volsize": "32M"})
    assert refused.failed and datasets.wrote == 0
    assert "128M" in refused.message and "32M" in refused.message
    assert lab.state.datasets["tank/v"].local["volsize"] == str(128 * 1024**2)


def family(lab):
    lab.zfs("create", "-p", "tank/a/b")
    lab.zfs("snapshot", "tank/a@s1")
    lab.zfs("snapshot", "tank/a/b@s1", "tank/a/b@s2")


WORDS = ["destroy_dataset:tank/a", "destroy_dataset:tank/a/b", "destroy_snapshot:tank/a", "destroy_snapshot:tank/a/b"]


def test_destroying_needs_every_word(lab, datasets):
    family(lab)
    for missing in WORDS:
        refused = datasets({"name": "tank/a"}, state="absent", allow=[word for word in WORDS if word != missing])
        assert refused.failed and missing in refused.message and datasets.wrote == 0
    gone = datasets({"name": "tank/a"}, state="absent", allow=WORDS)
    assert not gone.failed, gone.message
    assert (gone.changed, sorted(lab.state.datasets)) == (True, ["bad name", "tank"])
    again = datasets({"name": "tank/a"}, state="absent")
    assert (again.failed, again.changed) == (False, False)


def test_several_are_destroyed_from_below(lab, datasets):
    family(lab)
    result = datasets({"name": "tank/a"}, {"name": "tank/a/b"}, state="absent", allow=WORDS)
    assert not result.failed, result.message
    assert "tank/a" not in lab.state.datasets


def test_clones_elsewhere_stop_everything(lab, datasets):
    family(lab)
    lab.zfs("clone", "tank/a@s1", "tank/clone")
    refused = datasets({"name": "tank/a"}, state="absent", allow=WORDS)
    assert refused.failed and "zfs promote tank/clone" in refused.message and datasets.wrote == 0
    both = datasets(
        {"name": "tank/a"}, {"name": "tank/clone"}, state="absent", allow=[*WORDS, "destroy_dataset:tank/clone"]
    )
    assert not both.failed, both.message


@pytest.mark.parametrize(
    ("health", "complaint"),
    [
        ("UNAVAIL", r"tank .*not imported \(state UNAVAIL: .*Do not create it anew"),
        ("ONLINE", r"tank .*not imported \(state ONLINE: .*zpool import tank"),
    ],
)
@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_pool_that_is_not_imported_is_never_absence(lab, datasets, health, complaint, state):
    with lab.change() as held:
        held.pools["tank"].imported, held.pools["tank"].health = False, health
    result = datasets({"name": "tank/a"}, state=state)
    assert result.failed and datasets.wrote == 0
    assert re.search(complaint, result.message), result.message


def test_a_pool_that_is_nowhere(lab, datasets):
    result = datasets({"name": "tnak/a"})
    assert result.failed and "There is no pool tnak" in result.message
    assert not datasets({"name": "tnak/a"}, state="absent").failed


def test_a_pool_that_cannot_be_written_to_is_known_beforehand(lab, datasets):
    with lab.change() as state:
        state.pools["tank"].health = "SUSPENDED"
    result = datasets({"name": "bad name/x"}, {"name": "tank/x"})
    assert result.failed and "SUSPENDED" in result.message and datasets.wrote == 0


def test_a_dataset_in_use_is_told_with_what_to_do(lab, datasets):
    lab.zfs("create", "tank/a")
    with lab.change() as state:
        state.datasets["tank/a"].busy = True
    result = datasets({"name": "tank/a"}, state="absent", allow=WORDS[:1])
    assert result.failed
    assert "pool or dataset is busy" in result.message and "Something uses it" in result.message


def test_a_quota_below_what_is_used_is_known_beforehand(lab, datasets):
    lab.zfs("create", "tank/a")
    result = datasets({"name": "tank/b"}, {"name": "tank/a", "quota": "1k"})
    assert result.failed and "quota 1K is less than what is used" in result.message and datasets.wrote == 0


def test_what_is_not_mounted_is_told(lab, datasets):
    lab.zfs("create", "tank/a")
    lab.zfs("umount", "tank/a")
    assert datasets({"name": "tank/a"}).data["unmet"] == [
        "tank/a: it is not mounted; what is written to /tank/a goes to the directory underneath."
    ]


def test_a_warning_is_passed_on(lab, datasets):
    datasets({"name": "tank/a"})
    result = datasets({"name": "tank/a", "sharenfs": "rw=@10.0.0.0/24"})
    assert not result.failed
    assert "NFS share creation failed" in json.dumps(result.data["warnings"])


SECRET = "correct horse battery staple"
ENCRYPTED = {
    "name": "tank/records",
    "encryption": "on",
    "keyformat": "passphrase",
    "keylocation": "prompt",
    "encryption_key": SECRET,
}


def test_a_key_goes_to_zfs_and_nowhere_else(lab, datasets):
    first = datasets(ENCRYPTED)
    assert not first.failed, first.message
    assert lab.state.datasets["tank/records"].key == SECRET
    again = datasets(ENCRYPTED)
    assert not again.changed
    changed = datasets({**ENCRYPTED, "encryption_key": "another long one"}, update_secrets="always")
    assert changed.changed and lab.state.datasets["tank/records"].key == "another long one"
    for result in (first, again, changed):
        assert SECRET not in result.everything and "another long one" not in result.everything
    assert not any(SECRET in word or "another long" in word for words in lab.log for word in words)
    with lab.change() as state:
        state.datasets["tank/records"].key_loaded = False
    assert "encryption key is not loaded" in datasets({"name": "tank/records"}).data["unmet"][0]


@pytest.mark.parametrize("lost", [False, True])
def test_after_a_write_that_failed_the_next_run_converges(lab, datasets, lost):
    config = [{"name": f"tank/d{number}"} for number in range(3)]
    with lab.failing_write(2, lost=lost):
        broken = datasets(*config)
    assert broken.failed and "1 of 3 steps failed" in broken.message
    mended = datasets(*config)
    assert (mended.failed, mended.changed, datasets.wrote) == (False, not lost, 0 if lost else 1)


def test_many_are_read_together(lab, datasets, tmp_path, monkeypatch):
    config = [{"name": f"tank/d{number}", "quota": "1G"} for number in range(20)]
    assert not datasets(*config).failed
    counter = tmp_path / "zfs"
    counter.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/runs\nexec {lab.path}/zfs "$@"\n')
    counter.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{lab.path}:/usr/bin:/bin")
    assert not datasets(*config).changed
    assert (tmp_path / "runs").read_text() == "get\n"


def test_zfs_that_is_not_there_is_one_sentence(lab, datasets, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(command, "_ADMINISTRATION", ())
    result = datasets({"name": "tank/a"})
    assert result.failed
    assert "The program zfs is not there" in result.message and "Install" in result.message


def test_the_examples_run_as_they_stand(lab, datasets):
    text = loaded("zfs_dataset").EXAMPLES.replace(
        "{{ vault_records_passphrase | default('an example, not a secret') }}", "an example, not a secret"
    )
    for task in yaml.safe_load(text):
        arguments = {"verify_timeout": 0, **task["hospital.continuity.zfs_dataset"]}
        result = run_module("zfs_dataset", arguments)
        assert not result.failed, (task["name"], result.message)
        assert result.changed and result.data["unmet"] == []
        assert not run_module("zfs_dataset", arguments).changed


def test_a_directory_with_something_in_it_is_not_hidden(lab, datasets, tmp_path):
    place = tmp_path / "old backups"
    place.mkdir()
    assert not datasets({"name": "tank/empty", "mountpoint": str(place)}).failed
    (place / "file").write_text("old")
    for check in (True, False):
        result = datasets({"name": "tank/full", "mountpoint": str(place)}, check=check)
        assert result.failed and str(place) in result.message and "overlay" in result.message
        assert datasets.wrote == 0
    assert not datasets({"name": "tank/full", "mountpoint": str(place), "overlay": True}).failed
