# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Backups, their verification, shipped logs and restorations on real servers: a writes, b follows and is dumped."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lab.mysql import DIALECTS, MARIADB, Server, Servers, why_not
from tests.integration.backup_scene import PASSWORD, Site, account, follow, until

MISSING = [name for name in ("age", "zstd", "mariadb-binlog") if not shutil.which(name)]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@dataclass(frozen=True)
class Scene:
    servers: Servers
    a: Server
    b: Server
    folder: Path

    def caught_up(self) -> None:
        name = "gtid_binlog_pos" if self.servers.dialect == MARIADB else "gtid_executed"
        until(lambda: self.a.value(f"@@{name}") == self.b.value(f"@@{name}"), 20)


@pytest.fixture(scope="module", params=DIALECTS)
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    if problem := why_not(request.param):
        pytest.skip(problem)
    with Servers(request.param) as servers:
        a, b = servers.start("a"), servers.start("b")
        account(a)
        follow(b, a)
        a.query("CREATE DATABASE clinic")
        a.query("CREATE TABLE clinic.patients (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(60), photo BLOB)")
        a.query("CREATE PROCEDURE clinic.discharge() SELECT 1")
        a.query("CREATE EVENT clinic.nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM clinic.patients WHERE id < 0")
        found = Scene(servers, a, b, tmp_path_factory.mktemp("sites"))
        found.caught_up()
        yield found


# What is the same on both servers is tried on one.
on_mariadb = pytest.mark.parametrize("scene", [MARIADB], indirect=True)


@pytest.fixture
def site(scene: Scene, request: pytest.FixtureRequest) -> Iterator[Site]:
    """Backups of b, logs of a, all of its own."""
    made = Site(scene.servers, scene.b, scene.folder / f"{request.node.name.partition('[')[0][5:]}{time.time_ns()}")
    made.follows(scene.a)
    yield made
    made.close()


def admit(server: Server, *names: str) -> None:
    for name in names:
        server.query("INSERT INTO clinic.patients (name, photo) VALUES (%s, %s)", name, b"\0'\\\xff\n" + os.urandom(64))


def second(moment: float) -> str:
    return datetime.fromtimestamp(moment).strftime("%Y-%m-%d %H:%M:%S")


def a_second_passes() -> str:
    """A second in which nothing is written, and between two such."""
    time.sleep(1.05)
    moment = time.time()
    time.sleep(1.05)
    return second(moment)


def names(site: Site, name: str) -> list[str]:
    return [row[0] for row in site.look(name, "SELECT name FROM clinic.patients ORDER BY id")]


def test_an_accidental_delete_is_undone_to_the_second_before_it(scene: Scene, site: Site) -> None:
    scene.a.query("TRUNCATE clinic.patients")
    admit(scene.a, "Zo\u00eb", "o'Neill\\")
    scene.caught_up()
    with site.shipping():
        made = site.json("run")
        assert made["verified"] is True
        (listed,) = site.json("list")
        assert (listed["role"], listed["encrypted"]) == ("replica", True)
        assert listed["verification"]["rows"] == 2
        admit(scene.a, "after the backup")
        scene.a.query("FLUSH BINARY LOGS")
        before = a_second_passes()
        scene.a.query("DELETE FROM clinic.patients")
        photos = scene.a.value("(SELECT COUNT(*) FROM clinic.patients)")
        site.current()
        # Of what is at rest nothing can be read without the key, of logs that are whole as well.
        until(lambda: bool(list(site.store.glob("logs/*/*.zst.age"))), 10)
    for path in site.store.rglob("*.age"):
        assert path.read_bytes().startswith(b"age-encryption.org")
        assert path.stat().st_mode & 0o077 == 0
    found = site.json("restore", "--to", before)
    assert found["changed"] is True
    assert (found["transactions"], found["tables"], found["rows"]) == (1, 1, 3)
    assert found["more_follows"] is True
    assert names(site, found["name"]) == ["Zo\u00eb", "o'Neill\\", "after the backup"]
    assert photos == 0
    assert site.json("restore", "--to", before) == {**found, "changed": False}
    # A table goes back to where it was lost.
    dump = subprocess.run(site.words("export", found["name"], "clinic", "patients"), capture_output=True, check=True)
    words = [*site.settings["programs"]["client"], "--no-defaults", f"--socket={scene.a.socket}", "-uroot", "clinic"]
    subprocess.run(words, input=dump.stdout, check=True)
    assert scene.a.value("(SELECT COUNT(*) FROM clinic.patients)") == 3
    assert site.json("side", "remove", found["name"])["changed"] is True
    assert site.json("side", "remove", found["name"])["changed"] is False
    status = site.status()
    assert status["restores"] == []
    assert status["backups"]["newest_verified"] == made["backup"]


