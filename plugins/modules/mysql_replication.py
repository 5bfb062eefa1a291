#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_replication
short_description: Replication channels of MySQL and MariaDB
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Makes the channels of a replica follow their sources as it is written, or removes them. A server may have several,
    each with a name (multi-source replication; MariaDB calls a channel a connection).
  - "A channel that runs is changed in place: only the thread that has to stand still is stopped, for no longer than the
    change takes, and it is started again even when the change fails. MariaDB wants both threads stopped for most
    options."
  - A channel is healthy when both of its threads run without an error, and when it lags no more than O(max_lag). What
    is not, is returned in RV(unmet) with the server's own words. After a change this is waited for.
  - No data is copied. A new channel by GTID begins after what the server has; one by position begins where the copy of
    the data was taken, and that position has to be given.
options:
  config:
    description: The channels.
    type: list
    elements: dict
    required: true
    suboptions:
      channel:
        description:
          - The channel's name, up to 64 letters, digits and C(_ . -). Upper and lower case are the same.
          - V(default) is the channel without a name, which is the only one of servers that have one source.
        type: str
        required: true
      source_host:
        description:
          - Name or address of the server to follow. Needed to create a channel.
          - Changing it asks for consent. By GTID, the new source is asked before whether it has everything that this
            server has, and still has everything that this server needs; if not, the change is refused.
        type: str
      source_port:
        description:
          - The source's port. Where nothing is said, a new channel has V(3306). Changing it is changing the source.
          - MariaDB follows a server with one channel only.
        type: int
      source_user:
        description: The account for replication at the source. Needed to create a channel.
        type: str
      source_password:
        description:
          - The password of O(config[].source_user), with any characters but control characters. MySQL takes 32
            characters at most, MariaDB 96.
          - It is written when the channel is created, when its source or user changes, and with
            O(update_secrets=always).
        type: str
      gtid:
        description:
          - Whether source and replica find the position themselves, by global transaction identifiers (MySQL
            C(SOURCE_AUTO_POSITION), MariaDB C(MASTER_USE_GTID=slave_pos)). Where nothing is said, V(true).
        type: bool
      source_log_file:
        description:
          - With O(config[].gtid=false), the source's binary log to begin with. Needed to create such a channel and to
            change its source, and not compared afterwards.
        type: str
      source_log_pos:
        description: The position in O(config[].source_log_file) to begin at.
        type: int
      connect_retry:
        description: Seconds between two attempts to connect to the source. Where nothing is said, V(60).
        type: int
      retry_count:
        description:
          - How often connecting is tried, V(0) for ever. Where nothing is said, V(10), before MySQL 8.4 V(86400).
          - MySQL only. MariaDB has it for the whole server only.
        type: int
      heartbeat_period:
        description:
          - After how many seconds of silence the source sends a sign of life, to the millisecond. V(0) never. Where
            nothing is said, half of the server's C(replica_net_timeout) or C(slave_net_timeout).
        type: float
      delay:
        description: How many seconds a transaction is applied later than at the source. Where nothing is said, V(0).
        type: int
      ssl:
        description:
          - Whether the connection to the source uses TLS. Where nothing is said, a new channel is as the server makes
            it. This and the other options of TLS are never reset.
        type: bool
      ssl_ca:
        description: File on the replica with the CA certificate that the source's certificate is checked against.
        type: path
      ssl_cert:
        description: File on the replica with the certificate that it shows to the source.
        type: path
      ssl_key:
        description: File on the replica with the key of O(config[].ssl_cert).
        type: path
      ssl_verify_server_cert:
        description: Whether the name in the source's certificate must be O(config[].source_host).
        type: bool
      get_source_public_key:
        description:
          - Whether the replica asks the source for the key with which it hides its password, where the connection has
            no TLS and the account uses C(caching_sha2_password). MySQL only. Where nothing is said, V(false).
        type: bool
      replicate_do_db:
        description:
          - The only databases to apply. As with all filters, the list is complete, an empty one takes the filter away,
            and what it means depends on the source's binary log format.
          - A server forgets filters when it restarts, unless its configuration file has them too.
        type: list
        elements: str
      replicate_ignore_db:
        description: Databases not to apply.
        type: list
        elements: str
      replicate_do_table:
        description: The only tables to apply, as C(database.table).
        type: list
        elements: str
      replicate_ignore_table:
        description: Tables not to apply, as C(database.table).
        type: list
        elements: str
      replicate_wild_do_table:
        description: Patterns of the only tables to apply, as C(database.table), with C(%) and C(_).
        type: list
        elements: str
      replicate_wild_ignore_table:
        description: Patterns of tables not to apply, as C(database.table), with C(%) and C(_).
        type: list
        elements: str
      semi_sync:
        description:
          - Whether this server confirms what it received, so that a source with semi-synchronous replication waits for
            it. It is one setting for the whole server.
          - It is refused on a server with several channels, where the servers' receivers break each other. On MySQL
            its plugin has to be loaded.
          - Where nothing is said, V(false). A server forgets it when it restarts, unless its configuration has it too.
        type: bool
      running:
        description:
          - Whether the channel runs. Where nothing is said, V(true), also for a channel that somebody stopped.
          - A channel that stopped for an error is started again by each run, in case its cause was mended.
        type: bool
      reset:
        description: Names of options of this channel that go back to their default.
        type: list
        elements: str
  max_lag:
    description:
      - How many seconds a channel may lag behind its source, beyond its O(config[].delay), to be healthy. Without it,
        any lag will do.
      - It is the server's own number, which counts what was received and not yet applied.
    type: int
