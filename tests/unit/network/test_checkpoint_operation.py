# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What network_checkpoint plans, refuses and says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.network.checkpoint import Checkpoint, decoded, encoded
from ansible_collections.hospital.continuity.plugins.module_utils.network.checkpoint_backend import (
    CheckpointBackend,
    Places,
)
from ansible_collections.hospital.continuity.plugins.module_utils.network.checkpoint_operation import (
    CHECKPOINT,
    KEY,
    shown,
    thing,
    told,
)


def checkpoint(state: str, **more: Any) -> Checkpoint:
    given = {"remaining": 20.0, "ended_at": "2026-03-01T01:00:46Z", "reason": "nobody confirmed within 45 s", **more}
    return Checkpoint(state, "abc", "2026-03-01T01:00:00Z", "admin from 10.0.0.1", 45, 100.0, "b/1", **given)


@pytest.mark.parametrize(
    ("action", "state", "planned"),
    [
        ("arm", "", "arm network checkpoint"),
        ("arm", "rolled_back", "arm network checkpoint"),
        ("arm", "confirmed", "arm network checkpoint"),
        ("confirm", "armed", "confirm network checkpoint"),
        ("confirm", "confirmed", ""),
        ("roll_back", "armed", "roll_back network checkpoint"),
        ("roll_back", "rolled_back", ""),
        ("status", "armed", ""),
        ("status", "", ""),
    ],
)
def test_what_is_planned(action: str, state: str, planned: str) -> None:
    order = CHECKPOINT.order({"action": action})
    observed = {KEY: thing(checkpoint(state))} if state else {}
    assert [step.line for step in CHECKPOINT.plan(observed, order)] == ([planned] if planned else [])


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"timeout": 4}, "timeout"),
        ({"timeout": 601}, "timeout"),
        ({"reach_timeout": 0}, "reach_timeout"),
        ({"interfaces_file": "interfaces"}, "interfaces_file"),
        ({"interfaces_file": ""}, "interfaces_file"),
        ({"database": "ssl:127.0.0.1:6640"}, "database"),
        ({"database": ""}, "database"),
        ({"peers": ["10.0.0.1", "10.0.0.300"]}, "peers"),
        ({"action": ""}, "action"),
    ],
)
def test_what_is_refused_whatever_the_host_holds(options: dict[str, Any], part: str) -> None:
    with pytest.raises(InvalidInput, match=part):
        CHECKPOINT.order({"action": "arm", **options})


@pytest.mark.parametrize(
    ("found", "parts"),
    [
        (None, ["no network checkpoint"]),
        (checkpoint("armed"), ["2026-03-01T01:00:00Z", "admin from 10.0.0.1", "rolls back in 20 s"]),
        (checkpoint("armed", remaining=0.0), ["its time is over"]),
        (checkpoint("rolling_back"), ["at this moment", "nobody confirmed within 45 s"]),
        (
            checkpoint("rolled_back", notes=("x was left alone",)),
            ["2026-03-01T01:00:46Z", "nobody confirmed within 45 s", "old configuration", "x was left alone"],
        ),
        (checkpoint("confirmed"), ["confirmed at 2026-03-01T01:00:46Z"]),
    ],
)
def test_what_is_said_of_it(found: Checkpoint | None, parts: list[str]) -> None:
    for part in parts:
        assert part in told(found)
    assert shown(found)["state"] == (found.state if found else "none")


def problems(places: Places, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, *, root: bool) -> list[str]:
    monkeypatch.setattr("os.geteuid", lambda: 0 if root else 1000)
    order = CHECKPOINT.order(options)
    backend = CheckpointBackend(places)
    found = list(backend.precheck(CHECKPOINT, CHECKPOINT.plan(backend.observe(CHECKPOINT, order), order), order))
    assert list(places.directory.glob("*")) == [], "something was written"
    return found


def test_without_systemd_or_root_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places(tmp_path / "checkpoint", tmp_path / "units", tmp_path / "no-systemd")
    (told,) = problems(places, {"action": "arm"}, monkeypatch, root=True)
    assert "systemd" in told
    (told,) = problems(places, {"action": "arm"}, monkeypatch, root=False)
    assert "become" in told


def test_wrong_places_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places(tmp_path / "checkpoint", tmp_path / "units", tmp_path)
    options = {"action": "arm", "interfaces_file": "/nonexistent/interfaces", "database": "unix:/nonexistent.sock"}
    told = problems(places, options, monkeypatch, root=True)
    assert len(told) == 2 and "/nonexistent/interfaces" in told[0] and "unix:/nonexistent.sock" in told[1]


@pytest.mark.parametrize("action", ["confirm", "roll_back"])
def test_in_check_mode_an_earlier_task_would_have_armed(
    action: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = Places(tmp_path / "checkpoint", tmp_path / "units", tmp_path)
    (told,) = problems(places, {"action": action}, monkeypatch, root=True)
    assert isinstance(told, Missing) and "no network checkpoint has been armed" in told


def test_a_state_file_is_read_as_it_was_written() -> None:
    written = checkpoint("armed", peers=("10.0.0.1", "[fd00::1]:22"), notes=("a",), remaining=0.0)
    assert decoded(encoded(written), boot="another", uptime=0.0) == written
    assert decoded(encoded(written), boot="b/1", uptime=40.0).remaining == 60.0
