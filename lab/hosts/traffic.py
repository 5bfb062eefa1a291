# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Pings side by side, ten milliseconds apart, and what was lost of them."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from lab.hosts.namespaces import Namespace
from lab.hosts.podman import environment

_REPLY = re.compile(r"^\[(?P<time>[\d.]+)\] \d+ bytes from .* icmp_seq=(?P<number>\d+) ", re.MULTILINE)
_SENT = re.compile(r"^(\d+) packets transmitted", re.MULTILINE)


@dataclass(frozen=True)
class Pings:
    """One address: how many went out, how many of them were not answered, and the longest time in seconds between two
    answers. A ping under way when it was stopped is neither sent nor lost."""

    address: str
    sent: int
    lost: int
    silence: float


class Traffic:
    """`with Traffic(node.namespace, "10.0.0.1", "10.0.0.2") as traffic: …` and then `traffic.results`.

    More addresses are more flows: a bond sends each over a member of its own choice.
    """

    def __init__(self, namespace: Namespace, *addresses: str, interval: float = 0.01) -> None:
        self._namespace, self._addresses, self._interval = namespace, addresses, interval
        self._running: list[subprocess.Popen[str]] = []
        self.results: list[Pings] = []

    def __enter__(self) -> Self:
        for address in self._addresses:
            # Without an answer it would never begin: the first has to come, within ten seconds.
            argv = self._namespace.argv("ping", "-n", "-q", "-c", "1", "-i", "0.05", "-w", "10", address)
            subprocess.run(argv, env=environment(), stdout=subprocess.DEVNULL, check=True)
        for address in self._addresses:
            argv = self._namespace.argv("ping", "-n", "-D", "-i", f"{self._interval:g}", address)
            self._running.append(
                subprocess.Popen(argv, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            )
        time.sleep(0.3)
        return self

    def __exit__(self, *_exception: object) -> None:
        for process in self._running:
            process.send_signal(signal.SIGINT)
        ended = time.time()
        for address, process in zip(self._addresses, self._running, strict=True):
            output, _errors = process.communicate(timeout=15)
            self.results.append(self._counted(address, output, ended))
        self._running.clear()

    def _counted(self, address: str, output: str, ended: float) -> Pings:
        replies = {int(match["number"]): float(match["time"]) for match in _REPLY.finditer(output)}
        sent = _SENT.search(output)
        if sent is None:
            raise RuntimeError(f"ping {address} ended without a count: {output[-300:]}")
        last = int(sent[1])
        if last not in replies and last - 1 in replies:
            last -= 1  # under way
        times = sorted(replies.values())
        if last not in replies:
            times.append(ended)
        silence = max((after - before for before, after in pairwise(times)), default=0.0)
        return Pings(address, last, last - len(replies), silence)

    @property
    def lost(self) -> int:
        """Of the address that lost most."""
        return max(pings.lost for pings in self.results)

    @property
    def silence(self) -> float:
        return max(pings.silence for pings in self.results)
