# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Whether the hosts answer that must be reachable before a change of the network may stay."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Optional

from ansible_collections.hospital.continuity.plugins.module_utils.command import CommandFailed, Runner

_NAME = re.compile(
    r"^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$"
)
_BRACKETED = re.compile(r"^\[([0-9A-Fa-f:.]+)\](?::(.+))?$")
_ATTEMPT = 3.0


@dataclass(frozen=True)
class Peer:
    """host: a name or address.  port: a TCP port that must accept a connection; None: it must answer a ping."""

    host: str
    port: Optional[int] = None

    def __str__(self) -> str:
        if self.port is None:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def peer(text: str) -> Peer:
    """`192.0.2.1`, `fd00::1`, `[fd00::1]:22`, `pve2:8006`. ValueError says what is wrong."""
    host, port = _split(text.strip())
    # What has digits and dots only is a mistyped address, not a name.
    if not _is_address(host) and (not _NAME.match(host) or re.fullmatch(r"[0-9.]+", host)):
        raise ValueError(f"{text!r} is no host; write an address, host:port, or [fd00::1]:port")
    if port == "":
        return Peer(host)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"{text!r} has no TCP port at its end")
    return Peer(host, int(port))


def _split(text: str) -> tuple[str, str]:
    bracketed = _BRACKETED.match(text)
    if bracketed:
        return bracketed.group(1), bracketed.group(2) or ""
    if text.count(":") == 1:
        host, _colon, port = text.partition(":")
        # A colon with nothing behind it was meant to be followed by a port.
        return host, port or ":"
    return text, ""


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return True
    return False


def silent(run: Runner, peers: Sequence[Peer], *, patience: float) -> list[Peer]:
    """Those that do not answer within `patience` seconds, asked all at a time and again until they do."""
    deadline = time.monotonic() + patience
    left = list(peers)
    while left:
        with ThreadPoolExecutor(max_workers=min(32, len(left))) as pool:
            answers = list(pool.map(lambda one: answers_now(run, one), left))
        left = [one for one, answered in zip(left, answers) if not answered]
        if not left or time.monotonic() >= deadline:
            break
        time.sleep(0.5)
    return left


def answers_now(run: Runner, one: Peer) -> bool:
    """Whether it answers a ping, or accepts a connection."""
    try:
        if one.port is None:
            return run(["ping", "-c", "1", "-W", "1", one.host], timeout=_ATTEMPT).status == 0
        address = one.host if _is_address(one.host) else _resolved(run, one.host)
        with socket.create_connection((address, one.port), _ATTEMPT):
            return True
    except (OSError, CommandFailed):
        return False


def _resolved(run: Runner, name: str) -> str:
    # Resolving a name in this process could hang for as long as the network is cut.
    words = run(["getent", "ahosts", name], timeout=_ATTEMPT).output.split()
    if not words:
        raise OSError(f"{name} is not known")
    return words[0]
