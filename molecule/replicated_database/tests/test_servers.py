# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What somebody would try who wants to rely on it: who may write, who follows, what a restart keeps, what the role does
to a server that writes, and to one with data that nobody else has."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

NAMES = ("a", "b", "c")
FLOATING = "198.19.70.10"


def on(name: str, *words: str, check: bool = True) -> str:
    argv = ["/usr/bin/env", "podman", "exec", f"replicated-database-{name}", *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout.strip()


def sql(name: str, statements: str, *, check: bool = True) -> str:
    return on(name, "mariadb", "--batch", "--skip-column-names", "--execute", statements, check=check)


def channel(name: str, field: str) -> str:
    for line in on(name, "mariadb", "--vertical", "--execute", "SHOW SLAVE STATUS").splitlines():
        key, _colon, value = line.strip().partition(": ")
        if key.rstrip(":") == field:
            return value
    raise KeyError(field)


def until(condition: Callable[[], object], what: str, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def pid(name: str) -> str:
    return on(name, "systemctl", "show", "--property=MainPID", "--value", "mariadb")


def role(**variables: str) -> subprocess.CompletedProcess[str]:
    """The role once more, as somebody runs it later."""
    inventory = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory"
    book = Path(__file__).resolve().parents[1] / "converge.yml"
    words = [word for name, value in variables.items() for word in ("--extra-vars", f'{{"{name}": {value}}}')]
    argv = ["/usr/bin/env", "ansible-playbook", "-i", str(inventory), str(book), *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module", autouse=True)
def _writer() -> None:
    """What the cluster does: a writes, waits for its partner, and has the address."""
    for name in NAMES:
        assert sql(name, "SELECT @@read_only, @@gtid_current_pos") == "1", "read-only, and nobody has any transaction"
    on("a", "ip", "address", "add", f"{FLOATING}/24", "dev", "eth0")
    sql("a", "STOP SLAVE IO_THREAD; SET GLOBAL rpl_semi_sync_master_enabled = ON; SET GLOBAL read_only = OFF")
    sql("a", "CREATE TABLE records.patients (id INT PRIMARY KEY)")


def patients(name: str) -> list[int]:
    return [int(line) for line in sql(name, "SELECT id FROM records.patients", check=False).split()]


def test_secrets_are_in_no_file_that_others_read(host) -> None:
    assert "ecret" not in host.file("/etc/mysql/mariadb.conf.d/99-hospital-continuity.cnf").content_string
    look = "find /etc /run -type f -perm /077 -exec grep --files-with-matches --fixed-strings '$ecret' {} +"
    assert host.run(look).stdout == ""


def test_what_is_written_arrives_everywhere() -> None:
    sql("a", "INSERT INTO records.patients VALUES (1)")
    for name in ("b", "c"):
        until(lambda name=name: 1 in patients(name), f"{name} follows")
    assert channel("b", "Master_Host") == "198.19.70.1" and channel("c", "Master_Host") == FLOATING


def test_a_client_writes_at_the_address_and_nowhere_else() -> None:
    words = ("mariadb", "--user=app", "--password=it's app's")
    statement = "INSERT INTO records.patients VALUES (2)"
    on("c", *words, f"--host={FLOATING}", "--execute", statement)
    on("c", *words, "--host=198.19.70.2", "--execute", statement, check=False)
    until(lambda: 2 in patients("b"), "b follows")
    assert (
        "--read-only"
        in subprocess.run(
            ["/usr/bin/env", "podman", "exec", "replicated-database-c", *words, "--host=198.19.70.2", "-e", statement],
            capture_output=True,
            text=True,
            check=False,
        ).stderr
    )


def test_a_write_waits_for_the_partner_and_not_for_the_other_data_centre() -> None:
    assert sql("a", "SHOW STATUS LIKE 'Rpl_semi_sync_master_clients'").split()[-1] == "1"
    sql("b", "STOP SLAVE IO_THREAD")
    argv = ["/usr/bin/env", "podman", "exec", "replicated-database-a", "mariadb", "-e"]
    writing = subprocess.Popen([*argv, "INSERT INTO records.patients VALUES (3)"])
    until(lambda: 3 in patients("c"), "c has it")
    assert writing.poll() is None, "and that is not enough"
    sql("b", "START SLAVE IO_THREAD")
    assert writing.wait(timeout=10) == 0
    until(lambda: 3 in patients("b"), "b has it")


def test_a_restart_keeps_everything(host) -> None:
    name = host.backend.get_pytest_id().rpartition("-")[2]
    if name == "a":
        return  # it writes
    before = sql(name, "SELECT @@server_id, @@gtid_strict_mode, @@rpl_semi_sync_slave_enabled, @@max_connections")
    on(name, "systemctl", "restart", "mariadb")
    after = sql(name, "SELECT @@server_id, @@gtid_strict_mode, @@rpl_semi_sync_slave_enabled, @@max_connections")
    assert after == before == f"{NAMES.index(name) + 1}\t1\t{int(name == 'b')}\t60"
    assert sql(name, "SELECT @@read_only") == "1"
    number = 10 + NAMES.index(name)
    sql("a", f"INSERT INTO records.patients VALUES ({number})")  # noqa: S608
    until(lambda: number in patients(name), f"{name} follows again")


def test_the_role_mends_what_was_changed_and_neither_stops_the_writer_nor_takes_foreign_data() -> None:
    """One run for both: runs take long."""
    before = pid("a")
    sql("a", "SET GLOBAL sync_binlog = 0; SET GLOBAL slave_net_timeout = 60; SET GLOBAL max_connections = 99")
    sql("b", "SET GLOBAL rpl_semi_sync_slave_enabled = OFF; STOP SLAVE IO_THREAD; START SLAVE IO_THREAD")
    sql("a", "SET GLOBAL rpl_semi_sync_master_enabled = OFF")  # or nobody could write
    sql("c", "STOP SLAVE; INSERT INTO records.patients VALUES (666)")
    done = role()
    assert done.returncode != 0
    said = " ".join((done.stdout + done.stderr).split())
    assert "reseed_replica:c" in said and "records" in said and "0-3-" in said, said[-3000:]
    assert sql("a", "SELECT @@sync_binlog, @@slave_net_timeout, @@max_connections") == "1\t3\t60"
    assert sql("a", "SELECT @@read_only") == "0" and pid("a") == before
    assert 666 in patients("c"), "nothing was taken away from it"
    assert "ecret" not in done.stdout + done.stderr

    done = role(
        replicated_database_allow='["reseed_replica:c"]',
        replicated_database_settings='{"max_connections": 61, "performance_schema": true}',
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert patients("c") == patients("a") and 666 not in patients("c")
    assert channel("c", "Slave_IO_Running") == channel("c", "Slave_SQL_Running") == "Yes"
    assert sql("b", "SHOW STATUS LIKE 'Rpl_semi_sync_slave_status'").split()[-1] == "ON"
    for name in NAMES:
        assert sql(name, "SELECT @@max_connections, @@performance_schema") == f"61\t{int(name != 'a')}"
    assert sql("a", "SELECT @@read_only") == "0" and pid("a") == before
    said = " ".join(done.stdout.split())
    assert "Not in force before a is restarted: innodb_buffer_pool_size, performance_schema. It writes" in said
