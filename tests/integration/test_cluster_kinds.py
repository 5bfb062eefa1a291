# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Storages, pools, high availability, backup jobs and pve_info against the simulated cluster, over its API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.converge import Clock, Outcome, converge
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import (
    Connection,
    options_from_environment,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import NotPermitted
from ansible_collections.hospital.continuity.plugins.module_utils.pve.information import gather
from ansible_collections.hospital.continuity.plugins.module_utils.pve.registry import KINDS
from lab.pve import Lab

TABLES = ("storage", "pool", "ha_resource", "ha_rule", "backup_job")
STORAGE = {"storage": "tank", "type": "dir", "path": "/tank", "is_mountpoint": True, "content": ["backup", "iso"]}
HOSPITAL: dict[str, list[dict[str, Any]]] = {
    "storage": [
        STORAGE,
        {"storage": "nas", "type": "nfs", "server": "nas.example", "export": "/x", "prune_backups": {"keep-last": 3}},
        {"storage": "array", "type": "lvm", "vgname": "array", "shared": True, "content": ["images", "rootdir"]},
        {"storage": "zfs", "type": "zfspool", "pool": "zfs/guests", "nodes": ["pve3", "pve1"]},
        {"storage": "pbs", "type": "pbs", "server": "b", "datastore": "d", "username": "u@pbs", "password": "hush"},
    ],
    "pool": [
        {"poolid": "wards/icu", "vms": [101, 102], "comment": "Intensivstation für alle"},
        {"poolid": "wards", "storage": ["tank"], "vms": [100]},
    ],
    "ha_resource": [
        {"sid": "100", "comment": "Gemütlich ☃", "max_restart": 2},
        {"sid": "vm:101", "state": "stopped"},
        {"sid": "200", "failback": False},
    ],
    "ha_rule": [
        {"rule": "near", "type": "node-affinity", "resources": ["100"], "nodes": ["pve1:2", "pve2:0"]},
        {"rule": "apart", "type": "resource-affinity", "resources": ["101", "200"], "affinity": "negative"},
    ],
    "backup_job": [
        {
            "id": "night",
            "schedule": "21:00",
            "all": True,
            "exclude": [101],
            "storage": "tank",
            "notes_template": "{{guestname}}",
            "fleecing": {"enabled": True, "storage": "array"},
            "exclude_path": ["/a b", "/c,d"],
        },
        {"id": "icu", "schedule": "sat 02:00", "pool": "wards/icu", "enabled": False},
    ],
}


class Cluster:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.client = self.log_in(lab.token_id, lab.token_secret)

    def log_in(self, token_id: str, secret: str) -> Client:
        return Client(Connection.from_options({**self.options, "api_token_id": token_id, "api_token_secret": secret}))

    @property
    def options(self) -> dict[str, Any]:
        return options_from_environment(self.lab.environment())

    def run(
        self, name: str, config: Sequence[Any], *, check: bool = False, client: Client | None = None, **params: Any
    ) -> Outcome:
        entry = KINDS[name]
        self.lab.reset_counters()
        backend = entry.backend(client or self.client)
        declared = entry.kind.declare({"config": config, **params})
        return converge(entry.kind, declared, backend, check=check, clock=Clock(sleep=lambda _seconds: None))

    def done(self, name: str, config: Sequence[Any], **params: Any) -> list[str]:
        outcome = self.run(name, config, **params)
        assert outcome.failure == ""
        return sorted(result.line for result in outcome.results)

    def build(self) -> None:
        for name in TABLES:
            self.done(name, HOSPITAL[name])


@pytest.fixture(scope="module")
def _lab() -> Iterator[Lab]:
    with Lab(nodes=["pve1", "pve2", "pve3"]) as lab:
        yield lab


@pytest.fixture
def cluster(_lab: Lab) -> Iterator[Cluster]:
    _lab.reset()
    _lab.add_guests(3, 100)
    _lab.add_guests(1, 200, kind="lxc")
    cluster = Cluster(_lab)
    yield cluster
    cluster.client.close()


def test_a_second_run_writes_nothing_and_reads_little(cluster: Cluster) -> None:
    cluster.build()
    reads = {}
    for name in TABLES:
        assert cluster.done(name, HOSPITAL[name]) == []
        assert cluster.lab.writes == []
        reads[name] = len(cluster.lab.requests)
    # The list and, where a command's success says little, the state; members, pool by pool; guests, for bare vmids.
    assert reads == {"storage": 2, "pool": 3, "ha_resource": 3, "ha_rule": 2, "backup_job": 1}


@pytest.mark.parametrize(("name", "item"), [("storage", STORAGE), ("vm", {"vmid": 300, "name": "old", "node": "pve1"})])
def test_a_release_nobody_has_tested_is_only_read(cluster: Cluster, name: str, item: dict[str, Any]) -> None:
    cluster.lab.call(setattr, cluster.lab.cluster, "release_version", "8.4")
    for check in (True, False):
        with pytest.raises(InvalidInput, match=r"Proxmox VE 8\.4.*nothing older than 9.*upgrade.*Nothing was changed"):
            cluster.run(name, [item], check=check)
    assert cluster.lab.writes == []
    assert cluster.done("pool", [{"poolid": "none"}], state="absent") == []


def test_check_mode_predicts_and_writes_nothing(cluster: Cluster) -> None:
    for name in TABLES:
        predicted = cluster.run(name, HOSPITAL[name], check=True)
        assert cluster.lab.writes == []
        real = cluster.run(name, HOSPITAL[name])
        assert [result.step.line for result in real.results] == [result.step.line for result in predicted.results]
        assert real.predicted == predicted.predicted
        assert not real.failure


def test_what_info_returns_is_no_change_even_with_reset(cluster: Cluster) -> None:
    cluster.build()
    found = gather(cluster.client, list(KINDS))
    # Beside what was built, two realms, root@pam and its token.
    assert [len(found["config"][name]) for name in KINDS] == [8, 2, 3, 2, 2, 15, 3, 1, 1, 0, 0, 2, 0, 1, 0, 1, 0]
    assert "hush" not in str(found)
    for name in KINDS:
        assert cluster.done(name, found["config"][name], unlisted_options="reset") == [], name


def test_info_by_name(cluster: Cluster) -> None:
    cluster.build()
    config = gather(cluster.client, ["storage", "vm", "pool"], ["t*", "101", "wards/*"])["config"]
    assert [item["storage"] for item in config["storage"]] == ["tank"]
    assert [item["vmid"] for item in config["vm"]] == [101]
    assert [item["poolid"] for item in config["pool"]] == ["wards/icu"]


def test_info_of_a_cluster_in_trouble(cluster: Cluster) -> None:
    cluster.build()
    cluster.lab.lock_guest(100, "backup")
    away = next(row["node"] for row in cluster.client.get("/cluster/resources", type="vm") if row["vmid"] == 102)
    cluster.lab.node_offline(away)
    found = gather(cluster.client, list(KINDS))
    states = {(finding["subject"], finding["state"]) for finding in found["health"]}
    assert {("guest 100", "locked"), (f"node {away}", "offline"), ("guest 102", "unreachable")} <= states
    assert 102 not in [item["vmid"] for item in found["config"]["vm"]]
    assert 101 in [item["vmid"] for item in found["config"]["vm"]]


def test_everything_goes_again(cluster: Cluster) -> None:
    cluster.build()
    cluster.done("backup_job", [{"id": "night"}, {"id": "icu"}], state="absent")
    cluster.done("ha_rule", [{"rule": "near"}, {"rule": "apart"}], state="absent")
    cluster.done("ha_resource", [{"sid": "100"}, {"sid": "101"}, {"sid": "ct:200"}], state="absent")
    with pytest.raises(InvalidInput, match="still holds 101, 102"):
        cluster.run("pool", [{"poolid": "wards/icu"}], state="absent")
    assert cluster.lab.writes == []
    cluster.done("pool", HOSPITAL["pool"], state="absent")
    words = [f"remove_storage:{item['storage']}" for item in HOSPITAL["storage"]]
    cluster.done("storage", HOSPITAL["storage"], state="absent", allow=words)
    assert {name: len(things) for name, things in gather(cluster.client, TABLES)["config"].items()} == {
        "storage": 3,
        "pool": 0,
        "ha_resource": 0,
        "ha_rule": 0,
        "backup_job": 0,
    }
    for name in TABLES:
        assert (
            cluster.done(name, HOSPITAL[name], state="absent", **({"allow": words} if name == "storage" else {})) == []
        )


def test_the_lab_has_only_what_was_asked_for(cluster: Cluster) -> None:
    cluster.build()
    job = cluster.client.get("/cluster/backup/night")
    assert {name: job[name] for name in ("exclude", "fleecing", "exclude-path", "enabled")} == {
        "exclude": "101",
        "fleecing": {"enabled": 1, "storage": "array"},
        "exclude-path": ["/a b", "/c,d"],
        "enabled": 1,
    }
    rule = cluster.client.get("/cluster/ha/rules/near")
    assert (rule["resources"], rule["nodes"]) == ("vm:100", "pve1:2,pve2")
    members = cluster.client.get("/pools", poolid="wards")[0]["members"]
    assert sorted(member.get("vmid") or member["storage"] for member in members if member["type"] == "qemu") == [100]


def test_a_job_changes_what_it_backs_up(cluster: Cluster) -> None:
    cluster.build()
    assert cluster.done("backup_job", [{"id": "icu", "vmid": [102, 100]}]) == [
        "done: update backup_job icu: vmid, pool"
    ]
    job = cluster.client.get("/cluster/backup/icu")
    assert job["vmid"] == "100,102"
    assert "pool" not in job
    cluster.done("backup_job", [{"id": "icu", "all": True, "reset": ["enabled"]}])
    job = cluster.client.get("/cluster/backup/icu")
    assert (job["all"], job["enabled"]) == (1, 1)
    assert "vmid" not in job


def test_guests_change_pools_in_one_task(cluster: Cluster) -> None:
    cluster.build()
    config = [{"poolid": "wards", "vms": [101]}, {"poolid": "wards/icu", "vms": [100, 102]}]
    cluster.done("pool", config)
    pools = {row["vmid"]: row.get("pool") for row in cluster.client.get("/cluster/resources", type="vm")}
    assert pools == {100: "wards/icu", 101: "wards", 102: "wards/icu", 200: None}


def test_unlisted_jobs_go_inside_the_scope_only(cluster: Cluster) -> None:
    cluster.build()
    lines = cluster.done(
        "backup_job", [{"id": "spare", "schedule": "daily", "all": True}], unlisted="absent", scope={"id": "n*"}
    )
    assert lines == ["done: create backup_job spare", "done: delete backup_job night"]
    assert {job["id"] for job in cluster.client.get("/cluster/backup")} == {"icu", "spare"}


def test_a_guest_goes_from_one_rule_to_another_in_one_task(cluster: Cluster) -> None:
    """PVE refuses a guest in two rules of this type, so the one has to let it go first."""
    cluster.build()
    cluster.done("ha_resource", [{"sid": "102"}])
    rule = {"type": "node-affinity", "nodes": ["pve1"]}
    cluster.done("ha_rule", [{"rule": "old", **rule, "resources": ["102"]}])
    config = [{"rule": "new", **rule, "resources": ["102", "100"]}, {"rule": "old", "resources": ["101"]}]
    cluster.done("ha_rule", [*config, {"rule": "near", "disable": True}])
    assert cluster.client.get("/cluster/ha/rules/new")["resources"] == "vm:100,vm:102"


def test_ha_brings_the_guest_into_the_state(cluster: Cluster) -> None:
    outcome = cluster.run("ha_resource", [{"sid": "100"}])
    assert outcome.unmet == ()
    status = {row["vmid"]: row["status"] for row in cluster.client.get("/cluster/resources", type="vm")}
    assert status[100] == "running"


# --- bad input and faults


@pytest.mark.parametrize(
    ("name", "item", "message"),
    [
        (
            "storage",
            {**STORAGE, "nodes": ["pve9"]},
            "nodes: pve9 is no node of this cluster, which has pve1, pve2, pve3",
        ),
        ("storage", {"storage": "local-lvm", "content": ["iso"]}, "cannot hold iso"),
        ("pool", {"poolid": "x", "vms": [100, 999]}, "vms: guest 999 does not exist"),
        ("ha_resource", {"sid": "999"}, "guest 999 does not exist"),
        (
            "ha_rule",
            {"rule": "xx", "type": "node-affinity", "resources": ["102"], "nodes": ["pve1"]},
            "vm:102 is not managed",
        ),
        ("backup_job", {"id": "xx", "schedule": "daily", "all": True, "storage": "shared"}, "does not hold backup"),
        ("backup_job", {"id": "x", "schedule": "daily", "all": True}, "id: PVE takes no new name like 'x'"),
        ("backup_job", {"id": "xx", "schedule": "daily", "pool": "nowhere"}, "pool: nowhere does not exist"),
    ],
)
def test_what_can_be_known_is_refused_before_the_first_write(
    cluster: Cluster, name: str, item: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        cluster.run(name, [item])
    assert cluster.lab.writes == []


def test_a_refused_parameter_bears_its_option_name(cluster: Cluster) -> None:
    config = [{"id": "xx", "schedule": "daily", "all": True, "storage": "local", "pbs_change_detection_mode": "data"}]
    outcome = cluster.run("backup_job", [*config, {"id": "yy", "schedule": "whenever", "all": True}])
    assert "schedule: invalid format" in outcome.failure
    assert cluster.done("backup_job", config) == []


def test_a_digest_that_is_stale_overwrites_nothing(cluster: Cluster) -> None:
    cluster.build()
    cluster.lab.fail_requests(
        "PUT", "/storage/tank", 500, "detected modified configuration - file changed by other user? Try again."
    )
    outcome = cluster.run("storage", [{**STORAGE, "content": ["backup"]}])
    assert cluster.lab.writes[0].params.get("digest")
    assert "run again" in outcome.failure
    assert cluster.done("storage", [{**STORAGE, "content": ["backup"]}]) == ["done: update storage tank: content"]


def test_the_second_of_three_writes_fails_and_the_next_run_converges(cluster: Cluster) -> None:
    cluster.lab.fail_requests("POST", "/storage$", 500, "lab: ordered failure", after=1)
    outcome = cluster.run("storage", HOSPITAL["storage"][:3])
    assert sorted(result.outcome for result in outcome.results) == ["done", "done", "failed"]
    assert "lab: ordered failure" in outcome.failure
    assert len(cluster.done("storage", HOSPITAL["storage"][:3])) == 1
    assert cluster.done("storage", HOSPITAL["storage"][:3]) == []


def test_without_quorum_nothing_is_tried_twice(cluster: Cluster) -> None:
    cluster.lab.lose_quorum()
    outcome = cluster.run("pool", [{"poolid": f"p{number}"} for number in range(50)])
    assert "no quorum" in outcome.failure
    assert len(cluster.lab.writes) <= cluster.client.connection.parallel


def test_a_token_that_sees_nothing_does_not_think_there_is_nothing(cluster: Cluster) -> None:
    cluster.build()
    with cluster.log_in(*cluster.lab.limited_token({})) as blind:
        for name in ("storage", "pool"):
            for state in ("present", "absent"):
                words = {"allow": ["remove_storage:tank"]} if name == "storage" else {}
                with pytest.raises(NotPermitted, match="which does not mean that there is none"):
                    cluster.run(name, HOSPITAL[name], client=blind, state=state, **words)
                assert cluster.lab.writes == []
    with cluster.log_in(*cluster.lab.limited_token({"/pool": ["Pool.Audit"]})) as auditor:
        cluster.done("pool", HOSPITAL["pool"][1:], client=auditor)


def test_what_exists_and_is_not_seen_is_called_so(cluster: Cluster) -> None:
    cluster.build()
    rights = {"/storage/local": ["Datastore.Audit"], "/storage": ["Datastore.Allocate"]}
    with cluster.log_in(*cluster.lab.limited_token(rights)) as half_blind:
        outcome = cluster.run("storage", [STORAGE], client=half_blind)
    assert "storage tank exists, but not in what" in outcome.failure
    assert "Datastore.Audit" in outcome.failure
