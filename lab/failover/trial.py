# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""One fault from a whole scene to a whole scene, measured."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from typing import TypeVar

from lab.failover import timeline
from lab.failover.faults import Fault
from lab.failover.line import Line, Split
from lab.failover.observers import ADDRESS, SERVER
from lab.failover.pair import PAIR, Pair
from lab.hosts import wait_until

Where = TypeVar("Where", bound=Pair)
# How long writes have to go on before a fault is over, and how long one may take.
STEADY_SECONDS, LIMIT_SECONDS = 1.5, 90
# From how long before the fault on files count, and how long they may take to arrive.
FILES_SECONDS = 10
# A planned pause begins with the first refused write: what the command did before it is no pause.
_SOON = 0.2


def run(scene: Where, fault: Fault[Where]) -> Line:
    """Raises TimeoutError where the scene is not whole, or writes are not acknowledged again."""
    active = scene.settle()
    fault.prepare(scene, active)
    active = scene.active()
    time.sleep(0.5)
    began = time.monotonic()
    fault.strike(scene, active)
    wait_until(
        lambda: (
            time.monotonic() > began + STEADY_SECONDS
            and fault.over(scene, active)
            and scene.client.served_for(STEADY_SECONDS)
        ),
        f"{fault.name}: writes are acknowledged again",
        LIMIT_SECONDS,
    )
    pause = scene.client.longest_pause(began - _SOON)
    told = timeline.events([scene.hosts[name] for name in PAIR], began - _SOON)
    outcome = fault.mend(scene, active)
    if fault.moves and not fault.planned:
        outcome += scene.refill(active)
    scene.settle()
    outcome += _files(scene, began) if fault.moves else ""
    origin = pause.last if fault.planned or not fault.moves else began
    split = timeline.split(told, min(began, origin), pause.first) if fault.moves else Split()
    return line(scene, fault.name, began, pause.first - origin, split, outcome, fault.problems)


def line(
    scene: Pair,
    name: str,
    began: float,
    seconds: float | None,
    split: Split,
    outcome: str,
    problems: Iterable[str] = (),
) -> Line:
    """What was acknowledged since `began` and is there now, and the most that were seen at once since then."""
    scene.client.pause()
    ended = time.monotonic()
    present = scene.numbers(scene.active())
    scene.client.resume()
    missing = scene.client.missing(present, began)
    acknowledged = len(scene.client.since(began))
    return Line(
        fault=name,
        server=scene.dialect.title,
        seconds=seconds,
        split=split,
        acknowledged=acknowledged,
        present=acknowledged - len(missing),
        missing=len(missing),
        holders=scene.observers.most(ADDRESS, began, ended),
        writers=scene.observers.most(SERVER, began, ended),
        outcome=outcome,
        problems=tuple(problems),
    )


def _files(scene: Pair, began: float) -> str:
    """What became of the files written from a while before the fault until now."""
    if not scene.files.written:
        return ""
    ended = time.monotonic()
    since, active = began - FILES_SECONDS, scene.hosts[scene.active()]
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: not scene.files.kept(active, since, ended).missing, "the files are there", FILES_SECONDS)
    return f"; {scene.files.kept(active, since, ended).words(began)}"
