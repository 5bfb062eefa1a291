# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The control socket: a JSON object a line, {"lever": …, "arguments": {…}} in, {"answer": …} or {"problem": …} out.

A daemon keeps its connection: SCST knows by its end that iscsi-scstd died.
"""

from __future__ import annotations

import json
import os
import socket
import socketserver
import threading
from pathlib import Path
from typing import Any

from lab.scst import modules
from lab.scst.levers import Levers, Machine

SOCKET = Path("/run/lab-scst/control")


class Problem(Exception):
    """What the simulation answered instead; `code` is an errno, 0 where there is none."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    machine: Machine


class _Connection(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        machine, is_daemon = self.server.machine, False
        try:
            for line in self.rfile:
                request = json.loads(line)
                try:
                    if request["lever"] == "daemon":
                        with machine.changing(), machine.kernel.write():
                            modules.daemon_starts(machine.kernel, request["arguments"]["pid"])
                        is_daemon, answer = True, None
                    else:
                        answer = Levers(machine).call(request["lever"], request["arguments"])
                    self._answer({"answer": answer})
                except OSError as problem:
                    self._answer({"problem": os.strerror(problem.errno or 0), "code": problem.errno})
                except (LookupError, TypeError, ValueError) as problem:
                    self._answer({"problem": str(problem.args[0] if problem.args else problem), "code": 0})
        finally:
            if is_daemon:
                with machine.changing():
                    modules.daemon_dies(machine.kernel)

    def _answer(self, data: dict[str, Any]) -> None:
        self.wfile.write(json.dumps(data).encode() + b"\n")


def serve(machine: Machine, path: Path = SOCKET) -> None:
    """In threads of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    server = _Server(str(path), _Connection)
    path.chmod(0o600)
    server.machine = machine
    threading.Thread(target=server.serve_forever, daemon=True).start()


class Client:
    """`Client().call("vanish", device="7:0:1:0")`; raises Problem."""

    def __init__(self, path: Path = SOCKET) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._file = self._socket.makefile("rwb")

    def call(self, lever: str, **arguments: Any) -> Any:
        self._file.write(json.dumps({"lever": lever, "arguments": arguments}).encode() + b"\n")
        self._file.flush()
        line = self._file.readline()
        if not line:
            raise Problem("the simulated machine is gone")
        data = json.loads(line)
        if "problem" in data:
            raise Problem(data["problem"], data["code"])
        return data["answer"]

    def close(self) -> None:
        self._file.close()
        self._socket.close()
