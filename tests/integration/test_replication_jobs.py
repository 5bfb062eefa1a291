# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Replication jobs when something is wrong: a run that fails, a node that is off, a removal that takes its time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.converge import Clock, Outcome, converge
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import (
    Connection,
    options_from_environment,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.information import gather
from ansible_collections.hospital.continuity.plugins.module_utils.pve.registry import KINDS
from lab.pve import Lab

JOB = {"id": "100-0", "target": "pve2"}


@pytest.fixture(scope="module")
def _lab() -> Iterator[Lab]:
    with Lab(nodes=3) as lab:
        yield lab


@pytest.fixture
def lab(_lab: Lab) -> Lab:
    """Guest 100 is on pve1, with a disk on ZFS."""
    _lab.reset()
    zfs = {"type": "zfspool", "pool": "tank", "content": "images", "active": 1, "files": set(), "volumes": {}}
    _lab.call(_lab.cluster.storages.__setitem__, "zfs", {**zfs, "total": 2**40})
    _lab.add_guests(1, 100, storage="zfs")
    return _lab


@pytest.fixture
def client(lab: Lab) -> Iterator[Client]:
    with Client(Connection.from_options(options_from_environment(lab.environment()))) as client:
        yield client


def run(client: Client, *config: dict[str, Any], **params: Any) -> Outcome:
    entry = KINDS["replication"]
    declared = entry.kind.declare({"config": config, **params})
    now = [0.0]
    clock = Clock(lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds))
    return converge(entry.kind, declared, entry.backend(client), clock=clock)


def health(client: Client) -> list[tuple[str, str]]:
    found = gather(client, ["replication"])["health"]
    return [(each["state"], each["message"]) for each in found if each["subject"].startswith("replication")]


def test_a_job_that_fails_is_unmet_until_it_is_mended(lab: Lab, client: Client) -> None:
    assert run(client, JOB).unmet == ()
    lab.fail_replication("100-0", "out of space")
    assert run(client, JOB).unmet == ("100-0: its last run failed (1 in a row): out of space",)
    assert health(client) == [
        ("failing", "Replication job 100-0 to pve2: its last run failed (1 in a row): out of space.")
    ]
    lab.mend_replication("100-0")
    assert run(client, JOB).unmet == ()
    assert health(client) == []


def test_a_target_that_is_off_fails_the_job_and_holds_its_removal_up(lab: Lab, client: Client) -> None:
    lab.node_offline("pve2")
    (problem,) = run(client, JOB).unmet
    assert "exit code 255" in problem
    gone = run(client, JOB, state="absent", allow=["destroy_replica:100-0"])
    assert gone.changed and not gone.failure
    assert gone.unmet == ("100-0: is marked for removal, and goes when it runs next",)
    again = run(client, JOB, state="absent")
    assert not again.changed
    assert again.unmet == gone.unmet
    assert run(client, {**JOB, "force": True}, state="absent").changed
    assert client.get("/cluster/replication") == []


def test_a_source_that_is_off_is_told(lab: Lab, client: Client) -> None:
    run(client, JOB)
    lab.node_offline("pve1")
    other = Client(Connection.from_options(options_from_environment(lab.environment())))
    with other:
        outcome = run(other, JOB)
        assert outcome.unmet == ("node pve1 is off: nothing is replicated from there",)
        assert not outcome.changed
        assert health(other) == []


def test_after_a_migration_to_the_target_nothing_is_to_be_done(lab: Lab, client: Client) -> None:
    run(client, JOB)
    lab.move_guest(100, "pve2")
    assert client.get("/cluster/replication/100-0")["target"] == "pve1"
    outcome = run(client, JOB)
    assert not outcome.changed and not outcome.failure


def test_what_was_being_removed_is_kept_when_it_is_wanted_again(lab: Lab, client: Client) -> None:
    run(client, JOB)
    lab.node_offline("pve2")
    run(client, JOB, state="absent", allow=["destroy_replica:100-0"])
    lab.node_online("pve2")
    outcome = run(client, JOB)
    assert [result.line for result in outcome.results] == ["done: update replication 100-0: remove_job"]
    assert not outcome.failure and not outcome.unmet
    assert "remove_job" not in client.get("/cluster/replication/100-0")


def test_a_guest_without_volumes_to_send_is_refused_with_pves_reason(lab: Lab, client: Client) -> None:
    lab.add_guests(1, 101)
    outcome = run(client, {"id": "101-0", "target": "pve2"})
    assert "No replicatable volumes found" in outcome.failure
