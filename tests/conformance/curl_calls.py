# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The exchanges that were recorded as curl calls: credentials, encodings and methods spelled out."""

from __future__ import annotations

from urllib.parse import quote

from client import FORM, Answer, Client
from recordings import Exchange

from lab.pve import Lab

SECRETS = {"root@pam!ansible": "ansible-secret", "alice@pve!t9": "t9-secret"}


class CurlCall:
    """One call, with the lab's own credentials where the recording hid them, and wrong ones where it ended in 401."""

    def __init__(self, lab: Lab, exchange: Exchange) -> None:
        self.lab, self.exchange = lab, exchange
        self.wrong = exchange.status == 401

    def answer(self, session: Client) -> Answer:
        client = Client(self.lab)
        try:
            return client.send(self.exchange.method, self._path(), self._body(), self._headers(session))
        finally:
            client.close()

    def _values(self, option: str) -> list[str]:
        words = self.exchange.curl
        return [words[i + 1] for i, word in enumerate(words[:-1]) if word == option]

    def _path(self) -> str:
        return quote(self.exchange.path, safe="/:!@%?=&,")

    def _headers(self, session: Client) -> dict[str, str]:
        headers = {}
        for text in self._values("-H"):
            name, _sep, value = text.partition(": ")
            headers[name] = self._credential(value) if name == "Authorization" else value
            if value == "<csrf>":
                headers[name] = "wrong" if self.wrong else session.headers["CSRFPreventionToken"]
        if self._values("-b"):
            headers["Cookie"] = session.headers["Cookie"]
        if self._values("-d") and "Content-Type" not in headers:
            headers["Content-Type"] = FORM
        return headers

    def _credential(self, value: str) -> str:
        scheme, rest = value[: len("PVEAPIToken=")], value[len("PVEAPIToken=") :]
        token, _sep, _secret = rest.partition("=")
        return f"{scheme}{token}={'wrong' if self.wrong else SECRETS[token]}"

    def _body(self) -> bytes | None:
        parts = self._values("-d")
        return "&".join(parts).replace("(password)", self.lab.password).encode() if parts else None
