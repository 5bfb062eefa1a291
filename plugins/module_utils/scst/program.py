# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What runs before SCST starts, as one file that needs nothing of Ansible's. The same modules make the same bytes."""

from __future__ import annotations

from ansible_collections.hospital.continuity.plugins.module_utils.program import packed
from ansible_collections.hospital.continuity.plugins.module_utils.scst import boot

# boot and what it imports, all of it: nothing else is there when the program runs.
_MODULES = (
    "convergence.errors",
    "durable",
    "scst.boot",
    "scst.conf",
    "scst.devices",
    "scst.errors",
    "scst.names",
    "scst.record",
    "scst.saved",
    "scst.state",
    "scst.sysfs",
)


def archive() -> bytes:
    """The file's content. Raises SubsystemError where the modules' text cannot be had."""
    return packed(boot, _MODULES, needed_by="the start of SCST")
