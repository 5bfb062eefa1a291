# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How the modules of MySQL and MariaDB run: their kind, their options, the backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import module
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.channel import ChannelKind
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.channel_backend import ChannelBackend
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.login import LOGIN_ARGUMENTS, login_from

REPLICATION_ARGUMENTS: Mapping[str, Any] = {**LOGIN_ARGUMENTS, "max_lag": {"type": "int"}}


def run(kind: ChannelKind) -> None:
    """The whole of a module that describes replication channels."""
    module.run(kind, REPLICATION_ARGUMENTS, open_backend)


def open_backend(params: Mapping[str, Any]) -> ChannelBackend:
    """The backend that the module's options describe. Raises InvalidInput."""
    max_lag = params.get("max_lag")
    if max_lag is not None and not 0 <= int(max_lag) <= 2**31:
        raise InvalidInput(f"max_lag: {max_lag} is not a number of seconds.", hint="Give 0 or more.")
    return ChannelBackend(Client(login_from(params)), max_lag=max_lag)