def test_the_logs_go_on_when_another_server_becomes_the_writer(scene: Scene, site: Site) -> None:
    """And what only the old one had, of which nobody was told, is in none of it."""
    c = scene.servers.start(f"c{time.time_ns()}")
    follow(c, scene.b)
    admit(scene.a, "before")
    scene.caught_up()
    stop = "STOP SLAVE" if scene.servers.dialect == MARIADB else "STOP REPLICA"
    with site.shipping():
        site.run("run")
        admit(scene.a, "told")
        scene.caught_up()
        # b's own part of the story: a and b change places, and c stands for a server that was cut off.
        scene.b.query(stop)
        admit(scene.a, "nobody was told")
        site.current()
        site.follows(scene.b)
        scene.b.query("SET GLOBAL read_only = 0")
        admit(scene.b, "written by b")
        until(lambda: site.status()["logs"]["server"] == _identity(scene.b), 20)
        before = a_second_passes()
        admit(scene.b, "written by b later")
        site.current()
        assert names(site, site.json("restore", "--to", before)["name"])[-3:] == ["before", "told", "written by b"]
        latest = site.json("restore", "--to", "latest")
        assert names(site, latest["name"])[-2:] == ["written by b", "written by b later"]
    # As it was, for the others: a has what b never had, and begins anew from there.
    _alike(scene)


def _identity(server: Server) -> str:
    return str(server.value("@@server_id" if server.dialect == MARIADB else "@@server_uuid"))


def _alike(scene: Scene) -> None:
    """Both servers empty of history, a the writer again."""
    mariadb = scene.servers.dialect == MARIADB
    for server in (scene.b, scene.a):
        with server.session() as cursor:
            for statement in (
                ["STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = 0"]
                if mariadb
                else ["STOP REPLICA", "RESET REPLICA ALL", "SET GLOBAL super_read_only = 0", "SET GLOBAL read_only = 0"]
            ):
                cursor.execute(statement)
            cursor.execute("SET SESSION sql_log_bin = 0")
            cursor.execute("DELETE FROM clinic.patients")
            cursor.execute("RESET MASTER" if mariadb else "RESET BINARY LOGS AND GTIDS")
            if mariadb:
                cursor.execute("SET GLOBAL gtid_slave_pos = ''")
    follow(scene.b, scene.a)


@on_mariadb
def test_shipping_survives_a_kill_a_restart_and_purged_logs(scene: Scene, site: Site) -> None:
    admit(scene.a, "one")
    scene.caught_up()
    with site.shipping() as service:
        site.run("run")
        admit(scene.a, "two")
        site.current()
        # The password is nowhere to be read.
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                assert PASSWORD.encode() not in path.read_bytes()
        os.killpg(service.pid, signal.SIGKILL)
    admit(scene.a, "three")
    scene.a.query("FLUSH BINARY LOGS")
    with site.shipping():
        site.current()
        admit(scene.a, "four")
        scene.a.restart()
        admit(scene.a, "five")
        scene.a.query("FLUSH BINARY LOGS")
        site.current(30)
        until(lambda: len(list(site.store.glob("logs/*/*.age"))) >= 3, 20)
        until(lambda: _purged(scene.a), 20)
        admit(scene.a, "six")
        before = a_second_passes()
        site.current()
        found = site.json("restore", "--to", before)
        assert names(site, found["name"])[-6:] == ["one", "two", "three", "four", "five", "six"]
    # While nobody received, logs were purged: that is a gap, and it is said.
    admit(scene.a, "lost")
    scene.a.query("FLUSH BINARY LOGS")
    admit(scene.a, "seven")
    until(lambda: _purged(scene.a), 20)
    with site.shipping():
        site.current()
    assert "transactions are missing" in site.refused("restore", "--to", "latest")
    assert site.json("restore", "--to", before, "--name", "again")["rows"] == found["rows"]


