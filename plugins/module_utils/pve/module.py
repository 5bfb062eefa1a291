# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How a PVE module runs: its kind, the connection options, the backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import module
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Backend
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import (
    Operation,
    OperationBackend,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.backend import TableBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import (
    CONNECTION_ARGUMENTS,
    Connection,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import PveKind


def run(kind: PveKind, backend: Callable[[Client], Backend[Any]] = TableBackend) -> None:
    """The whole of a module that describes a state in Proxmox VE."""

    def open_backend(params: Mapping[str, Any]) -> Backend[Any]:
        return backend(Client(Connection.from_options(params)))

    module.run(kind, CONNECTION_ARGUMENTS, open_backend)


def run_operation(operation: Operation, backend: Callable[[Client], OperationBackend[Any]]) -> None:
    """The whole of a module that does something once in Proxmox VE."""

    def open_backend(params: Mapping[str, Any]) -> OperationBackend[Any]:
        return backend(Client(Connection.from_options(params)))

    module.run_operation(operation, CONNECTION_ARGUMENTS, open_backend)
