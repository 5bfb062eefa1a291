# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""An application on the active side that writes files, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.failover.on_hosts import OnHosts
from lab.hosts import Host

PROGRAM = Path(__file__).with_name("files_program.py")
FOLDER = "/srv/record/documents"


@dataclass(frozen=True)
class Written:
    """`when`: seconds of the monotonic clock."""

    when: float
    host: str
    name: str


@dataclass(frozen=True)
class Kept:
    """Of the files written in a while: those that are not where they ought to be."""

    written: int
    missing: tuple[Written, ...]

    def words(self, fault: float) -> str:
        if not self.missing:
            return f"{self.written} files written meanwhile, all of them on the new active side"
        ages = [fault - each.when for each in self.missing]
        return (
            f"{self.written} files written meanwhile, {len(self.missing)} of them not on the new active side, "
            f"written {max(ages):.1f} to {min(ages):.1f} s before the fault"
        )


class Files:
    """`run` on every host, and again when it is there again."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._programs = OnHosts(PROGRAM)
        self._lives = 0
        self.written: list[Written] = []

    def run(self, host: Host) -> None:
        self._lives += 1

        def take(words: list[str]) -> None:
            if len(words) == 2:
                self.written.append(Written(float(words[0]), host.name, words[1]))

        self._programs.start(host, self._address, FOLDER, f"{host.name}{self._lives}", take=take)

    def stop(self) -> None:
        self._programs.stop()

    def kept(self, host: Host, since: float, until: float) -> Kept:
        """Which of the files that were written from `since` to `until` this host does not have now."""
        listed = set(host.run("ls", "-U", FOLDER).stdout.split())
        written = [each for each in sorted(self.written, key=lambda each: each.when) if since <= each.when <= until]
        return Kept(len(written), tuple(each for each in written if each.name not in listed))
