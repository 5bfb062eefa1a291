# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The resource agent of the writer's role, called as Pacemaker calls it, on servers of MariaDB and of MySQL that follow
each other."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.hosts import Host, Hosts, Lan, wait_until, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"hosts in containers cannot run here: {why_not()}")

AGENT = Path(__file__).resolve().parents[2] / "roles/replicated_database/files/mysql_writer"
INSTALLED = "/usr/lib/ocf/resource.d/hospital/mysql_writer"
SUCCESS, GENERIC, NOT_INSTALLED, CONFIGURED, NOT_RUNNING = 0, 1, 5, 6, 7
# By the program timeout, as the cluster does it.
ENDED = 124
ADDRESSES = {"a": "198.19.63.1", "b": "198.19.63.2", "c": "198.19.63.3"}
PAIR = ("a", "b")
ACCOUNT = "/etc/followers.cnf"
SETTINGS = """[mysqld]
server_id = {number}
bind_address = 0.0.0.0
log_bin = binlog
read_only = ON
"""


@dataclass(frozen=True)
class Dialect:
    """What the tests need of a server's own words."""

    image: str
    client: str
    unit: str
    settings_file: str
    settings: str
    source: str
    replica: str
    follow: str
    has: str
    written: str
    waits: str
    rights: str
    heartbeat: str
    forget: str

    def status(self, name: str) -> str:
        return name.replace("Source", self.source).replace("Replica", self.replica)


MARIADB = Dialect(
    image="ha",
    client="mariadb",
    unit="mariadb.service",
    settings_file="/etc/mysql/mariadb.conf.d/99-lab.cnf",
    settings="""log_slave_updates = ON
gtid_strict_mode = ON
rpl_semi_sync_slave_enabled = ON
rpl_semi_sync_master_wait_point = AFTER_SYNC
rpl_semi_sync_master_timeout = 3600000
init_rpl_role = SLAVE
innodb_flush_log_at_trx_commit = 3
""",
    source="Master",
    replica="Slave",
    follow="CHANGE MASTER TO MASTER_HOST='{source}', MASTER_USER='replica', MASTER_PASSWORD='replica',"
    " MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=1.5; START SLAVE",
    has="SELECT @@gtid_current_pos",
    written="SELECT @@gtid_binlog_pos",
    waits="semi-sync ACK",
    rights="REPLICATION SLAVE, BINLOG MONITOR, SLAVE MONITOR",
    heartbeat="SHOW STATUS LIKE 'Slave_heartbeat_period'",
    forget="RESET MASTER; SET GLOBAL gtid_slave_pos = '{but}'",
)
MYSQL = Dialect(
    image="mysql",
    client="mysql",
    unit="mysql.service",
    settings_file="/etc/mysql/mysql.conf.d/99-lab.cnf",
    settings="""gtid_mode = ON
enforce_gtid_consistency = ON
super_read_only = ON
plugin_load_add = semisync_source.so
plugin_load_add = semisync_replica.so
rpl_semi_sync_replica_enabled = ON
rpl_semi_sync_source_timeout = 3600000
""",
    source="Source",
    replica="Replica",
    follow="CHANGE REPLICATION SOURCE TO SOURCE_HOST='{source}', SOURCE_USER='replica', SOURCE_PASSWORD='replica',"
    " SOURCE_AUTO_POSITION=1, SOURCE_CONNECT_RETRY=1, SOURCE_RETRY_COUNT=0, GET_SOURCE_PUBLIC_KEY=1,"
    " SOURCE_HEARTBEAT_PERIOD=1.5; START REPLICA",
    has="SELECT @@gtid_executed",
    written="SELECT @@gtid_executed",
    waits="semi-sync ACK",
    rights="REPLICATION SLAVE, REPLICATION CLIENT",
    heartbeat="SELECT heartbeat_interval FROM performance_schema.replication_connection_configuration",
    forget="RESET BINARY LOGS AND GTIDS; SET GLOBAL gtid_purged = '{but}'",
)


