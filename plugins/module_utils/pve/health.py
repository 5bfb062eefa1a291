# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What is wrong with a cluster, from a handful of its own lists. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import NodeOffline, PveError
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds import backup_job, replication
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.backup_job import BACKUP_JOB, job_problems
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.precheck import guests

STATUS = "/cluster/status"
RESOURCES = "/cluster/resources"
SERVICES = "/cluster/ha/status/current"
JOBS = "/cluster/backup"
UNCOVERED = "/cluster/backup-info/not-backed-up"
PATHS = (STATUS, RESOURCES, SERVICES, JOBS, UNCOVERED, backup_job.STORAGES, backup_job.POOLS, replication.JOBS)

# States of an HA service in which it is not where it should be and nobody can say that it will be.
_TROUBLED = ("error", "fence", "recovery")


@dataclass(frozen=True)
class Finding:
    """subject: what it is about (`node pve2`).  state: one word for it (`offline`).  message: for people."""

    subject: str
    state: str
    message: str


def findings(answers: Mapping[str, Any], unreachable: Collection[str] = ()) -> list[Finding]:
    """What is wrong. `answers` holds what each of PATHS returned, or the PveError in its place; `unreachable` are nodes
    that did not answer, which the cluster itself notices only after a while."""
    unread = [path for path in PATHS if isinstance(answers.get(path), PveError)]
    told = {path: [] if path in unread else answers.get(path) or [] for path in PATHS}
    found = [
        Finding(path, "unread", f"Not looked at: {answers[path].message} {answers[path].hint}".strip())
        for path in unread
    ]
    offline = offline_nodes(told[STATUS]) | set(unreachable)
    found += _cluster(told[STATUS], offline)
    found += _services(told[SERVICES])
    found += _storages(told[RESOURCES], offline)
    found += _guests(told[RESOURCES], offline)
    if not {RESOURCES, backup_job.STORAGES, backup_job.POOLS} & set(unread):
        found += _jobs(told)
    found += _uncovered(told[UNCOVERED], told[RESOURCES])
    found += _replications(answers)
    return found


def further_paths(told: Mapping[str, Any]) -> list[str]:
    """What to read besides, once PATHS have been: how replication goes, of the nodes that have jobs."""
    jobs = told.get(replication.JOBS)
    if isinstance(jobs, PveError):
        return []
    away = offline_nodes(told.get(STATUS))
    nodes = {str(row["source"]) for row in jobs or () if row.get("source") and not row.get("disable")}
    return [replication.states_at(node) for node in sorted(nodes - away)]


def offline_nodes(status: Any) -> set[str]:
    """The nodes that are not there, of GET /cluster/status; none where that could not be read."""
    rows = [] if isinstance(status, PveError) else status or []
    return {str(row["name"]) for row in rows if row.get("type") == "node" and not row.get("online")}


def _cluster(status: Sequence[Mapping[str, Any]], offline: set[str]) -> list[Finding]:
    found = []
    for row in status:
        if row.get("type") == "cluster" and not row.get("quorate"):
            text = "The cluster has no quorum: nothing can be changed, and HA guests are fenced."
            found.append(Finding(f"cluster {row.get('name')}", "no_quorum", text))
    found += [
        Finding(f"node {name}", "offline", f"Node {name} is not there; what it runs is down, unless HA has moved it.")
        for name in sorted(offline)
    ]
    return found


def _services(services: Sequence[Mapping[str, Any]]) -> list[Finding]:
    return [
        Finding(
            f"ha_resource {row['sid']}",
            str(row["state"]),
            f"The HA manager has {row['sid']} in state {row['state']} on {row.get('node')}.",
        )
        for row in sorted(services, key=lambda row: str(row.get("sid")))
        if row.get("type") == "service" and row.get("state") in _TROUBLED
    ]


def _storages(resources: Sequence[Mapping[str, Any]], offline: set[str]) -> list[Finding]:
    return [
        Finding(
            f"storage {row.get('storage')}",
            "not_active",
            f"Storage {row.get('storage')} is not active on {row.get('node')} ({row.get('status')}); of a new one that "
            "is normal for ten seconds.",
        )
        for row in sorted(resources, key=lambda row: str(row.get("id")))
        if row.get("type") == "storage" and row.get("status") != "available" and row.get("node") not in offline
    ]


def _guests(resources: Sequence[Mapping[str, Any]], offline: set[str]) -> list[Finding]:
    found = []
    for vmid, row in sorted(guests(resources).items()):
        who = f"guest {vmid}"
        named = f"{who} ({row['name']})" if row.get("name") else who
        if row.get("lock"):
            found.append(Finding(who, "locked", f"{named} is locked by {row['lock']}."))
        if row.get("node") in offline:
            found.append(Finding(who, "unreachable", f"{named} is on {row['node']}, which is offline."))
        elif row.get("status") == "unknown":
            found.append(
                Finding(
                    who,
                    "unknown",
                    f"Node {row.get('node')} says nothing about {named}; of a new one that is normal for ten seconds.",
                )
            )
    return found


def _jobs(told: Mapping[str, Any]) -> list[Finding]:
    nodes = [row for row in told[RESOURCES] if row.get("type") == "node"]
    answers = {
        **told,
        backup_job.NODES: nodes,
        backup_job.GUESTS: told[RESOURCES],
    }
    found = []
    for raw in sorted(told[JOBS], key=lambda row: str(row.get("id"))):
        job = BACKUP_JOB.decode(raw).state
        if job.get("enabled", True):
            for problem in job_problems(job, answers):
                found.append(Finding(f"backup_job {raw.get('id')}", "broken", f"{problem}."))
    return found


def _replications(answers: Mapping[str, Any]) -> list[Finding]:
    """Jobs whose last run failed. One that has not run yet is not sick."""
    found = []
    for path in further_paths(answers):
        states = answers.get(path)
        if isinstance(states, PveError):
            if not isinstance(states, NodeOffline):
                found.append(Finding(path, "unread", f"Not looked at: {states.message} {states.hint}".strip()))
            continue
        for row in sorted(states or (), key=lambda row: str(row.get("id"))):
            problem = replication.trouble(row)
            if problem and not problem[1]:
                text = f"Replication job {row['id']} to {row.get('target')}: {problem[0]}."
                found.append(Finding(f"replication {row['id']}", "failing", text))
    return found


def _uncovered(rows: Sequence[Mapping[str, Any]], resources: Sequence[Mapping[str, Any]]) -> list[Finding]:
    templates = {vmid for vmid, row in guests(resources).items() if row.get("template")}
    left = sorted(int(row["vmid"]) for row in rows if int(row["vmid"]) not in templates)
    if not left:
        return []
    return [Finding("backup", "incomplete", f"In no backup job: {', '.join(map(str, left))}.")]
