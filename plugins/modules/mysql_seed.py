#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_seed
short_description: Fill a new or diverged replica of MySQL or MariaDB from another server
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Copies all data and accounts of O(donor) to the server of this host, with the position in the donor's transactions,
    so that it can follow from there on. Nothing is copied where O(if) says so.
  - "It never takes a position without its data: M(hospital.continuity.mysql_replication) then only has to be told whom
    to follow."
  - The donor goes on working. Its tables must be transactional (InnoDB), or what is written to them meanwhile is not
    consistent.
  - Channels that this server has are stopped and emptied, and started by nobody here. After a clone or a copy by
    C(mariadb-backup) it has none.
options:
  name:
    description: What this server is called, as in C(servers) of M(hospital.continuity.mysql_topology).
    type: str
    required: true
  donor:
    description: The server to copy, and how to log in to it from this host.
    type: dict
    required: true
    suboptions:
      host:
        description: Its name or address.
        type: str
        required: true
      port:
        description: Its port.
        type: int
        default: 3306
      user:
        description: An account that may read everything.
        type: str
        default: root
      password:
        description: The account's password.
        type: str
      ca:
        description:
          - File on this host with the CA certificate that the donor's certificate and name are checked against.
        type: path
  if:
    description:
      - When to copy. V(empty) where this server has no database of anybody's and the donor has. V(diverged) also where
        it has transactions that the donor does not have, or needs ones that the donor has purged. V(always) at every
        run.
      - A copy that did not come to its end is always made again.
    type: str
    choices: [empty, diverged, always]
    default: empty
  method:
    description:
      - V(clone) is MySQL's plugin, which has to be loaded on both servers of exactly the same version. It ends with a
        restart of this server, which its service manager has to bring about.
      - V(mariadb_backup) is a copy of a MariaDB donor's files of the same version (10.11 and 10.11), by
        C(mariadb-backup), which O(backup_command) runs at the donor. It is made beside the data that is here, which
        therefore needs room for both. This server goes on until the copy is complete, is stopped for the exchange, and
        gets its old data back where it does not start with the copy. The only way that gives up nothing beforehand.
      - V(dump) is a dump that goes straight into this server, for MySQL and MariaDB. What was here is gone when it
        begins.
      - V(auto) takes V(clone) or V(mariadb_backup) where it is possible, otherwise V(dump).
    type: str
    choices: [auto, clone, mariadb_backup, dump]
    default: auto
  backup_command:
    description:
      - The command, run by the module on this host, that runs C(mariadb-backup) at the donor and brings its output
        here, for example V([ssh, -o, BatchMode=yes, root@192.0.2.12, mariadb-backup]). The module adds C(--backup
        --stream=mbstream).
      - It logs in by itself, as root by the donor's socket or by an option file there. Passwords do not belong in it.
        O(donor) is needed all the same, and must be the same server.
    type: list
    elements: str
  stop_command:
    description:
      - With V(mariadb_backup), the command that stops this server and waits for its end. Where nothing is said,
        C(systemctl stop mariadb.service).
    type: list
    elements: str
  start_command:
    description:
      - With V(mariadb_backup), the command that starts it. Where nothing is said, C(systemctl start mariadb.service).
    type: list
    elements: str
  dump_command:
    description:
      - The program that dumps, where it is not C(mysqldump) of MySQL or C(mariadb-dump) of MariaDB in the usual places.
    type: list
    elements: str
  client_command:
    description: The program that loads the dump, where it is not C(mysql) or C(mariadb) in the usual places.
    type: list
    elements: str
notes:
  - "Word for O(allow): V(reseed_replica:<name>) lets the data of this server be replaced. The message that asks for it
    names the databases, and the transactions that only this server has."
  - A server with data that is writable is refused, because it may be the one that others follow.
  - Passwords are in no command line. The programs get them by a file that only this user can read and that is removed.
  - Afterwards the accounts are the donor's, so O(login_user) and O(login_password) must be valid there.
  - The server is read-only afterwards. After a clone, it is what its configuration says. With V(mariadb_backup) it is
    restarted, so have its configuration say C(read_only=ON).
  - V(mariadb_backup) has to run as root on the server's host, with the package C(mariadb-backup) there and at the
    donor. Should the host fail in the middle of the exchange, what was here before is in the folder
    C(hospital_continuity_copy/old) of the data directory. Where the cluster looks after the server, have
    O(start_command) and O(stop_command) tell it.
  - An unfinished copy is marked by a database C(hospital_continuity_unfinished_seed). Neither
    M(hospital.continuity.mysql_topology) nor M(hospital.continuity.mysql_replication) takes such a server for one that
    can follow, or write.
  - Without O(donor.ca) the connection is encrypted where the donor can, and nobody's certificate is checked. With it, a
    clone is encrypted for certain, but the certificate is checked only before it.
  - Events are here as they are at the donor, so a replica is better run with C(event_scheduler=OFF).
  - Between servers of different versions, run C(mariadb-upgrade) after a dump. MySQL upgrades its tables at its start.
seealso:
  - module: hospital.continuity.mysql_replication
  - module: hospital.continuity.mysql_topology
extends_documentation_fragment:
  - hospital.continuity.mysql
  - hospital.continuity.convergence.operation
  - hospital.continuity.convergence.allow
"""

EXAMPLES = r"""
# The server to copy from, as host_vars of the replica have it:
#   record_donor: {host: 192.0.2.12, user: seed, password: "{{ vault_seed_password }}"}
#   record_backup_command: [ssh, -o, BatchMode=yes, root@192.0.2.12, mariadb-backup]
- name: Fill a new replica
  hospital.continuity.mysql_seed:
    name: c
    donor: "{{ record_donor }}"

- name: Fill it with the donor's files instead of a dump
  hospital.continuity.mysql_seed:
    name: c
    donor: "{{ record_donor }}"
    backup_command: "{{ record_backup_command }}"

- name: Fill a former writer again that has what nobody else has, and lose that
  hospital.continuity.mysql_seed:
    name: c
    donor: "{{ record_donor }}"
    if: diverged
    allow: ["reseed_replica:c"]
"""

RETURN = r"""
method:
  description: How it was copied, empty where nothing was.
  returned: always
  type: str
  sample: dump
seconds:
  description: How long that took.
  returned: always
  type: float
  sample: 41.7
position:
  description: The transactions this server has now, in its own notation.
  returned: always
  type: str
  sample: "0-101-4711"
steps:
  description: What was done, and how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: seed server c: by dump from 192.0.2.11:3306"]
before:
  description: The databases of this server before, where it was to be filled.
  returned: always
  type: dict
  sample: {c: {databases: [], unfinished: false}}
after:
  description: The databases it was found with afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {c: {databases: [records], unfinished: false}}
unmet:
  description: Why this server cannot follow the donor, although every step succeeded.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.mysql.seed_module import run
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.seed_operation import SEEDING


def main() -> None:
    run(SEEDING)


if __name__ == "__main__":
    main()
