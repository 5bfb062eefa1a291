# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What the kernel has of interfaces, addresses and routes at this moment, as `ip` tells it."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.command import Runner
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.network import links

_SECONDS = 10.0


def look(run: Runner) -> dict[str, Any]:
    """Raises SubsystemError where `ip` does not say."""
    return links.saved(
        _said(run, "-d", "address", "show"), _said(run, "route", "show"), _said(run, "-6", "route", "show")
    )


def _said(run: Runner, *words: str) -> list[dict[str, Any]]:
    done = run(["ip", "-j", *words], timeout=_SECONDS)
    try:
        rows: list[dict[str, Any]] = json.loads(done.output or "[]")
    except ValueError:
        rows = []
    # A kernel without IPv6 has no routes of it.
    if done.status != 0 and words[0] != "-6":
        raise SubsystemError(
            f"ip -j {' '.join(words)} said: {done.errors.strip() or done.status}.", hint="It is part of iproute2."
        )
    return [row for row in rows if isinstance(row, dict) and row]
