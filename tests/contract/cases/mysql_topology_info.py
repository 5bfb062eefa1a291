# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of mysql_topology_info, which reads. What it says of real servers: tests/contract/test_mysql_topology.py."""

from __future__ import annotations

from typing import Any

from lab.mysql import ADMIN, ADMIN_PASSWORD
from tests.contract.case import Case


def servers(system: Any) -> list[dict[str, Any]]:
    login = {"login_user": ADMIN, "login_password": ADMIN_PASSWORD}
    found = {"source": system.source, "second": system.second, "replica": system.replica}
    return [{"name": name, "login_unix_socket": server.socket, **login} for name, server in found.items()]


CASE = Case(module="mysql_topology_info", subsystem="mariadb", base={"servers": servers}, options=(), several=[])