class Server:
    """A host with a server and the agent."""

    def __init__(self, host: Host, dialect: Dialect) -> None:
        self.host = host
        self.dialect = dialect

    def sql(self, statements: str, *, check: bool = True, timeout: float = 30) -> str:
        words = (self.dialect.client, "--batch", "--skip-column-names", "--execute", statements)
        return self.host.run(*words, check=check, timeout=timeout).stdout.strip()

    def agent(self, action: str, *, interval: int = 0, limit: int = 30, **parameters: object) -> tuple[int, str]:
        """The exit code, and the reason given to the cluster's administrator. `interval` 0 is a probe, in ms."""
        done = self.host.run(*self.words(action, interval, limit, **parameters), check=False, timeout=limit + 5)
        reasons = [line for line in done.stderr.splitlines() if line.startswith("ocf-exit-reason:")]
        return done.returncode, "".join(reasons).removeprefix("ocf-exit-reason:")

    def words(self, action: str, interval: int = 0, limit: int = 30, **parameters: object) -> list[str]:
        variables = {"OCF_ROOT": "/usr/lib/ocf", "OCF_RESOURCE_INSTANCE": "writer", "OCF_RESOURCE_TYPE": "mysql_writer"}
        variables |= {"OCF_RESKEY_CRM_meta_on_node": self.host.name, "OCF_RESKEY_CRM_meta_interval": str(interval)}
        variables |= {"__OCF_ACTION": action}
        variables |= {f"OCF_RESKEY_{name}": str(value) for name, value in parameters.items()}
        settings = [f"{name}={value}" for name, value in variables.items()]
        return ["timeout", str(limit), "env", *settings, INSTALLED, action]

    def monitor(self, **parameters: object) -> int:
        return self.agent("monitor", interval=1000, **parameters)[0]

    @property
    def writable(self) -> bool:
        return self.sql("SELECT @@read_only") == "0"

    def status(self, name: str) -> str:
        """Of the channel, by MySQL's names."""
        statement = f"SHOW {self.dialect.replica} STATUS"
        said = self.host.run(self.dialect.client, "--vertical", "--execute", statement).stdout
        for line in said.splitlines():
            key, _colon, value = line.strip().partition(": ")
            if key.rstrip(":") == self.dialect.status(name):
                return value
        raise KeyError(name)

    def waits(self, statement: str) -> bool:
        """Whether it has been at it for a second. By SHOW, as MySQL has no room for the table that a query makes."""
        rows = [line.split("\t") for line in self.sql("SHOW PROCESSLIST", check=False).splitlines()]
        return any(row[7].startswith(statement) and int(row[5]) > 0 for row in rows)

    def without_log(self, statements: str) -> None:
        """By nobody whom a read-only server refuses, and into no binary log."""
        writable = "SET GLOBAL super_read_only = OFF;" if self.dialect is MYSQL else ""
        again = "SET GLOBAL super_read_only = ON" if self.dialect is MYSQL else ""
        self.sql(f"{writable} SET sql_log_bin = 0; {statements}; {again}")

    def begin_anew(self) -> None:
        self.kill("KILL")
        self.stop()
        self.host.run("sh", "-c", "rm -rf /var/lib/mysql /run/resource-agents/mysql_writer-*")
        self.host.run("cp", "--archive", "/var/lib/mysql.fresh", "/var/lib/mysql")
        self.host.run("systemctl", "start", self.dialect.unit)
        self.without_log(
            "CREATE USER replica@'%' IDENTIFIED BY 'replica'; CREATE USER app@'%' IDENTIFIED BY 'app';"
            f"GRANT {self.dialect.rights} ON *.* TO replica@'%'; GRANT ALL ON app.* TO app@'%';"
            "CREATE DATABASE app; CREATE TABLE app.numbers (n INT PRIMARY KEY)"
        )

    def kill(self, signal: str) -> None:
        before = self.pid
        self.host.run("systemctl", "kill", f"--signal={signal}", self.dialect.unit, check=False)
        if signal == "KILL":
            wait_until(lambda: not before or self.pid != before, "it is dead")

    @property
    def pid(self) -> str:
        """As systemd knows it: a process whose threads are still ending has its sockets."""
        said = self.host.run("systemctl", "show", "--property=MainPID", "--value", self.dialect.unit).stdout.strip()
        return "" if said == "0" else said

    def stop(self) -> None:
        self.host.run("systemctl", "stop", self.dialect.unit)

    def remote(self, other: Server, statement: str) -> list[str]:
        """The command of a client on another host."""
        address = ADDRESSES[self.host.name]
        words = (self.dialect.client, f"--host={address}", "--user=app", "--password=app", "--execute", statement)
        return other.host.argv(*words)

    def ready(self) -> None:
        wait_until(lambda: self.sql("SELECT 1", check=False) == "1", f"the server of {self.host.name} answers")


@pytest.fixture(scope="module", params=[MARIADB, MYSQL], ids=lambda dialect: dialect.client)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    chosen: Dialect = request.param
    return chosen


@pytest.fixture(scope="module")
def hosts(dialect: Dialect) -> Iterator[Hosts]:
    with Hosts(*ADDRESSES, image=dialect.image) as running:
        lan = Lan(running)
        for number, (name, address) in enumerate(ADDRESSES.items(), 1):
            lan.join(name, f"{address}/24")
            host = running[name]
            host.run("install", "-D", "-m", "755", "/dev/stdin", INSTALLED, stdin=AGENT.read_text())
            host.run("cp", "--archive", "/var/lib/mysql", "/var/lib/mysql.fresh")
            host.write(dialect.settings_file, SETTINGS.format(number=number) + dialect.settings)
        yield running


