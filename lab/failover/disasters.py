# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a person has to decide: a deletion taken back, and the other data centre promoted. The second ends the scene."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import datetime
from typing import Any

from lab.failover.client import DATABASE, TABLE, Client
from lab.failover.line import Line, Split
from lab.failover.observers import ADDRESS, SERVER
from lab.failover.pair import PAIR
from lab.failover.scene import Scene
from lab.failover.trial import line
from lab.hosts import wait_until

SITE = "c"
_SCRATCH = f"{DATABASE}_undo"


def delete_undone(scene: Scene) -> Line:
    """Half of the rows are deleted by mistake and others are written afterwards. The second before comes back beside,
    on the other data centre's server, and what is missing is copied from there."""
    active = scene.settle()
    # The server that writes makes the account that brings the logs: by a second run where none wrote at the first.
    scene.play("hospital.continuity.database", "--tags", "database_backup")
    _backup(scene, "run", seconds=180)
    time.sleep(2)
    scene.client.pause()
    last = int(time.time())
    time.sleep(last + 2.1 - time.time())
    deleted = time.monotonic()
    scene.sql(active, f"DELETE FROM {DATABASE}.{TABLE} WHERE n % 2 = 0")
    rows = len(scene.client.missing(scene.numbers(active)))
    scene.client.resume()
    wait_until(lambda: _shipped(scene) > last + 3, "the logs have come", 120)
    moment = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(last + 1))
    scene.play(
        "hospital.continuity.restore_database",
        restore_database_host=SITE,
        restore_database_to=moment,
        restore_database_name="undo",
    )
    copied = scene.hosts[SITE].run("database_backup", "export", "undo", DATABASE, TABLE, timeout=120).stdout
    scene.sql(active, f"CREATE DATABASE {_SCRATCH}")
    scene.hosts[active].run(scene.dialect.program, _SCRATCH, stdin=copied, timeout=120)
    scene.sql(active, f"INSERT IGNORE INTO {DATABASE}.{TABLE} SELECT * FROM {_SCRATCH}.{TABLE}")
    seconds = time.monotonic() - deleted
    scene.sql(active, f"DROP DATABASE {_SCRATCH}")
    outcome = f"{rows} rows were deleted; the database of {moment} came back beside {SITE}'s, and the rows from there"
    found = line(scene, "an accidental DELETE undone", deleted, seconds, Split(), outcome)
    # What counts here was acknowledged before.
    missing, everything = scene.client.missing(scene.numbers(active)), len(scene.client.acknowledged)
    problems = () if rows else ("nothing was deleted",)
    return replace(
        found, acknowledged=everything, present=everything - len(missing), missing=len(missing), problems=problems
    )


def site_promoted(scene: Scene) -> tuple[Line, int]:
    """And the lag that was shown before, in transactions. The client finds the other data centre by its address, as
    the site's hook leads it there."""
    active = scene.settle()
    scene.sql(SITE, scene.dialect.stop_receiver)
    began = time.monotonic()
    time.sleep(2)
    scene.client.pause()
    lag = _lag(scene, active)
    scene.client.stop()
    gone = time.monotonic()
    for name in PAIR:
        scene.hosts[name].power_off()
    allowed = [f"older_files:{SITE}", f"promote_behind:{SITE}"]
    scene.play("hospital.continuity.failover", failover_to=SITE, failover_allow=allowed)
    before = scene.client
    elsewhere = Client(scene.site.addresses[SITE], before.password, first=before.number)
    elsewhere.start()
    try:
        wait_until(lambda: elsewhere.acknowledged, f"{SITE} acknowledges a write", 60)
        served = time.monotonic()
        time.sleep(1)
    finally:
        elsewhere.stop()
    present = scene.numbers(SITE)
    acknowledged = len(before.since(began)) + len(elsewhere.acknowledged)
    missing = len(before.missing(present)) + len(elsewhere.missing(present))
    found = Line(
        fault="C promoted after A and B are gone",
        server=scene.dialect.title,
        seconds=served - gone,
        split=Split(),
        acknowledged=acknowledged,
        present=acknowledged - missing,
        missing=missing,
        holders=scene.observers.most(ADDRESS, began, time.monotonic()),
        writers=scene.observers.most(SERVER, began, time.monotonic()),
        outcome=f"{SITE} writes and serves; it was shown to lack {lag} transactions before",
    )
    return found, lag


def _backup(scene: Scene, *words: str, seconds: float = 60) -> Any:
    done = scene.hosts[SITE].run("database_backup", *words, check=False, timeout=seconds)
    return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else {}


def _shipped(scene: Scene) -> float:
    """The moment up to which the binary logs have come."""
    until = _backup(scene, "status").get("logs", {}).get("until")
    return datetime.strptime(until, "%Y-%m-%d %H:%M:%S%z").timestamp() if until else 0.0


def _lag(scene: Scene, active: str) -> int:
    """How many transactions the other data centre lacks, as the collection shows it."""
    servers = [
        {
            "name": name,
            "login_host": address,
            "login_user": "administration",
            "login_password": scene.site.passwords["administration"],
            "login_ca": "/etc/mysql/hospital.continuity/ca.pem",
        }
        for name, address in scene.site.addresses.items()
    ]
    told = scene.module(SITE, "mysql_topology_info", servers=servers)
    has = {server["name"]: server["has"] for server in told["servers"]}
    return _newest(has[active]) - _newest(has[SITE])


def _newest(position: str) -> int:
    """The number of the newest transaction: MariaDB counts those of all servers together."""
    return max(int(part.rpartition("-")[2]) for part in position.split(","))
