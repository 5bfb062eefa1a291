#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_topology
short_description: Say which of a set of MySQL or MariaDB servers writes, and have the others follow it
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Makes O(writer) the one server of the set that is writable, and every other one follow it. Where that is so already,
    nothing is done.
  - "A planned switchover: the old writer becomes read-only, its clients' connections are ended, the new one applies
    everything, stops following, and becomes writable as the very last thing. Then the others are pointed to it, and
    the old writer follows as well."
  - "It is refused before anything is touched where the new writer has transactions that the old one does not have,
    where replication into it is broken or too far behind, and where nobody could follow it."
  - Where something fails before the new one is writable, the old writer is made writable again, and the error says so.
    There are never two writers.
  - "Where no server is writable, as after the loss of the writer, O(writer) is promoted if it has everything that any
    other server that can be asked has received."
  - A former writer that is back, read-only, follows again if the writer has all its transactions. Otherwise what only
    it has is named.
options:
  writer:
    description: The name of the server that shall write.
    type: str
    required: true
  drain_timeout:
    description:
      - How many seconds the new writer may take to apply everything that the old one has written. Nobody can write
        meanwhile.
      - One that is further behind to begin with is refused.
    type: int
    default: 30
  grace:
    description:
      - How many seconds statements that write may take to end when the old writer becomes read-only. After that, their
        connections are ended.
    type: int
    default: 1
  source_user:
    description:
      - The account with which a server that has no channel yet follows the writer. Without it, that of another server
        of the set.
    type: str
  source_password:
    description:
      - The account's password. Channels that exist keep the one they have.
      - Without it, a new channel gets that of another server's, which MySQL tells and MariaDB does not.
    type: str
requirements:
  - MySQL 8.0.23 or later, or MariaDB 10.6 or later
  - PyMySQL 1.0 or later where the module runs (C(python3-pymysql) on Debian and Ubuntu)
notes:
  - "Words for O(allow): V(reseed_replica:<server>) leaves a server that has transactions nobody else has, or that
    needs what is purged, out of the set until M(hospital.continuity.mysql_seed) has filled it anew on its own host,
    which is yours to run. V(promote_behind:<server>) promotes a server that lacks transactions which another one has
    received, or which it has received itself and does not apply; the message says how many, and they are lost."
  - "Run it where all servers can be reached. It is no arbiter: a server that cannot be asked may still be writable for
    others. Make sure of that (fencing) before O(writer) is another. A server to which a replica is still connected
    is taken for alive, and so is one that answers without letting this host look (a wrong password, too many
    connections) or that hangs. Nobody is promoted in their place."
  - A server that M(hospital.continuity.mysql_seed) has not filled to the end is left out, whatever transactions it has.
  - A server that follows by position follows by GTID afterwards.
  - "C(read_only) does not outlast a restart. Have all servers start with C(read_only=ON) and without their channels
    (C(skip_replica_start), C(skip_slave_start)), so that a former writer comes back harmless."
  - The writer follows no server of the set. Its channels are stopped and kept, so that it can follow again.
  - MariaDB's C(read_only) does not hold back accounts with C(READ ONLY ADMIN). What they write meanwhile is noticed up
    to the moment of the promotion, which then fails.
  - "The logins need what M(hospital.continuity.mysql_replication) needs; and on MySQL C(CONNECTION_ADMIN), on MariaDB
    C(READ ONLY ADMIN) and C(CONNECTION ADMIN)."
seealso:
  - module: hospital.continuity.mysql_topology_info
  - module: hospital.continuity.mysql_replication
  - module: hospital.continuity.mysql_seed
extends_documentation_fragment:
  - hospital.continuity.mysql.servers
  - hospital.continuity.convergence.operation
  - hospital.continuity.convergence.allow
"""

EXAMPLES = r"""
# The servers, as group_vars have them for all plays:
#   record_servers:
#     - {name: a, login_host: 192.0.2.11, login_user: admin, login_password: "{{ vault_admin_password }}"}
#     - {name: b, login_host: 192.0.2.12, login_user: admin, login_password: "{{ vault_admin_password }}"}
#     - {name: c, login_host: 198.51.100.13, login_user: admin, login_password: "{{ vault_admin_password }}"}
- name: Have b write from now on, within 20 seconds or not at all
  hospital.continuity.mysql_topology:
    servers: "{{ record_servers }}"
    writer: b
    drain_timeout: 20
    source_password: "{{ replication_password }}"

# After this, mysql_seed on a fills it anew.
- name: Go on with b, and leave a out if it has transactions that nobody else has
  hospital.continuity.mysql_topology:
    servers: "{{ record_servers }}"
    writer: b
    source_password: "{{ replication_password }}"
    allow: ["reseed_replica:a"]
"""

RETURN = r"""
writer:
  description: The one server that is writable now. Empty where none is, or more than one.
  returned: always
  type: str
  sample: b
seconds:
  description: How many seconds nobody could write in this run, seen from here. 0 where nothing was switched.
  returned: always
  type: float
  sample: 0.31
reseed:
  description: By server, why it cannot follow until it has been filled anew.
  returned: always
  type: dict
  sample: {}
steps:
  description: What was done, in order, and how each step ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: demote server a", "done: catch_up server b: all of a", "done: promote server b",
    "done: attach server a: to b", "done: attach server c: to b"]
before:
  description: The servers for which a step was planned, by name, whether each is writable and whom it follows.
  returned: always
  type: dict
  sample: {a: {writable: true, follows: []}, b: {writable: false, follows: [a]}}
after:
  description: The same servers as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {a: {writable: false, follows: [b]}, b: {writable: true, follows: []}}
unmet:
  description: What does not hold although every step succeeded, such as a server that cannot be asked, that must be
    filled anew, or that receives nothing.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.mysql.topology_module import run
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.topology_operation import TOPOLOGY


def main() -> None:
    run(TOPOLOGY)


if __name__ == "__main__":
    main()
