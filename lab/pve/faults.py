# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Failures to order: requests that are answered with an error, tasks that end badly."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass
class RequestFault:
    """Fail `times` matching requests, after letting `after` of them pass."""

    method: str
    path: re.Pattern[str]
    status: int
    reason: str
    times: int
    after: int

    def hits(self, method: str, path: str) -> bool:
        if self.times <= 0 or method != self.method or not self.path.search(path):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return True


@dataclass
class TaskFault:
    """End the next `times` tasks of one type with `exitstatus`, or with warnings after doing their work;
    `after`: not at once, but so many of PVE's seconds later."""

    kind: str
    exitstatus: str
    times: int
    log: list[str] = field(default_factory=list)
    warnings: bool = False
    after: float = 0


class Faults:
    """All failures that were ordered and are still to come."""

    def __init__(self) -> None:
        self.requests: list[RequestFault] = []
        self.tasks: list[TaskFault] = []

    def for_request(self, method: str, path: str) -> RequestFault | None:
        return next((fault for fault in self.requests if fault.hits(method, path)), None)

    def for_task(self, kind: str) -> TaskFault | None:
        for fault in self.tasks:
            if fault.kind == kind and fault.times > 0:
                fault.times -= 1
                return fault
        return None