@pytest.fixture
def pair(hosts: Hosts, dialect: Dialect) -> Iterator[tuple[Server, Server]]:
    """Fresh servers that follow each other, both read-only, with a table in which `n` is the key."""
    servers = {name: Server(hosts[name], dialect) for name in PAIR}
    with ThreadPoolExecutor() as both:
        list(both.map(Server.begin_anew, servers.values()))
    for name, partner in (("a", "b"), ("b", "a")):
        servers[name].sql(dialect.follow.format(source=ADDRESSES[partner]))
    yield servers["a"], servers["b"]
    for server in servers.values():
        server.kill("CONT")


def numbers(server: Server) -> list[int]:
    return [int(line) for line in server.sql("SELECT n FROM app.numbers ORDER BY n").split()]


def insert(server: Server, *values: int) -> None:
    server.sql(f"INSERT INTO app.numbers VALUES {', '.join(f'({value})' for value in values)}")


def test_the_role_is_taken_and_given_back(pair: tuple[Server, Server]) -> None:
    a, _b = pair
    assert a.agent("monitor")[0] == NOT_RUNNING
    assert a.agent("start") == (SUCCESS, "")
    assert a.writable and a.monitor() == SUCCESS
    assert a.agent("start")[0] == SUCCESS, "a second start of what is started"
    assert a.agent("stop") == (SUCCESS, "")
    assert not a.writable and a.monitor() == NOT_RUNNING
    assert a.agent("stop")[0] == SUCCESS, "a second stop of what is stopped"


def test_a_writer_that_is_none_any_more_is_an_error(pair: tuple[Server, Server]) -> None:
    a, _b = pair
    a.agent("start")
    a.sql("SET GLOBAL read_only = ON")
    assert a.agent("monitor", interval=1000) == (GENERIC, "the server of the writer is read-only")
    a.sql("SET GLOBAL read_only = OFF")
    a.kill("KILL")
    code, reason = a.agent("monitor", interval=1000)
    assert code == GENERIC and reason.startswith("the server of the writer is not there: ERROR 2002")
    assert a.agent("stop")[0] == SUCCESS
    assert a.monitor() == NOT_RUNNING


def test_what_comes_back_after_a_crash_is_read_only(pair: tuple[Server, Server]) -> None:
    a, _b = pair
    a.agent("start")
    a.kill("KILL")
    a.host.run("systemctl", "reset-failed", a.dialect.unit, check=False)
    a.host.run("systemctl", "start", a.dialect.unit)
    assert a.agent("monitor", interval=1000) == (GENERIC, "the server of the writer is read-only")


def test_the_role_changes_hands_without_a_row_lost(pair: tuple[Server, Server]) -> None:
    old, new = pair
    for turn in range(4):
        assert old.agent("start") == (SUCCESS, "")
        insert(old, *range(turn * 10, turn * 10 + 10))
        wait_until(lambda new=new, turn=turn: len(numbers(new)) >= turn * 10, "it follows")
        wait_until(lambda new=new, old=old: new.sql(new.dialect.has) == old.sql(old.dialect.written), "all")
        assert old.agent("stop") == (SUCCESS, "")
        old, new = new, old
    assert numbers(old) == numbers(new) == list(range(40))


def test_a_former_writer_that_asks_too_early_follows_all_the_same(pair: tuple[Server, Server]) -> None:
    """The new one still applies what the former has: MariaDB's thread that receives ends with an error then."""
    a, b = pair
    assert a.agent("start") == (SUCCESS, "")
    insert(a, 1)
    wait_until(lambda: numbers(b) == [1], "b follows")
    b.sql(f"STOP {b.dialect.replica} SQL_THREAD")
    insert(a, 2)
    assert a.agent("stop") == (SUCCESS, "")
    if a.dialect is MARIADB:
        wait_until(lambda: "not in the master's binlog" in a.status("Last_IO_Error"), "a is refused")
    assert a.monitor() == NOT_RUNNING and not a.writable
    b.sql(f"START {b.dialect.replica} SQL_THREAD")
    wait_until(lambda: numbers(b) == [1, 2], "b has applied it")
    assert a.monitor() == NOT_RUNNING
    wait_until(lambda: a.status("Replica_IO_Running") == "Yes", "a follows")


def test_everything_received_is_applied_before_the_first_write(pair: tuple[Server, Server]) -> None:
    a, b = pair
    a.agent("start")
    insert(a, 1)
    wait_until(lambda: numbers(b) == [1], "b follows")
    lock = subprocess.Popen(
        b.host.argv(b.dialect.client, "--execute", "LOCK TABLES app.numbers READ; SELECT SLEEP(3)"),
        stdout=subprocess.DEVNULL,
    )
    wait_until(lambda: "SLEEP" in b.sql("SHOW PROCESSLIST"), "the table is locked")
    for value in range(2, 102):
        insert(a, value)
    end = a.sql("SHOW BINARY LOG STATUS" if a.dialect is MYSQL else "SHOW MASTER STATUS").split()[1]
    wait_until(lambda: b.status("Read_Source_Log_Pos") == end, "b has received all")
    a.agent("stop")
    began, writable = time.monotonic(), []
    starting = threading.Thread(target=lambda: writable.append(b.agent("start")))
    starting.start()
    while lock.poll() is None:
        assert not b.writable, "writable with something still to be applied"
    starting.join()
    assert writable == [(SUCCESS, "")] and time.monotonic() - began < 20
    assert numbers(b) == list(range(1, 102)) and b.writable


