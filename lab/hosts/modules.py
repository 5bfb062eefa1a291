# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Modules run on a host as a person runs them: by Ansible, over SSH."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.hosts.host import Host


@dataclass(frozen=True)
class Outcome:
    """What a module answered, and whether Ansible calls that a failure."""

    failed: bool
    data: Mapping[str, Any]

    @property
    def changed(self) -> bool:
        return bool(self.data.get("changed"))

    @property
    def message(self) -> str:
        return str(self.data.get("msg", ""))

    @property
    def unmet(self) -> str:
        """All conditions that do not hold, as one text."""
        return "\n".join(self.data.get("unmet", []))


def run_module(host: Host, module: str, arguments: Mapping[str, Any], *, check: bool = False) -> Outcome:
    """Run a module of this collection on a host that was made with ssh=True."""
    if host.access is None:
        raise RuntimeError(f"{host.name} was made without SSH: Hosts(…, ssh=True)")
    address = host.ssh_address
    # Beside this interpreter: whoever runs it need not have its directory on PATH.
    words = [
        str(Path(sys.executable).parent / "ansible"),
        *(address, "--inventory", f"{address},", "--user", "root", "--private-key", str(host.access.identity)),
        *("--module-name", f"hospital.continuity.{module}", "--args", json.dumps(arguments) if arguments else ""),
        *(["--check"] if check else []),
    ]
    environment = {
        **os.environ,
        "ANSIBLE_SSH_COMMON_ARGS": " ".join(host.access.options()),
        "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
    }
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=180, check=False)
    head, found, answer = done.stdout.partition(" => ")
    if not found:
        raise RuntimeError(f"{module} on {host.name}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return Outcome("SUCCESS" not in head and "CHANGED" not in head, json.loads(answer))
