# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How requests say who sends them: an API token, or a ticket that a password (and a second factor) buys."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import Connection
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import NotAuthenticated

# A ticket lives two hours. After one, it buys its successor, which needs no second factor again.
RENEW_AFTER = 3600.0
TICKET_LIFETIME = 7200.0

Login = Callable[[Mapping[str, str]], Mapping[str, Any]]


class Authentication(Protocol):
    def headers(self, method: str) -> dict[str, str]:
        """What to send with a request."""

    def refused(self, headers: Mapping[str, str]) -> bool:
        """A request with these headers got a 401: whether asking again with new ones can help."""


class TokenAuthentication:
    """An API token: nothing to ask for beforehand, nothing to renew, no second attempt (a 401 takes three seconds)."""

    def __init__(self, connection: Connection) -> None:
        self._headers = {"Authorization": f"PVEAPIToken={connection.token_id}={connection.token_secret}"}

    def headers(self, method: str) -> dict[str, str]:
        return self._headers

    def refused(self, headers: Mapping[str, str]) -> bool:
        return False


class TicketAuthentication:
    """A ticket, asked for at the first request. `login` sends POST /access/ticket and returns its data."""

    def __init__(self, connection: Connection, login: Login, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._login = login
        self._clock = clock
        self._lock = threading.Lock()
        self._ticket = ""
        self._csrf = ""
        self._since = 0.0

    def headers(self, method: str) -> dict[str, str]:
        with self._lock:
            if not self._ticket:
                self._log_in()
            elif self._clock() - self._since >= RENEW_AFTER:
                self._renew()
            headers = {"Cookie": f"PVEAuthCookie={self._ticket}"}
            if method != "GET":
                headers["CSRFPreventionToken"] = self._csrf
            return headers

    def refused(self, headers: Mapping[str, str]) -> bool:
        with self._lock:
            if headers.get("Cookie") != f"PVEAuthCookie={self._ticket}":
                return True  # another thread has a new ticket already
            if self._clock() - self._since < TICKET_LIFETIME:
                return False  # a fresh ticket that is refused will be refused again
            self._log_in()
            return True

    def _renew(self) -> None:
        age = self._clock() - self._since
        if age >= TICKET_LIFETIME:
            self._log_in()
            return
        self._take(self._login({"username": self._connection.user, "password": self._ticket}))

    def _log_in(self) -> None:
        user = self._connection.user
        answer = self._login({"username": user, "password": self._connection.password})
        if answer.get("NeedTFA"):
            otp = self._connection.otp
            if not otp:
                raise NotAuthenticated(
                    f"{user} has a second factor, and no one-time password is given.",
                    hint="Give it in api_otp (PVE_OTP), or use an API token, which needs none.",
                    status=401,
                )
            factor = otp if ":" in otp else f"totp:{otp}"
            challenge = str(answer.get("ticket", ""))
            answer = self._login({"username": user, "password": factor, "tfa-challenge": challenge})
        self._take(answer)

    def _take(self, answer: Mapping[str, Any]) -> None:
        ticket = str(answer.get("ticket") or "")
        if not ticket or answer.get("NeedTFA"):
            raise NotAuthenticated(
                f"The login of {self._connection.user} brought no ticket.", hint="Check api_otp (PVE_OTP).", status=401
            )
        self._ticket, self._csrf, self._since = ticket, str(answer.get("CSRFPreventionToken") or ""), self._clock()


def authentication_for(connection: Connection, login: Login, clock: Callable[[], float]) -> Authentication:
    if connection.token_id:
        return TokenAuthentication(connection)
    return TicketAuthentication(connection, login, clock)