def test_a_start_that_the_cluster_ends_leaves_a_server_that_follows(pair: tuple[Server, Server]) -> None:
    a, b = pair
    a.agent("start")
    with subprocess.Popen(
        b.host.argv(b.dialect.client, "--execute", "LOCK TABLES app.numbers READ; SELECT SLEEP(4)"),
        stdout=subprocess.DEVNULL,
    ):
        wait_until(lambda: "SLEEP" in b.sql("SHOW PROCESSLIST"), "the table is locked")
        insert(a, 1)
        a.agent("stop")
        assert b.agent("start", limit=2)[0] == ENDED
    assert b.agent("stop") == (SUCCESS, "")
    wait_until(lambda: b.status("Replica_IO_Running") == "Yes", "b follows")
    assert a.agent("start") == (SUCCESS, "")
    insert(a, 2)
    wait_until(lambda: numbers(b) == [1, 2], "b has all of it")


@pytest.mark.parametrize("how", ["broken", "stopped"])
def test_a_server_that_does_not_apply_is_not_promoted(pair: tuple[Server, Server], how: str) -> None:
    a, b = pair
    a.agent("start")
    if how == "stopped":
        b.sql(f"STOP {b.dialect.replica} SQL_THREAD")
        expected = "what was received is not applied: the channel was stopped"
    else:
        b.without_log("INSERT INTO app.numbers VALUES (7)")
        insert(a, 7)
        wait_until(lambda: b.status("Replica_SQL_Running") == "No", "b stumbles")
        expected = "Duplicate entry '7' for key"
    code, reason = b.agent("start")
    assert code == GENERIC and expected in reason
    assert not b.writable
    wait_until(lambda: b.status("Replica_IO_Running") == "Yes", "it goes on receiving")


def test_nothing_of_the_old_writer_arrives_afterwards(pair: tuple[Server, Server]) -> None:
    a, b = pair
    assert b.agent("start")[0] == SUCCESS
    wait_until(lambda: b.status("Replica_IO_Running") == "No", "b receives no more")
    writable = "SET GLOBAL super_read_only = OFF;" if a.dialect is MYSQL else ""
    a.sql(f"STOP {a.dialect.replica}; {writable} INSERT INTO app.numbers VALUES (666)")
    time.sleep(1)
    assert numbers(b) == []


def test_a_source_that_is_cut_off_keeps_nobody_from_writing(pair: tuple[Server, Server]) -> None:
    """MariaDB's thread that receives semi-synchronously tries for seconds to tell it that it ends."""
    a, b = pair
    assert a.agent("start") == (SUCCESS, "")
    waits = f"SET GLOBAL rpl_semi_sync_{a.dialect.source.lower()}_enabled"
    a.sql(f"{waits} = ON")
    insert(a, 1, 2, 3)
    a.host.run("ip", "link", "set", "eth0", "down")
    try:
        began = time.monotonic()
        assert b.agent("start") == (SUCCESS, "")
        print(f"b took writes after {time.monotonic() - began:.2f} s")
        assert numbers(b) == [1, 2, 3], "all that was acknowledged"
        insert(b, 4)
        assert b.monitor() == SUCCESS
    finally:
        a.host.run("ip", "link", "set", "eth0", "up")
    a.sql(f"{waits} = OFF")  # as the agent does where it is told of semi-synchronous replication
    assert a.agent("stop") == (SUCCESS, "")
    wait_until(lambda: numbers(a) == [1, 2, 3, 4], "the former writer follows")


def test_writers_are_sent_away_and_the_partner_is_not(pair: tuple[Server, Server]) -> None:
    a, b = pair
    a.agent("start")
    command = a.remote(b, "SELECT SLEEP(30)")
    writer = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: "SLEEP" in a.sql("SHOW PROCESSLIST"), "the writer is connected")
    following = a.sql("SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'")
    assert a.agent("stop")[0] == SUCCESS
    _output, said = writer.communicate(timeout=5)
    assert "2013" in said or "1317" in said or "2026" in said, said
    assert following and following == a.sql(
        "SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'"
    )


# The client as ever, but for a writer that was listed and has left by itself before it is ended.
LEAVING = """#!/bin/sh
{client} "$@" || exit
case $* in *"CONCAT('KILL"*) echo 'KILL 4000000000;' ;; esac
"""


