# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What clients asked of the lab, for tests that count or inspect requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Request:
    """One request: `path` is the API path ('/nodes/pve1/qemu'), `params` what was sent, `status` the answer's."""

    method: str
    path: str
    params: dict[str, Any]
    status: int


class Recorder:
    """Keeps every request since the last reset."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def add(self, method: str, path: str, params: dict[str, Any], status: int) -> None:
        self.requests.append(Request(method, path, params, status))

    @property
    def writes(self) -> list[Request]:
        """Everything that is not a GET, logins aside: a login changes nothing."""
        return [r for r in self.requests if r.method != "GET" and r.path != "/access/ticket"]

    def reset(self) -> None:
        self.requests = []
