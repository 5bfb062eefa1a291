# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The rollback as one file that needs nothing of Ansible's: these modules themselves, in an archive Python can run."""

from __future__ import annotations

from ansible_collections.hospital.continuity.plugins.module_utils.network import rollback
from ansible_collections.hospital.continuity.plugins.module_utils.program import packed

# rollback and what it imports, all of it: nothing else is there when the program runs.
_MODULES = (
    "command",
    "convergence.errors",
    "durable",
    "network.checkpoint",
    "network.interfaces_files",
    "network.kernel",
    "network.links",
    "network.rollback",
    "network.store",
    "network.switch",
    "network.switch_client",
    "network.switch_rows",
    "network.topology",
    "network.units",
    "ovs.jsonrpc",
)


def archive() -> bytes:
    """The file's content. Raises SubsystemError where the modules' text cannot be had."""
    return packed(rollback, _MODULES, needed_by="the rollback")
