# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Two servers of which one is the active side, whoever decides which; with a client, and everybody who looks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from lab.failover.client import DATABASE, TABLE, Client
from lab.failover.dialect import Dialect
from lab.failover.files import Files
from lab.failover.observers import ADDRESS, SERVER, Observers
from lab.hosts import Host, Hosts, Lan, wait_until

T = TypeVar("T")
NETWORK = "198.19.72"
PAIR = ("a", "b")
OTHER = {"a": "b", "b": "a"}
SOCKET = "/run/mysqld/mysqld.sock"


@dataclass(frozen=True)
class State:
    """Of the pair. `lacks` says in words what a next fault would find wrong; empty: ready for it."""

    active: str
    lacks: str


class Pair:
    """What faults and trials know of a scene. `floating`: the address that clients use."""

    lan: Lan

    def __init__(self, dialect: Dialect, hosts: Hosts, floating: str) -> None:
        self.dialect, self.hosts, self.floating = dialect, hosts, floating
        self.observers = Observers(floating, SOCKET)
        self.files = Files(floating)
        self._client: Client | None = None

    def everywhere(self, function: Callable[[Host], T]) -> list[T]:
        with ThreadPoolExecutor() as pool:
            return list(pool.map(function, self.hosts))

    # ------------------------------------------------------- who looks and writes

    @property
    def client(self) -> Client:
        assert self._client is not None
        return self._client

    def watch(self) -> None:
        """Everybody who looks, on all hosts, and an active side."""
        for host in self.hosts:
            self.look(host)
        wait_until(lambda: self.active() and self.observers.now(SERVER), "there is an active side", 60)

    def look(self, host: Host) -> None:
        """Who looks at a host that is there, or there again."""
        self.observers.watch(host)

    def write(self, password: str) -> None:
        """The client, up to its first acknowledged write."""
        self._client = Client(self.floating, password)
        self.client.start()
        wait_until(lambda: self.client.acknowledged, "a first acknowledged write", 30)

    def rest(self) -> None:
        """Nobody looks and nobody writes any more."""
        if self._client is not None:
            self._client.stop()
        self.observers.stop()
        self.files.stop()

    # ----------------------------------------------------------------- looks

    def active(self) -> str:
        """The host that has the address where clients are, empty while there is none, or more than one."""
        found = [name for name in self.observers.now(ADDRESS) if name not in self.lan.isolated]
        return found[0] if len(found) == 1 else ""

    def sql(self, name: str, statements: str, *, check: bool = True) -> str:
        words = (self.dialect.program, "--batch", "--skip-column-names", "--execute", statements)
        return self.hosts[name].run(*words, check=check, timeout=120).stdout.strip()

    def channel(self, name: str) -> dict[str, str]:
        """What the server's only channel says of itself."""
        words = (self.dialect.program, "--batch", "--vertical", "--execute", self.dialect.status)
        done = self.hosts[name].run(*words, check=False)
        pairs = [line.strip().partition(":") for line in done.stdout.splitlines()]
        return {key: value.strip() for key, colon, value in pairs if colon}

    def follows(self, name: str) -> bool:
        status = self.channel(name)
        return status.get(self.dialect.receives) == status.get(self.dialect.applies) == "Yes"

    def numbers(self, name: str) -> set[int]:
        return set(map(int, self.sql(name, f"SELECT n FROM {DATABASE}.{TABLE}").split()))

    def state(self) -> State:
        raise NotImplementedError

    # ----------------------------------------------------------------- deeds

    def settle(self, seconds: float = 90) -> str:
        """Wait until the pair is whole; the active one."""
        found = State("", "")

        def whole() -> bool:
            nonlocal found
            found = self.state()
            return not found.lacks

        try:
            wait_until(whole, "the pair is whole", seconds)
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {found.lacks}") from None
        return found.active

    def power_on(self, *names: str) -> None:
        """What systemd starts, starts."""
        raise NotImplementedError

    def refill(self, name: str) -> str:
        """What the administrator does with a server that kept what nobody was told of, in words. Empty: it did not."""
        return ""

    def forgive(self) -> None:
        """What the administrator does when a failure has been looked at."""
