# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How the module mysql_topology runs: its operation, its servers, its backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import module
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.channel_values import HostName
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.information import clients
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.login import SERVERS_ARGUMENT
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.succession import Place
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.topology_backend import Known, TopologyBackend
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.topology_operation import TopologyOperation

# Beyond what a switchover waits for itself, in seconds.
_PATIENCE = 30


def run(operation: TopologyOperation) -> None:
    """The whole of the module."""
    module.run_operation(operation, SERVERS_ARGUMENT, open_backend)


def open_backend(params: Mapping[str, Any]) -> TopologyBackend:
    """The backend that the module's options describe. Raises InvalidInput."""
    found = clients(params["servers"])
    patience = max(int(params["drain_timeout"]), int(params["grace"])) + _PATIENCE
    for client in found.values():
        client.patience = patience
    known = {str(given["name"]): _known(given) for given in params["servers"]}
    return TopologyBackend(found, known, str(params.get("source_password") or ""))


def _known(given: Mapping[str, Any]) -> Known:
    host, port = given.get("source_host"), given.get("source_port")
    try:
        host = HostName().canonical(host or "")
    except ValueError as problem:
        raise InvalidInput(f"servers: {given['name']}: source_host: {problem}.", hint="Correct the value.") from None
    if port is not None and not 1 <= int(port) <= 65535:
        raise InvalidInput(f"servers: {given['name']}: source_port: {port} is no port.", hint="Give 1 to 65535.")
    login = given.get("login_host")
    if port is not None and not host and not login:
        raise InvalidInput(f"servers: {given['name']}: source_port: without a host.", hint="Give source_host as well.")
    return Known(
        place=Place(str(host or login).lower(), int(port or given["login_port"])) if host or port else None,
        login=Place(str(login).lower(), int(given["login_port"])) if login else None,
    )