def test_a_writer_that_leaves_by_itself_keeps_nobody_from_following(pair: tuple[Server, Server]) -> None:
    a, b = pair
    client = "/usr/local/bin/leaving"
    a.host.run("install", "-D", "-m", "755", "/dev/stdin", client, stdin=LEAVING.format(client=a.dialect.client))
    assert a.agent("start") == (SUCCESS, "")
    wait_until(lambda: a.status("Replica_IO_Running") == "No", "a receives no more")
    assert a.agent("stop", client=client) == (SUCCESS, "")
    assert b.agent("start") == (SUCCESS, "")
    wait_until(lambda: a.status("Replica_IO_Running") == "Yes", "a follows")


def test_statements_get_their_grace(pair: tuple[Server, Server]) -> None:
    a, b = pair
    a.agent("start", grace=3)
    command = a.remote(b, "SELECT SLEEP(1)")
    reader = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: "SLEEP" in a.sql("SHOW PROCESSLIST"), "the reader is connected")
    assert a.agent("stop", grace=3)[0] == SUCCESS
    output, said = reader.communicate(timeout=5)
    assert output.split() == ["SLEEP(1)", "0"], said


def test_a_commit_that_waits_for_the_partner_does_not_keep_the_role(pair: tuple[Server, Server]) -> None:
    """Its client is never told that it was committed."""
    a, b = pair
    a.agent("start")
    b.stop()
    a.sql(f"SET GLOBAL rpl_semi_sync_{a.dialect.source.lower()}_enabled = ON")
    words = (a.dialect.client, "--execute", "INSERT INTO app.numbers VALUES (1)")
    writer = subprocess.Popen(a.host.argv(*words), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: a.dialect.waits in a.sql("SHOW PROCESSLIST"), "the commit waits")
    assert a.agent("stop", unit=a.dialect.unit) == (SUCCESS, "")
    assert writer.wait(timeout=5) != 0
    assert a.sql("SELECT @@read_only", check=False) in ("1", ""), "read-only, or dead"


def test_a_server_that_hangs_is_killed_or_left_to_fencing(pair: tuple[Server, Server]) -> None:
    a, _b = pair
    a.agent("start")
    a.kill("STOP")
    code, reason = a.agent("stop")
    assert code == GENERIC and reason.startswith("the server cannot be made read-only")
    assert a.agent("stop", unit=a.dialect.unit) == (SUCCESS, "")
    a.host.run("systemctl", "restart", a.dialect.unit)
    assert not a.writable


def test_a_server_that_lost_its_socket_is_not_taken_for_dead(pair: tuple[Server, Server]) -> None:
    """Its clients over the network still write."""
    a, _b = pair
    a.agent("start")
    a.host.run("rm", "/run/mysqld/mysqld.sock")
    before = a.pid
    assert a.agent("stop", unit=a.dialect.unit) == (SUCCESS, "")
    wait_until(lambda: a.pid != before, "the server is dead", 5)


def test_a_full_disk_is_a_failure_before_it_is_full(pair: tuple[Server, Server]) -> None:
    a, _b = pair
    a.agent("start")
    code, reason = a.agent("monitor", interval=1000, minimum_free=10**9)
    assert code == GENERIC and reason == "less than 1000000000 MiB are free in /var/lib/mysql/"
    assert a.monitor(minimum_free=1) == SUCCESS


@contextmanager
def little_room(server: Server) -> Iterator[None]:
    """The data are on a file system of their own, which is full."""
    data, image, host = "/var/lib/mysql", "/var/lib/little.img", server.host
    server.stop()
    host.run("truncate", "--size=700M", image)
    host.run("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", image)
    host.run("mv", data, f"{data}.all")
    host.run("install", "-d", "-o", "mysql", "-g", "mysql", data)
    host.run("mount", "-o", "loop", image, data)
    try:
        host.run("sh", "-c", f"chown mysql:mysql {data} && cp --archive {data}.all/. {data}/")
        host.run("systemctl", "start", server.dialect.unit)
        server.ready()
        yield
    finally:
        server.kill("KILL")
        server.stop()
        host.run("umount", data)
        host.run("rm", "-rf", image, f"{data}.all")


def fill(server: Server) -> str:
    filler = "/var/lib/mysql/filler"
    server.host.run("dd", "if=/dev/zero", "bs=64K", f"of={filler}", check=False)
    return filler


def write_on(server: Server, first: int, last: int) -> subprocess.Popen[str]:
    """A client that writes number after number."""
    many = "\n".join(f"INSERT INTO app.numbers VALUES ({number});" for number in range(first, last))
    argv = server.host.argv(server.dialect.client)
    client = subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert client.stdin is not None
    client.stdin.write(many)
    client.stdin.close()
    return client


