# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Who holds the address and who takes writes, as the hosts themselves say it fifty times a second: also one that is
cut from the network is asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lab.failover.on_hosts import OnHosts
from lab.hosts import Host

PROGRAM = Path(__file__).with_name("watch_program.py")
ADDRESS, SERVER = "address", "server"


@dataclass
class Span:
    """From the first to the last moment at which something was seen; it was there in between."""

    first: float
    last: float


@dataclass
class Spans:
    """Of one host and one thing. Samples come in order."""

    spans: list[Span] = field(default_factory=list)
    there: bool = False

    def take(self, when: float, state: str) -> None:
        if state == "?":  # it says nothing, and may go on where it was
            return
        if state == "1":
            if not self.there:
                self.spans.append(Span(when, when))
            self.spans[-1].last = when
        self.there = state == "1"


class Observers:
    """`watch` a host when it is there, and again when it is there again."""

    def __init__(self, address: str, socket: str) -> None:
        self._words = (address, socket)
        self._seen: dict[str, dict[str, Spans]] = {}
        self._programs = OnHosts(PROGRAM)

    def watch(self, host: Host) -> None:
        seen = self._seen.setdefault(host.name, {ADDRESS: Spans(), SERVER: Spans()})
        for spans in seen.values():
            spans.there = False

        def take(words: list[str]) -> None:
            if len(words) == 3:  # the last line of a host that dies may be half a line
                seen[words[1]].take(float(words[0]), words[2])

        self._programs.start(host, *self._words, take=take)

    def stop(self) -> None:
        self._programs.stop()

    def now(self, what: str) -> list[str]:
        """The hosts that have it, as far as they said last."""
        return [name for name, seen in self._seen.items() if seen[what].there and self._programs.alive(name)]

    def most(self, what: str, since: float, until: float) -> int:
        """Hosts that had it at the same moment, at most."""
        return most([(span.first, span.last) for span in self.spans(what, since, until)])

    def spans(self, what: str, since: float, until: float, host: str = "") -> list[Span]:
        return [
            Span(max(span.first, since), min(span.last, until))
            for name, seen in self._seen.items()
            if not host or name == host
            for span in seen[what].spans
            if span.last >= since and span.first <= until
        ]


def most(spans: Iterable[tuple[float, float]]) -> int:
    """How many spans have a moment in common, at most; both ends belong to a span."""
    edges = sorted([edge for first, last in spans for edge in ((first, 0), (last, 1))])
    found = now = 0
    for _moment, ends in edges:
        now += -1 if ends else 1
        found = max(found, now)
    return found
