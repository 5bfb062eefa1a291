# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Proxmox VE's own programs on a node, for what its API does not offer."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.hospital.continuity.plugins.module_utils.command import (
    CommandFailed,
    Completed,
    Runner,
    shown,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput


def program(runner: Runner, argv: Sequence[str], timeout: float) -> str:
    """What a program that only looks shows. Raises CommandFailed."""
    if timeout < 1:
        raise InvalidInput(f"timeout: {timeout:g} is not a number of seconds.", hint="Give 1 or more.")
    done = runner(argv, timeout=timeout)
    if done.status != 0:
        raise CommandFailed(
            f"{shown(argv)} said: {said(done)}.",
            hint="Is this host a node of a Proxmox VE cluster, and are you root?",
            completed=done,
        )
    return done.output


def said(done: Completed) -> str:
    """What a program complained of, as one line."""
    lines = [line.strip() for line in (done.errors or done.output).splitlines() if line.strip()]
    return "; ".join(lines[-5:]).rstrip(".") or f"exit code {done.status}"
