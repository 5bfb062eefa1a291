# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The same operation twice at the same time, each with a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Operation, operate
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import Connection

RUNS = 2


def at_once(system: Any, operation: Operation, backend: Callable[..., Any], **params: Any) -> list[str]:
    """What each of two runs failed with; empty for one that did not."""
    together = threading.Barrier(RUNS)
    failures: list[str] = []

    def run() -> None:
        given = {"timeout": 60, **params}
        client = Client(Connection.from_options(system.connection()))
        try:
            together.wait()
            done = operate(operation, operation.order(given), backend(client, given))
            failures.append(done.outcome.failure)
        except SubsystemError as problem:
            failures.append(str(problem))
        finally:
            client.close()

    threads = [threading.Thread(target=run) for _run in range(RUNS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failures) == RUNS, "one ended in a traceback"
    return failures
