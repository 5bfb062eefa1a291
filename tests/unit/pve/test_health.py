# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
from __future__ import annotations

from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.pve import health
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import NotPermitted
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds import backup_job
from ansible_collections.hospital.continuity.plugins.module_utils.pve.permissions import holds

WELL: dict[str, Any] = {
    health.STATUS: [
        {"type": "cluster", "name": "cordoba", "quorate": 1},
        {"type": "node", "name": "pve1", "online": 1},
        {"type": "node", "name": "pve2", "online": 1},
    ],
    health.RESOURCES: [
        {"type": "node", "node": "pve1", "status": "online"},
        {"type": "node", "node": "pve2", "status": "online"},
        {"type": "qemu", "vmid": 100, "name": "pacs", "node": "pve2", "status": "running"},
        {"type": "storage", "id": "storage/pve1/backup", "storage": "backup", "node": "pve1", "status": "available"},
    ],
    health.SERVICES: [{"type": "service", "sid": "vm:100", "state": "started", "node": "pve2"}],
    health.JOBS: [{"id": "night", "schedule": "21:00", "vmid": "100", "storage": "backup", "enabled": 1}],
    health.UNCOVERED: [],
    backup_job.STORAGES: [{"storage": "backup", "content": "backup"}],
    backup_job.POOLS: [],
}


def states(**changed: Any) -> list[tuple[str, str]]:
    answers = {**WELL, **{getattr(health, name, name): value for name, value in changed.items()}}
    return [(finding.subject, finding.state) for finding in health.findings(answers)]


def test_a_sound_cluster_has_no_findings() -> None:
    assert states() == []


def test_an_offline_node_and_what_it_held() -> None:
    status = [*WELL[health.STATUS][:2], {"type": "node", "name": "pve2", "online": 0}]
    assert states(STATUS=status) == [("node pve2", "offline"), ("guest 100", "unreachable")]


def test_no_quorum() -> None:
    status = [{"type": "cluster", "name": "cordoba", "quorate": 0}, *WELL[health.STATUS][1:]]
    assert states(STATUS=status) == [("cluster cordoba", "no_quorum")]


def test_an_inactive_storage_a_locked_guest_a_service_in_error() -> None:
    resources = [dict(row) for row in WELL[health.RESOURCES]]
    resources[2]["lock"] = "backup"
    resources[3]["status"] = "unknown"
    services = [{"type": "service", "sid": "vm:100", "state": "error", "node": "pve2"}]
    assert states(RESOURCES=resources, SERVICES=services) == [
        ("ha_resource vm:100", "error"),
        ("storage backup", "not_active"),
        ("guest 100", "locked"),
    ]


def test_a_job_whose_storage_is_gone_is_broken_unless_it_is_switched_off() -> None:
    jobs = [{"id": "night", "schedule": "21:00", "vmid": "100,101", "storage": "gone", "enabled": 1}]
    assert states(JOBS=jobs) == [("backup_job night", "broken"), ("backup_job night", "broken")]
    assert states(JOBS=[{**jobs[0], "enabled": 0}]) == []


def test_guests_in_no_job_are_named_and_templates_are_not() -> None:
    resources = [*WELL[health.RESOURCES], {"type": "qemu", "vmid": 900, "template": 1, "node": "pve1"}]
    answers = {**WELL, health.RESOURCES: resources, health.UNCOVERED: [{"vmid": 100}, {"vmid": 900}]}
    (finding,) = health.findings(answers)
    assert finding.message == "In no backup job: 100."


def test_what_may_not_be_read_is_said_and_the_rest_is_looked_at() -> None:
    problem = NotPermitted("Reading /cluster/backup failed.", hint="Give it Sys.Audit on /.")
    answers = {**WELL, health.JOBS: problem, health.STATUS: [{"type": "node", "name": "pve2", "online": 0}]}
    found = health.findings(answers)
    assert [finding.state for finding in found] == ["unread", "offline", "unreachable"]
    assert "Give it Sys.Audit" in found[0].message


def test_the_nearest_path_of_permissions_decides() -> None:
    held = {"/": {"Datastore.Audit": 1}, "/storage/secret": {"Sys.Audit": 1}, "/pool": {"Pool.Audit": 0}}
    assert holds(held, "/storage/backup", ["Datastore.Audit"])
    assert not holds(held, "/storage/secret", ["Datastore.Audit"])
    assert not holds(held, "/pool/wards", ["Pool.Audit"]), "it does not count below the path"
    assert holds(held, "/pool", ["Pool.Audit"])
    assert not holds({}, "/storage/backup", ["Datastore.Audit"])