notes:
  - "Words for O(allow): V(remove_channel:<channel>) lets O(state=absent) remove a channel, V(change_source:<channel>)
    lets a channel follow another source. The channel without a name is V(default) here too."
  - The login needs on MySQL C(REPLICATION_SLAVE_ADMIN), C(REPLICATION CLIENT), C(SYSTEM_VARIABLES_ADMIN) for
    O(config[].semi_sync), and C(SELECT) on C(performance_schema); on MariaDB C(REPLICATION SLAVE ADMIN) and
    C(REPLICA MONITOR).
  - Servers throw away what a channel has received when it is changed while both of its threads stand still. A source
    that is there sends it again. Where it is gone, a change of a channel that has not applied everything is refused.
  - Whether a new source has what is needed is asked with the channel's own account. Where that cannot be done, because
    the source is not there or MariaDB does not tell the password and O(config[].source_password) is not given either,
    a warning says so. MariaDB tells what it has purged only to accounts with C(BINLOG MONITOR).
extends_documentation_fragment:
  - hospital.continuity.mysql
  - hospital.continuity.convergence
  - hospital.continuity.convergence.allow
  - hospital.continuity.convergence.secrets
"""

EXAMPLES = r"""
- name: Follow the first server
  hospital.continuity.mysql_replication:
    config:
      - channel: default
        source_host: 192.0.2.11
        source_user: replication
        source_password: 'it''s a "secret" with \ and %'
    max_lag: 30

- name: Follow two servers, one with TLS and one an hour behind
  hospital.continuity.mysql_replication:
    config:
      - channel: records
        source_host: 192.0.2.20
        source_user: replication
        source_password: not-this-one
        ssl: true
        ssl_ca: /etc/mysql/ca.pem
        ssl_verify_server_cert: true
      - channel: laboratory
        source_host: 192.0.2.21
        source_user: replication
        source_password: nor-this-one
        delay: 3600
        replicate_do_db: [laboratory]

- name: Follow the other server from now on
  hospital.continuity.mysql_replication:
    config:
      - channel: default
        source_host: 192.0.2.12
        source_password: 'it''s a "secret" with \ and %'
    allow: ["change_source:default"]

- name: A channel less
  hospital.continuity.mysql_replication:
    config:
      - channel: laboratory
    state: absent
    allow: ["remove_channel:laboratory"]
"""

RETURN = r"""
steps:
  description: One line for each step, and how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: update channel default: delay, connect_retry"]
before:
  description: The channels a step was planned for, as they were. Null where there was none.
  returned: always
  type: dict
  sample: {"default": {"channel": "default", "source_host": "192.0.2.11", "delay": 0, "running": true}}
after:
  description: The same channels as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"default": {"channel": "default", "source_host": "192.0.2.11", "delay": 3600, "running": true}}
unmet:
  description:
    - Why a channel that should run is not healthy, in the server's own words, although every step succeeded. Also told
      by a run that changes nothing.
  returned: always
  type: list
  elements: str
  sample:
    - "channel default: it is not connected to 192.0.2.11:3306: error connecting to master 'replication@192.0.2.11:3306'
      - retry-time: 60  maximum-retries: 100000  message: Host is down (2003)."
"""

from ansible_collections.hospital.continuity.plugins.module_utils.mysql.channel import CHANNEL
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.module import run


def main() -> None:
    run(CHANNEL)


if __name__ == "__main__":
    main()
