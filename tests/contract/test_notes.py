# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Notes when two write at once, when a writer was killed, and where nothing can be written."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.contract.cases.pve_note import MODULE, there
from tests.contract.notes_system import NotesSystem
from tests.contract.system import refused, succeeded


@pytest.fixture
def notes() -> Iterator[NotesSystem]:
    system = NotesSystem()
    yield system
    system.close()


def test_of_two_that_write_at_once_one_has_it(notes: NotesSystem) -> None:
    for _turn in range(3):
        notes.reset()
        with ThreadPoolExecutor(4) as pool:
            owners = [f"hct-{number}" for number in range(4)]
            runs = [pool.submit(notes.run, MODULE, name="lock", action="write", owner=owner) for owner in owners]
            results = [run.result() for run in runs]
        winners = [owner for owner, result in zip(owners, results, strict=True) if not result.failed]
        assert len(winners) == 1, [result.message for result in results]
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
