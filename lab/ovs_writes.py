# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Stands between programs and ovsdb-server's socket, and lets one write fail, whoever makes it and however.

Everything else passes as it is, in both directions. Source: RFC 7047, section 4.1.3.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

FAILURE = "the lab lets this write fail"
_WRITING = {"insert", "update", "mutate", "delete"}
_DECODER = json.JSONDecoder()


class FailingWrite:
    """The number-th write (from 1) through the socket at `path` fails.

    lost: it is carried out all the same, and its answer lost.
    """

    def __init__(self, path: Path, number: int, *, lost: bool) -> None:
        self._path, self._real = path, path.with_suffix(".real")
        self._number, self._lost = number, lost
        self._writes = 0
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> None:
        self._path.rename(self._real)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._path))
        listener.listen()
        self._sockets.append(listener)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def __exit__(self, *_exception: object) -> None:
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._path.unlink()
        self._real.rename(self._path)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                program, _address = listener.accept()
                database = socket.socket(socket.AF_UNIX)
                database.connect(str(self._real))
                self._sockets += [program, database]
                # What was asked in vain, by id, as far as the database does not know.
                failed: set[str] = set()
                asked, answered = partial(self._asked, program, failed), partial(_answered, program, failed)
                for source, target, passes in ((program, database, asked), (database, program, answered)):
                    threading.Thread(target=_pump, args=(source, target, passes), daemon=True).start()

    def _asked(self, program: socket.socket, failed: set[str], message: Any) -> bool:
        """Whether to pass a program's message on."""
        if not self._fails(message):
            return True
        if self._lost:
            failed.add(json.dumps(message["id"]))
            return True
        program.sendall(_refusal(message["id"]))
        return False

    def _fails(self, message: Any) -> bool:
        writes = message.get("method") == "transact" and any(
            isinstance(part, dict) and part.get("op") in _WRITING for part in message["params"]
        )
        with self._lock:
            self._writes += writes
            return bool(writes and self._writes == self._number)


def _answered(program: socket.socket, failed: set[str], message: Any) -> bool:
    """Whether to pass the database's message on."""
    if "method" in message or json.dumps(message.get("id")) not in failed:
        return True
    program.sendall(_refusal(message["id"]))
    return False


def _refusal(identifier: Any) -> bytes:
    results = [{"error": "constraint violation", "details": FAILURE}]
    return json.dumps({"id": identifier, "result": results, "error": None}).encode()


def _messages(source: socket.socket) -> Iterator[Any]:
    received = ""
    while True:
        try:
            message, end = _DECODER.raw_decode(received)
        except ValueError:
            chunk = source.recv(65536)
            if not chunk:
                return
            received += chunk.decode("utf-8", "surrogateescape")
            continue
        received = received[end:].lstrip()
        yield message


def _pump(source: socket.socket, target: socket.socket, passes: Callable[[Any], bool]) -> None:
    with contextlib.suppress(OSError):
        for message in _messages(source):
            if passes(message):
                target.sendall(json.dumps(message).encode())
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
