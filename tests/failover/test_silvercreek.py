# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Silver Creek as a person runs it: the site, a switchover, the loss of a data centre, the way back, a restoration.

One scene, in the order of a story: each test begins where the one before ended.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from lab.hosts import wait_until, why_not
from lab.silvercreek import PAIR, Run, Silvercreek

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"hosts in containers cannot run here: {why_not()}")

NETWORK = "198.19.73"
SERVICES = ("file_sync@documents.service", "nginx.service", "haproxy.service", "record-letters.timer")
SITE = "hospital.continuity.site"
# On a machine that other tests make busy, a node may be silent for a while without being gone.
PATIENT = {"ha_cluster_token": 10000}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Silvercreek, Run]]:
    """The hospital after the first run, and that run."""
    with Silvercreek(NETWORK, tmp_path_factory.mktemp("silvercreek"), variables=PATIENT) as scene:
        yield scene, scene.play(SITE)


@pytest.fixture
def scene(built: tuple[Silvercreek, Run]) -> Silvercreek:
    scene, first = built
    assert first.code == 0, first.text
    return scene


def unchanged(run: Run) -> bool:
    assert run.code == 0, run.text
    return all(counts["changed"] == 0 for counts in run.recap.values())


def active_services(scene: Silvercreek, name: str) -> list[str]:
    return [
        unit
        for unit in SERVICES
        if scene.hosts[name].run("systemctl", "is-active", "--quiet", unit, check=False).returncode == 0
    ]


def served(scene: Silvercreek, address: str) -> str:
    """What a user at the other end of the network gets through the proxy and the web server."""
    words = ("curl", "--silent", "--max-time", "5", f"http://{address}/active")
    return scene.hosts["c"].run(*words, check=False).stdout.strip()


def serves(scene: Silvercreek, name: str) -> None:
    """The one writer, the address and the services are there, and nowhere else."""
    place = [name] if name in PAIR else []
    address = scene.floating if name in PAIR else scene.addresses[name]
    try:
        wait_until(lambda: scene.writers() == [name], f"{name} is the one writer", 120)
        wait_until(lambda: scene.holders() == place, f"{place} has the address", 60)
        wait_until(lambda: active_services(scene, name) == list(SERVICES), f"all services of {name} run", 60)
        wait_until(lambda: served(scene, address) == name, f"{name} serves at {address}", 60)
    except TimeoutError as late:
        shown = [
            host.run("crm_mon", "-1rfA", check=False).stdout
            for host in scene.hosts
            if host.name in PAIR and host.powered
        ]
        raise AssertionError(f"{late}: {scene.writers()}, {scene.holders()}\n{''.join(shown)}") from None
    others = [host.name for host in scene.hosts if host.name != name and host.powered]
    assert {other: active_services(scene, other) for other in others} == {other: [] for other in others}


def write(scene: Silvercreek, name: str, number: int) -> None:
    scene.sql(name, f"INSERT INTO record.visits VALUES ({number})")
    scene.hosts[name].write(f"/srv/record/documents/{number}.txt", f"document {number}\n")


def has(scene: Silvercreek, name: str, numbers: set[int]) -> bool:
    rows = {int(line) for line in scene.sql(name, "SELECT n FROM record.visits", check=False).split()}
    files = scene.hosts[name].run("ls", "/srv/record/documents").stdout.split()
    return rows == numbers and {f"{number}.txt" for number in numbers} <= set(files)


def test_the_first_run_makes_one_server_write_and_serve(scene: Silvercreek) -> None:
    serves(scene, "a")
    scene.sql("a", "CREATE TABLE record.visits (n BIGINT PRIMARY KEY)")
    write(scene, "a", 1)
    for name in ("b", "c"):
        wait_until(lambda name=name: has(scene, name, {1}), f"{name} has what a wrote", 60)  # type: ignore[misc]


def test_the_second_run_finds_nothing_to_do(scene: Silvercreek) -> None:
    again = scene.play(SITE)
    assert unchanged(again), again.changed
    assert not any(password in again.text for password in scene.passwords.values())


def test_a_planned_switchover_loses_nothing_and_is_done_once(scene: Silvercreek) -> None:
    moved = scene.play("hospital.continuity.switchover", switchover_to="b")
    assert moved.code == 0, moved.text
    serves(scene, "b")
    assert has(scene, "b", {1})
    write(scene, "b", 2)
    assert unchanged(scene.play("hospital.continuity.switchover", switchover_to="b"))
    assert unchanged(scene.play("hospital.continuity.failover", failover_to="b"))


def test_nobody_takes_over_from_a_server_that_answers(scene: Silvercreek) -> None:
    refused = scene.play("hospital.continuity.failover", failover_to="c", failover_gone=["a", "b"])
    assert refused.code != 0
    assert "b is named in failover_gone, and answers, and writes." in refused.text.replace("\n", " ")
    refused = scene.play("hospital.continuity.failover", failover_to="c")
    assert refused.code != 0 and "add power_off:b to failover_allow" in refused.text.replace("\n", " ")
    serves(scene, "b")


