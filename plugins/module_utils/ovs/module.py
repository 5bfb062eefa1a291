# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How an Open vSwitch module runs: its kind, the options that say where the database is, the backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import module
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.backend import OvsBackend
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.database import DEFAULT_ADDRESS, Database
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.kind import OvsKind

READING_ARGUMENTS: Mapping[str, Any] = {
    "database": {"type": "str", "default": DEFAULT_ADDRESS},
    "timeout": {"type": "int", "default": 10},
}
CONNECTION_ARGUMENTS: Mapping[str, Any] = {**READING_ARGUMENTS, "management_address": {"type": "str"}}


def run(kind: OvsKind) -> None:
    """The whole of a module that describes a state in Open vSwitch."""
    module.run(kind, CONNECTION_ARGUMENTS, open_backend)


def open_backend(params: Mapping[str, Any]) -> OvsBackend:
    """The backend that the connection options describe. Raises InvalidInput."""
    if params["timeout"] < 1:
        raise InvalidInput(f"timeout: {params['timeout']} is not a number of seconds.", hint="Give 1 or more.")
    database = Database(params["database"], timeout=params["timeout"])
    return OvsBackend(database, management_address=params.get("management_address") or "")
