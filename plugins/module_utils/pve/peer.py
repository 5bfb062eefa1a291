# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Another node's API, known by the fingerprint of its certificate and not by who signed it."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import Connection
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import NotAuthenticated, Unreachable

USER = "root@pam"


def open_peer(connection: Connection, hostname: str, fingerprint: str, password: str) -> Client:
    """A client of the member `hostname`, logged in as root@pam, at the port of `connection`. Raises InvalidInput with
    the option that is wrong; nothing has been sent then but the password, and that to nobody else."""
    port = connection.hosts[0].rpartition(":")[2]
    client = Client(
        Connection(
            hosts=(f"https://{_bracketed(hostname)}:{port}",),
            user=USER,
            password=password,
            fingerprint=fingerprint,
            timeout=connection.timeout,
            task_timeout=connection.task_timeout,
            parallel=1,
        )
    )
    try:
        client.get("/version")
    except NotAuthenticated:
        client.close()
        raise InvalidInput(
            f"password: {hostname} does not let {USER} in with it.",
            hint=f"It is the password of {USER} at the member that is joined; a second factor cannot be used here.",
        ) from None
    except Unreachable as problem:
        client.close()
        if "fingerprint" in problem.message:
            raise InvalidInput(
                f"fingerprint: {hostname} has a certificate with another fingerprint, so it may be somebody else.",
                hint="Look at the member itself: pvenode cert info, or GET /cluster/config/join.",
            ) from None
        raise InvalidInput(f"hostname: {hostname} does not answer. {problem.message}", hint=problem.hint) from None
    return client


def pinned(connection: Connection, fingerprint: str) -> Connection:
    """The same API, whose certificate has changed: known by what a member says of it."""
    return replace(connection, fingerprint=fingerprint)


def _bracketed(host: str) -> str:
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host.lower()
