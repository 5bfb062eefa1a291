# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A program of ours that runs on each host as long as it is there, and whose lines are read here."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from lab.hosts import Host


class OnHosts:
    """One process a host: started again, it takes the place of the one before."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._running: dict[str, subprocess.Popen[str]] = {}

    def start(self, host: Host, *words: str, take: Callable[[list[str]], None]) -> None:
        """take: is given the words of each line, also those of a last line that is not whole."""
        self._end(host.name)
        argv = host.argv("python3", "-u", "-", *words)
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdin is not None
        process.stdin.write(self._program.read_text())
        process.stdin.close()
        self._running[host.name] = process
        threading.Thread(target=_read, args=(process, take), name=f"reads {host.name}", daemon=True).start()

    def alive(self, name: str) -> bool:
        process = self._running.get(name)
        return process is not None and process.poll() is None

    def stop(self) -> None:
        for name in list(self._running):
            self._end(name)

    def _end(self, name: str) -> None:
        process = self._running.pop(name, None)
        if process is not None:
            process.kill()
            process.wait()


def _read(process: subprocess.Popen[str], take: Callable[[list[str]], None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        take(line.split())
