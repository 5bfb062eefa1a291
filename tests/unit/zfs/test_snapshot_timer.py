# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The timer of snapshots: what is in its program, which policies that finds, and what one task does about the timer."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.command import Completed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Thing
from ansible_collections.hospital.continuity.plugins.module_utils.zfs import snapshot_program, snapshot_run
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import CommandLine
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.snapshot_backend import policies
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.snapshot_timer import (
    KEY,
    SNAPSHOT_TIMER,
    WANTED,
    files,
    state,
)

POLICY = "hospital.continuity:snapshots."


def test_the_program_has_what_it_imports_and_nothing_else(tmp_path: Path) -> None:
    content = snapshot_program.archive()
    assert content == snapshot_program.archive(), "the same modules make the same bytes"
    names = {name for name in zipfile.ZipFile(io.BytesIO(content)).namelist() if not name.endswith("__init__.py")}
    file = tmp_path / "snapshots.pyz"
    file.write_bytes(content)
    look = f"import sys; sys.path.insert(0, {str(file)!r}); import {snapshot_run.__name__}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", look], capture_output=True, text=True, check=True)
    loaded = {f"{name.replace('.', '/')}.py" for name in done.stdout.split() if name.startswith("ansible")}
    assert names - {"__main__.py"} == names & loaded
    assert not [name for name in done.stdout.split() if name.startswith(("ansible.", "yaml", "jinja"))]


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (f"tank/a\t{POLICY}auto\thourly=24,daily=7\tlocal", {("tank/a", "auto"): {"hourly": 24, "daily": 7}}),
        (f"tank/a\t{POLICY}auto\tdaily=7,recursive=on\tlocal", {("tank/a", "auto"): {"daily": 7, "recursive": True}}),
        (f"tank\t{POLICY}a.b\tweekly=1,take=off\tlocal", {("tank", "a.b"): {"weekly": 1, "take": False}}),
        (f"tank/a\t{POLICY}auto\thourly=24\treceived", {}),
        (f"tank/a\t{POLICY}auto\thourly=24\tinherited from tank", {}),
        (f"tank/a\t{POLICY}auto\tnonsense\tlocal", {("tank/a", "auto"): {}}),
        ("tank/a\thospital.continuity:replica\tssh\tlocal", {}),
        ("tank/a\tcom.hospital:note\tline\n\twith\ttabs\tlocal", {}),
        ("tank/a\tcompression\ton\tlocal", {}),
        ("", {}),
    ],
)
def test_policies_are_read_off_the_datasets(row: str, found: Any) -> None:
    asked: list[tuple[str, ...]] = []

    def runner(argv: Any, *, stdin: str = "", timeout: float = 60.0) -> Completed:
        asked.append(tuple(argv))
        return Completed(tuple(argv), 0, f"{row}\n" if row else "", "")

    assert policies(CommandLine(runner=runner), "tank") == found
    (argv,) = asked
    assert argv[:2] == ("zfs", "get") and argv[-1] == "tank"


HOURLY = files(b"program", python="/usr/bin/python3", path="/var/lib/x/snapshots.pyz", calendar="hourly")
NIGHTLY = files(b"program", python="/usr/bin/python3", path="/var/lib/x/snapshots.pyz", calendar="daily")
NEWER = files(b"another", python="/usr/bin/python3", path="/var/lib/x/snapshots.pyz", calendar="hourly")


@pytest.mark.parametrize(
    ("before", "params", "planned"),
    [
        (None, {}, ["install snapshot timer snapshots"]),
        (state(HOURLY, active=True), {}, []),
        (state(HOURLY, active=False), {}, ["update snapshot timer snapshots: active"]),
        (state(NIGHTLY, active=True), {}, ["update snapshot timer snapshots: calendar, content"]),
        (state(NEWER, active=True), {}, ["update snapshot timer snapshots: content"]),
        (state(HOURLY, active=False), {"state": "absent"}, ["remove snapshot timer snapshots"]),
        (None, {"state": "absent"}, []),
    ],
)
def test_what_one_task_does(before: Any, params: dict[str, str], planned: list[str]) -> None:
    order = SNAPSHOT_TIMER.order(params)
    observed = {WANTED: Thing(state(HOURLY, active=True)), **({KEY: Thing(before)} if before else {})}
    assert [step.line for step in SNAPSHOT_TIMER.plan(observed, order)] == planned


@pytest.mark.parametrize("calendar", ["", "hourly\nExecStart=/bin/false", "a" * 300, "%H"])
def test_a_calendar_that_would_be_more_than_one(calendar: str) -> None:
    with pytest.raises(InvalidInput, match="calendar"):
        SNAPSHOT_TIMER.order({"calendar": calendar})


def test_the_units_run_the_program_and_make_up_for_what_was_missed() -> None:
    service, timer = HOURLY.service.decode(), HOURLY.timer.decode()
    assert "ExecStart=/usr/bin/python3 -I /var/lib/x/snapshots.pyz\n" in service
    assert "OnCalendar=hourly\n" in timer and "Persistent=true\n" in timer
    assert HOURLY.calendar == "hourly" and NIGHTLY.calendar == "daily"
