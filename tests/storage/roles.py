# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A role of the collection on machines, as a playbook of somebody's own has it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.machine import Machine
from tests.contract.playbook import Played, play_file

ENVIRONMENT = {"ANSIBLE_REMOTE_TMP": "/tmp/ansible", "ANSIBLE_PIPELINING": "1"}


def converge(
    folder: Path, hosts: Mapping[Machine, Mapping[str, Any]], role: str, part: str = "main", *, fails: bool = False
) -> Played:
    """Run a role on machines, each with variables of its own. part: another of its files of tasks.
    fails: it is expected to end with a failure."""
    inventory = {machine.name: {**machine.variables(), **variables} for machine, variables in hosts.items()}
    (folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": inventory}}))
    task = {
        "name": "Converge",
        "ansible.builtin.include_role": {"name": f"hospital.continuity.{role}", "tasks_from": part},
    }
    book = [{"hosts": sorted(inventory), "gather_facts": False, "tasks": [task]}]
    (folder / "play.yml").write_text(yaml.safe_dump(book, sort_keys=False))
    played = play_file(folder / "play.yml", ENVIRONMENT, folder, "-i", str(folder / "inventory.yml"))
    assert (played.code != 0) == fails, played.output
    return played


def words(played: Played) -> str:
    """What was said, without the line breaks of the output."""
    return re.sub(r"\s+", " ", played.output.replace("\\n", " "))
