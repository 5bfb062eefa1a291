# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What takes the snapshots on a host as one file that needs nothing of Ansible's."""

from __future__ import annotations

from ansible_collections.hospital.continuity.plugins.module_utils.program import packed
from ansible_collections.hospital.continuity.plugins.module_utils.zfs import snapshot_run

# snapshot_run and what it imports, all of it: nothing else is there when the program runs.
_MODULES = (
    "command",
    "convergence.backend",
    "convergence.consent",
    "convergence.converge",
    "convergence.declaration",
    "convergence.errors",
    "convergence.execution",
    "convergence.kind",
    "convergence.plan",
    "convergence.spec",
    "convergence.values",
    "zfs.backend",
    "zfs.command_line",
    "zfs.dataset",
    "zfs.errors",
    "zfs.forms",
    "zfs.properties",
    "zfs.retention",
    "zfs.snapshot",
    "zfs.snapshot_backend",
    "zfs.snapshot_run",
)


def archive() -> bytes:
    """The file's content. Raises SubsystemError where the modules' text cannot be had."""
    return packed(snapshot_run, _MODULES, needed_by="the timer of snapshots")
