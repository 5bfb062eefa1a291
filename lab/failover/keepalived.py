# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The same pair as people usually build it: keepalived with a check script, and notify scripts that switch read_only;
asynchronous replication both ways. To compare with, not to use."""

from __future__ import annotations

import time
from typing import Self

from lab.failover.client import DATABASE, TABLE, USER
from lab.failover.dialect import MARIADB
from lab.failover.faults import Fault
from lab.failover.observers import SERVER
from lab.failover.pair import NETWORK, OTHER, PAIR, Pair, State
from lab.hosts import Host, Hosts, Lan, wait_until

FLOATING = f"{NETWORK}.10"
ADDRESSES = {"a": f"{NETWORK}.1", "b": f"{NETWORK}.2"}
_PASSWORD = "keepalived"
_SETTINGS = """[mysqld]
server_id = {number}
bind_address = 0.0.0.0
log_bin = binlog
log_slave_updates = ON
binlog_format = ROW
sync_binlog = 1
innodb_flush_log_at_trx_commit = 1
read_only = ON
skip_name_resolve = ON
slave_net_timeout = 3
innodb_buffer_pool_size = 64M
"""
_KEEPALIVED = """global_defs {{
  router_id {name}
  script_user root
  enable_script_security
}}
vrrp_script database {{
  script "/usr/bin/mariadb-admin ping"
  interval 1
  timeout 2
  fall 2
  rise 2
}}
vrrp_instance record {{
  state BACKUP
  nopreempt
  interface eth0
  virtual_router_id 51
  priority {priority}
  advert_int 1
  virtual_ipaddress {{
    {floating}/24
  }}
  track_script {{
    database
  }}
  notify_master "/usr/local/sbin/role master"
  notify_backup "/usr/local/sbin/role backup"
  notify_fault "/usr/local/sbin/role backup"
}}
"""
_ROLE = """#!/bin/sh
case $1 in
master) mariadb -e "STOP SLAVE; SET GLOBAL read_only = OFF" ;;
backup) mariadb -e "SET GLOBAL read_only = ON; START SLAVE" ;;
esac
"""
_FOLLOW = (
    "STOP SLAVE; CHANGE MASTER TO MASTER_HOST='{source}', MASTER_USER='repl', MASTER_PASSWORD='repl', "
    "MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=1; START SLAVE"
)


class Keepalived(Pair):
    """`rebuilt`: how often a server had to be filled anew, as it had what the other one lacks or could not follow."""

    def __init__(self) -> None:
        super().__init__(MARIADB, Hosts(*PAIR, image="keepalived"), FLOATING)
        self.rebuilt = 0

    def __enter__(self) -> Self:
        self.hosts.__enter__()
        try:
            self.lan = Lan(self.hosts)
            for name, address in ADDRESSES.items():
                self.lan.join(name, f"{address}/24")
            self.lan.plug_in(f"{NETWORK}.254/24")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.rest()
        self.hosts.__exit__()

    def converge(self) -> None:
        self.everywhere(self._configure)
        for name in PAIR:
            self.sql(name, _FOLLOW.format(source=ADDRESSES[OTHER[name]]))
        for name in PAIR:
            self.hosts[name].run("systemctl", "enable", "--quiet", "--now", "keepalived")

    def _configure(self, host: Host) -> None:
        number = PAIR.index(host.name) + 1
        host.write("/etc/mysql/mariadb.conf.d/99-lab.cnf", _SETTINGS.format(number=number))
        host.write("/usr/local/sbin/role", _ROLE, "0755")
        keepalived = _KEEPALIVED.format(name=host.name, priority=110 - 10 * number, floating=FLOATING)
        host.write("/etc/keepalived/keepalived.conf", keepalived)
        host.run("systemctl", "enable", "--quiet", "--now", "mariadb")
        self.sql(
            host.name,
            "SET sql_log_bin = 0; CREATE USER repl@'%' IDENTIFIED BY 'repl';"
            "GRANT REPLICATION SLAVE ON *.* TO repl@'%';"
            f"CREATE USER {USER}@'%' IDENTIFIED BY '{_PASSWORD}'; GRANT ALL ON {DATABASE}.* TO {USER}@'%';"
            f"CREATE DATABASE {DATABASE}; CREATE TABLE {DATABASE}.{TABLE} (n BIGINT PRIMARY KEY); RESET MASTER",
        )

    def begin(self) -> None:
        self.watch()
        self.write(_PASSWORD)

    def state(self) -> State:
        active = self.active()
        if not active:
            return State("", "no host, or more than one, has the address")
        standby = OTHER[active]
        if not self.hosts[standby].powered:
            return State(active, f"{standby} is off")
        if self.observers.now(SERVER) != [active]:
            return State(active, f"writable: {self.observers.now(SERVER)}")
        if not self.follows(standby):
            return State(active, f"{standby} does not follow")
        if self.channel(standby).get("Seconds_Behind_Master") != "0":
            return State(active, f"{standby} is behind")
        return State(active, "")

    def settle(self, seconds: float = 25) -> str:
        """Filled anew by hand where it does not come right by itself."""
        try:
            super().settle(seconds)
        except TimeoutError:
            self._rebuild()
            super().settle(60)
        time.sleep(2)
        return self.active()

    def _rebuild(self) -> None:
        """The side with the address is right, by definition."""
        self.rebuilt += 1
        wait_until(self.active, "one side has the address", 30)
        active = self.active()
        standby = OTHER[active]
        self.hosts[standby].run("systemctl", "stop", "keepalived")
        dump = (
            self.hosts[active].run("mariadb-dump", "--single-transaction", "--gtid", "--master-data=1", DATABASE).stdout
        )
        self.sql(standby, "STOP SLAVE; RESET SLAVE ALL; RESET MASTER")
        self.hosts[standby].run("mariadb", DATABASE, stdin=f"SET sql_log_bin = 0;\n{dump}")
        self.sql(standby, _FOLLOW.format(source=ADDRESSES[active]))
        self.hosts[standby].run("systemctl", "start", "keepalived")
        if self.sql(active, "SELECT @@read_only") != "0":
            self.sql(active, "STOP SLAVE; SET GLOBAL read_only = OFF")

    def power_on(self, *names: str) -> None:
        for name in names:
            self.hosts[name].power_on()
            self.look(self.hosts[name])


class Stop(Fault[Pair]):
    """How a planned switchover is done with it."""

    name = "switchover under load"
    planned = True

    def strike(self, scene: Pair, active: str) -> None:
        scene.hosts[active].run("systemctl", "stop", "keepalived")

    def mend(self, scene: Pair, active: str) -> str:
        scene.hosts[active].run("systemctl", "start", "keepalived")
        return ""
