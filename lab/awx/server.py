# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The simulated AWX's API, served on loopback from a thread of its own."""

from __future__ import annotations

import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from lab.awx.rules import Refused
from lab.awx.state import LINKS, State

VERSION = "24.6.1"


class Awx:
    """An AWX with nothing in it. `playbooks` are those at the top of every project's repository."""

    def __init__(self, playbooks: list[str]) -> None:
        self.state = State(playbooks)
        self.token = secrets.token_hex(16)
        self.writes: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, name="lab-awx", daemon=True)
        self._thread.start()

    def __enter__(self) -> Awx:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def environment(self) -> dict[str, str]:
        """The variables that point the collection awx.awx here."""
        address = f"http://127.0.0.1:{self._server.server_address[1]}"
        return {"CONTROLLER_HOST": address, "CONTROLLER_OAUTH_TOKEN": self.token}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        awx = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer("GET")

            def do_POST(self) -> None:
                self._answer("POST")

            def do_PATCH(self) -> None:
                self._answer("PATCH")

            def _answer(self, method: str) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or b"{}") if length else {}
                status, answer = awx.answer(method, self.path, body, self.headers.get("Authorization", ""))
                content = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.send_header("X-API-Product-Name", "AWX")
                self.send_header("X-API-Product-Version", VERSION)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        return Handler

    def answer(self, method: str, address: str, body: dict[str, Any], authorization: str) -> tuple[int, Any]:
        """(status, what is answered) for a request."""
        if authorization != f"Bearer {self.token}":
            return 401, {"detail": "Authentication credentials were not provided."}
        url = urlsplit(address)
        parts = url.path.removeprefix("/api/v2/").strip("/").split("/")
        with self._lock:
            try:
                if method == "GET":
                    return self._read(parts, dict(parse_qsl(url.query, keep_blank_values=True)))
                self.writes.append((method, url.path))
                return self._write(method, parts, body)
            except Refused as problem:
                return 400, problem.answer
            except (KeyError, ValueError):
                return 404, {"detail": "Not found."}

    def _read(self, parts: list[str], query: dict[str, str]) -> tuple[int, Any]:
        if len(parts) == 1:
            rows = [row for row in self.state.of(parts[0]).values() if _matches(row, query)]
            return 200, _listed([self.state.shown(parts[0], row) for row in rows])
        row = self.state.of(parts[0])[int(parts[1])]
        if len(parts) == 2:
            return 200, self.state.shown(parts[0], row)
        if parts[2] == "survey_spec":
            return 200, self.state.surveys.get(row["id"], {})
        if parts[2] not in LINKS:
            raise KeyError(parts[2])
        kind = "credentials" if parts[2] == "credentials" else parts[0]
        found = [self.state.rows[kind][each] for each in self.state.linked(row["id"], parts[2])]
        return 200, _listed([self.state.shown(kind, each) for each in found])

    def _write(self, method: str, parts: list[str], body: dict[str, Any]) -> tuple[int, Any]:
        if method == "POST" and len(parts) == 1:
            return 201, self.state.shown(parts[0], self.state.create(parts[0], body))
        number = int(parts[1])
        if method == "PATCH":
            return 200, self.state.shown(parts[0], self.state.change(parts[0], number, body))
        if number not in self.state.rows[parts[0]]:
            raise KeyError(number)
        if parts[2] == "survey_spec":
            self.state.set_survey(number, body)
            return 200, {}
        if parts[2] == "create_approval_template":
            made = self.state.create("workflow_approval_templates", body)
            self.state.change(parts[0], number, {"unified_job_template": made["id"]})
            return 201, self.state.shown("workflow_approval_templates", made)
        if parts[2] not in LINKS:
            raise KeyError(parts[2])
        if body.get("disassociate"):
            self.state.linked(number, parts[2]).remove(body["id"])
        else:
            self.state.link(parts[0], number, parts[2], body["id"])
        return 204, None


def _listed(rows: list[Any]) -> dict[str, Any]:
    return {"count": len(rows), "next": None, "previous": None, "results": rows}


def _matches(row: dict[str, Any], query: dict[str, str]) -> bool:
    """All of the query's conditions; of those that begin with or__ one."""
    one_of = {name.removeprefix("or__"): value for name, value in query.items() if name.startswith("or__")}
    all_of = {name: value for name, value in query.items() if not name.startswith("or__")}
    if not all(str(row.get(name)) == value for name, value in all_of.items()):
        return False
    return not one_of or any(str(row.get(name)) == value for name, value in one_of.items())
