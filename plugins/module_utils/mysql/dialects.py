# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Which dialect a server speaks."""

from __future__ import annotations

import re

from ansible_collections.hospital.continuity.plugins.module_utils.mysql import mariadb_dialect, mysql_dialect
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialect import Dialect
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.errors import Unsupported
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.mariadb_dialect import MariadbDialect
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.mysql_dialect import MysqlDialect

_NUMBERS = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


def dialect_of(client: Client) -> Dialect:
    """The dialect of the server that the client is connected to. Raises Unsupported for one that is too old."""
    row = client.row("SELECT @@global.version AS version, @@global.version_comment AS comment")
    return dialect_for(str(row["version"]), str(row["comment"]))


def dialect_for(version: str, comment: str = "") -> Dialect:
    """The dialect of a server with this version, for example 10.11.19-MariaDB-log or 9.7.4."""
    match = _NUMBERS.search(version)
    numbers = tuple(int(part) for part in match.groups() if part is not None) if match else ()
    if "mariadb" in f"{version} {comment}".lower():
        dialect: Dialect = MariadbDialect(version=numbers, text=version)
        oldest: tuple[int, ...] = mariadb_dialect.OLDEST
    else:
        dialect = MysqlDialect(version=numbers, text=version)
        oldest = mysql_dialect.OLDEST
    if numbers < oldest:
        raise Unsupported(
            f"{dialect.name} {version} is too old: {dialect.name} {'.'.join(map(str, oldest))} or later is needed.",
            hint="Upgrade the server.",
        )
    return dialect
