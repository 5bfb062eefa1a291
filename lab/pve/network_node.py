# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The network of one node: the file in force, the staged one beside it, and what is up."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from lab.pve import network_checks
from lab.pve.network_interfaces import Entry, Interfaces, format_file, parse
from lab.pve.network_live import Live

T = TypeVar("T")
ACTIVE = "/etc/network/interfaces"
STAGED = ACTIVE + ".new"


def first_file(nics: Sequence[str], address: str, gateway: str) -> str:
    """The file of a freshly installed node: the first card is in vmbr0, which has the address."""
    parts = ["auto lo\niface lo inet loopback\n"]
    parts += [f"iface {nic} inet manual\n" for nic in nics]
    ports = nics[0] if nics else "none"
    parts.append(
        f"auto vmbr0\niface vmbr0 inet static\n\taddress {address}\n\tgateway {gateway}\n"
        f"\tbridge-ports {ports}\n\tbridge-stp off\n\tbridge-fd 0\n"
    )
    parts.append("source /etc/network/interfaces.d/*\n")
    return "\n".join(parts)


def _stamp(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 10**9)
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds)) + f".{rest:09d} +0000"


class NodeNetwork:
    """Staging as pveproxy and pvedaemon do it; `physical` are the cards that are hardware."""

    def __init__(self, active: str, physical: Sequence[str] = ()) -> None:
        self.physical = tuple(physical)
        self.staged: str | None = None
        # (before what, what): somebody else's hand between two requests.
        self.interruptions: list[tuple[str, Callable[[], None]]] = []
        self.live = Live()
        self.replace_active(active)

    def interrupted(self, before: str) -> None:
        """Do what was ordered to happen just before the next 'change' or 'apply'."""
        due = [work for moment, work in self.interruptions if moment == before]
        self.interruptions = [entry for entry in self.interruptions if entry[0] != before]
        for work in due:
            work()

    def replace_active(self, text: str) -> None:
        """A file that is in force, as after a boot with it."""
        self.active, self.active_at = text, time.time_ns()
        self.live = Live()
        self.live.reload(parse(text, self.physical))

    # ------------------------------------------------------------- the files

    def read(self) -> Interfaces:
        """What the API shows: the staged file if there is one, and what of it is up."""
        found = parse(self.active if self.staged is None else self.staged, self.physical)
        for name, entry in found.entries.items():
            if self.live.is_active(name):
                entry["active"] = 1
        return found

    def change(self, edit: Callable[[dict[str, Entry]], T]) -> T:
        """Edit what the API shows and stage it, unless PVE's writer refuses."""
        found = self.read()
        result = edit(found.entries)
        found.entries = network_checks.in_order(found.entries)
        network_checks.complete(found.entries)
        self.staged, self.staged_at = format_file(found), time.time_ns()
        return result

    def changes(self) -> str:
        """The difference PVE shows beside the list; empty if nothing is staged or nothing is different."""
        if self.staged is None:
            return ""
        lines = difflib.unified_diff(
            self.active.splitlines(keepends=True),
            self.staged.splitlines(keepends=True),
            ACTIVE,
            STAGED,
            _stamp(self.active_at),
            _stamp(self.staged_at),
        )
        return "".join(lines)

    def revert(self) -> None:
        self.staged = None

    def install(self) -> None:
        """The staged file takes the place of the active one; nothing is up or down for that."""
        if self.staged is not None:
            self.active, self.active_at = self.staged, time.time_ns()
            self.staged = None

    def reload(self) -> list[str]:
        """ifreload -a: the lines the task's log gets."""
        return self.live.reload(parse(self.active, self.physical))
