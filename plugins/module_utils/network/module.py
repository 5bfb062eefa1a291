# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How the module network_checkpoint runs: its operation, its backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import module
from ansible_collections.hospital.continuity.plugins.module_utils.network.checkpoint_backend import (
    CheckpointBackend,
    Places,
)
from ansible_collections.hospital.continuity.plugins.module_utils.network.checkpoint_operation import (
    CheckpointOperation,
)

PLACES = Places()


def run(operation: CheckpointOperation) -> None:
    """The whole of the module."""
    module.run_operation(operation, {}, _open_backend)


def _open_backend(params: Mapping[str, Any]) -> CheckpointBackend:
    return CheckpointBackend(PLACES)
