# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Run tasks through the real ansible-playbook, and ask the real ansible-doc."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

TIMEOUT = 300


def program(name: str) -> str:
    """A program of the environment that runs these tests."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else name


@dataclass(frozen=True)
class Played:
    """How a playbook ended: exit code, all output, its log file, and where modules were put to run."""

    code: int
    output: str
    log: Path
    remote: Path
    results: list[dict[str, Any]]


def play(
    tasks: Sequence[Mapping[str, Any]] | str,
    environment: Mapping[str, str],
    folder: Path,
    *arguments: str,
    defaults: Mapping[str, Any] | None = None,
    variables: Mapping[str, Any] | None = None,
) -> Played:
    """Run tasks, given as data or as text that stands in the playbook as it is, on localhost, or where `variables` of
    the connection lead. `results` has what each task returned, in order."""
    head: dict[str, Any] = {"hosts": "localhost", "connection": "local", "gather_facts": False}
    head["vars"] = {"ansible_python_interpreter": sys.executable, **(variables or {})}
    if defaults:
        head["module_defaults"] = dict(defaults)
    text = tasks if isinstance(tasks, str) else yaml.safe_dump(list(tasks), sort_keys=False)
    book = folder / "play.yml"
    book.write_text(
        textwrap.indent(yaml.safe_dump(head, sort_keys=False), "  ").replace("  ", "- ", 1)
        + "  tasks:\n"
        + textwrap.indent(text, "    ")
    )
    return play_file(book, environment, folder, *arguments)


def play_file(
    book: Path, environment: Mapping[str, str], folder: Path, *arguments: str, timeout: float = TIMEOUT
) -> Played:
    """Run a playbook; with `-v…` the modules it runs are left behind, to be looked at."""
    log, remote, recorded = folder / "ansible.log", folder / "remote", folder / "results.jsonl"
    remote.mkdir(exist_ok=True)
    recorded.write_text("")
    # Ansible's own localhost is this machine; one of an inventory is reached over SSH where nothing else is said.
    inventory = () if "-i" in arguments else ("-i", "localhost,")
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PVE_")},
        **environment,
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"),
        "ANSIBLE_CALLBACKS_ENABLED": "recorded",
        "RECORDED_RESULTS": str(recorded),
        "ANSIBLE_LOG_PATH": str(log),
        "ANSIBLE_REMOTE_TMP": str(remote),
        "ANSIBLE_LOCAL_TEMP": str(folder / "local"),
        "ANSIBLE_KEEP_REMOTE_FILES": "1" if any(argument.startswith("-v") for argument in arguments) else "0",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
        "ANSIBLE_INTERPRETER_PYTHON": sys.executable,
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
    }
    ran = subprocess.run(
        [program("ansible-playbook"), *arguments, *inventory, str(book)],
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        cwd=folder,
        check=False,
    )
    results = [json.loads(line) for line in recorded.read_text().splitlines()]
    return Played(ran.returncode, ran.stdout + ran.stderr, log, remote, results)


def documentation(names: Sequence[str], sort: str = "module") -> dict[str, Any]:
    """What ansible-doc knows of plugins, by full name."""
    ran = subprocess.run(
        [program("ansible-doc"), "--type", sort, "--json", *names],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    documented: dict[str, Any] = json.loads(ran.stdout)
    return documented
