# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Tell the switch that a network interface has left its LACP bond.

LACP has no word for goodbye: the partner goes on sending through the port until it has heard nothing for three seconds
(fast) or ninety (slow), and all that is lost. When the carrier goes for a moment the partner takes the port out at
once, and does not take it back without a new LACPDU, which never comes. Observed with Open vSwitch 3.1 on both sides
and a ping every 10 ms: 120 to 210 lost without this, 0 or 1 with it.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

from ansible_collections.hospital.continuity.plugins.module_utils.command import CommandFailed, Runner
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.host import Host

# Seconds without carrier. Linux tells of a link's changes once a second, and switches overlook shorter ones on purpose.
PAUSE = 1.5


def let_go(run: Runner, host: Host, names: Collection[str], taken: Collection[str]) -> Sequence[str]:
    """Switch those of the interfaces off and on again that are up and that nobody has taken since. Returns warnings."""
    try:
        links = host.links
        mine = [name for name in sorted(names) if name in links and name not in taken]
        mine = [name for name in mine if links[name].carrier is not None and not links[name].master]
    except CommandFailed as problem:
        return (_warning(sorted(names), str(problem)),)
    if not mine:
        return ()
    causes = [*_switch(run, mine, "down")]
    time.sleep(PAUSE)
    causes += _switch(run, mine, "up")
    return (_warning(mine, "; ".join(causes)),) if causes else ()


def _switch(run: Runner, names: Sequence[str], state: str) -> Sequence[str]:
    lines = "".join(f"link set dev {name} {state}\n" for name in names)
    try:
        done = run(["ip", "-force", "-batch", "-"], stdin=lines, timeout=15.0)
    except CommandFailed as problem:
        return (str(problem),)
    return () if done.status == 0 else (done.errors.strip() or f"exit code {done.status}",)


def _warning(names: Sequence[str], cause: str) -> str:
    return (
        f"{', '.join(names)} left an LACP bond and could not be switched off and on ({cause}): "
        "until the switch notices, it goes on sending there"
    )
