# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The client of the Proxmox VE API: failover, retries, locks, errors and counting, on proxmoxer."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar, Union
from urllib.parse import quote

from ansible_collections.hospital.continuity.plugins.module_utils.pve import tasks
from ansible_collections.hospital.continuity.plugins.module_utils.pve.authentication import authentication_for
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import Connection
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import (
    Answer,
    InvalidName,
    Locked,
    MissingLibrary,
    NotAuthenticated,
    PveError,
    Unreachable,
    classify,
    describe,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.session import (
    BrokenOff,
    NotSent,
    NotTheApi,
    Serializer,
    Session,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.tasks import TaskResult

try:
    from proxmoxer.core import ProxmoxResource, ResourceException

    HAS_PROXMOXER = True
except ImportError:
    HAS_PROXMOXER = False

T = TypeVar("T")
Result = Union[T, Exception]
_WRITES = frozenset({"POST", "PUT", "DELETE"})
# Pauses before a GET is tried once more, in seconds: a host that is down stays down for longer than these.
_ROUNDS = (0.3,)
_FIRST_LOCK_PAUSE = 0.5
_LONGEST_LOCK_PAUSE = 10.0


def path(*segments: object) -> str:
    """An API path of quoted segments: `path('nodes', 'pve1', 'storage', 'a/b')` is `/nodes/pve1/storage/a%2Fb`."""
    texts = [str(segment) for segment in segments]
    for text in texts:
        if text in {"", ".", ".."}:
            raise InvalidName(f"{text!r} is not a name: it cannot be part of an API path.")
    return "".join("/" + quote(text, safe=":@!") for text in texts)


class Client:
    """Talks to one cluster; safe to use from several threads. Every method raises PveError and its subclasses only.

    `requests` counts what was sent, `writes` the POST, PUT and DELETE among it (logging in aside).
    """

    def __init__(
        self,
        connection: Connection,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not HAS_PROXMOXER:
            raise MissingLibrary("proxmoxer", sys.executable)
        self.connection = connection
        self.requests = 0
        self.writes = 0
        self._clock = clock
        self._sleep = sleep
        self._session = Session(connection)
        self._serializer = Serializer()
        self._authentication = authentication_for(connection, self._log_in, clock)
        self._guard = threading.Lock()
        self._first = 0  # the index of the host that answered last
        self._hidden = set(connection.secrets)

    # --- one request

    def get(self, path: str, /, **parameters: Any) -> Any:
        """`data` of GET `path`."""
        return self._call("GET", path, parameters)["data"]

    def get_body(self, path: str, /, **parameters: Any) -> Mapping[str, Any]:
        """The whole answer to GET `path`: some say more beside `data` (`changes`, `total`)."""
        return self._call("GET", path, parameters)

    def post(self, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """`data` of POST `path`; a UPID where PVE started a task."""
        return self._call("POST", path, parameters or {})["data"]

    def put(self, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """`data` of PUT `path`."""
        return self._call("PUT", path, parameters or {})["data"]

    def delete(self, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """`data` of DELETE `path`, its parameters in the query (PVE refuses a DELETE with a body)."""
        return self._call("DELETE", path, parameters or {})["data"]

    # --- many

    def get_many(self, paths: Sequence[str]) -> list[Any]:
        """`data` of each path, in their order, read in parallel; in place of one that failed, its PveError."""
        calls = [partial(self.get, path) for path in paths]
        answers = self.run_parallel(calls, stop=True)
        for answer in answers:
            if isinstance(answer, Exception) and not isinstance(answer, PveError):
                raise answer
        return answers

    def run_parallel(self, calls: Sequence[Callable[[], T]], *, stop: bool = False) -> list[Result[T]]:
        """What each call returns, in their order; in place of one that raised, its exception.

        With `stop`, an error that would meet every other call as well (the API is down) is the answer of all calls
        that have not begun: 450 reads of a dead host would take as many connection attempts.
        """
        fatal: list[Exception] = []

        def outcome(call: Callable[[], T]) -> Result[T]:
            if fatal:
                return fatal[0]
            try:
                return call()
            except Exception as problem:  # noqa: BLE001 - handed to the caller
                if stop and getattr(problem, "affects_everything", False):
                    fatal.append(problem)
                return problem

        if len(calls) < 2 or self.connection.parallel < 2:
            return [outcome(call) for call in calls]
        with ThreadPoolExecutor(min(self.connection.parallel, len(calls))) as threads:
            return list(threads.map(outcome, calls))

    # --- tasks

    def wait(self, upid: str, *, timeout: float | None = None) -> TaskResult:
        """Wait for a task to end, `timeout` (default: the connection's task_timeout) seconds at most.

        Raises TaskFailed and TaskTimedOut."""
        seconds = self.connection.task_timeout if timeout is None else timeout
        return tasks.wait(self.get_body, upid, timeout=seconds, clock=self._clock, sleep=self._sleep)

    def until(self, path: str, ready: Callable[[Any], bool], *, timeout: float) -> bool:
        """GET a path again and again until its data is as wanted; False after `timeout` seconds."""
        deadline, pause = self._clock() + timeout, tasks.FIRST_PAUSE
        while not ready(self.get(path)):
            if self._clock() >= deadline:
                return False
            self._sleep(pause)
            pause = min(pause * 2, tasks.LONGEST_PAUSE)
        return True

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_problem: object) -> None:
        self.close()

    # --- how a request is made

    def _call(self, method: str, path: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Waits locks out. PVE has done nothing when it says that it did not get a lock."""
        start, pause = self._clock(), _FIRST_LOCK_PAUSE
        while True:
            try:
                return self._on_some_host(method, path, parameters)
            except Locked as problem:
                left = self.connection.task_timeout - (self._clock() - start)
                if not problem.waitable or left <= 0:
                    raise
            self._sleep(min(pause, left))
            pause = min(pause * 2, _LONGEST_LOCK_PAUSE)

    def _log_in(self, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        body = self._on_some_host("POST", "/access/ticket", parameters, login=True)
        data = body["data"] or {}
        with self._guard:
            self._hidden.update(str(data[key]) for key in ("ticket", "CSRFPreventionToken") if data.get(key))
        return data

    def _on_some_host(
        self, method: str, path: str, parameters: Mapping[str, Any], *, login: bool = False
    ) -> Mapping[str, Any]:
        """Ask one host after another. What only reads is asked twice; a write goes on only where it was never sent."""
        reads = method == "GET" or login
        hosts = self._hosts_in_turn()
        failures: dict[str, NotSent | BrokenOff] = {}
        relayed: PveError | None = None
        for pause in (0.0, *(_ROUNDS if reads else ())):
            if pause:
                self._sleep(pause)
            for host in list(hosts):
                try:
                    body = self._ask(host, method, path, parameters, login=login)
                except NotSent as problem:
                    failures[host] = problem
                    if not problem.repeatable:
                        hosts.remove(host)
                except BrokenOff as problem:
                    if not reads:
                        raise self._broken_off(host, method, path, problem) from None
                    failures[host] = problem
                except PveError as problem:
                    if not reads or problem.status not in range(595, 600):
                        raise
                    relayed = problem
                else:
                    self._stay_with(host)
                    return body
        if relayed is not None:
            raise relayed
        raise self._unreachable(method, path, failures)

    def _hosts_in_turn(self) -> list[str]:
        hosts = self.connection.hosts
        return [*hosts[self._first :], *hosts[: self._first]]

    def _stay_with(self, host: str) -> None:
        first = self.connection.hosts.index(host)
        if first != self._first:
            with self._guard:
                self._first = first

    def _ask(
        self, host: str, method: str, path: str, parameters: Mapping[str, Any], *, login: bool
    ) -> Mapping[str, Any]:
        headers = {} if login else self._authentication.headers(method)
        try:
            return self._send(host, method, path, parameters, headers, login=login)
        except NotAuthenticated:
            if login or not self._authentication.refused(headers):
                raise
        return self._send(host, method, path, parameters, self._authentication.headers(method), login=False)

    def _send(
        self,
        host: str,
        method: str,
        path: str,
        parameters: Mapping[str, Any],
        headers: Mapping[str, str],
        *,
        login: bool,
    ) -> Mapping[str, Any]:
        resource = ProxmoxResource(
            base_url=f"{host}/api2/json{path}",
            session=_Authenticated(self._session, headers),
            serializer=self._serializer,
        )
        sent = True
        try:
            body = getattr(resource, method.lower())(**parameters)
        except NotSent:
            sent = False
            raise
        except ResourceException as refusal:
            message, errors = refusal.errors or ("", {})
            raise self._classified(host, method, path, refusal, message, errors) from None
        except NotTheApi as problem:
            raise self._not_the_api(host, method, path, str(problem)) from None
        finally:
            self._count(method, sent=sent, login=login)
        if body is None:  # proxmoxer's answer to a redirection
            raise self._not_the_api(host, method, path, "a redirection")
        answered: dict[str, Any] = body
        return answered

    def _count(self, method: str, *, sent: bool, login: bool) -> None:
        if sent:
            with self._guard:
                self.requests += 1
                self.writes += method in _WRITES and not login

    # --- what went wrong

    def _classified(
        self, host: str, method: str, path: str, refusal: Any, message: str, errors: Mapping[str, str]
    ) -> PveError:
        return classify(
            Answer(
                method=method,
                path=path,
                host=host,
                status=int(refusal.status_code),
                text=self._without_secrets(message.strip() or str(refusal.content or "")),
                errors={name: self._without_secrets(text) for name, text in errors.items()},
                user=self.connection.identity,
            )
        )

    def _without_secrets(self, text: str) -> str:
        for secret in self._hidden:
            text = text.replace(secret, "********")
        return text

    def _broken_off(self, host: str, method: str, path: str, problem: BrokenOff) -> Unreachable:
        return Unreachable(
            f"{describe(method, path, host)}: {problem.reason}. It was sent and may have been carried out.",
            hint=f"Look at what is there now, then run again. {problem.hint}".strip(),
        )

    def _unreachable(self, method: str, path: str, failures: Mapping[str, NotSent | BrokenOff]) -> Unreachable:
        reasons = "; ".join(f"{host}: {problem.reason}" for host, problem in failures.items())
        hints = dict.fromkeys(problem.hint for problem in failures.values() if problem.hint)
        return Unreachable(
            f"{describe(method, path, 'any API host')} failed, none could be reached ({reasons}).",
            hint=" ".join(hints) or "Check api_host (PVE_HOST), api_port (PVE_PORT) and the network up to there.",
        )

    def _not_the_api(self, host: str, method: str, path: str, what: str) -> PveError:
        return PveError(
            f"{describe(method, path, host)} failed: the answer is not the Proxmox VE API's ({what}).",
            hint="Check api_host (PVE_HOST) and api_port (PVE_PORT): is something else answering there?",
        )


class _Authenticated:
    """The session as proxmoxer sees it for one request."""

    __slots__ = ("_headers", "_session")

    def __init__(self, session: Session, headers: Mapping[str, str]) -> None:
        self._session = session
        self._headers = headers

    def request(self, method: str, url: str, data: Any = None, params: Any = None) -> Any:
        return self._session.request(method, url, data=data, params=params, headers=self._headers)
