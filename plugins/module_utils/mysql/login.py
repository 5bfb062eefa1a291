# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How to reach and log in to a server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput

LOGIN_ARGUMENTS: Mapping[str, Any] = {
    "login_host": {"type": "str"},
    "login_port": {"type": "int", "default": 3306},
    "login_unix_socket": {"type": "path"},
    "login_user": {"type": "str", "default": "root"},
    "login_password": {"type": "str", "no_log": True},
    "login_ca": {"type": "path"},
    "login_timeout": {"type": "int", "default": 10},
}
# Of a whole set. source_*: where the others reach it, when that is not where we do.
SERVERS_ARGUMENT: Mapping[str, Any] = {
    "servers": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "source_host": {"type": "str"},
            "source_port": {"type": "int"},
            **LOGIN_ARGUMENTS,
        },
    }
}
# Where distributions put it: Debian, Red Hat, the servers' own packages.
SOCKETS = (
    "/run/mysqld/mysqld.sock",
    "/var/lib/mysql/mysql.sock",
    "/run/mysql/mysql.sock",
    "/tmp/mysql.sock",  # noqa: S108 - the servers' own default
)


@dataclass(frozen=True)
class Login:
    """unix_socket: instead of host and port.  ca: a file; with it the certificate and its name are checked.
    tls: whether TLS is used over TCP where the server has it.  timeout: seconds to connect."""

    host: str = ""
    port: int = 3306
    unix_socket: str = ""
    user: str = "root"
    password: str = field(default="", repr=False)
    ca: str = ""
    tls: bool = True
    timeout: float = 10

    @property
    def place(self) -> str:
        """Where it leads, for people."""
        if self.unix_socket:
            return self.unix_socket
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def login_from(params: Mapping[str, Any]) -> Login:
    """The login that a module's options describe. Raises InvalidInput."""
    host, socket = params.get("login_host") or "", params.get("login_unix_socket") or ""
    port, timeout = int(params["login_port"]), int(params["login_timeout"])
    for name, text in (("login_host", host), ("login_unix_socket", socket), ("login_user", params["login_user"] or "")):
        if any(ord(letter) < 32 for letter in text):
            raise InvalidInput(f"{name}: {text!r} has characters that nothing there has.", hint="Correct the value.")
    if host and socket:
        raise InvalidInput("login_host and login_unix_socket exclude each other.", hint="Give one of them.")
    if not 1 <= port <= 65535:
        raise InvalidInput(f"login_port: {port} is no port.", hint="Give 1 to 65535.")
    if not 1 <= timeout <= 3600:
        raise InvalidInput(f"login_timeout: {timeout} is not a number of seconds.", hint="Give 1 to 3600.")
    ca = params.get("login_ca") or ""
    if ca and not os.path.isfile(ca):  # noqa: PTH113 - a path with a null byte raises in pathlib
        raise InvalidInput(f"login_ca: there is no file {ca}.", hint="It is looked for where the module runs.")
    if not host and not socket:
        socket = next((path for path in SOCKETS if os.path.exists(path)), "")  # noqa: PTH110 - one line for a fallback
    return Login(
        host=host or ("" if socket else "127.0.0.1"),
        port=port,
        unix_socket=socket,
        user=params["login_user"] or "root",
        password=params.get("login_password") or "",
        ca=ca,
        timeout=timeout,
    )
