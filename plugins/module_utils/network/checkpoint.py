# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Whether a host has a way back armed: the state file of its network checkpoint, as anybody on the host can ask it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.command import Runner

DIRECTORY = "/var/lib/hospital.continuity/network-checkpoint"
STATE = "state.json"
ARMED, CONFIRMED, ROLLING_BACK, ROLLED_BACK = "armed", "confirmed", "rolling_back", "rolled_back"


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint. state: armed, confirmed, rolling_back (for as long as that takes) or rolled_back.

    identifier: a new one each time.  armed_at, ended_at: UTC, ISO 8601.  by: who armed it.
    timeout: seconds from arming to the rollback.  deadline: when that is, in seconds of the host's uptime.
    boot: which start of the host it was armed in.  peers: what must answer before it is confirmed.
    reason: why it was rolled back.  notes: what the rollback could not put back, or left alone.
    remaining: seconds left when it was looked at.
    """

    state: str
    identifier: str
    armed_at: str
    by: str
    timeout: int
    deadline: float
    boot: str
    peers: tuple[str, ...] = ()
    ended_at: str = ""
    reason: str = ""
    notes: tuple[str, ...] = ()
    remaining: float = 0.0

    @property
    def protects(self) -> bool:
        """Whether it will still roll back by itself: armed, and there is time left."""
        return self.state == ARMED and self.remaining > 0


def armed(run: Runner, directory: str = "") -> Optional[Checkpoint]:
    """The checkpoint that protects the host `run` runs programs on; None where there is none, or its time is over."""
    found = look(run, directory)
    return found if found is not None and found.protects else None


def look(run: Runner, directory: str = "") -> Optional[Checkpoint]:
    """The host's last checkpoint, whatever became of it."""
    state_file = f"{directory or DIRECTORY}/{STATE}"
    done = run(["cat", state_file, "/proc/sys/kernel/random/boot_id", "/proc/1/stat", "/proc/uptime"], timeout=10)
    lines = done.output.splitlines()
    if len(lines) != 4:
        return None
    try:
        return decoded(json.loads(lines[0]), boot=boot_of(lines[1], lines[2]), uptime=float(lines[3].split()[0]))
    except (ValueError, KeyError, TypeError):
        return None


def boot_of(boot_id: str, init_stat: str) -> str:
    """Which start of the host this is. A container shares its kernel's boot id, so when its first process began counts
    as well. `init_stat`: /proc/1/stat, whose 22nd field that is."""
    return f"{boot_id.strip()}/{init_stat.rpartition(')')[2].split()[19]}"


def decoded(raw: Mapping[str, Any], *, boot: str, uptime: float) -> Checkpoint:
    """A state file's content, at a moment of the host's life. Raises KeyError, TypeError or ValueError."""
    deadline = float(raw["deadline"])
    return Checkpoint(
        state=str(raw["state"]),
        identifier=str(raw["identifier"]),
        armed_at=str(raw["armed_at"]),
        by=str(raw["by"]),
        timeout=int(raw["timeout"]),
        deadline=deadline,
        boot=str(raw["boot"]),
        peers=tuple(map(str, raw.get("peers", ()))),
        ended_at=str(raw.get("ended_at", "")),
        reason=str(raw.get("reason", "")),
        notes=tuple(map(str, raw.get("notes", ()))),
        remaining=max(0.0, deadline - uptime) if raw["boot"] == boot else 0.0,
    )


def encoded(checkpoint: Checkpoint) -> dict[str, Any]:
    """A state file's content. What depends on the moment is left out."""
    names = ("state", "identifier", "armed_at", "by", "timeout", "deadline", "boot", "ended_at", "reason")
    return {
        **{name: getattr(checkpoint, name) for name in names},
        "peers": list(checkpoint.peers),
        "notes": list(checkpoint.notes),
    }
