# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How long nobody can write when something goes wrong, and what is lost: examples/silvercreek in containers, and beside
it the same pair with keepalived and a check script, as people usually build it.

bin/bench failover [--repeat N] [--server mariadb|mysql] [--fault NAME]... [--without-keepalived]
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.failover import trial
from lab.failover.dialect import DIALECTS, MARIADB
from lab.failover.faults import Crash, Cut, DiskFull, Fault, PowerOff, Stall, Switchover
from lab.failover.keepalived import Keepalived, Stop
from lab.failover.line import Line, table
from lab.failover.pair import PAIR
from lab.failover.scene import Scene
from lab.failover.trial import Where
from lab.hosts import why_not
from lab.hosts.resident import resident

FAULTS: tuple[type[Fault[Scene]], ...] = (Crash, PowerOff, Cut, Switchover, DiskFull, Stall)
NODE_LOSS = (PowerOff, Cut)
# ha_cluster_token of examples/silvercreek.
TOKEN_SECONDS = 1.0


@dataclass
class Runs:
    """Of one fault. `broken`: runs after which nobody could write again, or that could not be repaired."""

    fault: str
    lines: list[Line] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> list[float]:
        return sorted(line.seconds for line in self.lines if line.seconds is not None)

    @property
    def missing(self) -> int:
        return sum(line.missing for line in self.lines)

    def over(self) -> float:
        """The 95th percentile of what node losses took longer than token and fence."""
        rest = [line.seconds - TOKEN_SECONDS - (line.split.fence or 0) for line in self.lines if line.seconds]
        return percentile(sorted(rest), 95)


def percentile(ordered: Sequence[float], which: float) -> float:
    """Nearest rank; infinite where there is nothing."""
    return ordered[max(0, math.ceil(len(ordered) * which / 100) - 1)] if ordered else math.inf


def shown(runs: Iterable[Runs]) -> str:
    words = ("median", "95th", "worst")
    text = f"  {'fault':<34} {'runs':>4} " + " ".join(f"{word:>7}" for word in words)
    text += " " + " ".join(f"{word:>8}" for word in ("missing", "holders", "writers")) + "\n"
    for each in runs:
        ordered = each.seconds
        figures = [percentile(ordered, which) for which in (50, 95, 100)]
        most = [max((getattr(line, what) for line in each.lines), default=0) for what in ("holders", "writers")]
        text += f"  {each.fault:<34} {len(each.lines):>4} " + " ".join(f"{value:>7.2f}" for value in figures)
        text += f" {each.missing:>8} {most[0]:>8} {most[1]:>8}"
        text += f"  {len(each.broken)} not over: {each.broken[0]}\n" if each.broken else "\n"
    return text.rstrip("\n")


def repeat(scene: Where, faults: Sequence[type[Fault[Where]]], times: int) -> list[Runs]:
    """All faults in turn, that often. Ends with the first after which the scene is not whole."""
    runs = {fault: Runs(fault.name) for fault in faults}
    for _turn in range(times):
        for fault in faults:
            try:
                line = trial.run(scene, fault())
            except (TimeoutError, RuntimeError) as problem:
                runs[fault].broken.append(str(problem))
                return list(runs.values())
            runs[fault].lines.append(line)
            print(f"    {table([line]).splitlines()[1]}", flush=True)
    return list(runs.values())


def goals(runs: Iterable[Runs]) -> list[tuple[bool, str]]:
    found, missing = [], 0
    for each in runs:
        missing += each.missing
        last = percentile(each.seconds, 95)
        if each.fault == Crash.name:
            found.append((last <= 3, f"crash of the database, 95th {last:.2f} s (goal: 3)"))
        elif each.fault in [fault.name for fault in NODE_LOSS]:
            found.append(
                (each.over() <= 1.5, f"{each.fault}, 95th beyond token and fence {each.over():.2f} s (goal: 1.5)")
            )
            found.append((last <= 5, f"{each.fault}, 95th {last:.2f} s (goal: 5)"))
        elif each.fault == Switchover.name:
            found.append((last <= 1, f"planned switchover, 95th {last:.2f} s without writes (goal: 1)"))
        if each.broken:
            found.append((False, f"{each.fault}: {each.broken[0]}"))
    return [*found, (missing == 0, f"{missing} acknowledged writes missing (goal: 0)")]


def with_keepalived(faults: Sequence[type[Fault[Any]]], times: int) -> None:
    print("\nkeepalived with a check script, MariaDB 10.11, asynchronous replication", flush=True)
    theirs: list[type[Fault[Keepalived]]] = [
        Stop if fault is Switchover else fault for fault in faults if fault is not DiskFull
    ]
    with Keepalived() as scene, resident(scene.hosts[PAIR[0]].image):
        scene.converge()
        scene.begin()
        runs = repeat(scene, theirs, times)
        print(shown(runs))
        print(f"  a server had to be filled anew {scene.rebuilt} times", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bin/bench failover", description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--server", choices=sorted(DIALECTS), default=MARIADB.name)
    names = {fault.__name__: fault for fault in FAULTS}
    parser.add_argument("--fault", choices=sorted(names), action="append")
    parser.add_argument("--without-keepalived", action="store_true")
    chosen = parser.parse_args()
    if reason := why_not():
        print(f"failover: not measured: {reason}.")
        return 1
    dialect = DIALECTS[chosen.server]
    faults = [names[name] for name in chosen.fault] if chosen.fault else list(FAULTS)
    print(f"{dialect.title}, {chosen.repeat} times each; load of this machine {os.getloadavg()[0]:.1f}", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="lab-failover-") as folder,
        Scene(dialect, Path(folder)) as scene,
        resident(scene.hosts[PAIR[0]].image) as said,
    ):
        print(f"{said}.", flush=True)
        scene.converge()
        scene.begin()
        runs = repeat(scene, faults, chosen.repeat)
    print(shown(runs), flush=True)
    judged = goals(runs)
    for holds, words in judged:
        print(f"  {'holds' if holds else 'does not hold'}: {words}")
    if not chosen.without_keepalived:
        with_keepalived(faults, chosen.repeat)
    missed = [words for holds, words in judged if not holds]
    print(f"failover: {'all goals hold' if not missed else f'{len(missed)} goals do not hold'}; {dialect.title}.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
