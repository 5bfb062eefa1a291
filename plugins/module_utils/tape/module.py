# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How the module of tape libraries runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import module
from ansible_collections.hospital.continuity.plugins.module_utils.tape.backend import LibraryBackend
from ansible_collections.hospital.continuity.plugins.module_utils.tape.library import LibraryOperation


def run(operation: LibraryOperation) -> None:
    """The whole of the module."""
    module.run_operation(operation, {}, _open_backend)


def _open_backend(params: Mapping[str, Any]) -> LibraryBackend:
    return LibraryBackend()
