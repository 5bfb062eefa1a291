# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Where a suite's host is: a container of the lab, or a real one over SSH."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from lab.hosts.host import Failed, Host

Done = subprocess.CompletedProcess[str]


class Place(Protocol):
    """Programs run there as root."""

    name: str

    def argv(self, *argv: str) -> list[str]:
        """The command here for a program there."""

    def run(self, *argv: str, check: bool = True, stdin: str = "", timeout: float = 60) -> Done:
        """Raises lab.hosts.Failed with what it said."""


class Remote:
    """ssh://root@host:port with a key, or as ssh's own configuration has it. Connections are shared."""

    def __init__(self, url: str, key: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme != "ssh" or not parts.hostname:
            raise ValueError(f"{url}: write ssh://user@host:port")
        self.name = parts.hostname
        self._folder = tempfile.TemporaryDirectory(prefix="hc-")
        target = f"{parts.username or 'root'}@{parts.hostname}"
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": "10",
            "StrictHostKeyChecking": "accept-new",
            "UserKnownHostsFile": str(Path(self._folder.name, "known_hosts")),
            "ControlMaster": "auto",
            "ControlPath": str(Path(self._folder.name, "control")),
            "ControlPersist": "60",
        }
        self.options = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        self.options += ["-i", key] if key else []
        self._ssh = ["ssh", *self.options, "-p", str(parts.port or 22), "--", target]
        self.user, self.port = parts.username or "root", parts.port or 22

    def argv(self, *argv: str) -> list[str]:
        return [*self._ssh, f"LC_ALL=C.UTF-8 {shlex.join(argv)}"]

    def run(self, *argv: str, check: bool = True, stdin: str = "", timeout: float = 60) -> Done:
        done = subprocess.run(
            self.argv(*argv), input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )
        done.args = argv
        if check and done.returncode:
            raise Failed(self.name, done)
        return done

    def close(self) -> None:
        subprocess.run([*self._ssh[:-1], "-O", "exit", self._ssh[-1]], capture_output=True, check=False)
        self._folder.cleanup()


def write(place: Place | Host, path: str, text: str, mode: str = "0644") -> None:
    script = 'mkdir -p "$(dirname "$1")" && cat > "$1" && chmod "$2" "$1"'
    place.run("sh", "-c", script, "sh", path, mode, stdin=text)
