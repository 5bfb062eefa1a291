# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How a peer is spoken to: its SSH key is pinned, nothing is asked, and one program answers there."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from filesync.generation import Held
from filesync.settings import Places

GENERATION = "file_sync-generation"
CLAIM = "file_sync-claim"
RECEIVE = "file_sync-receive"
# A line on standard error with which the receiver says why it does nothing: rsync hides its exit code.
_REFUSED = re.compile(r"^file_sync-refused: (\{.*\})$", re.MULTILINE)


class Refused(Exception):
    """The peer answered, and refused. newer: what it knows to be held, where that is why."""

    def __init__(self, message: str, newer: Held | None = None) -> None:
        super().__init__(message)
        self.newer = newer


class Away(Exception):
    """The peer did not answer, or not as itself."""


def refused_line(message: str, newer: Held | None = None) -> str:
    """What the receiver writes."""
    data: dict[str, Any] = {"message": message}
    if newer is not None:
        data.update(generation=newer.generation, holder=newer.holder)
    return f"file_sync-refused: {json.dumps(data)}\n"


def refusal_in(text: str) -> Refused | None:
    """The refusal in what came on standard error."""
    found = _REFUSED.search(text)
    if not found:
        return None
    try:
        data = json.loads(found[1])
        newer = Held(int(data["generation"]), str(data["holder"])) if "generation" in data else None
        return Refused(str(data["message"]), newer)
    except (ValueError, KeyError):
        return None


def ssh(places: Places) -> list[str]:
    """The command without the peer; the configuration holds the rest."""
    return ["ssh", "-F", str(places.ssh_config)]


def ask(places: Places, peer: str, *words: str) -> Mapping[str, Any]:
    """One of the words, answered with JSON. Raises Refused and Away."""
    try:
        done = subprocess.run(
            [*ssh(places), peer, shlex.join(words)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Away(f"{peer} did not answer within 20 s") from None
    if refused := refusal_in(done.stderr):
        raise refused
    try:
        data = json.loads(done.stdout)
    except ValueError:
        data = None
    if done.returncode or not isinstance(data, dict):
        raise Away(f"{peer}: {last_words(done.stderr) or f'ssh ended with {done.returncode}'}")
    return data


def last_words(text: str, lines: int = 4) -> str:
    """The end of what a program said, as one line."""
    kept: Sequence[str] = [line.strip() for line in text.splitlines() if line.strip(" @\r\n")]
    return " ".join(kept[-lines:])[-600:]
