# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How the module of datasets runs: its kind, its options, the backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import module
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.backend import DatasetBackend
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import CommandLine
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.dataset import DatasetKind

CONNECTION_ARGUMENTS: Mapping[str, Any] = {"timeout": {"type": "int", "default": 120}}


def run(kind: DatasetKind) -> None:
    """The whole of a module that describes datasets."""
    module.run(kind, CONNECTION_ARGUMENTS, _open_backend)


def _open_backend(params: Mapping[str, Any]) -> DatasetBackend:
    if params["timeout"] < 1:
        raise InvalidInput(f"timeout: {params['timeout']} is not a number of seconds.", hint="Give 1 or more.")
    return DatasetBackend(CommandLine(timeout=params["timeout"]))
