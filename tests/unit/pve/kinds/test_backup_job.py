# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.backup_job import (
    BACKUP_JOB,
    GUESTS,
    NODES,
    POOLS,
    STORAGES,
)
from tests.unit.pve.planning import plan, problems, sent

JOB = {
    "id": "night",
    "type": "vzdump",
    "schedule": "21:00",
    "enabled": 1,
    "all": 1,
    "exclude": "110,105",
    "storage": "backup",
    "prune-backups": {"keep-last": "3"},
    "fleecing": {"enabled": 1, "storage": "fast"},
    "performance": {"max-workers": "4"},
    "next-run": 1795831200,
}
ANSWERS = {
    NODES: [{"node": "pve1"}],
    STORAGES: [{"storage": "backup", "content": "backup,iso"}, {"storage": "isos", "content": "iso"}],
    POOLS: [{"poolid": "wards"}],
    GUESTS: [{"type": "qemu", "vmid": 100}],
}


def put(config: dict[str, Any], there: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
    """The parameters of the one PUT that the change takes."""
    ((method, path, parameters),) = sent(
        BACKUP_JOB, plan(BACKUP_JOB, [{"id": "night", **config}], there or JOB, **params)
    )
    assert (method, path) == ("PUT", "/cluster/backup/night")
    return parameters


@pytest.mark.parametrize(
    "config",
    [
        {"exclude": [105, 110]},
        {"prune_backups": {"keep-last": 3, "keep-daily": 0}},
        {"prune_backups": "keep-last=3"},
        {"fleecing": {"enabled": True, "storage": "fast"}},
        {"performance": {"max-workers": 4}},
        {"all": True, "enabled": True, "repeat_missed": False},
    ],
)
def test_another_way_of_writing_it_is_no_change(config: dict[str, Any]) -> None:
    assert not plan(BACKUP_JOB, [{"id": "night", **config}], JOB)


def test_mappings_are_sent_as_property_strings_and_paths_one_by_one() -> None:
    config = {"prune_backups": {"keep-last": 5, "keep-weekly": 2}, "exclude_path": ["/a b", "/c,d"]}
    assert put(config) == {"prune-backups": "keep-last=5,keep-weekly=2", "exclude-path": ["/a b", "/c,d"]}


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        ({"vmid": [101, 100]}, {"vmid": "100,101", "delete": "all,exclude"}),
        ({"pool": "wards"}, {"pool": "wards", "delete": "all"}),
        ({"pool": "wards", "exclude": []}, {"pool": "wards", "delete": "all,exclude"}),
    ],
)
def test_another_selection_takes_the_place_of_the_one_before(
    config: dict[str, Any], parameters: dict[str, Any]
) -> None:
    assert put(config) == parameters


def test_a_reset_keeps_what_is_backed_up() -> None:
    there = {"id": "night", "schedule": "21:00", "vmid": "100", "enabled": 0, "compress": "zstd"}
    assert put({}, there, unlisted_options="reset") == {"enabled": 1, "delete": "compress"}


@pytest.mark.parametrize("config", [{"notes_template": "{{guestname}}"}, {"protected": True}])
def test_notes_and_protection_go_with_their_storage(config: dict[str, Any]) -> None:
    assert put(config)["storage"] == "backup"
    without = {name: value for name, value in JOB.items() if name != "storage"}
    with pytest.raises(InvalidInput, match="cannot be without storage"):
        put(config, without)


def test_stating_a_default_of_vzdump_pins_it() -> None:
    """Without it the node's vzdump.conf decides, which may say something else."""
    assert put({"ionice": 7, "mode": "snapshot"}) == {"ionice": 7, "mode": "snapshot"}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"all": True, "vmid": [100]}, "all and vmid exclude each other"),
        ({"vmid": [100], "exclude": [101]}, "exclude goes with all or pool"),
        ({"comment": "two\nlines", "all": True}, "comment: PVE keeps one line only"),
        ({"schedule": "daily"}, "backs up nothing"),
        ({"all": True}, "cannot be created without schedule"),
        ({"schedule": "daily", "all": True, "performance": {"workers": 3}}, "performance: workers is none of"),
    ],
)
def test_what_pve_would_refuse_is_refused_beforehand(config: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        plan(BACKUP_JOB, [{"id": "new", **config}])


def test_a_job_does_not_lose_its_selection() -> None:
    with pytest.raises(InvalidInput, match="backs up nothing"):
        plan(BACKUP_JOB, [{"id": "night", "all": False}], JOB)


def test_everything_a_job_names_has_to_be_there() -> None:
    config = [
        {"id": "aa", "schedule": "daily", "vmid": [100, 999], "storage": "isos", "node": "pve9"},
        {"id": "bb", "schedule": "daily", "pool": "labs", "fleecing": "enabled=1,storage=nowhere"},
    ]
    assert problems(BACKUP_JOB, config, answers=ANSWERS) == [
        "backup_job aa: node: pve9 is no node of this cluster, which has pve1",
        "backup_job aa: storage: storage isos does not hold backup: add it to the content of the storage",
        "backup_job aa: vmid: guest 999 does not exist, or the token does not see it",
        "backup_job bb: fleecing: storage nowhere does not exist, or the token does not see it",
        "backup_job bb: pool: labs does not exist, or the token does not see it",
    ]


def test_only_what_changes_is_looked_up() -> None:
    assert problems(BACKUP_JOB, [{"id": "night", "comment": "x", "storage": "backup"}], JOB, answers={}) == []


@pytest.mark.parametrize("schedule", ["1260", "150", "25:00", "mon..fri 8:75"])
def test_a_time_that_is_none_is_refused_before_anything_is_written(schedule: str) -> None:
    with pytest.raises(InvalidInput, match=r"is no time|there is no time"):
        plan(BACKUP_JOB, [{"id": "night", "schedule": schedule}], JOB)


@pytest.mark.parametrize(
    "schedule", ["30", "21:30", "mon..fri 8..17,22:0/15", "2/4:00,30", "*:0/15", "daily", "*-1-15 3:30"]
)
def test_a_time_as_proxmox_writes_it_is_taken(schedule: str) -> None:
    assert put({"schedule": schedule})["schedule"] == schedule
