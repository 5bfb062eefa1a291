# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Whether a host takes its snapshots itself: what there should be, and what one task does about it. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Operation, Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key

NAME = "hospital-continuity-snapshots"
SERVICE, TIMER = f"{NAME}.service", f"{NAME}.timer"
PROGRAM = "snapshots.pyz"
INSTALL, UPDATE, REMOVE = "install", "update", "remove"
PRESENT, ABSENT = "present", "absent"
# What is there, and what there would be if it were installed now.
KEY: Key = ("snapshots",)
WANTED: Key = ("wanted",)

_CALENDAR = re.compile(r"[A-Za-z0-9*:,./~ +_-]{1,200}")
_SERVICE_TEXT = """\
[Unit]
Description=Take the snapshots of ZFS that are due, and destroy those that no policy keeps
After=zfs.target

[Service]
Type=oneshot
ExecStart={python} -I {program}
Nice=10
"""
_TIMER_TEXT = """\
[Unit]
Description=Take the snapshots of ZFS that are due

[Timer]
OnCalendar={calendar}
Persistent=true
RandomizedDelaySec=60

[Install]
WantedBy=timers.target
"""


@dataclass(frozen=True)
class Files:
    """What is installed: the program and two units, by their content."""

    program: bytes
    service: bytes
    timer: bytes

    @property
    def digest(self) -> str:
        whole = hashlib.sha256()
        for content in (self.program, self.service, self.timer):
            whole.update(len(content).to_bytes(8, "big") + content)
        return whole.hexdigest()[:16]

    @property
    def calendar(self) -> str:
        found = re.search(r"^OnCalendar=(.*)$", self.timer.decode("utf-8", "replace"), re.MULTILINE)
        return found.group(1) if found else ""


def files(program: bytes, *, python: str, path: str, calendar: str) -> Files:
    """What is installed. python: that runs the program; path: where the program is."""
    service = _SERVICE_TEXT.format(python=python, program=path)
    return Files(program, service.encode(), _TIMER_TEXT.format(calendar=calendar).encode())


def state(found: Files, *, active: bool) -> dict[str, Any]:
    """As it is compared and shown. active: enabled and waiting, as systemd's files say."""
    return {"calendar": found.calendar, "content": found.digest, "active": active}


@dataclass(frozen=True)
class TimerOperation(Operation):
    def check(self, order: Order) -> None:
        calendar = str(order.options["calendar"] or "")
        if not _CALENDAR.fullmatch(calendar):
            raise InvalidInput(
                f"calendar: {calendar!r} is no time of systemd's.", hint="Write it as OnCalendar takes it: hourly."
            )

    def plan(self, observed: Mapping[Key, Thing], order: Order) -> Plan:
        before = observed[KEY].state if KEY in observed else None
        if order.options["state"] == ABSENT:
            return Plan((Step(REMOVE, self.name, KEY, before, None),) if before is not None else ())
        after = observed[WANTED].state
        if before is None:
            return Plan((Step(INSTALL, self.name, KEY, None, after),))
        differing = tuple(name for name in after if before.get(name) != after[name])
        return Plan((Step(UPDATE, self.name, KEY, before, after, options=differing),) if differing else ())


SNAPSHOT_TIMER = TimerOperation(
    name="snapshot timer",
    fields=(
        Field("state", choices=(PRESENT, ABSENT), default=PRESENT),
        Field("calendar", default="hourly"),
    ),
)
