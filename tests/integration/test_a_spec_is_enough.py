# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A kind that PVE lists, creates, reads, updates and deletes takes a spec and no other code."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.converge import Outcome, converge
from ansible_collections.hospital.continuity.plugins.module_utils.pve.backend import TableBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import (
    Connection,
    options_from_environment,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import RestKind
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import boolean, text, unordered
from lab.pve import Lab

NIGHTLY = RestKind(
    name="nightly",
    identity=("id",),
    collection="/cluster/backup",
    item="/cluster/backup/{id}",
    fields=(
        text("id"),
        text("schedule", required=True),
        boolean("enabled", default=True),
        unordered("vmid"),
        text("comment"),
        boolean("repeat_missed", wire="-", default=False),
    ),
)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(nodes=2) as running:
        running.add_guests(2, first_vmid=100)
        yield running


def run(lab: Lab, **params: object) -> Outcome:
    options = options_from_environment({**os.environ, **lab.environment()})
    backend = TableBackend(Client(Connection.from_options(options)))
    try:
        return converge(NIGHTLY, NIGHTLY.declare(params), backend)
    finally:
        backend.close()


def test_it_is_made_kept_changed_and_taken_away(lab: Lab) -> None:
    item = {"id": "wards", "schedule": "21:00", "vmid": ["100"], "comment": "the wards' records"}
    assert [result.line for result in run(lab, config=[item]).results] == ["done: create nightly wards"]

    lab.reset_counters()
    assert not run(lab, config=[item]).changed
    assert lab.writes == []

    changed = run(lab, config=[{"id": "wards", "vmid": [101, 100], "repeat_missed": True}])
    assert [result.line for result in changed.results] == ["done: update nightly wards: vmid, repeat_missed"]

    put_back = run(lab, config=[{"id": "wards", "reset": ["comment"]}])
    assert [result.step.options for result in put_back.results] == [("comment",)]
    assert "comment" not in put_back.after["wards",]

    assert run(lab, config=[{"id": "wards"}], state="absent").changed
    lab.reset_counters()
    assert not run(lab, config=[{"id": "wards"}], state="absent").changed
    assert lab.writes == []