def test_what_is_missing_is_counted_before_the_other_data_centre_takes_over(scene: Silvercreek) -> None:
    wait_until(lambda: has(scene, "c", {1, 2}), "c has everything", 60)
    scene.sql("c", "STOP SLAVE IO_THREAD")
    for number in (901, 902, 903):
        scene.sql("b", f"INSERT INTO record.visits VALUES ({number})")
    time.sleep(13)  # c looks every ten seconds what the writer has
    for name in PAIR:
        scene.hosts[name].power_off()
    refused = scene.play("hospital.continuity.failover", failover_to="c")
    assert refused.code != 0
    assert "c lacks 3 transactions" in refused.text and "add promote_behind:c" in refused.text.replace("\n", " ")
    assert scene.writers() == []


def test_the_other_data_centre_takes_over_when_the_pair_is_off(scene: Silvercreek) -> None:
    consent = {"failover_to": "c", "failover_allow": ["promote_behind:c"]}
    taken = scene.play("hospital.continuity.failover", **consent)
    assert taken.code == 0, taken.text
    serves(scene, "c")
    assert has(scene, "c", {1, 2})
    zone = scene.hosts["c"].read("/srv/record/record.zone")
    assert zone == f"record.silvercreek.example. 60 IN A {scene.addresses['c']}\n"
    assert not any(password in taken.text for password in (*scene.passwords.values(), scene.pve.password))
    write(scene, "c", 3)
    again = scene.play("hospital.continuity.failover", **consent)
    assert unchanged(again), again.changed


def test_a_pair_that_comes_back_does_not_begin_to_write(scene: Silvercreek) -> None:
    for name in PAIR:
        scene.power_on(name)
    began = time.monotonic()
    seen: set[tuple[str, ...]] = set()
    refused = False
    while time.monotonic() - began < 150 and not refused:
        seen.add(tuple(scene.writers()))
        said = scene.hosts["a"].run("crm_mon", "--one-shot", check=False).stdout
        refused = refused or "the witness does not vote" in said
        time.sleep(1)
    assert seen == {("c",)}
    assert refused, "the cluster was never asked to begin: this shows nothing"
    site = scene.play(SITE)
    assert site.code != 0 and "c is the writer and serves" in site.text


def test_the_pair_takes_over_again_with_everything(scene: Silvercreek) -> None:
    refused = scene.play("hospital.continuity.failback")
    assert refused.code != 0 and "needs reseed_replica:a" in refused.text.replace("\n", " ")
    assert scene.writers() == ["c"]
    consent = [f"reseed_replica:{name}" for name in PAIR]
    back = scene.play("hospital.continuity.failback", failover_allow=consent)
    assert back.code == 0, back.text
    serves(scene, "a")
    assert has(scene, "a", {1, 2, 3})
    assert f"IN A {scene.floating}\n" in scene.hosts["c"].read("/srv/record/record.zone")
    write(scene, "a", 4)
    for name in ("b", "c"):
        wait_until(lambda name=name: has(scene, name, {1, 2, 3, 4}), f"{name} follows", 60)  # type: ignore[misc]
    again = scene.play("hospital.continuity.failback")
    assert unchanged(again), again.changed


def test_the_cluster_still_moves_by_itself(scene: Silvercreek) -> None:
    scene.hosts["a"].run("systemctl", "kill", "--signal=KILL", "mariadb.service")
    serves(scene, "b")
    assert has(scene, "b", {1, 2, 3, 4})


def test_what_was_deleted_is_found_in_the_second_before(scene: Silvercreek) -> None:
    site = scene.hosts["c"]
    site.run("database_backup", "run", timeout=300)
    scene.sql("b", "INSERT INTO record.visits VALUES (5)")
    time.sleep(1.1)
    moment = datetime.now(UTC).replace(microsecond=0)
    time.sleep(1.1)
    scene.sql("b", "DELETE FROM record.visits")

    def logs_are_there() -> bool:
        """Up to something later than that second."""
        scene.sql("b", "REPLACE INTO record.visits VALUES (100)")
        status = json.loads(site.run("database_backup", "status", check=False).stdout or "{}")
        until = status.get("logs", {}).get("until")
        return bool(until) and datetime.fromisoformat(str(until)) > moment

    wait_until(logs_are_there, "the logs of that second have arrived", 120)
    when = moment.strftime("%Y-%m-%d %H:%M:%SZ")
    restored = scene.play("hospital.continuity.restore_database", restore_database_host="c", restore_database_to=when)
    assert restored.code == 0, restored.text
    sockets = site.run("sh", "-c", "ls -d /var/lib/database_restore/*/socket").stdout.split()
    words = ("mariadb", "--no-defaults", "--skip-column-names", f"--socket={sockets[0]}", "record")
    rows = site.run(*words, "--execute=SELECT n FROM visits ORDER BY n").stdout.split()
    assert rows == ["1", "2", "3", "4", "5"]
    assert scene.writers() == ["b"]
    again = scene.play("hospital.continuity.restore_database", restore_database_host="c", restore_database_to=when)
    assert unchanged(again), again.changed


def test_after_all_that_a_run_finds_nothing_to_do(scene: Silvercreek) -> None:
    """Whoever writes, and everybody follows as is written."""
    site = scene.play(SITE)
    assert unchanged(site), site.changed
    serves(scene, "b")
