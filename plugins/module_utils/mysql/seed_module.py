# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How the module mysql_seed runs: its operation, its two servers, its backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import module
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.login import LOGIN_ARGUMENTS, login_from
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.seed_backend import SeedBackend
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.seed_operation import SeedOperation

DONOR = {
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "default": 3306},
    "user": {"type": "str", "default": "root"},
    "password": {"type": "str", "no_log": True},
    "ca": {"type": "path"},
}
SEED_ARGUMENTS: Mapping[str, Any] = {
    **LOGIN_ARGUMENTS,
    "donor": {"type": "dict", "required": True, "options": DONOR},
}


def run(operation: SeedOperation) -> None:
    """The whole of the module."""
    module.run_operation(operation, SEED_ARGUMENTS, open_backend)


def open_backend(params: Mapping[str, Any]) -> SeedBackend:
    """The backend that the module's options describe. Raises InvalidInput."""
    given = {f"login_{name}": value for name, value in params["donor"].items()}
    if not str(given["login_host"]).strip():
        raise InvalidInput("donor: host is empty.", hint="Give the donor's name or address.")
    try:
        donor = login_from({**given, "login_timeout": params["login_timeout"]})
    except InvalidInput as problem:
        raise InvalidInput(f"donor: {problem.message.replace('login_', '')}", hint=problem.hint) from None
    return SeedBackend(Client(login_from(params)), Client(donor))
