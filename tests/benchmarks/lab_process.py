# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A lab in a process of its own, so that what is measured does not share its interpreter with what serves it."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from lab.pve import Lab

FIRST_VMID = 1000


def _serve(pipe: Connection, nodes: int, latency: float) -> None:
    with Lab(nodes=nodes, latency=latency) as lab:
        commands = {
            "environment": lab.environment,
            "seed": lambda guests, running: lab.add_guests(
                guests, first_vmid=FIRST_VMID, running=running, agent=running
            ),
            "reset": lab.reset,
            "count": lambda: dict(Counter(request.method for request in lab.requests)),
            "reset_counters": lab.reset_counters,
        }
        while True:
            name, arguments = pipe.recv()
            if name == "stop":
                break
            pipe.send(commands[name](*arguments))


class LabProcess:
    """`call(name, …)` runs one of the commands above in the lab's process."""

    def __init__(self, nodes: int, latency: float) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, nodes, latency), daemon=True)
        self._process.start()

    def call(self, name: str, *arguments: Any) -> Any:
        self._pipe.send((name, arguments))
        if not self._pipe.poll(120):
            raise TimeoutError(f"the lab did not answer {name} within two minutes")
        return self._pipe.recv()

    def __enter__(self) -> LabProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.send(("stop", ()))
        self._process.join(30)
