# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Real MariaDB and MySQL servers, as processes of this machine in folders of their own."""

from lab.mysql.programs import DIALECTS, MARIADB, MYSQL, why_not
from lab.mysql.server import ADMIN, ADMIN_PASSWORD, REPLICATION, REPLICATION_PASSWORD, Server
from lab.mysql.servers import Servers

__all__ = [
    "ADMIN",
    "ADMIN_PASSWORD",
    "DIALECTS",
    "MARIADB",
    "MYSQL",
    "REPLICATION",
    "REPLICATION_PASSWORD",
    "Server",
    "Servers",
    "why_not",
]