def test_what_found_no_room_is_not_counted(pair: tuple[Server, Server]) -> None:
    """A commit waits for room; MariaDB counts it when it is ended, MySQL ends with it."""
    a, b = pair
    last = 1000
    with little_room(a):
        assert a.agent("start") == (SUCCESS, "")
        filler, before = fill(a), a.pid
        client = write_on(a, 0, last)
        wait_until(lambda: a.pid != before or a.waits("INSERT INTO"), "there is no room")
        written = numbers(b)
        assert a.agent("stop", unit=a.dialect.unit) == (SUCCESS, "")
        assert client.wait(timeout=10) != 0
        a.host.run("rm", filler)
        a.host.run("systemctl", "reset-failed", a.dialect.unit, check=False)
        a.host.run("systemctl", "start", a.dialect.unit)
        a.ready()
        assert a.monitor(unit=a.dialect.unit) == NOT_RUNNING
        a.ready()
        assert b.agent("start") == (SUCCESS, "")
        insert(b, last)
        wait_until(lambda: last in numbers(a), "the former writer follows")
        assert 0 < len(written) < last
        assert numbers(a) == numbers(b) == [*written, last]


def test_a_follower_whose_disk_was_full_follows_again(pair: tuple[Server, Server]) -> None:
    a, b = pair
    last = 400
    assert a.agent("start") == (SUCCESS, "")
    with little_room(b):
        filler = fill(b)
        # More than a table's first pages and the end of a relay log hold.
        a.sql("CREATE TABLE app.many (n INT PRIMARY KEY, t VARCHAR(8000))")
        for number in range(last):
            a.sql(f"INSERT INTO app.many VALUES ({number}, REPEAT('x', 8000))")
        time.sleep(1)
        for interval in (0, 5000):
            began = time.monotonic()
            assert b.agent("monitor", interval=interval)[0] == NOT_RUNNING, "and not that nobody knows"
            assert time.monotonic() - began < 3
        b.host.run("rm", filler)

        def follows() -> bool:
            assert b.agent("monitor", interval=5000)[0] == NOT_RUNNING
            return b.sql("SELECT COUNT(*) FROM app.many", check=False) == str(last)

        wait_until(follows, "it follows again", 90)  # MariaDB looks once a minute
        assert a.agent("stop") == (SUCCESS, "")


def test_without_a_cluster_to_ask_nobody_is_promoted(pair: tuple[Server, Server]) -> None:
    """Whether this server lacks transactions is what the cluster knows."""
    a, _b = pair
    code, reason = a.agent("start", semi_sync="required")
    assert code == GENERIC and "does not tell whether this server may lack transactions" in reason
    assert not a.writable


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"semi_sync": "maybe"}, "semi_sync is required, preferred or none, not 'maybe'"),
        ({"grace": "soon"}, "'soon' is not a whole number"),
        ({"minimum_free": "-1"}, "'-1' is not a whole number"),
        ({"channel": "it's"}, "a channel's name has neither quotes nor backslashes"),
        ({"followers": "c:3306 c"}, "followers are given as host:port, not 'c'"),
        ({"followers": "c:33o6"}, "followers are given as host:port, not 'c:33o6'"),
        ({"followers": "c';:3306"}, "followers are given as host:port, not 'c';:3306'"),
    ],
)
def test_wrong_parameters_are_named(hosts: Hosts, dialect: Dialect, parameters: dict[str, str], reason: str) -> None:
    a = Server(hosts["a"], dialect)
    for action in ("validate-all", "start", "monitor"):
        assert a.agent(action, **parameters) == (CONFIGURED, reason)


# ------------------------------------------------------- servers that follow the writer's address


@pytest.fixture
def followed(pair: tuple[Server, Server], hosts: Hosts, dialect: Dialect) -> tuple[Server, Server, Server]:
    """a writes, and b and c have all of it. b can ask c."""
    a, b = pair
    c = Server(hosts["c"], dialect)
    c.begin_anew()
    c.sql(dialect.follow.format(source=ADDRESSES["a"]))
    key = "get-server-public-key\n" if dialect is MYSQL else ""
    b.host.write(ACCOUNT, f"[client]\nuser = replica\npassword = replica\n{key}")
    assert a.agent("start") == (SUCCESS, "")
    insert(a, 1)
    wait_until(lambda: numbers(b) == numbers(c) == [1], "both follow")
    return a, b, c


def only_to_c(a: Server, b: Server, c: Server, *values: int) -> None:
    """The writer dies when c has received what b has not."""
    b.sql(f"STOP {b.dialect.replica} IO_THREAD")
    insert(a, *values)
    wait_until(lambda: set(values) <= set(numbers(c)), "c has it")
    a.stop()


