#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_topology_info
short_description: Who writes, who follows whom, and who could write next, in a set of MySQL or MariaDB servers
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Asks all servers of a set at once, and says which is writable, which follows which, which transactions only one of
    them has, and in which order they could take over, with reasons.
  - A server that cannot be asked is an answer too, and no failure.
  - Nothing is changed, in check mode or not.
options:
  max_lag:
    description: How many seconds a replica may be behind before that is a problem. Without it, any lag will do.
    type: int
requirements:
  - MySQL 8.0.23 or later, or MariaDB 10.6 or later
  - PyMySQL 1.0 or later where the module runs (C(python3-pymysql) on Debian and Ubuntu)
notes:
  - "The logins need: on MySQL C(REPLICATION CLIENT) and C(SELECT) on C(performance_schema), on MariaDB
    C(REPLICA MONITOR) and, to see what was purged, C(BINLOG MONITOR)."
extends_documentation_fragment: hospital.continuity.mysql.servers
seealso:
  - module: hospital.continuity.mysql_replication
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Changes nothing, so there is nothing to show.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Look at the three servers
  hospital.continuity.mysql_topology_info:
    servers:
      - name: a
        login_host: 192.0.2.11
        login_user: monitor
        login_password: not-this-one
        login_timeout: 2
      - name: b
        login_host: 192.0.2.12
        login_user: monitor
        login_password: not-this-one
        login_timeout: 2
    max_lag: 30
  register: topology

- name: Look at the server of this host only
  hospital.continuity.mysql_topology_info:
    servers:
      - name: here
"""

RETURN = r"""
writer:
  description: The name of the server that is writable, empty where none is, or more than one.
  returned: always
  type: str
  sample: a
writers:
  description: All servers that are writable (C(read_only) is off). There should be one.
  returned: always
  type: list
  elements: str
  sample: [a]
verdict:
  description: V(healthy), V(warning), or V(critical) where data or service is at stake.
  returned: always
  type: str
  sample: healthy
problems:
  description: What is wrong, in words, with C(level) and C(message).
  returned: always
  type: list
  elements: dict
  sample: [{"level": "warning", "message": "b, channel default is 45 s behind"}]
errant:
  description: By server, the transactions it has and the writer does not have. It cannot follow the writer.
  returned: always
  type: dict
  sample: {"b": "99292e59-e66e-11f1-9609-02fc00000001:7-9"}
candidates:
  description:
    - Who could write next, the best first, with C(rank) from 1 (V(0) for one that cannot be asked), what is C(missing)
      there of what the other servers that could be asked have, and C(reasons) in words.
  returned: always
  type: list
  elements: dict
  sample: [{"name": "b", "rank": 1, "missing": "", "reasons": ["it has everything that any reachable server has"]}]
servers:
  description:
    - What each server says of itself, with the C(channels) it has, whom it C(follows), by name where it is one of the
      set, and the transactions it C(has) and has C(purged) in its own notation.
  returned: always
  type: list
  elements: dict
  sample: [{"name": "a", "reachable": true, "error": "", "dialect": "MySQL", "version": "9.7.4", "read_only": false,
    "super_read_only": false, "follows": [], "channels": []}]
"""

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput, SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.module import Module
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.information import clients, gather, result
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.login import SERVERS_ARGUMENT


def main() -> None:
    module = Module(argument_spec={**SERVERS_ARGUMENT, "max_lag": {"type": "int"}}, supports_check_mode=True)
    try:
        max_lag = module.params["max_lag"]
        if max_lag is not None and max_lag < 0:
            raise InvalidInput(f"max_lag: {max_lag} is not a number of seconds.", hint="Give 0 or more.")
        found = clients(module.params["servers"])
        try:
            topology = gather(found, max_lag=max_lag)
        finally:
            for client in found.values():
                client.close()
    except SubsystemError as problem:
        module.fail_json(msg=str(problem))
    module.exit_json(changed=False, **result(topology))


if __name__ == "__main__":
    main()
