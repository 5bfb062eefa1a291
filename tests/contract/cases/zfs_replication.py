# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of zfs_replication, between two pools of one stand-in. Over SSH, encrypted, and cut off by a signal: on a real
OpenZFS, tests/zfs/test_replication.py."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Doing, Scenario
from tests.contract.system import succeeded

MODULE = "zfs_replication"
SOURCE, TARGET = f"tank/{PREFIX}data", f"vault/{PREFIX}copy"
PAIR = {"source": SOURCE, "target": TARGET}


def setup(system: Any) -> None:
    system.pool("vault")
    system.lab.zfs("create", SOURCE)
    system.lab.zfs("snapshot", f"{SOURCE}@one")
    system.lab.zfs("snapshot", f"{SOURCE}@two")


def replicated(system: Any) -> None:
    succeeded(system.run(MODULE, **PAIR))


def behind(system: Any) -> None:
    replicated(system)
    system.lab.zfs("snapshot", f"{SOURCE}@three")
    system.lab.zfs("snapshot", f"{SOURCE}@four")


def cut_off(system: Any) -> None:
    behind(system)
    with system.lab.change() as state:
        state.cut_after = 4
    assert system.run(MODULE, **PAIR).failed


def diverged(system: Any) -> None:
    behind(system)
    system.lab.zfs("snapshot", f"{TARGET}@of-their-own")


def tree(system: Any) -> None:
    system.lab.zfs("create", f"{SOURCE}/below")
    system.lab.zfs("snapshot", "-r", f"{SOURCE}@all")


def for_examples(system: Any) -> None:
    system.pool("vault")
    system.lab.zfs("create", "tank/backup")
    system.lab.zfs("snapshot", "tank/backup@auto-2026-11-22T08Z")


CASE = Case(
    module=MODULE,
    subsystem="zfs",
    base=PAIR,
    setup=setup,
    examples=for_examples,
    options=(),
    several=[],
    consents=(
        Scenario(f"rollback_receiver:{TARGET}", PAIR, "of-their-own", setup=diverged, label="rollback_receiver"),
    ),
    doings=(
        Doing("the first time", PAIR, rests=True),
        Doing("what is new", PAIR, setup=behind, rests=True),
        Doing("what was cut off", {**PAIR, "resume": True, "timeout": 60}, setup=cut_off, rests=True),
        Doing("what was cut off, anew", {**PAIR, "resume": False}, setup=cut_off, rests=True, faults=()),
        Doing("the newest", {**PAIR, "intermediates": False, "bandwidth": "100M"}, setup=behind, rests=True, faults=()),
        Doing("all below", {**PAIR, "recursive": True, "raw": False}, setup=tree, rests=True, faults=()),
        Doing("nothing", {**PAIR, "newer_than": "1h"}, setup=behind, rests=True, unchanged=True, faults=()),
    ),
    unreached={"target_host": "another host over SSH: tests/zfs/test_replication.py"},
)
