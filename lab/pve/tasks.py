# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Worker tasks: UPIDs, their states and logs, ordered failures, and the task lists of nodes and cluster."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

from fakepve.model import PveError, TaskError
from fakepve.routing import split_list

from lab.pve.dispatch import Dispatch, Extra, Plain

UPID = re.compile(
    r"^UPID:(?P<node>[a-zA-Z0-9-]+):(?P<pid>[0-9A-F]{8,9}):(?P<pstart>[0-9A-F]{8,9}):(?P<starttime>[0-9A-F]{8})"
    r":(?P<type>[^:\s]+):(?P<id>[^:\s]*):(?P<user>[^:\s]+):$"
)
OUTCOMES = ("ok", "error", "warning", "unknown")
Body = Callable[[], Awaitable[Any]]


class Failed(TaskError):  # type: ignore[misc]  # fakepve comes without types
    """A task that ends badly after it has said something."""

    def __init__(self, exitstatus: str, lines: list[str]) -> None:
        super().__init__(exitstatus)
        self.lines = lines


def refused(**errors: str) -> PveError:
    """PVE's 400 with a message a parameter."""
    return PveError(400, "Parameter verification failed.", errors)


class Tasks(Dispatch):
    """Runs and lists tasks."""

    tasks: dict[str, dict[str, Any]]
    tasklog: list[dict[str, Any]]
    # The running ones: the event loop itself keeps only weak references.
    jobs: set[asyncio.Future[None]]

    async def task(
        self,
        node: str,
        ttype: str,
        tid: Any,
        user: str,
        body: Body,
        vm: Any = None,
        lock: bool = True,
        log: tuple[str, ...] | list[str] = (),
        undo: Callable[[], None] | None = None,
    ) -> str:
        """Start a task and return its UPID; `undo` takes back what was prepared when an ordered failure strikes."""
        upid, pid, start = self._upid(node, ttype, tid, user)
        record: dict[str, Any] = {
            "upid": upid,
            "node": node,
            "pid": pid,
            "pstart": pid * 7,
            "starttime": start,
            "type": ttype,
            "id": str(tid),
            "user": user.split("!")[0],
            "tokenid": user.partition("!")[2] or None,
            "status": "running",
            # A list stays the caller's: what it is told while it works is in the log even where it fails.
            "log": log if isinstance(log, list) else list(log),
        }
        self.tasks[upid] = record
        self.tasklog.append(record)
        fault = self.faults.for_task(ttype)

        async def run() -> None:
            status = "OK"
            try:
                if fault:
                    await self.pause(fault.after)
                if fault and not fault.warnings:
                    record["log"].extend(fault.log)
                    if undo:
                        undo()
                    raise TaskError(fault.exitstatus)
                if vm is not None and lock:
                    await self.acquire(vm, upid)
                try:
                    note = await body()
                    if note:
                        record["log"].extend(str(note).split("\n"))
                finally:
                    if vm is not None and lock:
                        self.release(vm, upid)
                if fault:
                    record["log"].extend(fault.log)
                    status = fault.exitstatus or "WARNINGS: 1"
            except TaskError as error:
                record["log"].extend(error.lines if isinstance(error, Failed) else ())
                status = str(error)
            except PveError as error:
                status = error.message
            record["status"], record["exitstatus"], record["endtime"] = "stopped", status, int(time.time())
            if status == "OK":
                record["log"].append("TASK OK")
            elif status.startswith("WARNINGS"):
                record["log"].append("TASK " + status)
            else:
                record["log"].append("TASK ERROR: " + status)

        if self.time_scale:
            job = asyncio.ensure_future(run())
            self.jobs.add(job)
            job.add_done_callback(self.jobs.discard)
        else:
            await run()
        return upid

    # -------------------------------------------------------------- views

    def endpoints_tasks(self) -> list[tuple[str, str, Any]]:
        one = "/nodes/{node}/tasks/{upid}"
        return [
            ("GET", "/nodes/{node}/tasks", self._tasks_of_node),
            ("GET", one + "/status", self._task_state),
            ("GET", one + "/log", self._task_lines),
            ("GET", one, self._task_index),
            ("DELETE", one, self._task_stop),
            ("GET", "/cluster/tasks", self._tasks_of_cluster),
        ]

    @staticmethod
    def _entry(task: dict[str, Any]) -> dict[str, Any]:
        keys = ("upid", "node", "pid", "pstart", "starttime", "type", "id", "user", "endtime", "tokenid")
        entry = {key: task[key] for key in keys if task.get(key) is not None}
        if "exitstatus" in task:
            entry["status"] = task["exitstatus"]
        return entry

    def _may_see(self, user: str, task: dict[str, Any]) -> bool:
        owner = task["user"] + ("!" + task["tokenid"] if task.get("tokenid") else "")
        return user in (owner, task["user"]) or self.allowed(user, "/nodes/" + task["node"], "Sys.Audit")

    async def _tasks_of_node(self, v: dict[str, Any], user: str) -> Any:
        source = v.get("source") or "archive"
        wanted = split_list(v.get("statusfilter"))
        for word in wanted:
            if word not in OUTCOMES:
                raise refused(statusfilter=f"invalid format - invalid status '{word}'\n")
        chosen = []
        for task in reversed(self.tasklog):
            if task["node"] != v["node"] or not self._may_see(user, task):
                continue
            running = task["status"] == "running"
            if (source == "archive" and running) or (source == "active" and not running):
                continue
            if v.get("vmid") is not None and task["id"] != str(v["vmid"]):
                continue
            if v.get("typefilter") and task["type"] != v["typefilter"]:
                continue
            if v.get("userfilter") and v["userfilter"].lower() not in task["user"].lower():
                continue
            if v.get("since") and task["starttime"] < v["since"]:
                continue
            if v.get("until") and task["starttime"] > v["until"]:
                continue
            outcome = self._outcome(task)
            if (v.get("errors") and outcome in ("ok", "warning")) or (wanted and outcome not in wanted):
                continue
            chosen.append(self._entry(task))
        start = v.get("start") or 0
        page = Extra(data=chosen[start : start + v.get("limit", 50)])
        if chosen:
            page["total"] = len(chosen)
        return page

    @staticmethod
    def _outcome(task: dict[str, Any]) -> str:
        """The word `statusfilter` has for how a task ended."""
        status = task.get("exitstatus", "unknown")
        if status == "OK":
            return "ok"
        return "warning" if status.startswith("WARNINGS") else "unknown" if status == "unknown" else "error"

    async def _tasks_of_cluster(self, v: dict[str, Any], user: str) -> Any:
        out = []
        for task in reversed(self.tasklog):
            if self._may_see(user, task):
                entry = {name: value for name, value in self._entry(task).items() if name not in ("pid", "pstart")}
                out.append({**entry, "saved": "1" if task["status"] != "running" else "0"})
        return out[:25]

    def _task_of(self, v: dict[str, Any], user: str) -> dict[str, Any]:
        upid = str(v["upid"])
        task = self.tasks.get(upid)
        if not UPID.match(upid):
            raise refused(upid="unable to parse worker upid")
        if task is None or task["node"] != v["node"]:
            raise refused(upid="no such task")
        if not self._may_see(user, task):
            raise PveError(403, f"Permission check failed (/nodes/{v['node']}, Sys.Audit)")
        return task

    async def _task_state(self, v: dict[str, Any], user: str) -> Any:
        task = self._task_of(v, user)
        keys = ("upid", "node", "pid", "pstart", "starttime", "type", "id", "user", "status", "exitstatus", "tokenid")
        return {key: task[key] for key in keys if task.get(key) is not None}

    async def _task_lines(self, v: dict[str, Any], user: str) -> Any:
        upid = str(v["upid"])
        found = self.tasks.get(upid)
        if UPID.match(upid) and (found is None or found["node"] != v["node"]):
            return Extra(data=[{"n": 1, "t": "unable to open file - No such file or directory"}], total=1)
        lines = self._task_of(v, user)["log"]
        if v.get("download"):
            raise Plain(200, "OK", "\n".join(lines) + "\n")
        start = v.get("start") or 0
        limit = v.get("limit", 50)
        chosen = lines[start:] if limit == 0 else lines[start : start + limit]
        return Extra(data=[{"n": start + n + 1, "t": text} for n, text in enumerate(chosen)], total=len(lines))

    async def _task_index(self, v: dict[str, Any], user: str) -> Any:
        return [{"name": "log"}, {"name": "status"}]

    async def _task_stop(self, v: dict[str, Any], user: str) -> Any:
        self._task_of(v, user)
