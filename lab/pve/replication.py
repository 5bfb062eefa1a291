# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Replication jobs: /cluster/replication, and how they go on the nodes.

A job runs for the first time, or for the last, within a minute after it was written; in a lab whose tasks are finished
at once, that is at once.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from fakepve.model import PveError
from fakepve.routing import split_list

from lab.pve import lxc_values as lv
from lab.pve import qemu_values as q
from lab.pve.cluster_options import ClusterOptions
from lab.pve.guests import Guest, Vm, digest_of
from lab.pve.volumes import split_volid

FILE_LOCK = "file-replication_cfg"
DEFAULT_SCHEDULE = "*/15"
SECONDS_TO_THE_NEXT_ROUND = 60
STALE = "detected modified configuration - file changed by other user? Try again."


class Replication(ClusterOptions):
    """replication.cfg, and the state each job is in."""

    replication: dict[str, dict[str, Any]]
    replicated: dict[str, dict[str, Any]]
    # Jobs that fail, and what they say.
    replication_faults: dict[str, str]

    def endpoints_replication(self) -> list[tuple[str, str, Any]]:
        jobs, here = "/cluster/replication", "/nodes/{node}/replication"
        return [
            ("GET", jobs, self._replication_list),
            ("POST", jobs, self._replication_create),
            ("GET", jobs + "/{id}", self._replication_read),
            ("PUT", jobs + "/{id}", self._replication_update),
            ("DELETE", jobs + "/{id}", self._replication_delete),
            ("GET", here, self._replication_states),
            ("GET", here + "/{id}/status", self._replication_state),
            ("POST", here + "/{id}/schedule_now", self._replication_now),
        ]

    # ------------------------------------------------------------- the file

    def _job_of(self, name: str) -> dict[str, Any]:
        """A job as GET shows it."""
        guest, _dash, number = name.partition("-")
        return {**self.replication[name], "id": name, "guest": int(guest), "jobnum": int(number)}

    async def _replication_list(self, v: dict[str, Any], user: str) -> Any:
        jobs = [self._job_of(name) for name in self.replication]
        return self.shuffled([job for job in jobs if self.may(user, job["guest"], "VM.Audit")])

    async def _replication_read(self, v: dict[str, Any], user: str) -> Any:
        if v["id"] not in self.replication:
            raise PveError(500, f"no such replication job '{v['id']}'")
        self._demand(user, v["id"], "VM.Audit")
        return {**self._job_of(v["id"]), "digest": digest_of(self.replication)}

    def _demand(self, user: str, name: str, privilege: str) -> None:
        vmid = int(name.partition("-")[0])
        if not self.may(user, vmid, privilege):
            raise PveError(403, f"Permission check failed (/vms/{vmid}, {privilege})")

    @staticmethod
    def _as_written(v: dict[str, Any]) -> dict[str, Any]:
        values = {k: x for k, x in v.items() if k not in ("id", "digest", "delete") and x is not None}
        if "\n" in str(values.get("comment", "")):
            raise PveError(500, "property contains a line feed")
        if "comment" in values:
            values["comment"] = values["comment"].rstrip()
        if "rate" in values:
            rate = float(values["rate"])
            values["rate"] = int(rate) if rate.is_integer() else rate
        return values

    async def _replication_create(self, v: dict[str, Any], user: str) -> Any:
        name, vmid = v["id"], int(v["id"].partition("-")[0])
        self._demand(user, name, "VM.Replicate")
        guest = self.guest(vmid)
        if guest is None:
            raise PveError(500, f"Guest '{vmid}' does not exist.")
        if v["target"] not in self.nodes:
            raise PveError(500, f"Target '{v['target']}' does not exist.")
        if v["target"] == guest.node:
            raise PveError(500, "Source and target must not be identical")
        values = self._as_written(v)
        self.need_lock(FILE_LOCK)
        if name in self.replication:
            raise PveError(500, f"replication job '{name}' already exists")
        if not self._replicatable(guest):
            raise PveError(500, "No replicatable volumes found")
        self.replication[name] = self._without_zero({**values, "source": guest.node})
        self._next_round(name)
        return None

    @staticmethod
    def _without_zero(job: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in job.items() if key != "disable" or value}

    def _replicatable(self, guest: Guest) -> bool:
        """Whether a volume of the guest is on a storage that can send it."""
        pattern, split = (q.DRIVE, q.split_drive) if isinstance(guest, Vm) else (lv.MOUNT, lv.split_mount)
        volumes = [split(str(value))[0] for key, value in guest.config.items() if pattern.match(key)]
        return any(self.storages.get(str(split_volid(each)[0]), {}).get("type") == "zfspool" for each in volumes)

    async def _replication_update(self, v: dict[str, Any], user: str) -> Any:
        name = v["id"]
        self._demand(user, name, "VM.Replicate")
        values = self._as_written(v)
        self.need_lock(FILE_LOCK)
        if name not in self.replication:
            raise PveError(500, f"no such job '{name}'")
        if v.get("digest") and v["digest"] != digest_of(self.replication):
            raise PveError(500, STALE)
        job = dict(self.replication[name])
        for key in split_list(v.get("delete")):
            if key not in ("comment", "disable", "rate", "remove_job", "schedule", "source"):
                raise PveError(500, f"no such option '{key}'")
            job.pop(key, None)
        self.replication[name] = self._without_zero({**job, **values})
        if not self.replication[name].get("remove_job"):
            self._next_round(name)
        return None

    async def _replication_delete(self, v: dict[str, Any], user: str) -> Any:
        name = v["id"]
        self._demand(user, name, "VM.Replicate")
        self.need_lock(FILE_LOCK)
        if v.get("force"):
            if v.get("keep"):
                raise PveError(400, "Parameter verification failed.", {"keep": "conflicts with parameter 'force'"})
            self._forget(name)
            return None
        if name not in self.replication:
            raise PveError(500, f"no such job '{name}'")
        self.replication[name]["remove_job"] = "local" if v.get("keep") else "full"
        self._next_round(name)
        return None

    # ------------------------------------------------------------- the runs

    def _next_round(self, name: str) -> None:
        if not self.time_scale:
            self.replicate(name)
            return

        async def later() -> None:
            await asyncio.sleep(SECONDS_TO_THE_NEXT_ROUND * self.time_scale)
            if name in self.replication:
                self.replicate(name)

        round_ = asyncio.ensure_future(later())
        self.jobs.add(round_)
        round_.add_done_callback(self.jobs.discard)

    def replicate(self, name: str) -> None:
        """The job runs now."""
        job, now = self.replication[name], int(time.time())
        if job.get("disable") and not job.get("remove_job"):
            return
        state = self.replicated.setdefault(name, {"fail_count": 0, "last_sync": 0})
        problem = self.replication_faults.get(name, "")
        if not (self.online(job["target"]) and self.online(job["source"])):
            problem = "command '/usr/bin/ssh' failed: exit code 255"
        if problem:
            state.update(last_try=now, fail_count=state["fail_count"] + 1, error=problem)
        elif job.get("remove_job"):
            self._forget(name)
        else:
            state.update(last_try=now, last_sync=now, fail_count=0, duration=1.5)
            state.pop("error", None)

    def _forget(self, name: str) -> None:
        self.replication.pop(name, None)
        self.replicated.pop(name, None)

    def fail_replication(self, name: str, problem: str) -> None:
        """From now on the job fails; it just has."""
        self.replication_faults[name] = problem
        self.replicate(name)

    def mend_replication(self, name: str) -> None:
        """It works again, and just has run."""
        self.replication_faults.pop(name, None)
        self.replicate(name)

    def _state_of(self, name: str) -> dict[str, Any]:
        job, state = self._job_of(name), self.replicated.get(name, {})
        guest = self.guest(job["guest"])
        shown = {"fail_count": 0, "last_sync": 0, "last_try": 0, "next_sync": state.get("last_try", 0) + 900, **state}
        kind = guest.kind if guest else "qemu"
        return {"schedule": DEFAULT_SCHEDULE, **job, "vmtype": kind, **shown}

    async def _replication_states(self, v: dict[str, Any], user: str) -> Any:
        states = [self._state_of(name) for name, job in self.replication.items() if job.get("source") == v["node"]]
        wanted = [row for row in states if v.get("guest") in (None, row["guest"])]
        return self.shuffled([row for row in wanted if self.may(user, row["guest"], "VM.Audit")])

    async def _replication_state(self, v: dict[str, Any], user: str) -> Any:
        if self.replication.get(v["id"], {}).get("source") != v["node"]:
            raise PveError(500, f"no such replication job '{v['id']}'")
        self._demand(user, v["id"], "VM.Audit")
        return self._state_of(v["id"])

    async def _replication_now(self, v: dict[str, Any], user: str) -> Any:
        self._demand(user, v["id"], "VM.Replicate")
        if v["id"] not in self.replication:
            raise PveError(500, f"no such replication job '{v['id']}'")
        self.replicate(v["id"])
        return None

    # ----------------------------------------------------------- the guests

    def leave(self, guest: Guest) -> None:
        """A guest's jobs go with it."""
        for name in [name for name in self.replication if name.startswith(f"{guest.vmid}-")]:
            self._forget(name)
        super().leave(guest)

    def move(self, guest: Guest, node: str) -> None:
        """A job to where the guest goes is turned round: from then on it leads back."""
        for name, job in self.replication.items():
            if name.startswith(f"{guest.vmid}-"):
                if job["target"] == node:
                    job["target"] = guest.node
                job["source"] = node
        super().move(guest, node)
