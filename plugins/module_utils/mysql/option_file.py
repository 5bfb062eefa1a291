# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How the servers' own programs log in: by a file of options that only its owner can read, and that is gone afterwards.
A command line can be read by everybody."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator

from ansible_collections.hospital.continuity.plugins.module_utils.mysql.login import Login


def option_text(login: Login, *, mysql: bool, tls: bool = True) -> str:
    """The group [client] of an option file. mysql: for MySQL's programs, which call some options otherwise.  tls: the
    server offers it; without being told, MariaDB's programs send everything in the clear, or from 11.4 on refuse a
    certificate that nobody asked them to check."""
    lines = [f"user={_quoted(login.user)}", f"password={_quoted(login.password)}"]
    if login.unix_socket:
        # Nobody listens there, and the certificate is for a name.
        lines += [f"socket={_quoted(login.unix_socket)}", "ssl-mode=DISABLED" if mysql else "skip-ssl"]
    else:
        lines += [f"host={_quoted(login.host)}", f"port={login.port}", "protocol=tcp"]
    if login.ca and not login.unix_socket:
        lines += [f"ssl-ca={_quoted(login.ca)}", "ssl-mode=VERIFY_IDENTITY" if mysql else "ssl-verify-server-cert"]
    elif not login.unix_socket:
        mariadb = ("ssl", "skip-ssl-verify-server-cert") if tls else ("skip-ssl",)
        lines += (f"ssl-mode={'REQUIRED' if tls else 'DISABLED'}",) if mysql else mariadb
    return "\n".join(["[client]", *lines, ""])


def _quoted(value: str) -> str:
    """The programs take backslashes and quotes in a quoted value as it is usual elsewhere."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


@contextlib.contextmanager
def option_file(login: Login, *, mysql: bool, tls: bool = True) -> Iterator[str]:
    """The path of such a file."""
    descriptor, path = tempfile.mkstemp(prefix="continuity-", suffix=".cnf")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(option_text(login, mysql=mysql, tls=tls))
        yield path
    finally:
        os.unlink(path)  # noqa: PTH108 - a path with odd bytes in TMPDIR
