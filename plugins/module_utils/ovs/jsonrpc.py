# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A conversation with ovsdb-server on its own socket, for the little that ovs-vsctl cannot do.

Source: RFC 7047, chapter 4 (JSON-RPC 1.0 without framing: one JSON text after the other).
"""

from __future__ import annotations

import codecs
import json
import socket
from types import TracebackType
from typing import Any, Optional

_DECODER = json.JSONDecoder()


class Session:
    """`with Session(address, timeout) as session:` Raises OSError where nobody answers in `timeout` seconds, ValueError
    where it is not OVSDB or an address of another sort than unix: and tcp:."""

    def __init__(self, address: str, timeout: float) -> None:
        self._socket = _connected(address, timeout)
        self._text = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._received = ""
        self._calls = 0

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._socket.close()

    def call(self, method: str, *params: Any) -> Any:
        """The result of a method; a refusal is a ValueError with what was said."""
        self._calls += 1
        self._send({"method": method, "params": list(params), "id": self._calls})
        while True:
            answer = self._receive()
            if answer.get("method") == "echo":
                self._send({"result": answer.get("params"), "error": None, "id": answer.get("id")})
            elif "method" not in answer and answer.get("id") == self._calls:
                if answer.get("error") is not None:
                    raise ValueError(str(answer["error"]))
                return answer.get("result")

    def _send(self, message: dict[str, Any]) -> None:
        self._socket.sendall(json.dumps(message).encode())

    def _receive(self) -> dict[str, Any]:
        while True:
            try:
                message, end = _DECODER.raw_decode(self._received)
            except ValueError:
                chunk = self._socket.recv(65536)
                if not chunk:
                    raise ConnectionResetError("the connection was closed") from None
                # Names may be UTF-8, and a chunk may end inside a character.
                self._received += self._text.decode(chunk)
                continue
            self._received = self._received[end:].lstrip()
            if not isinstance(message, dict):
                raise ValueError("what was answered is not OVSDB")
            return message


def _connected(address: str, timeout: float) -> socket.socket:
    scheme, _colon, rest = address.partition(":")
    if scheme == "unix":
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(timeout)
            connection.connect(rest)
        except OSError:
            connection.close()
            raise
        return connection
    if scheme == "tcp":
        host, _colon, port = rest.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), timeout)
    raise ValueError(f"{address} is no address of the form unix:<path> or tcp:<host>:<port>")
