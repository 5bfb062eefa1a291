# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Backup jobs: /cluster/backup."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

from fakepve.model import PveError
from fakepve.routing import split_list

from lab.pve.ha_status import HaStatus

FILE_LOCK = "file-jobs_cfg"
FAILED = "Parameter verification failed."
# Options that become objects when they are read.
OBJECTS = ("prune-backups", "performance", "fleecing")
ROOT_ONLY = ("dumpdir", "script", "tmpdir")
NOT_DELETABLE = ("schedule", "id", "type", "enabled")
BOOLEANS = ("enabled", "keep-all")


def as_object(key: str, text: str) -> dict[str, Any]:
    """A property string as GET shows it: numbers stay strings, booleans become numbers."""
    out: dict[str, Any] = {}
    for part in split_list(text):
        name, equals, value = part.partition("=")
        if not equals:
            name, value = "enabled", part
        out[name] = int(value) if name in BOOLEANS else value
    return out


def wrapped(**errors: str) -> PveError:
    """An inner call's 400 that comes out as a 500, its fields inside the message."""
    lines = "".join(f"{key}: {text}\n" for key, text in errors.items())
    return PveError(500, f"400 {FAILED}\n{lines}")


class BackupJobs(HaStatus):
    """jobs.cfg, as far as vzdump goes."""

    backup_jobs: dict[str, dict[str, Any]]

    def endpoints_backup_jobs(self) -> list[tuple[str, str, Any]]:
        jobs = "/cluster/backup"
        return [
            ("GET", jobs, self._job_list),
            ("POST", jobs, self._job_create),
            ("GET", jobs + "/{id}", self._job_read),
            ("PUT", jobs + "/{id}", self._job_update),
            ("DELETE", jobs + "/{id}", self._job_delete),
            ("GET", "/cluster/backup-info/not-backed-up", self._not_backed_up),
        ]

    def _job_view(self, name: str) -> dict[str, Any]:
        view = {k: as_object(k, v) if k in OBJECTS else v for k, v in self.backup_jobs[name].items()}
        return {**view, "id": name, "type": "vzdump"}

    async def _job_list(self, v: dict[str, Any], user: str) -> Any:
        out = []
        for name, job in self.backup_jobs.items():
            view = self._job_view(name)
            if job.get("enabled", 1):
                # The next full hour stands for what the schedule would say.
                view["next-run"] = (int(time.time()) // 3600 + 1) * 3600
            out.append(view)
        return out

    async def _job_read(self, v: dict[str, Any], user: str) -> Any:
        if v["id"] not in self.backup_jobs:
            raise PveError(400, FAILED, {"id": f"No such job '{v['id']}'"})
        return self._job_view(v["id"])

    @staticmethod
    def _schedule(values: dict[str, Any]) -> None:
        """starttime and dow become a schedule."""
        start, days = values.pop("starttime", None), values.pop("dow", None)
        if start is not None:
            days = ",".join(split_list(days)) if days else ""
            values["schedule"] = f"{days} {start}".strip()

    def _job_values(self, v: dict[str, Any], user: str) -> dict[str, Any]:
        values = {k: x for k, x in v.items() if k not in ("id", "digest", "delete") and x is not None}
        for key in sorted(values):
            if key in ROOT_ONLY and user != "root@pam":
                raise PveError(400, FAILED, {key: "Only root may set this option."})
        pool = values.get("pool")
        if pool and pool not in self.pools:
            raise PveError(500, f"pool '{pool}' does not exist")
        if values.get("storage") is not None:
            self.storage_for(values["storage"])
        if values.get("node") and values["node"] not in self.nodes:
            raise PveError(500, f"no such cluster node '{values['node']}'")
        return values

    @staticmethod
    def _check_text(values: dict[str, Any]) -> None:
        if "\n" in str(values.get("notes-template", "")):
            raise wrapped(**{"notes-template": "contains unescaped newlines"})
        if "\n" in str(values.get("comment", "")):
            raise PveError(500, "property contains a line feed")

    @staticmethod
    def _check_selection(job: dict[str, Any]) -> None:
        chosen = [key for key in ("all", "vmid", "pool") if job.get(key)]
        if not chosen:
            raise wrapped(vmid="property is missing")
        if len(chosen) > 1:
            raise wrapped(**{chosen[0]: f"option conflicts with option '{chosen[1]}'"})
        if job.get("exclude") and not job.get("all"):
            raise wrapped(exclude="option 'exclude' requires option 'all'")

    async def _job_create(self, v: dict[str, Any], user: str) -> Any:
        values = self._job_values(v, user)
        name = v.get("id") or str(uuid.uuid4())
        if "schedule" in values and "starttime" in values:
            raise PveError(400, FAILED, {"schedule": "'schedule' and 'starttime' cannot both be set"})
        if "schedule" not in values and "starttime" not in values:
            raise PveError(400, FAILED, {"schedule": "neither 'starttime' nor 'schedule' were set"})
        self._schedule(values)
        self._check_selection(values)
        self._check_text(values)
        self.need_lock(FILE_LOCK)
        if name in self.backup_jobs:
            raise PveError(500, f"Job '{name}' already exists")
        values.setdefault("enabled", 1)
        if values.get("all") == 0:
            values.pop("all")
        self.backup_jobs[name] = values
        return None

    async def _job_update(self, v: dict[str, Any], user: str) -> Any:
        values = self._job_values(v, user)
        self.need_lock(FILE_LOCK)
        if v["id"] not in self.backup_jobs:
            raise wrapped(id=f"No such job '{v['id']}'")
        job = dict(self.backup_jobs[v["id"]])
        known = self.job_options()
        for key in split_list(v.get("delete")):
            if key not in known:
                raise wrapped(delete=f"unknown option '{key}'")
            if key in NOT_DELETABLE:
                raise wrapped(delete=f"unable to delete required option '{key}'")
            job.pop(key, None)
        if "starttime" in values:
            raise wrapped(starttime="'schedule' and 'starttime' cannot both be set")
        self._check_text(values)
        job.update(values)
        # The selection that was named last takes the place of the others.
        if values.get("vmid"):
            losers: tuple[str, ...] = ("all", "exclude", "pool")
        elif values.get("all"):
            losers = ("vmid", "pool")
        elif values.get("pool"):
            losers = ("vmid", "all", "exclude")
        else:
            losers = ()
        for key in losers:
            job.pop(key, None)
        self._check_selection(job)
        self.backup_jobs[v["id"]] = job
        return None

    def job_options(self) -> set[str]:
        """Every option a job can have."""
        from lab.pve import schema

        properties = schema.load().paths["/cluster/backup/{id}"]["PUT"]["parameters"]["properties"]
        return set(properties) - {"delete", "digest"}

    async def _job_delete(self, v: dict[str, Any], user: str) -> Any:
        self.need_lock(FILE_LOCK)
        if v["id"] not in self.backup_jobs:
            raise wrapped(id=f"No such job '{v['id']}'")
        del self.backup_jobs[v["id"]]
        return None

    async def _not_backed_up(self, v: dict[str, Any], user: str) -> Any:
        covered: set[int] = set()
        for job in self.backup_jobs.values():
            if job.get("all"):
                covered |= set(self.by_vmid) - {int(x) for x in split_list(job.get("exclude")) if re.match(r"^\d+$", x)}
            elif job.get("pool"):
                covered |= set(self.pools.get(job["pool"], ()))
            else:
                covered |= {int(x) for x in split_list(job.get("vmid"))}
        return [
            {"vmid": vmid, "type": guest.kind, "name": guest.name}
            for vmid, guest in sorted(self.by_vmid.items())
            if vmid not in covered
        ]
