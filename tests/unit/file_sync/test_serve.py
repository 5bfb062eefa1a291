# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a peer's key may do on a receiver, and what the receiver remembers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filesync import records
from filesync.generation import Held
from filesync.remote import Refused, refusal_in
from filesync.serve import claim, receive, refuse_if_writing, serve, server_words
from filesync.settings import Places
from filesync.source import Unsound

REAL = [
    "--server",
    "-lHogDtpAXre.iLsfxCIvu",
    "--timeout=5",
    "--delete-during",
    "--max-delete=30",
    "--numeric-ids",
    "--force",
    "--partial-dir",
    ".file_sync-partial",
    ".",
    "/srv/web/files/",
]


def test_what_a_real_sender_asks_for_is_run_in_the_sets_own_directory(make: Callable[..., Any]) -> None:
    settings = make()
    words = server_words([*REAL[:-1], "/etc/"], settings)
    assert words[:2] == ["rsync", "--server"]
    assert words[-2:] == [".", f"{settings.path}/"]
    assert "/etc/" not in words
    assert words[2:-2] == REAL[1:-2]


@pytest.mark.parametrize(
    "extra",
    [
        "--sender",
        "--log-file=/etc/passwd",
        "--remove-source-files",
        "--files-from=/etc/shadow",
        "--backup-dir=/etc",
        "--temp-dir=/etc",
        "--link-dest=/etc",
        "--copy-dest=/etc",
        "--rsync-path=sh",
        "--config=/etc/x",
        "--daemon",
        "-s",
        "-slogDtpre.iLsfxCIvu",
        "-K",
        "--partial-dir=/etc",
        "--delete-excluded",
        "--max-delete=-1",
        "--max-delete=x",
        "/etc",
        "",
    ],
)
def test_other_options_are_refused(make: Callable[..., Any], extra: str) -> None:
    with pytest.raises(Refused):
        server_words(["--server", extra, *REAL[1:]], make())


def test_deletions_need_a_limit(make: Callable[..., Any]) -> None:
    with pytest.raises(Refused, match="without a limit"):
        server_words(["--server", "-logDtpr", "--delete", ".", "/x/"], make())


@pytest.mark.parametrize("words", [[], ["--server"], ["--server", "-logDtpr"], ["--daemon", ".", "/x"]])
def test_what_is_no_receiving_rsync_is_refused(make: Callable[..., Any], words: list[str]) -> None:
    with pytest.raises(Refused, match="only a receiving rsync"):
        server_words(words, make())


def test_a_claim_is_remembered_and_an_older_one_refused(places: Places, make: Callable[..., Any]) -> None:
    claim(places, make(me="b"), Held(3, "c"), base=0)
    claim(places, make(me="b"), Held(3, "c"), base=0)
    with pytest.raises(Refused, match="generation 3 is held by c") as caught:
        claim(places, make(me="b"), Held(3, "a"), base=2)
    assert caught.value.newer == Held(3, "c")
    assert records.state_of(places, "web").held == Held(3, "c")


def test_a_side_that_writes_itself_takes_nothing(places: Places, make: Callable[..., Any]) -> None:
    settings = make(me="b")
    with records.the_side(places, "web", {"what": records.WRITER}):
        with pytest.raises(Refused, match="b writes the set web itself"):
            claim(places, settings, Held(9, "a"), base=8)
        with pytest.raises(Refused, match="b writes the set web itself"):
            receive(places, settings, Held(9, "a"), full=True, until=1, argv=["false"])
    refuse_if_writing(places, settings)
    assert records.state_of(places, "web").held == Held()


def test_what_arrived_is_remembered(places: Places, make: Callable[..., Any]) -> None:
    settings = make(me="b")
    assert receive(places, settings, Held(2, "a"), full=False, until=100.5, argv=["true"]) == 0
    state = records.state_of(places, "web")
    assert (state.held, state.files, state.delivered, state.error) == (Held(2, "a"), 0, 100.5, "")
    assert receive(places, settings, Held(2, "a"), full=True, until=0, argv=["true"]) == 0
    state = records.state_of(places, "web")
    assert (state.files, state.delivered) == (2, 100.5)
    assert receive(places, settings, Held(2, "a"), full=True, until=200, argv=["false"]) == 1
    state = records.state_of(places, "web")
    assert (state.delivered, state.error) == (100.5, "rsync from a ended with 1")


def test_a_directory_without_the_mark_takes_nothing(places: Places, make: Callable[..., Any]) -> None:
    settings = make(me="b")
    settings.marker.unlink()
    (settings.path / "precious").write_text("x")
    with pytest.raises(Unsound, match="is not part of the set web"):
        receive(places, settings, Held(2, "a"), full=True, until=0, argv=["rm", str(settings.path / "precious")])
    assert (settings.path / "precious").exists()


@pytest.mark.parametrize("command", ["", "id", "file_sync-generation", "file_sync-claim web", "sh -c 'id", "x web"])
def test_other_words_are_refused_with_a_line_the_sender_understands(
    places: Places, make: Callable[..., Any], command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    described(places, make())
    assert serve(places, "b", command) == 1
    assert refusal_in(capfd.readouterr().err) is not None


def test_a_stranger_learns_nothing(places: Places, make: Callable[..., Any], capfd: pytest.CaptureFixture[str]) -> None:
    described(places, make())
    assert serve(places, "z", "file_sync-generation web") == 1
    assert "z is no member of the set web" in capfd.readouterr().err


def test_a_peer_is_told_the_generation(
    places: Places, make: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> None:
    described(places, make())
    assert serve(places, "b", "file_sync-claim web 4 3") == 0
    assert serve(places, "b", "file_sync-generation web") == 0
    last = capfd.readouterr().out.splitlines()[-1]
    assert json.loads(last) == {"generation": 4, "holder": "b", "writing": False}


def described(places: Places, settings: Any) -> Path:
    """As the role writes it."""
    path = places.etc / "sets" / "web.json"
    path.parent.mkdir(parents=True)
    data = {key: list(value) if isinstance(value, tuple) else value for key, value in vars(settings).items()}
    path.write_text(json.dumps({**data, "path": str(settings.path)}))
    return path
