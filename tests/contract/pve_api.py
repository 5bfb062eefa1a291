# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The smallest client of the Proxmox VE API: an independent eye on what the modules did."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from typing import Any
from urllib.parse import urlencode

# Somebody else's lock is waited for by PVE itself, ten seconds each time.
LOCK_ATTEMPTS = 3


class Refused(Exception):
    """The API answered with an error; `status` and its text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text}")
        self.status = status


class Api:
    """GET, POST, PUT and DELETE with a token."""

    def __init__(self, host: str, port: int, ca: str, token_id: str, token_secret: str) -> None:
        self._where = host, port, ssl.create_default_context(cafile=ca or None)
        if ca:
            self._where[2].verify_flags &= ~ssl.VERIFY_X509_STRICT
        self._headers = {"Authorization": f"PVEAPIToken={token_id}={token_secret}"}
        self._connection: http.client.HTTPSConnection | None = None
        self.requests = self.writes = self.tasks = 0

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def _send(self, method: str, path: str, body: str | None) -> tuple[int, str, bytes]:
        for attempt in (1, 2):
            if self._connection is None:
                host, port, context = self._where
                self._connection = http.client.HTTPSConnection(host, port, context=context, timeout=60)
            headers = dict(self._headers)
            if body is not None:
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            try:
                self.requests += 1
                self._connection.request(method, f"/api2/json{path}", body=body, headers=headers)
                answer = self._connection.getresponse()
                return answer.status, answer.reason, answer.read()
            except (http.client.HTTPException, OSError):
                self.close()
                if attempt == 2:
                    raise
        raise AssertionError

    def call(self, method: str, path: str, /, **parameters: Any) -> Any:
        """`data` of the answer, once its task has ended, if it is one."""
        data = self.begin(method, path, **parameters)
        if method != "GET" and isinstance(data, str) and data.startswith("UPID:"):
            self.wait(data)
        return data

    def begin(self, method: str, path: str, /, **parameters: Any) -> Any:
        """`data` of the answer, which may be the id of a task that has just begun."""
        text = urlencode({name.replace("__", "-"): value for name, value in parameters.items()}, doseq=True)
        if text and method in ("GET", "DELETE"):
            path, text = f"{path}?{text}", ""
        self.writes += method != "GET"
        for attempt in range(LOCK_ATTEMPTS):
            status, reason, content = self._send(method, path, text if method in ("POST", "PUT") else None)
            if status < 400 or b"got timeout" not in content or attempt == LOCK_ATTEMPTS - 1:
                break
        if status >= 400:
            raise Refused(status, f"{reason} {content.decode(errors='replace')}")
        data = json.loads(content)["data"]
        self.tasks += method != "GET" and isinstance(data, str) and data.startswith("UPID:")
        return data

    def get(self, path: str, /, **parameters: Any) -> Any:
        return self.call("GET", path, **parameters)

    def post(self, path: str, /, **parameters: Any) -> Any:
        return self.call("POST", path, **parameters)

    def put(self, path: str, /, **parameters: Any) -> Any:
        return self.call("PUT", path, **parameters)

    def delete(self, path: str, /, **parameters: Any) -> Any:
        return self.call("DELETE", path, **parameters)

    def wait(self, upid: str) -> None:
        """Until a task has ended; Refused where it failed."""
        path = f"/nodes/{upid.split(':')[1]}/tasks/{upid}/status"
        deadline = time.monotonic() + 120
        while self.get(path)["status"] != "stopped":
            if time.monotonic() > deadline:
                raise TimeoutError(upid)
            time.sleep(0.2)
        status = self.get(path)["exitstatus"]
        if status != "OK" and not status.startswith("WARNINGS"):
            raise Refused(0, f"{upid}: {status}")


VOLATILE = ("digest",)


def comparable(raw: Any) -> Any:
    """An answer of the API in which the order of lists, which PVE changes at will, no longer matters."""
    if isinstance(raw, dict):
        return {name: comparable(value) for name, value in raw.items() if name not in VOLATILE}
    if isinstance(raw, list):
        return sorted((comparable(value) for value in raw), key=repr)
    if isinstance(raw, str) and ("," in raw or ";" in raw):
        return tuple(sorted(raw.replace(";", ",").split(",")))
    return raw
