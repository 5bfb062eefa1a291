# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A simulated cluster for the client's tests, over real TLS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import (
    ENVIRONMENT,
    Connection,
    options_from_environment,
)
from lab.pve import Lab


@pytest.fixture(scope="session")
def _served() -> Iterator[Lab]:
    with Lab(nodes=3) as lab:
        yield lab


@pytest.fixture
def pve_lab(_served: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A cluster of three nodes in its first state, and an environment that says nothing about any cluster."""
    for name in [*ENVIRONMENT.values(), "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTPS_PROXY", "https_proxy"]:
        monkeypatch.delenv(name, raising=False)
    _served.reset()
    return _served


@pytest.fixture
def options(pve_lab: Lab) -> dict[str, Any]:
    """Connection options for the lab."""
    return options_from_environment(pve_lab.environment())


@pytest.fixture
def connect(options: dict[str, Any]) -> Iterator[Callable[..., Client]]:
    """A client for the lab, with other options where given: `connect(api_host=[…])`."""
    clients: list[Client] = []

    def make(*, clock: Any = None, **changed: Any) -> Client:
        timing = {"clock": clock, "sleep": clock.sleep} if clock else {}
        clients.append(Client(Connection.from_options({**options, **changed}), **timing))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


class Clock:
    """Time that passes only when somebody sleeps. `events` are (moment, function) that sleeping reaches."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []
        self.events: list[tuple[float, Callable[[], None]]] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        for event in [event for event in self.events if event[0] <= self.now - 1000.0]:
            self.events.remove(event)
            event[1]()

    def at(self, seconds: float, function: Callable[[], None]) -> None:
        self.events.append((seconds, function))


@pytest.fixture
def clock() -> Clock:
    return Clock()
