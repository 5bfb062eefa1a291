# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Scheduled backups. PVE API: /cluster/backup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing, placed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration, Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import DELETE, Plan, Step
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import (
    Boolean,
    Lines,
    Number,
    Properties,
    Text,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Answers, RestKind
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.precheck import (
    UNSEEN,
    storage_problems,
    unknown_guests,
    unknown_nodes,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.schedule import check_schedule
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import (
    KEEP,
    Repeated,
    boolean,
    check_new_id,
    number,
    properties,
    text,
    unordered,
    vmids,
)

# A job backs up all guests, some by number, or those of a pool: exactly one of these.
SELECTIONS = ("all", "vmid", "pool")
# PVE wants the storage in the same call.
_WITH_STORAGE = ("notes_template", "protected")

NODES, STORAGES, POOLS, GUESTS = "/nodes", "/storage", "/pools", "/cluster/resources?type=vm"


@dataclass(frozen=True)
class BackupJobKind(RestKind):
    """Naming another selection takes the place of the one before."""

    def check(self, item: Item) -> None:
        chosen = [name for name in SELECTIONS if item.options.get(name)]
        if len(chosen) > 1:
            raise InvalidInput(f"{' and '.join(chosen)} exclude each other.", hint="Give one of all, vmid and pool.")
        if item.options.get("exclude") and item.options.get("vmid"):
            raise InvalidInput(
                "exclude goes with all or pool, not with vmid.", hint="Leave out of vmid what not to save."
            )
        check_schedule(str(item.options.get("schedule") or ""))
        for name in ("comment", "notes_template"):
            if "\n" in str(item.options.get(name) or ""):
                hint = r"Write \n in single quotes for a new line." if name == "notes_template" else "Join the lines."
                raise InvalidInput(f"{name}: PVE keeps one line only.", hint=hint)

    def wanted(self, item: Item, current: Mapping[str, Any], declared: Declaration) -> tuple[dict[str, Any], list[str]]:
        chosen = next((name for name in SELECTIONS if item.options.get(name)), None)
        displaced = [name for name in SELECTIONS if name != chosen and current.get(name)] if chosen else []
        if chosen == "vmid" and current.get("exclude") and "exclude" not in item.reset:
            displaced.append("exclude")
        if displaced:
            gone = {name: None for name in displaced if name not in item.options}
            item = replace(item, options={**item.options, **gone})
        after, options = super().wanted(item, current, declared)
        if options:
            _complete(after)
        return after, options

    def plan_create(self, item: Item) -> Step:
        check_new_id("id", item.key[0])
        step = super().plan_create(item)
        _complete(step.after or {})
        return step

    def encode(self, step: Step) -> dict[str, Any]:
        parameters = super().encode(step)
        after = step.after or {}
        if any(after.get(name) is not None and name in step.options for name in _WITH_STORAGE):
            parameters["storage"] = after["storage"]
        return parameters

    def precheck_paths(self, plan: Plan, declared: Declaration) -> Sequence[str]:
        touched = {name for step in plan if step.action != DELETE for name in step.options}
        needed = {
            NODES: {"node"},
            STORAGES: {"storage", "fleecing"},
            POOLS: {"pool"},
            GUESTS: {"vmid"},
        }
        return [path for path, options in needed.items() if options & touched]

    def problems(self, plan: Plan, declared: Declaration, answers: Answers) -> Sequence[str]:
        result = []
        for step in plan:
            wanted = {name: (step.after or {}).get(name) for name in step.options if step.action != DELETE}
            result += [placed(self.described(step.key), problem) for problem in job_problems(wanted, answers)]
        return result


def job_problems(wanted: Mapping[str, Any], answers: Answers) -> list[str]:
    """What a job's options name and the cluster does not have."""
    found: list[str] = []
    if wanted.get("node"):
        found += [f"node: {problem}" for problem in unknown_nodes([wanted["node"]], answers[NODES])]
    if wanted.get("storage"):
        storage = str(wanted["storage"])
        found += [placed("storage", text) for text in storage_problems(storage, answers[STORAGES], content="backup")]
    fleecing = wanted.get("fleecing")
    if isinstance(fleecing, Mapping) and fleecing.get("storage"):
        storage = str(fleecing["storage"])
        found += [placed("fleecing", text) for text in storage_problems(storage, answers[STORAGES], content="images")]
    if wanted.get("vmid"):
        found += [placed("vmid", problem) for problem in unknown_guests(wanted["vmid"], answers[GUESTS])]
    if wanted.get("pool") and wanted["pool"] not in {row.get("poolid") for row in answers[POOLS] or ()}:
        found.append(Missing(f"pool: {wanted['pool']} {UNSEEN}"))
    return found


def _complete(after: Mapping[str, Any]) -> None:
    """Raises InvalidInput for what PVE would refuse about the job as a whole."""
    chosen = [name for name in SELECTIONS if after.get(name)]
    if len(chosen) != 1:
        raise InvalidInput("backs up nothing: give one of all, vmid and pool.")
    if after.get("exclude") and chosen == ["vmid"]:
        raise InvalidInput("exclude goes with all or pool, not with vmid.")
    if not after.get("storage"):
        lonely = [name for name in _WITH_STORAGE if after.get(name) is not None]
        if lonely:
            raise InvalidInput(f"{' and '.join(lonely)} cannot be without storage.")


_FLEECING = Properties(
    default_key="enabled",
    forms={"enabled": Boolean(), "storage": Text()},
    defaults={"enabled": False},
    keys=("enabled", "storage"),
)
_PERFORMANCE = Properties(
    forms={"max-workers": Number(), "pbs-entries-max": Number()}, keys=("max-workers", "pbs-entries-max")
)

# Only what belongs to the job itself has a default here. For all that vzdump does, not set means what the node's
# /etc/vzdump.conf says, so stating PVE's own default is a change.
BACKUP_JOB = BackupJobKind(
    name="backup_job",
    identity=("id",),
    collection="/cluster/backup",
    item="/cluster/backup/{id}",
    scope=("id", "storage", "pool", "node"),
    fields=(
        text("id"),
        text("schedule", required=True),
        boolean("enabled", default=True, written=True),
        boolean("repeat_missed", wire="-", default=False),
        Field("comment", Lines()),
        # What.
        boolean("all", default=False, kept=True),
        vmids("vmid", kept=True),
        text("pool", kept=True),
        vmids("exclude"),
        text("node"),
        Field("exclude_path", Repeated(), type="list", elements="str", wire="exclude-path"),
        boolean("stdexcludes"),
        # Where, and how much of it stays.
        text("storage"),
        text("dumpdir"),
        properties("prune_backups", KEEP, wire="-"),
        boolean("remove"),
        boolean("protected"),
        text("notes_template", wire="-"),
        # How.
        Field("mode", choices=("snapshot", "suspend", "stop")),
        Field("compress", choices=("0", "1", "gzip", "lzo", "zstd")),
        number("pigz"),
        number("zstd"),
        number("bwlimit"),
        number("ionice"),
        number("lockwait"),
        number("stopwait"),
        boolean("stop"),
        boolean("quiet"),
        properties("fleecing", _FLEECING),
        properties("performance", _PERFORMANCE),
        Field(
            "pbs_change_detection_mode",
            choices=("legacy", "data", "metadata"),
            wire="pbs-change-detection-mode",
        ),
        text("script"),
        text("tmpdir"),
        # Who hears of it.
        Field(
            "notification_mode",
            choices=("auto", "legacy-sendmail", "notification-system"),
            wire="notification-mode",
        ),
        unordered("mailto"),
        Field("mailnotification", choices=("always", "failure")),
    ),
)
