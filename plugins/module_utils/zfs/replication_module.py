# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How the module zfs_replication runs: its operation, its backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import module
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import as_bytes
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.module import (
    CONNECTION_ARGUMENTS,
    checked_timeout,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.replication_backend import ReplicationBackend
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.replication_operation import (
    ReplicationOperation,
)


def run(operation: ReplicationOperation) -> None:
    """The whole of the module."""
    module.run_operation(operation, CONNECTION_ARGUMENTS, _open_backend)


def _open_backend(params: Mapping[str, Any]) -> ReplicationBackend:
    return ReplicationBackend(
        url=params["target_host"] or "",
        timeout=checked_timeout(params),
        bandwidth=as_bytes(params["bandwidth"]) if params["bandwidth"] else 0,
    )
