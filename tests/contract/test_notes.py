# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Notes when two write at once, when a writer was killed, and where nothing can be written."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest

from tests.contract.cases.pve_note import MODULE, there
from tests.contract.notes_system import NotesSystem, failure
from tests.contract.system import refused, succeeded


@pytest.fixture
def notes() -> Iterator[NotesSystem]:
    system = NotesSystem()
    yield system
    system.close()


def test_of_those_that_write_at_once_one_has_it(notes: NotesSystem) -> None:
    owners = [f"hct-{number}" for number in range(4)]
    with ProcessPoolExecutor(len(owners), get_context("spawn")) as pool:
        for _turn in range(3):
            notes.reset()
            failures = list(pool.map(failure, [notes.folder.parent] * len(owners), owners))
            winners = [owner for owner, why in zip(owners, failures, strict=True) if not why]
            assert len(winners) == 1, failures
            assert all("somebody else" in why or "take_note:" in why for why in failures if why), failures
            assert succeeded(notes.run(MODULE, name="lock")).data["note"]["owner"] == winners[0]


def test_a_writer_that_was_killed_leaves_no_hindrance(notes: NotesSystem) -> None:
    there(notes)
    pen = notes.folder / "hct-note.pen"
    pen.touch()
    os.utime(pen, (time.time() - 3600, time.time() - 3600))
    succeeded(notes.run(MODULE, name="hct-note", action="remove", owner="hct-a"))
    assert notes.inventory() == {}


def test_a_host_that_is_no_node(notes: NotesSystem) -> None:
    result = refused(notes.run(MODULE, name="lock", action="write", path="/nonexistent/hct/notes"))
    assert "/nonexistent/hct" in result.message


def test_what_is_not_there_is_told(notes: NotesSystem) -> None:
    found: Any = succeeded(notes.run(MODULE, name="lock")).data["note"]
    assert found == {"exists": False, "owner": "", "content": {}}
