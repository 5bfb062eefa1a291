# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How the modules of ZFS run: their kind, their options, the backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import module
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Backend
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import Kind
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.backend import DatasetBackend
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import CommandLine

CONNECTION_ARGUMENTS: Mapping[str, Any] = {"timeout": {"type": "int", "default": 120}}


def run(kind: Kind, backend: Callable[[CommandLine], Backend[Any]] = DatasetBackend) -> None:
    """The whole of a module that describes a state; `backend` does its I/O."""
    module.run(kind, CONNECTION_ARGUMENTS, lambda params: backend(CommandLine(timeout=checked_timeout(params))))


def checked_timeout(params: Mapping[str, Any]) -> int:
    """Seconds for one program. Raises InvalidInput."""
    timeout = int(params["timeout"])
    if timeout < 1:
        raise InvalidInput(f"timeout: {timeout} is not a number of seconds.", hint="Give 1 or more.")
    return timeout