def _purged(server: Server) -> bool:
    """What somebody still reads is not purged, whether he is there or not."""
    server.query(f"PURGE BINARY LOGS TO '{server.query('SHOW BINARY LOGS')[-1]['Log_name']}'")
    return len(server.query("SHOW BINARY LOGS")) == 1


@on_mariadb
def test_verification_finds_what_is_damaged_and_a_restoration_takes_the_one_before(scene: Scene, site: Site) -> None:
    admit(scene.a, "kept")
    scene.caught_up()
    with site.shipping():
        first = site.json("run")["backup"]
        time.sleep(1.1)
        last = site.json("run")["backup"]
        site.current()
    path = site.store / "backups" / last / "dump.sql.zst.age"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    done = site.run("verify", last, check=False)
    assert done.returncode == 1
    assert "damaged" in done.stdout
    status = site.status()
    assert status["backups"]["damaged"] == [last]
    assert status["backups"]["newest_verified"] == first
    assert status["code"] == 2
    assert site.json("restore", "--to", "latest")["backup"] == first
    # A dump that is intact and cannot be restored is as bad.
    manifest = json.loads((site.store / "backups" / first / "manifest.json").read_text())
    manifest["tables"].append(["clinic", "never_there"])
    (site.store / "backups" / first / "manifest.json").write_text(json.dumps(manifest))
    assert "clinic.never_there" in site.run("verify", first, check=False).stdout
    assert "no verified backup" in site.refused("restore", "--to", "latest", "--name", "other")


@on_mariadb
def test_a_wrong_key_is_no_verdict_and_without_one_backups_are_taken_unread(scene: Scene, site: Site) -> None:
    site.identity.rename(site.identity.with_suffix(".away"))
    made = site.json("run")
    assert made["verified"] is None
    assert site.status()["backups"]["unverified"] == [made["backup"]]
    assert "no identity" in site.refused("verify")
    assert "no verified backup" in site.refused("restore", "--to", "latest")
    other = subprocess.run(["age-keygen"], capture_output=True, text=True, check=True).stdout
    site.identity.write_text(other)
    assert "not one that" in site.refused("verify")
    assert site.status()["backups"]["damaged"] == []
    site.identity.with_suffix(".away").rename(site.identity)
    assert site.json("verify")[0]["ok"] is True


@on_mariadb
@pytest.mark.parametrize(
    ("prepare", "undo", "said"),
    [
        ("STOP SLAVE SQL_THREAD", "START SLAVE", "does not run"),
        ("STOP SLAVE", "START SLAVE", "does not run"),
    ],
)
def test_a_broken_replica_is_not_dumped(scene: Scene, site: Site, prepare: str, undo: str, said: str) -> None:
    scene.b.query(prepare)
    try:
        assert said in site.refused("run")
    finally:
        scene.b.query(undo)
    assert site.json("list") == []
    status = site.status()
    assert said in status["backups"]["last_error"]
    assert status["code"] == 2


@on_mariadb
def test_a_replica_that_lags_is_not_dumped(scene: Scene, site: Site) -> None:
    site.set(max_lag=0)
    with scene.b.session() as cursor:
        cursor.execute("LOCK TABLES clinic.patients READ")
        admit(scene.a, "late")
        time.sleep(2.2)
        assert "behind, more than 0 s" in site.refused("run")
        cursor.execute("UNLOCK TABLES")
    scene.caught_up()


def _unfinished(site: Site) -> list[str]:
    return [path.name for path in (site.store / "backups").glob(".*")]


