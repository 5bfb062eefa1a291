# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_note. Two at once, and what it is for: tests/contract/test_notes.py."""

from __future__ import annotations

from typing import Any

from tests.contract.case import Case, Doing, Scenario
from tests.contract.system import succeeded

MODULE = "pve_note"
CONTENT = {"since": "now", "guests": [{"vmid": 100, "node": "pve1"}]}


def there(system: Any) -> None:
    succeeded(system.run(MODULE, name="hct-note", action="write", owner="hct-a", content={"since": "before"}))


def everybodys(system: Any) -> None:
    succeeded(system.run(MODULE, name="hct-note", action="write", content={"since": "before"}))


def scribbled(system: Any) -> None:
    there(system)
    (system.folder / "hct-note").write_text("{half")


WRITE = {"name": "hct-note", "action": "write", "owner": "hct-a", "content": CONTENT}
CASE = Case(
    module=MODULE,
    subsystem="pve-notes",
    base={"name": "hct-note"},
    options=(),
    several=[],
    doings=(
        Doing("write", WRITE, rests=True, faults=()),
        Doing("write again", WRITE, setup=there, rests=True, faults=()),
        Doing("write over everybody's", WRITE, setup=everybodys, rests=True, faults=()),
        Doing("read", {"name": "hct-note", "action": "read"}, setup=there, rests=True, unchanged=True, faults=()),
        Doing("remove", {"name": "hct-note", "action": "remove", "owner": "hct-a"}, setup=there, rests=True, faults=()),
    ),
    consents=(
        Scenario("take_note:hct-a", {**WRITE, "owner": "hct-b"}, "hct-a", setup=there),
        Scenario("take_note:hct-a", {"name": "hct-note", "action": "remove"}, "hct-a", setup=there),
        Scenario("take_note:unreadable", WRITE, "unreadable", setup=scribbled),
    ),
)
