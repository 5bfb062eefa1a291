# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Programs of another host through connections that stay open: on an emulated machine a new one costs more than most
programs do."""

from __future__ import annotations

import json
import shlex
import socketserver
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

# Runs over there. A line each: a program's words and input; its exit code, output and errors. Bytes go as Latin-1.
_SERVER = r"""
import json, os, subprocess, sys
os.environ.update(LC_ALL="C", PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
for line in sys.stdin:
    try:
        words, stdin = json.loads(line)
        done = subprocess.run(words, input=stdin.encode("latin-1"), capture_output=True)
        answer = [done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("latin-1")]
    except OSError as problem:
        answer = [127, "", str(problem) + "\n"]
    print(json.dumps(answer), flush=True)
"""


class Relay:
    """`path` is a socket: a line with a program's words and its input in, one with exit code, output and errors out."""

    def __init__(self, ssh: Sequence[str]) -> None:
        self._command = [*ssh, f"exec python3 -u -c {shlex.quote(_SERVER)}"]
        self._folder = tempfile.TemporaryDirectory(prefix="zfs-relay-", dir="/tmp")
        self.path = str(Path(self._folder.name, "socket"))
        self._idle: list[subprocess.Popen[str]] = []
        self._all: list[subprocess.Popen[str]] = []
        relay = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(relay._ask(self.rfile.readline().decode()).encode())

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True

        self._server = Server(self.path, Handler)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exception: Any) -> None:
        self._server.shutdown()
        self._server.server_close()
        for one in self._all:
            one.terminate()
            one.communicate()
        self._folder.cleanup()

    def _ask(self, line: str) -> str:
        # Programs that run at the same time have a connection each.
        one = self._idle.pop() if self._idle else self._another()
        assert one.stdin is not None and one.stdout is not None
        try:
            one.stdin.write(line)
            one.stdin.flush()
            answer = one.stdout.readline()
        except OSError:
            answer = ""
        if not answer:
            return json.dumps([255, "", "The connection to the host was lost.\n"])
        self._idle.append(one)
        return answer

    def _another(self) -> subprocess.Popen[str]:
        one = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._all.append(one)
        return one
