# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a run of ansible-playbook came to, read from what it printed."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """What a playbook printed. changed: the tasks that changed something, as 'host: role : task'."""

    code: int
    text: str

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        lines = re.findall(r"^(\S+) +: (ok=.*)$", self.text, re.MULTILINE)
        return {host: {word: int(n) for word, n in re.findall(r"(\w+)=(\d+)", counts)} for host, counts in lines}

    @property
    def changed(self) -> set[str]:
        found, task = set(), ""
        for line in self.text.splitlines():
            if line.startswith(("TASK [", "RUNNING HANDLER [")):
                task = line[line.index("[") + 1 : line.rindex("]")].removeprefix("hospital.continuity.")
            elif line.startswith("changed: ["):
                found.add(f"{line[len('changed: [') : line.index(']')]}: {task}")
        return found