@on_mariadb
def test_a_full_disk_leaves_what_was_there_and_nothing_else(scene: Scene, site: Site) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    site.identity.unlink()
    site.store.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1300k", "tmpfs", str(site.store)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        first = site.json("run")["backup"]
        time.sleep(1.1)
        # Said beforehand where it can be known, and when it happens where not.
        assert "MiB are needed" in site.refused("run")
        site.set(minimum_free=-(1 << 30))
        (site.store / "ballast").write_bytes(b"x" * (500 << 10))
        assert "no space left" in site.refused("run").lower()
        assert [one["backup"] for one in site.json("list")] == [first]
        assert _unfinished(site) == []
    finally:
        subprocess.run(["umount", "--lazy", str(site.store)], check=True)


@on_mariadb
def test_a_file_system_that_is_not_mounted_is_not_written_below(scene: Scene, site: Site) -> None:
    site.set(mountpoint=str(site.folder / "nowhere"))
    assert "Nothing is mounted" in site.refused("run")
    assert not site.store.exists()


@on_mariadb
def test_a_killed_backup_is_none(scene: Scene, site: Site, tmp_path: Path) -> None:
    site.identity.unlink()
    real = site.settings["programs"]["dump"]
    slow = tmp_path / "dump"
    program = f"import subprocess, sys, time\nsubprocess.run({real!r} + sys.argv[1:], check=True)\ntime.sleep(60)\n"
    slow.write_text(f"#!{sys.executable}\n{program}")
    slow.chmod(0o755)
    site.set(programs={**site.settings["programs"], "dump": [str(slow)]})
    for how in (_kill_all, _kill_dump):
        running = subprocess.Popen(site.words("run"), start_new_session=True, stderr=subprocess.DEVNULL)
        until(lambda: bool(list((site.store / "backups").glob(".*/dump*"))), 20)
        time.sleep(0.5)
        assert site.json("list") == []
        assert "under way" in site.refused("run")
        how(running)
        assert running.wait(20) != 0
        assert site.json("list") == []
    site.set(programs={**site.settings["programs"], "dump": real})
    site.run("run")
    assert len(site.json("list")) == 1
    assert _unfinished(site) == []


def _kill_all(running: subprocess.Popen[Any]) -> None:
    os.killpg(running.pid, signal.SIGKILL)


def _kill_dump(running: subprocess.Popen[Any]) -> None:
    subprocess.run(["pkill", "-KILL", "-P", str(running.pid), "-x", "dump"], check=True)


@on_mariadb
def test_the_policy_takes_away_what_it_no_longer_keeps_and_only_after_verification(scene: Scene, site: Site) -> None:
    first = site.json("run")["backup"]

    def days(count: int) -> float:
        return time.time() - 86400 * count

    old = []
    for age in (1, 2, 3, 40):
        name = f"{datetime.fromtimestamp(days(age), UTC):%Y%m%dT%H%M%SZ}-c"
        shutil.copytree(site.store / "backups" / first, site.store / "backups" / name)
        path = site.store / "backups" / name / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "taken": days(age)}))
        old.append(name)
    site.set(policy={"hourly": 0, "daily": 3, "weekly": 0, "monthly": 0, "yearly": 0})
    scene.b.query("STOP SLAVE")
    site.refused("run")
    assert len(site.json("list")) == 5
    scene.b.query("START SLAVE")
    time.sleep(1.1)
    made = site.json("run")
    assert set(made["removed"]) == {old[2], old[3]}
    assert {one["backup"] for one in site.json("list")} >= {made["backup"], old[0], old[1]}


@on_mariadb
def test_where_that_was_consented_to_nothing_is_encrypted(scene: Scene, site: Site) -> None:
    site.set(encrypted=False)
    site.identity.unlink()
    with site.shipping():
        made = site.json("run")
        assert made["verified"] is True
        admit(scene.a, "in the clear")
        site.current()
        scene.a.query("FLUSH BINARY LOGS")
        until(lambda: bool(list(site.store.glob("logs/*/*.zst"))), 10)
    assert list(site.store.rglob("*.age")) == []
    assert names(site, site.json("restore", "--to", "latest")["name"])[-1] == "in the clear"
