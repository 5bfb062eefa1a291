# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The roles replicated_database and ha_cluster together, on MariaDB and on MySQL: what a write waits for when the
partner is down, and who may become the writer afterwards."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.hosts import Hosts, Lan, wait_until, why_not
from lab.pve.tls import make_certificates
from tests.contract.playbook import Played, play_file

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"hosts in containers cannot run here: {why_not()}")

PAIR = ("a", "b")
ADDRESSES = {"a": "198.19.71.1", "b": "198.19.71.2", "c": "198.19.71.3"}
FLOATING = "198.19.71.10"
PLAYS = [
    {"hosts": "all", "gather_facts": False, "any_errors_fatal": True, "roles": [f"hospital.continuity.{role}"]}
    for role in ("replicated_database", "ha_cluster")
]


@dataclass(frozen=True)
class Scene:
    """Two servers in a cluster, and a third that is its witness and follows the writer."""

    hosts: Hosts
    folder: Path
    client: str
    unit: str
    variables: dict[str, Any]

    def play(self) -> Played:
        book, inventory = self.folder / "site.yml", self.folder / "hosts.yml"
        book.write_text(yaml.safe_dump(PLAYS))
        hosts = {host.name: {"ansible_nsenter_pid": host.pid} for host in self.hosts}
        inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": self.variables}}))
        return play_file(book, {"ANSIBLE_TIMEOUT": "10"}, self.folder, "-i", str(inventory))

    def sql(self, name: str, statements: str, *, check: bool = True, timeout: float = 30) -> str:
        words = (self.client, "--batch", "--skip-column-names", "--execute", statements)
        return self.hosts[name].run(*words, check=check, timeout=timeout).stdout.strip()

    def insert(self, name: str, number: int) -> subprocess.Popen[bytes]:
        statement = f"INSERT INTO records.patients VALUES ({number})"
        return subprocess.Popen(self.hosts[name].argv(self.client, "--execute", statement))

    def patients(self, name: str) -> list[int]:
        return [int(line) for line in self.sql(name, "SELECT id FROM records.patients ORDER BY id").split()]

    def writers(self) -> list[str]:
        return [name for name in ADDRESSES if self.sql(name, "SELECT @@read_only", check=False) == "0"]

    def channel(self, name: str, field: str) -> str:
        """What the server says of its channel, by a name that both have."""
        statement = f"SHOW {'SLAVE' if self.client == 'mariadb' else 'REPLICA'} STATUS"
        said = self.hosts[name].run(self.client, "--vertical", "--execute", statement).stdout
        return next(line.partition(": ")[2] for line in said.splitlines() if line.strip().startswith(f"{field}:"))

    def behind(self, name: str) -> bool:
        words = ("crm_attribute", "--quiet", "--lifetime=forever", f"--node={name}", "--name=writer-behind", "--query")
        return self.hosts["a"].run(*words, check=False).stdout.strip() == "1"

    def database(self, name: str, verb: str) -> None:
        self.hosts[name].run("systemctl", verb, self.unit)

    def crm(self, *words: str) -> None:
        self.hosts["a"].run("crm_resource", "--resource=writer", *words)

    def settle(self) -> None:
        self.hosts["a"].run("crm_resource", "--wait", "--timeout=40s", timeout=60)

    def confirmed(self) -> bool:
        """Whether the writer has its partner, and nobody lacks anything."""
        if len(self.writers()) != 1:
            return False
        said = self.sql(self.writers()[0], r"SHOW GLOBAL STATUS LIKE 'Rpl\_semi\_sync\_%\_clients'").split()
        return said[-1:] == ["1"] and not any(map(self.behind, PAIR))


def variables(dialect: str, folder: Path) -> dict[str, Any]:
    unit = f"{dialect}.service"
    pem = make_certificates(folder, *ADDRESSES.values(), FLOATING)
    return {
        "ansible_connection": "community.docker.nsenter",
        "ansible_python_interpreter": "/usr/bin/python3",
        "replicated_database_dialect": dialect,
        "replicated_database_packages": ["python3-pymysql"],
        "replicated_database_servers": [
            {"name": name, "address": address, "id": number}
            for number, (name, address) in enumerate(ADDRESSES.items(), 1)
        ],
        "replicated_database_pair": list(PAIR),
        "replicated_database_writer_address": FLOATING,
        "replicated_database_replication_password": 'it\'s a "secret" \\ %',
        "replicated_database_administration_password": "another 'secret' \\ %",
        "replicated_database_databases": ["records"],
        "replicated_database_tls": {
            name: path.read_text() for name, path in zip(("ca", "certificate", "key"), pem, strict=True)
        },
        "ha_cluster_name": "silvercreek",
        "ha_cluster_authkey": "semi-sync" * 20,
        "ha_cluster_nodes": [{"name": name, "addresses": [ADDRESSES[name]]} for name in PAIR],
        "ha_cluster_witness": {"name": "c", "address": ADDRESSES["c"]},
        "ha_cluster_token": 1000,
        "ha_cluster_fencing": [
            {"node": name, "agent": "fence_dummy", "parameters": {"type": "file", "status_file": f"/run/fence-{name}"}}
            for name in PAIR
        ],
        "ha_cluster_address": {"address": FLOATING, "prefix": 24, "interface": "eth0"},
        "ha_cluster_writer": {"semi_sync": "preferred", "unit": unit},
        "ha_cluster_failure_timeout": "5s",
    }


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    dialect = str(request.param)
    with Hosts(*ADDRESSES, image="ha" if dialect == "mariadb" else "mysql") as hosts:
        lan = Lan(hosts)
        for name, address in ADDRESSES.items():
            lan.join(name, f"{address}/24")
        folder = tmp_path_factory.mktemp(dialect)
        made = Scene(hosts, folder, dialect, f"{dialect}.service", variables(dialect, folder))
        built = made.play()
        assert built.code == 0, built.output[-5000:]
        wait_until(lambda: len(made.writers()) == 1, "somebody writes")
        made.sql(made.writers()[0], "CREATE TABLE records.patients (id INT PRIMARY KEY)")
        yield made


