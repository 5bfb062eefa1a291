# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How to reach and log in to a server of MySQL or MariaDB: the options of all mysql_* modules."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  login_host:
    description:
      - Name or address of the server, as the host where the module runs reaches it.
      - Without it and without O(login_unix_socket), the server of this host is meant. It is reached over its usual unix
        socket, or at 127.0.0.1 where there is none.
    type: str
  login_port:
    description: The server's port, with O(login_host).
    type: int
    default: 3306
  login_unix_socket:
    description: The unix socket of a server of this host.
    type: path
  login_user:
    description: The account to log in with. V(root) of MariaDB usually logs in over the unix socket only, as root.
    type: str
    default: root
  login_password:
    description: The account's password.
    type: str
  login_ca:
    description:
      - File with the CA certificate that the server's certificate is checked against. With it, a connection without TLS
        or to a server of another name than O(login_host) is refused.
      - Without it, TLS is used where the server offers it, and nobody's certificate is checked.
    type: path
  login_timeout:
    description: How many seconds connecting may take.
    type: int
    default: 10
requirements:
  - MySQL 8.0.23 or later, or MariaDB 10.6 or later
  - PyMySQL 1.0 or later where the module runs (C(python3-pymysql) on Debian and Ubuntu)
  - For accounts with C(caching_sha2_password) over TCP without TLS, the Python library cryptography as well
"""

    # Of a whole set of servers.
    SERVERS = r"""
options:
  servers:
    description:
      - All servers of the set, with how to log in to each. One that is left out is not asked, and may be writable.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What the server is called here.
        type: str
        required: true
      source_host:
        description:
          - Name or address of the server as the other servers reach it. Without it, what their channels have, and
            otherwise O(servers[].login_host). M(hospital.continuity.mysql_topology_info) does not need it, and takes it
            so that one list does for both.
        type: str
      source_port:
        description: The port for that. Without it, O(servers[].login_port).
        type: int
      login_host:
        description:
          - Name or address of the server, as the host where the module runs reaches it.
          - Without it and without O(servers[].login_unix_socket), the server of that host is meant.
        type: str
      login_port:
        description: The server's port, with O(servers[].login_host).
        type: int
        default: 3306
      login_unix_socket:
        description: The unix socket of a server of the host where the module runs.
        type: path
      login_user:
        description: The account to log in with.
        type: str
        default: root
      login_password:
        description: The account's password.
        type: str
      login_ca:
        description: File with the CA certificate that the server's certificate and name are checked against.
        type: path
      login_timeout:
        description: How many seconds connecting may take.
        type: int
        default: 10
"""
