# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Tasks on machines through the real ansible-playbook, over SSH as on any host."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.machine import Machine
from tests.contract.playbook import play_file

COLLECTION = "hospital.continuity"


def play(
    folder: Path,
    hosts: Mapping[Machine, Mapping[str, Any]],
    *tasks: Mapping[str, Any],
    fails: bool = False,
) -> list[dict[str, Any]]:
    """What each task returned, on each host in turn. hosts: machines and their variables. A task is a module's short
    name and its arguments, or a whole task. fails: the play is expected to end with a failure."""
    inventory = {machine.name: {**machine.variables(), **variables} for machine, variables in hosts.items()}
    (folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": inventory}}))
    book = [{"hosts": sorted(inventory), "gather_facts": False, "tasks": [_task(task) for task in tasks]}]
    (folder / "play.yml").write_text(yaml.safe_dump(book, sort_keys=False))
    played = play_file(
        folder / "play.yml", {"ANSIBLE_REMOTE_TMP": "/tmp/ansible"}, folder, "-i", str(folder / "inventory.yml")
    )
    assert (played.code != 0) == fails, played.output
    return played.results


def until(condition: Callable[[], Any], seconds: float, why: Callable[[], object]) -> None:
    """Wait for something to come true; why: what is said when it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, why()
        time.sleep(0.5)


def _task(task: Mapping[str, Any]) -> dict[str, Any]:
    (name, arguments), *rest = task.items()
    return {"name": name, f"{COLLECTION}.{name}": dict(arguments), **dict(rest)}
