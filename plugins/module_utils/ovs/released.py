# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Tell the switch that a network interface has left its LACP bond.

LACP has no word for goodbye: the partner goes on sending through the port until it has heard nothing for three seconds
(fast) or ninety (slow), and all that is lost. When the carrier goes, both sides move to the other members at once, and
the partner does not take the port back without a new LACPDU, which never comes. So the interface is switched off just
before it leaves, and on again a moment later. Observed with Open vSwitch 3.1 on both sides and a ping every 10 ms: 120
to 210 lost without this, what a lost carrier costs with it (0 or 1).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from ansible_collections.hospital.continuity.plugins.module_utils.command import CommandFailed, Runner
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.host import Host

# Seconds without carrier. Linux tells of a link's changes once a second, and switches overlook shorter ones on purpose.
PAUSE = 1.5


@contextmanager
def let_go(run: Runner, host: Host, names: Collection[str]) -> Iterator[list[str]]:
    """Around the transaction by which interfaces leave: those that are up are off meanwhile, and on afterwards whatever
    comes of it. Yields the warnings, which are complete when it is over."""
    warnings: list[str] = []
    try:
        mine = [name for name in sorted(names) if name in host.links and host.links[name].carrier is not None]
    except CommandFailed as problem:
        mine = []
        warnings += _warning(sorted(names), str(problem))
    if not mine:
        yield warnings
        return
    began = time.monotonic()
    causes = _switch(run, mine, "down")
    try:
        yield warnings
        time.sleep(max(0.0, began + PAUSE - time.monotonic()))
    finally:
        causes += _switch(run, mine, "up")
        warnings += _warning(mine, "; ".join(causes)) if causes else []


def _switch(run: Runner, names: Sequence[str], state: str) -> list[str]:
    lines = "".join(f"link set dev {name} {state}\n" for name in names)
    try:
        done = run(["ip", "-force", "-batch", "-"], stdin=lines, timeout=15.0)
    except CommandFailed as problem:
        return [str(problem)]
    return [] if done.status == 0 else [done.errors.strip() or f"exit code {done.status}"]


def _warning(names: Sequence[str], cause: str) -> list[str]:
    text = (
        f"{', '.join(names)} left an LACP bond and could not be switched off and on ({cause}): "
        "until the switch notices, it goes on sending there"
    )
    return [text]
