# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""One run at a time on a cluster: who we are, and whether whoever holds the note is still alive. For the control host.

A run that was killed cannot remove its note. It is known to be dead by one of these, whichever comes first: its process
is gone (on the same control host), its job template runs another job (AWX runs one of a template at a time), or it has
not written for longer than it said it would need.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Seat:
    """Where a run runs. started: of its process, in the kernel's ticks, because numbers of processes come again.
    template, job: AWX's numbers."""

    host: str
    machine: str
    pid: int
    started: str
    template: str = ""
    job: str = ""

    @property
    def owner(self) -> str:
        if self.job:
            return f"awx:{self.template}:{self.job}"
        return f"{self.host}:{self.pid}:{self.started}"


@dataclass(frozen=True)
class Verdict:
    """free: it may be written. dead: it is there, and whoever wrote it is certainly gone. says: in words."""

    free: bool
    dead: bool
    owner: str
    says: str


def our_seat(template: str = "", job: str = "") -> Seat:
    """Of the run that asks: the same in all its processes."""
    parent = multiprocessing.parent_process()
    pid = parent.pid if parent is not None and parent.pid else os.getpid()
    machine = _text(Path("/etc/machine-id"))
    host = "".join(letter if letter.isalnum() or letter in ".-_" else "-" for letter in platform.node()) or "control"
    return Seat(host, machine, pid, started_at(pid), template, job)


def started_at(pid: int) -> str:
    """Empty where there is no such process."""
    fields = _text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    # The 22nd of all; the first two are gone with the name, and a zombie runs nothing.
    return fields[19] if len(fields) > 19 and fields[0] != "Z" else ""


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def content_of(seat: Seat, doing: str, lease: int, now: float) -> dict[str, Any]:
    """What the note says. lease: seconds that the next steps may take."""
    return {
        "seat": asdict(seat),
        "doing": doing,
        "written": _clock(now),
        "until": int(now + lease),
    }


def verdict(note: Mapping[str, Any], seat: Seat, now: float, alive: Callable[[int], str] = started_at) -> Verdict:
    """note: as pve_note returns it.  alive: when a process started, empty where it is gone."""
    owner = str(note.get("owner") or "")
    if not note.get("exists") or not owner or owner == seat.owner:
        return Verdict(True, False, owner, "")
    content = note.get("content") or {}
    theirs = content.get("seat") or {}
    where = f"AWX job {theirs.get('job')}" if theirs.get("job") else f"process {theirs.get('pid')}"
    who = f"{where} on {theirs.get('host', 'an unknown host')}, at {content.get('written', 'an unknown time')}"
    held = f"{content.get('doing', 'another run')} ({who})"
    if theirs.get("job") and str(theirs.get("template")) == seat.template and str(theirs["job"]) != seat.job:
        return Verdict(
            False, True, owner, f"{held}: that job has ended, because AWX runs one of its template at a time"
        )
    here = theirs.get("host") == seat.host and theirs.get("machine") == seat.machine and not theirs.get("job")
    if here and theirs.get("started") and alive(int(theirs.get("pid") or 0)) != theirs["started"]:
        return Verdict(False, True, owner, f"{held}: that process is gone")
    if float(content.get("until") or now + 1) < now:
        return Verdict(False, True, owner, f"{held}: it said it would be done by {_clock(float(content['until']))}")
    return Verdict(False, False, owner, held)


def _clock(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment))
