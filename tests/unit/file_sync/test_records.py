# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What is remembered, and who is alone."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filesync import records
from filesync.generation import Held
from filesync.push import Delivery, from_lsyncd, push, rsync_words, rule
from filesync.remote import refusal_in, refused_line
from filesync.settings import Places, Unusable, named
from filesync.status import LAGS, WRONG, status, verdict
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.file_sync.conftest import PROGRAM


def test_a_state_is_there_again(places: Places) -> None:
    state = records.State(Held(3, "b"), 2, 1.5, "x")
    with records.changing(places, "web") as changing:
        changing.put(state)
    assert records.state_of(places, "web") == state
    assert [path.name for path in (places.var / "web").iterdir()] == ["state.json"]


def test_a_damaged_state_is_no_fresh_one(places: Places) -> None:
    path = places.var / "web" / "state.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"generation": ')
    with pytest.raises(Unusable, match="cannot be read"):
        records.state_of(places, "web")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a\n"])
def test_a_name_leads_nowhere_else(name: str) -> None:
    with pytest.raises(Unusable):
        named(name)


def test_a_writer_is_not_ended(places: Places) -> None:
    with records.the_side(places, "web", {"what": records.WRITER}):
        assert records.holder_of(records.side_path(places, "web"))["what"] == records.WRITER
        with pytest.raises(records.Busy), records.the_side(places, "web", {"what": records.WRITER}, seconds=1):
            pass
    assert records.holder_of(records.side_path(places, "web")) == {}


def test_a_receiver_whose_writer_is_gone_is_ended(places: Places) -> None:
    program = (
        "import os, sys, time; from pathlib import Path; sys.path.insert(0, sys.argv[1]); os.setpgid(0, 0)\n"
        "from filesync import records; from filesync.settings import Places\n"
        "places = Places(run=Path(sys.argv[2]))\n"
        "with records.the_side(places, 'web', {'what': records.RECEIVER}):\n"
        "    print('has it', flush=True); time.sleep(60)"
    )
    argv = [sys.executable, "-c", program, str(PROGRAM), str(places.run)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout is not None
        assert receiver.stdout.readline() == "has it\n"
        began = time.monotonic()
        with records.the_side(places, "web", {"what": records.WRITER}):
            assert time.monotonic() - began < 5
        assert receiver.wait(5) != 0


def test_consent_is_used_up(places: Places) -> None:
    assert not records.take_consent(places, "web", records.OLDER_FILES)
    records.allow(places, "web", records.OLDER_FILES)
    assert records.take_consent(places, "web", records.OLDER_FILES)
    assert not records.take_consent(places, "web", records.OLDER_FILES)


@given(st.text(), st.integers(0, 99), st.text())
def test_a_refusal_comes_through(message: str, generation: int, holder: str) -> None:
    found = refusal_in(f"Warning: x\n{refused_line(message, Held(generation, holder))}rsync error: code 12\n")
    assert found is not None
    assert (str(found), found.newer) == (message, Held(generation, holder))


def test_what_rsync_is_given(places: Places, make: Callable[..., Any]) -> None:
    settings = make(exclude=("/cache/",))
    argv = rsync_words(places, settings, "b", Delivery(), words=["x"], listed=True, now=100)
    assert argv[:3] == ["rsync", "-aHAX", "--numeric-ids"]
    assert "--max-delete=1000" in argv
    assert argv.index("--exclude=/cache/") < argv.index("--include-from=-") < argv.index("--exclude=*")
    assert argv[-1] == f"b:{settings.path}/"


def test_deletions_of_the_last_minute_count(places: Places, make: Callable[..., Any]) -> None:
    """Else lsyncd would delete everything, a few hundred files at a time."""
    delivery = Delivery(deletions=((30.0, 500), (50.0, 300), (80.0, 300)))
    argv = rsync_words(places, make(), "b", delivery, words=["x"], listed=False, now=100)
    assert "--max-delete=400" in argv
    many = Delivery(deletions=((80.0, 5000),))
    assert "--max-delete=0" in rsync_words(places, make(), "b", many, words=["x"], listed=False, now=100)


def test_once_too_many_nothing_is_deleted(places: Places, make: Callable[..., Any]) -> None:
    argv = rsync_words(places, make(), "b", Delivery(halted=True), words=["x"], listed=False, now=100)
    assert not [word for word in argv if "delete" in word]


def test_a_side_that_does_not_hold_the_generation_sends_nothing(places: Places, make: Callable[..., Any]) -> None:
    settings = make()
    (settings.path / "file").write_text("x")
    with records.changing(places, "web") as changing:
        changing.put(records.State(Held(8, "b"), 7))
    assert push(places, settings, "c") == 1
    assert "b holds generation 8" in Path(places.var / "web" / "to-c.json").read_text()


def test_what_lsyncd_calls_is_understood() -> None:
    words = ["--delete", "--from0", "--include-from=-", "--exclude=*", "/srv/web/", "b:web/"]
    assert from_lsyncd(words) == ("b", "web", True)
    assert from_lsyncd(["-r", "--exclude-from=-", "/srv/web/", "b:web"]) == ("b", "web", False)


def test_the_lag_of_a_receiver_grows(places: Places, make: Callable[..., Any]) -> None:
    settings = make(me="b", peers=("a", "c"))
    assert status(places, settings)["lag_seconds"] is None
    with records.changing(places, "web") as changing:
        changing.put(records.State(Held(8, "a"), 8, 1000.0))
    found = status(places, settings, now=1050)
    assert (found["role"], found["holder"], found["lag_seconds"], verdict(found)) == ("receiver", "a", 50, 0)
    assert verdict(status(places, settings, now=1070)) == LAGS
    with records.changing(places, "web") as changing:
        changing.put(records.State(Held(8, "a"), 8, 1000.0, "rsync from a ended with 23"))
    assert verdict(status(places, settings, now=1001)) == WRONG


def test_a_writer_is_as_far_behind_as_its_last_receiver(places: Places, make: Callable[..., Any]) -> None:
    settings = make()
    records.write_durably(records.receiver_path(places, "web", "b"), {"delivered": 1000.0})
    records.write_durably(records.receiver_path(places, "web", "c"), {"delivered": 900.0, "error": "away"})
    with records.the_side(places, "web", {"what": records.WRITER}):
        found = status(places, settings, now=1001)
    assert (found["role"], found["lag_seconds"], found["last_error"]) == ("writer", 101, "c: away")
    assert [receiver["lag_seconds"] for receiver in found["receivers"]] == [1, 101]


@pytest.mark.parametrize(
    ("given_name", "wanted"),
    [
        (rb"/plain", rb"/plain"),
        (rb"/back\slash", rb"/back\slash"),
        (rb"/\[a\] \* \?", rb"/\[a\] \* \?"),
        (rb"/a\\[b/", rb"/a\\\[b/"),
        (rb"/gone/***", rb"/gone/***"),
        (rb"/go\ne \[/***", rb"/go\\ne \[/***"),
        (rb"/\*\*\*", rb"/\*\*\*"),
        (b"/new\nline", b"/new\nline"),
        (b"", b""),
    ],
)
def test_lsyncds_rules_become_rsyncs(given_name: bytes, wanted: bytes) -> None:
    assert rule(given_name) == wanted