@pytest.fixture
def roles(scene: Scene) -> tuple[str, str]:
    """The writer and its partner, which has everything."""
    wait_until(scene.confirmed, "the writer has its partner", 60)
    (writer,) = scene.writers()
    (partner,) = set(PAIR) - {writer}
    return writer, partner


def test_a_second_run_beside_the_cluster_changes_nothing(scene: Scene, roles: tuple[str, str]) -> None:
    again = scene.play()
    assert again.code == 0, again.output[-3000:]
    changed = [result for result in again.results if result.get("changed")]
    assert not changed and again.output.count("changed=0 ") == len(ADDRESSES), changed
    assert scene.writers() == [roles[0]]
    word = "Master" if scene.client == "mariadb" else "Source"
    for name in set(ADDRESSES) - {roles[0]}:
        assert scene.channel(name, f"{word}_SSL_Verify_Server_Cert") == "Yes"


def test_the_cluster_asks_through_the_socket_without_encrypting(scene: Scene, roles: tuple[str, str]) -> None:
    """Nobody listens there, and MariaDB's client would read all of the host's certificates for it every second."""

    def status(name: str) -> int:
        statement = f"SHOW GLOBAL STATUS LIKE '{name}'"
        words = (scene.client, "--no-defaults", "--skip-ssl" if scene.client == "mariadb" else "--ssl-mode=DISABLED")
        said = scene.hosts[roles[0]].run(*words, "--batch", "--skip-column-names", "--execute", statement).stdout
        return int(said.split()[-1])

    encrypted, connected = status("Ssl_accepts"), status("Connections")
    looks = 0

    def looked_at() -> bool:
        nonlocal looks
        looks += 1
        # Each look of ours is a connection, too.
        return status("Connections") - connected - looks >= 5

    wait_until(looked_at, "the monitor of the writer's role has asked five times", 30)
    assert status("Ssl_accepts") == encrypted


def test_preferred_goes_on_and_says_so_and_who_is_behind_is_not_promoted(scene: Scene, roles: tuple[str, str]) -> None:
    writer, partner = roles
    scene.database(partner, "stop")
    began = time.monotonic()
    assert scene.insert(writer, 1).wait(timeout=30) == 0, "a write is acknowledged"
    assert time.monotonic() - began < 30
    assert scene.behind(partner), "and the cluster knows that the partner lacks it"
    scene.crm("--move", f"--node={partner}")
    scene.settle()
    assert scene.writers() == [writer], "so it cannot become the writer"
    scene.crm("--clear")
    scene.database(partner, "start")
    numbers = iter(range(2, 60))

    def caught_up() -> bool:
        time.sleep(0.5)
        scene.insert(writer, next(numbers)).wait(timeout=20)
        return not scene.behind(partner)

    wait_until(caught_up, "the partner has caught up")
    written = scene.patients(writer)
    scene.crm("--move", f"--node={partner}", "--lifetime=PT10S")
    wait_until(lambda: scene.writers() == [partner], "now it can", 40)
    assert scene.patients(partner) == written
    wait_until(lambda: scene.patients("c") == written, "and the other data centre follows")


def test_who_marked_itself_can_become_the_writer_when_it_follows_again(scene: Scene, roles: tuple[str, str]) -> None:
    """It received all the time, so the writer saw nobody come back."""
    writer, partner = roles
    numbers = iter(range(200, 300))
    scene.insert(writer, next(numbers)).wait(timeout=20)
    word = "SLAVE" if scene.client == "mariadb" else "REPLICA"
    scene.sql(partner, f"STOP {word} SQL_THREAD")
    wait_until(lambda: scene.behind(partner), "the partner says that it does not apply", 20)
    time.sleep(8)
    scene.insert(writer, next(numbers)).wait(timeout=20)
    time.sleep(3)
    assert scene.behind(partner), "an acknowledgement does not mean that it applies"
    scene.sql(partner, f"START {word} SQL_THREAD")

    def caught_up() -> bool:
        time.sleep(0.5)
        scene.insert(writer, next(numbers)).wait(timeout=20)
        return not scene.behind(partner)

    wait_until(caught_up, "the partner has caught up")


def test_required_stops_accepting_while_the_partner_is_down(scene: Scene, roles: tuple[str, str]) -> None:
    scene.crm("--set-parameter=semi_sync", "--parameter-value=required")
    scene.crm("--refresh")  # or the partner's monitor goes on with the old one
    scene.settle()
    wait_until(scene.confirmed, "the writer has its partner", 60)
    (writer,) = scene.writers()
    (partner,) = set(PAIR) - {writer}
    scene.database(partner, "stop")
    writing = scene.insert(writer, 100)
    time.sleep(12)  # twice what the cluster needs to notice
    assert writing.poll() is None, "it is not acknowledged"
    assert not scene.behind(partner)
    scene.database(partner, "start")
    assert writing.wait(timeout=30) == 0
    wait_until(lambda: 100 in scene.patients(partner), "the partner has it")
