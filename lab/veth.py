# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cables: pairs of virtual network interfaces on this host, named after this process, gone with the block. For root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def available() -> bool:
    """Whether this process may make network interfaces."""
    if os.geteuid() != 0:
        return False
    with suppress(OSError, subprocess.CalledProcessError), cables(1):
        return True
    return False


@contextmanager
def cables(count: int) -> Iterator[list[tuple[str, str]]]:
    """The two ends of each cable. A cable is pulled by switching one end off: the other loses its carrier."""
    stem = f"hc{os.getpid() % 1000000}"
    ends = [(f"{stem}a{number}", f"{stem}b{number}") for number in range(count)]
    try:
        for one, other in ends:
            ip("link", "add", one, "type", "veth", "peer", "name", other)
            for end in (one, other):
                ip("link", "set", end, "up")
        yield ends
    finally:
        for one, _other in ends:
            with suppress(subprocess.CalledProcessError):
                ip("link", "delete", one)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
