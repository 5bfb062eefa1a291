# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The role database_backup and the playbook restore_database on a host in a container, with systemd and MariaDB."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from lab.hosts import Hosts, wait_until, why_not
from tests.contract.playbook import program
from tests.integration.over_ssh import Control, Played

pytestmark = [
    pytest.mark.skipif(bool(why_not()), reason=f"hosts in containers cannot run here: {why_not()}"),
    pytest.mark.skipif(not shutil.which("age-keygen"), reason="age is not installed"),
]

PASSWORD = "ship 'it' \\ \"now\" #{{ 1 + 1 }}"
SETTINGS = "[mysqld]\nserver_id = 7\nlog_bin = binlog\ngtid_strict_mode = ON\nskip_name_resolve = ON\n"


class Site(Control):
    """One host that writes, and keeps its own backups."""

    def role(self, *arguments: str, **more: Any) -> Played:
        return self.play(
            [
                {
                    "ansible.builtin.include_role": {"name": "hospital.continuity.database_backup"},
                    "vars": self.variables(**more),
                }
            ],
            *arguments,
        )

    def variables(self, **more: Any) -> dict[str, Any]:
        done = subprocess.run(["age-keygen"], capture_output=True, text=True, check=True) if not _KEYS else None
        if done is not None:
            _KEYS.extend([done.stdout.partition("public key: ")[2].splitlines()[0], done.stdout])
        return {
            "database_backup_recipients": [_KEYS[0]],
            "database_backup_identity": _KEYS[1],
            "database_backup_password": yaml_unsafe(PASSWORD),
            "database_backup_writer": {"host": "127.0.0.1"},
            "database_backup_minimum_free": 1 << 20,
            **more,
        }

    def restore(self, *arguments: str, **variables: Any) -> Played:
        """The playbook as a person runs it."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / "results.jsonl").write_text("")
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(self._inventory()))
        told = json.dumps({"restore_database_host": self.host.name, **variables})
        done = subprocess.run(
            [
                program("ansible-playbook"),
                *arguments,
                "-i",
                "hosts.yml",
                "hospital.continuity.restore_database",
                "-e",
                told,
            ],
            env={**os.environ, **self._environment()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=self.folder,
            check=False,
            timeout=180,
        )
        results = [json.loads(line) for line in (self.folder / "results.jsonl").read_text().splitlines()]
        return Played(done.returncode, done.stdout + done.stderr, results)

    def sql(self, statement: str, *words: str) -> str:
        return self.host.run("mariadb", *words, "-BNe", statement, timeout=60).stdout.strip()

    def status(self) -> dict[str, Any]:
        done = self.host.run("database_backup", "status", check=False)
        return dict(json.loads(done.stdout))

    def shipped(self) -> None:
        began = time.time()
        wait_until(lambda: (self.status()["logs"]["lag_seconds"] or 1e9) < time.time() - began, "the logs come", 30)


_KEYS: list[str] = []


def yaml_unsafe(text: str) -> Any:
    """A password is no template."""
    return _Unsafe(text)


class _Unsafe(str):
    pass


yaml.SafeDumper.add_representer(_Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text), style='"'))


def changed(played: Played) -> list[str]:
    return [result["task"].rpartition(" : ")[2] for result in played.results if result.get("changed")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with pytest.MonkeyPatch.context() as patch, Hosts("a", image="silvercreek", ssh=True) as hosts:
        patch.setenv("ANSIBLE_PIPELINING", "1")
        host = hosts["a"]
        host.write("/etc/mysql/mariadb.conf.d/90-lab.cnf", SETTINGS)
        host.run("systemctl", "start", "mariadb", timeout=60)
        yield Site(host, tmp_path_factory.mktemp("control"), host.ssh_address)


def test_the_role_and_a_restoration_as_a_person_plays_them(site: Site) -> None:
    foreseen = site.role("--check").good()
    assert "Describe the backups" in changed(foreseen)
    assert site.host.run("ls", "/usr/local/sbin/database_backup", check=False).stdout == ""

    made = site.role("-vvv", "--diff").good()
    again = site.role("--diff").good()
    assert changed(again) == []
    for output in (made.output, again.output):
        assert "AGE-SECRET-KEY" not in output
        assert "ship 'it'" not in output
    for name in ("dump.cnf", "ship.cnf", "identity", "settings.json"):
        assert (
            site.host.run("stat", "-c", "%a %U", f"/etc/hospital.continuity/database_backup/{name}").stdout
            == "600 root\n"
        )

    site.sql("CREATE DATABASE clinic; CREATE TABLE clinic.patients (id INT PRIMARY KEY, name TEXT)")
    site.sql("INSERT INTO clinic.patients VALUES (1, 'ann')")
    begun = site.host.run("systemctl", "start", "database_backup.service", check=False, timeout=120)
    assert begun.returncode == 0, site.host.run("journalctl", "-u", "database_backup", "-o", "cat").stdout
    site.sql("INSERT INTO clinic.patients VALUES (2, 'bob')")
    time.sleep(1.1)
    moment = site.host.run("date", "+%F %T").stdout.strip()
    time.sleep(1.1)
    site.sql("DELETE FROM clinic.patients")
    site.shipped()
    found = site.status()
    assert found["backups"]["last_error"] is None, found
    assert found["backups"]["rows"] == 1

    checked = site.restore("--check", restore_database_to=moment).good()
    assert site.status()["restores"] == [], checked.output
    restored = site.restore(restore_database_to=moment).good()
    assert changed(restored) == ["Wait until the side instance is filled and verified"]
    (name,) = site.status()["restores"]
    beside = f"--socket=/var/lib/database_restore/{name}/socket"
    assert site.sql("SELECT GROUP_CONCAT(name ORDER BY id) FROM clinic.patients", "--no-defaults", beside) == "ann,bob"
    assert site.sql("SELECT COUNT(*) FROM clinic.patients") == "0"
    assert changed(site.restore(restore_database_to=moment).good()) == []
    # Nobody but root and the server's own user gets to it.
    denied = site.host.run(
        "runuser", "-u", "nobody", "--", "mariadb", "--no-defaults", beside, "-e", "SELECT 1", check=False
    )
    assert denied.returncode != 0

    asked = {"restore_database_to": moment, "restore_database_swap": True}
    refused = site.restore(**asked)
    assert refused.code != 0
    assert "replace_database:a" in refused.output
    assert site.sql("SELECT COUNT(*) FROM clinic.patients") == "0"
    asked["restore_database_allow"] = ["replace_database:a"]
    # It has other rows than what was restored: the server gets its own data back, and the side instance stays.
    record = f"/var/lib/database_restore/{name}/restore.json"
    site.host.run("sed", "-i", 's/"rows": 2,/"rows": 99,/', record)
    failed = site.restore(**asked)
    assert "runs with its own again" in failed.output
    assert site.sql("SELECT COUNT(*) FROM clinic.patients") == "0"
    site.host.run("sed", "-i", 's/"rows": 99,/"rows": 2,/', record)
    assert "Put it in the place of the server of this host" in changed(site.restore(**asked).good())
    assert site.sql("SELECT GROUP_CONCAT(name ORDER BY id) FROM clinic.patients") == "ann,bob"
    assert changed(site.restore(**asked).good()) == []
    # What the old server wrote is taken for nobody's new transaction, and the logs go on.
    site.sql("INSERT INTO clinic.patients VALUES (3, 'cyd')")
    site.shipped()
    latest = site.restore(restore_database_to="latest").good()
    assert latest.code == 0
    beside = "--socket=/var/lib/database_restore/latest/socket"
    assert (
        site.sql("SELECT GROUP_CONCAT(name ORDER BY id) FROM clinic.patients", "--no-defaults", beside) == "ann,bob,cyd"
    )