def promote(b: Server, follower: str = ADDRESSES["c"]) -> tuple[str, float]:
    """What the agent says, and how long it took. It succeeds."""
    began = time.monotonic()
    words = b.words("start", followers=f"{follower}:3306", followers_defaults_file=ACCOUNT)
    done = b.host.run(*words, check=False, timeout=40)
    assert done.returncode == SUCCESS, done.stderr
    assert b.writable
    return done.stderr, time.monotonic() - began


def channel(server: Server) -> dict[str, str]:
    """All that a channel is set to, as far as the server shows it, and what its threads do."""
    mode = "Using_Gtid" if server.dialect is MARIADB else "Auto_Position"
    names = ("Source_Host", "Source_Port", "Source_User", "Connect_Retry", mode)
    names += ("Replica_IO_Running", "Replica_SQL_Running")
    return {name: server.status(name) for name in names} | {"heartbeat": server.sql(server.dialect.heartbeat)}


def follow_anew(server: Server, writer: Server) -> None:
    server.sql(f"STOP {server.dialect.replica}; {server.dialect.follow.format(source=ADDRESSES[writer.host.name])}")


@pytest.mark.parametrize("lags", [False, True], ids=["applied", "received"])
def test_what_a_follower_has_more_is_taken_from_it(followed: tuple[Server, Server, Server], lags: bool) -> None:
    a, b, c = followed
    if lags:
        hold = c.host.argv(c.dialect.client, "--execute", "LOCK TABLES app.numbers READ; SELECT SLEEP(60)")
        b.sql(f"STOP {b.dialect.replica} IO_THREAD")
        locked = subprocess.Popen(hold, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: "SLEEP" in c.sql("SHOW PROCESSLIST"), "the table is locked")
        insert(a, 2, 3)
        end = a.sql("SHOW BINARY LOG STATUS" if a.dialect is MYSQL else "SHOW MASTER STATUS").split()[1]
        wait_until(lambda: c.status("Read_Source_Log_Pos") == end, "c has received it")
        a.stop()
        assert locked.poll() is None and numbers(c) == [1]
        holder = c.sql("SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'")
        threading.Timer(1, lambda: c.sql(f"KILL {holder}")).start()
    else:
        only_to_c(a, b, c, 2, 3)
    asked = channel(b) | {"Replica_IO_Running": "No"}
    said, _seconds = promote(b)
    assert f"came from {ADDRESSES['c']}:3306" in said
    assert numbers(b) == [1, 2, 3]
    assert channel(b) == asked
    insert(b, 4)
    follow_anew(c, b)
    wait_until(lambda: numbers(c) == [1, 2, 3, 4], "c follows")
    # The former writer has nothing that the new one lacks.
    a.host.run("systemctl", "start", a.dialect.unit)
    wait_until(lambda: numbers(a) == [1, 2, 3, 4], "a follows")


def test_a_former_writer_takes_what_is_missing(followed: tuple[Server, Server, Server]) -> None:
    """What it wrote itself, it does not ask for again."""
    a, b, c = followed
    a.agent("stop")
    b.agent("start")
    insert(b, 2)
    follow_anew(c, b)
    wait_until(lambda: numbers(a) == numbers(c) == [1, 2], "they follow")
    b.agent("stop")
    a.agent("start")
    follow_anew(c, a)
    insert(a, 3)
    wait_until(lambda: numbers(b) == numbers(c) == [1, 2, 3], "they follow")
    only_to_c(a, b, c, 4)
    promote(b)
    assert numbers(b) == [1, 2, 3, 4]
    insert(b, 5)
    follow_anew(c, b)
    wait_until(lambda: numbers(c) == [1, 2, 3, 4, 5], "c follows")


def test_where_nothing_is_ahead_the_channel_is_left_alone(followed: tuple[Server, Server, Server]) -> None:
    a, b, _c = followed
    a.stop()
    threads = "SELECT id FROM information_schema.processlist WHERE user = 'system user' ORDER BY id"
    wait_until(lambda: b.status("Replica_IO_Running") != "Yes", "b has noticed")
    applier = b.sql(threads).split()[-1]
    said, _seconds = promote(b)
    assert "198.19.63.3" not in said
    assert applier in b.sql(threads).split(), "it was stopped meanwhile"
    assert b.status("Source_Host") == ADDRESSES["a"]


def test_a_follower_that_does_not_answer_is_not_waited_for(followed: tuple[Server, Server, Server]) -> None:
    a, b, c = followed
    only_to_c(a, b, c, 2)
    c.kill("STOP")
    try:
        said, hung = promote(b)
    finally:
        c.kill("CONT")
    assert f"{ADDRESSES['c']}:3306 does not tell what it has" in said
    b.agent("stop")
    said, gone = promote(b, "198.19.63.77")
    assert "198.19.63.77:3306 does not tell what it has" in said
    assert max(hung, gone) < 6
    assert numbers(b) == [1] and b.status("Source_Host") == ADDRESSES["a"]


