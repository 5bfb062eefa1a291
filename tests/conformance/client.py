# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A plain HTTP client for the lab: what is sent is exactly what the test says, oddities included."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from lab.pve import Lab

FORM = "application/x-www-form-urlencoded"
API = "/api2/json"


@dataclass(frozen=True)
class Answer:
    status: int
    reason: str
    body: Any
    text: str


class Client:
    """One kept-alive connection with its credentials."""

    def __init__(self, lab: Lab, headers: dict[str, str] | None = None) -> None:
        self.lab = lab
        context = ssl.create_default_context(cafile=lab.ca)
        self.connection = http.client.HTTPSConnection(lab.host, lab.port, context=context, timeout=30)
        self.headers = dict(headers or {})

    def close(self) -> None:
        self.connection.close()

    def login(self) -> Client:
        """Use a ticket of root@pam, which may do everything."""
        answer = self.call("POST", "/access/ticket", [("username", self.lab.user), ("password", self.lab.password)])
        data = answer.body["data"]
        self.headers = {
            "Cookie": "PVEAuthCookie=" + quote(data["ticket"]),
            "CSRFPreventionToken": data["CSRFPreventionToken"],
        }
        return self

    def token(self, token_id: str, secret: str) -> Client:
        self.headers = {"Authorization": f"PVEAPIToken={token_id}={secret}"}
        return self

    def send(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        self.connection.request(method, path, body=body, headers={**self.headers, **(headers or {})})
        response = self.connection.getresponse()
        text = response.read().decode()
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = None
        return Answer(response.status, response.reason, parsed, text)

    def call(
        self, method: str, path: str, params: list[tuple[str, str]] | None = None, in_body: bool | None = None
    ) -> Answer:
        """Parameters go into the query for GET and DELETE and into a form otherwise, unless told."""
        where, _sep, query = path.partition("?")
        target = API + quote(where, safe="/:!@%")
        form = method not in ("GET", "DELETE") if in_body is None else in_body
        encoded = urlencode(params or [])
        if not form and encoded:
            query = "&".join(part for part in (query, encoded) if part)
        if query:
            target += "?" + query
        if form and encoded:
            return self.send(method, target, encoded.encode(), {"Content-Type": FORM})
        return self.send(method, target)
