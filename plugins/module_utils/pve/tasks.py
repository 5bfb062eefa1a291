# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The one place that waits for a task (UPID): running, finished, finished with warnings, failed and timed out apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import (
    NodeOffline,
    PveError,
    TaskFailed,
    TaskTimedOut,
    Unreachable,
)

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0
# Applying a network configuration cuts the connection to its own task for a while.
SILENCE = 60.0
LOG_LINES = 10
_LOG_PAGE = 500
_WARNING = re.compile(r"^\s*(?:W|WARN|WARNING)S?:", re.IGNORECASE)

Get = Callable[..., Mapping[str, Any]]


@dataclass(frozen=True)
class TaskResult:
    """A task that ended well. `exitstatus` is `OK` or `WARNINGS: n`; `warnings` are the log's lines about them."""

    upid: str
    exitstatus: str
    warnings: tuple[str, ...] = ()


def task_path(upid: str) -> str:
    """`/nodes/{node}/tasks/{upid}` for a UPID, which names its node."""
    parts = upid.split(":")
    if len(parts) < 3 or parts[0] != "UPID" or not parts[1]:
        raise PveError(f"{upid!r} is not the id of a task.")
    return f"/nodes/{parts[1]}/tasks/{upid}"


def wait(
    get: Get, upid: str, *, timeout: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> TaskResult:
    """Poll GET /nodes/{node}/tasks/{upid}/status until the task has ended or `timeout` seconds have passed.

    `get(path, **parameters)` returns the whole body. Raises TaskFailed, TaskTimedOut, and what `get` raises.
    """
    path = task_path(upid)
    start = heard = clock()
    pause = FIRST_PAUSE
    while True:
        try:
            status = get(f"{path}/status")["data"] or {}
            heard = clock()
        except (Unreachable, NodeOffline):
            if clock() - heard >= SILENCE or clock() - start >= timeout:
                raise
            status = {}
        if status.get("status") == "stopped":
            return _ended(get, path, upid, str(status.get("exitstatus") or "it ended without a status"))
        left = timeout - (clock() - start)
        if left <= 0:
            raise TaskTimedOut(upid, timeout)
        sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE)


def _ended(get: Get, path: str, upid: str, exitstatus: str) -> TaskResult:
    if exitstatus == "OK":
        return TaskResult(upid, exitstatus)
    if exitstatus.startswith("WARNINGS"):
        lines = [line for line in _log(get, path) if _WARNING.match(line)]
        return TaskResult(upid, exitstatus, tuple(line.strip() for line in lines) or (exitstatus,))
    # The last line repeats the exit status.
    lines = [line for line in _log(get, path) if line.strip() and not line.startswith("TASK ERROR:")]
    raise TaskFailed(upid, exitstatus, lines[-LOG_LINES:])


def _log(get: Get, path: str) -> list[str]:
    """The end of a task's log; nothing where it cannot be read, which must not hide how the task ended."""
    try:
        body = get(f"{path}/log", limit=_LOG_PAGE)
        total = int(body.get("total") or 0)
        if total > _LOG_PAGE:
            body = get(f"{path}/log", start=total - _LOG_PAGE, limit=_LOG_PAGE)
    except PveError:
        return []
    return [str(line.get("t", "")) for line in body["data"] or []]