def test_what_a_follower_made_itself_is_not_taken(followed: tuple[Server, Server, Server]) -> None:
    a, b, c = followed
    a.stop()
    writable = "SET GLOBAL super_read_only = OFF;" if c.dialect is MYSQL else ""
    c.sql(f"{writable} INSERT INTO app.numbers VALUES (666)")
    said, _seconds = promote(b)
    assert f"{ADDRESSES['c']}:3306 has " in said and "it made itself" in said
    assert numbers(b) == [1] and b.status("Source_Host") == ADDRESSES["a"]


def test_what_this_server_made_and_lost_is_not_taken(followed: tuple[Server, Server, Server]) -> None:
    """It would skip it, and take it for applied."""
    a, b, c = followed
    before = b.sql(b.dialect.has)
    a.agent("stop")
    b.agent("start")
    follow_anew(c, b)
    insert(b, 2)
    wait_until(lambda: numbers(c) == [1, 2], "c follows")
    b.agent("stop")
    a.stop()
    b.without_log("DELETE FROM app.numbers WHERE n = 2")
    stop, start = f"STOP {b.dialect.replica}", f"START {b.dialect.replica}"
    b.sql(f"{stop}; {b.dialect.forget.format(but=before)}; {start}")
    said, _seconds = promote(b)
    assert "this server made and has lost" in said
    assert numbers(b) == [1] and b.sql(b.dialect.has) == before


def test_what_cannot_be_taken_does_not_keep_it_from_writing(followed: tuple[Server, Server, Server]) -> None:
    a, b, c = followed
    only_to_c(a, b, c, 2)
    b.without_log("INSERT INTO app.numbers VALUES (2)")
    said, seconds = promote(b)
    assert "which this server lacks and could not take" in said and "Duplicate entry" in said
    assert seconds < 15
    assert b.status("Source_Host") == ADDRESSES["a"] and b.status("Replica_IO_Running") == "No"


@pytest.mark.parametrize("action", ["start", "stop"])
def test_a_start_that_was_ended_half_way_is_put_right(followed: tuple[Server, Server, Server], action: str) -> None:
    a, b, c = followed
    only_to_c(a, b, c, 2)
    asked = channel(b) | {"Replica_IO_Running": "No"}
    b.sql(f"STOP {b.dialect.replica}; {b.dialect.follow.format(source=ADDRESSES['c']).partition(';')[0]}")
    remembered = f"{ADDRESSES['a']} 3306 {ADDRESSES['c']} 3306\n"
    file = "/run/resource-agents/mysql_writer-writer.borrowed"
    b.host.write(file, remembered)
    b.host.write(file.replace("borrowed", "unfinished"), "")
    if action == "start":
        promote(b)
        assert numbers(b) == [1, 2]
    else:
        assert b.agent("stop") == (SUCCESS, "")
        a.host.run("systemctl", "start", a.dialect.unit)
        wait_until(lambda: b.status("Replica_IO_Running") == "Yes", "b follows")
        asked["Replica_IO_Running"] = "Yes"
    assert channel(b) == asked
    assert b.host.run("test", "-e", file, check=False).returncode != 0
    # Written down by somebody who is long gone: whom it follows now is what was wanted since.
    b.host.write(file, f"198.19.63.77 3306 {ADDRESSES['c']} 3306\n")
    b.host.write(file.replace("borrowed", "unfinished"), "")
    b.agent("stop")
    assert b.status("Source_Host") == ADDRESSES["a"]


def test_the_followers_account_has_to_be_there(followed: tuple[Server, Server, Server]) -> None:
    _a, b, _c = followed
    named = {"followers": f"{ADDRESSES['c']}:3306"}
    code, reason = b.agent("validate-all", **named, followers_defaults_file="/nowhere")
    assert code == NOT_INSTALLED and "'/nowhere' cannot be read" in reason
    assert b.agent("validate-all", **named, followers_defaults_file=ACCOUNT) == (SUCCESS, "")
    # Who writes goes on without it.
    assert b.agent("start", **named, followers_defaults_file="/nowhere") == (SUCCESS, "")


def test_the_standard_s_own_tester_finds_nothing(pair: tuple[Server, Server]) -> None:
    a, _b = pair
    done = a.host.run("ocf-tester", "-n", "writer", "-o", f"unit={a.dialect.unit}", INSTALLED, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed all tests" in done.stdout


def test_a_monitor_costs_little(pair: tuple[Server, Server]) -> None:
    """It runs every second. Counted is processor time, which other work on this machine does not lengthen."""
    a, _b = pair
    a.agent("start")
    words = a.words("monitor", 1000)
    script = 'for turn in 1 2 3 4 5 6 7 8 9 10; do "$@" || exit; done; times'
    said = a.host.run("bash", "-c", script, "bash", *words).stdout.split()
    seconds = sum(float(part[:-1].partition("m")[2]) for part in said[2:])
    assert seconds / 10 < 0.08
