# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A unix socket before a server's, which sees every statement, and can let one fail.

Nothing of a statement is understood but its first words. A client over it must not use TLS.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

FAILURE = "the lab lets this write fail"
_WRITE = re.compile(
    r"^\s*(START|STOP|CHANGE|RESET|SET\s+(@@)?GLOBAL|INSTALL|CREATE|ALTER|DROP|INSERT|KILL|CLONE)\b", re.IGNORECASE
)
_QUERY = 0x03


class Count:
    """The writes through one proxy, or through several, and which of them is to fail. lost: it is carried out, and its
    answer lost."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.writes = 0
        self.failing = 0
        self.lost = False

    @contextlib.contextmanager
    def failing_write(self, number: int, *, lost: bool = False) -> Iterator[None]:
        """The number-th write (from 1) in the block fails; `lost`: it is carried out, and its answer lost."""
        with self.lock:
            self.failing, self.lost = self.writes + number, lost
        try:
            yield
        finally:
            with self.lock:
                self.failing = 0


class Proxy:
    """statements: all that passed, in order.  count: of those that change something.  failure: what a write that is
    made to fail is answered."""

    def __init__(self, server: str, path: Path, count: Count | None = None) -> None:
        self.path = str(path)
        self.statements: list[str] = []
        self.failure = FAILURE
        self.count = count or Count()
        self.failing_write = self.count.failing_write
        self._server = server
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        Path(self.path).unlink(missing_ok=True)

    @property
    def writes(self) -> int:
        return self.count.writes

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        with client, server, contextlib.suppress(OSError, EOFError):
            server.connect(self._server)
            threading.Thread(target=_pump, args=(server, client, self), daemon=True).start()
            while True:
                header, body = _packet(client)
                if header[3] == 0 and body[:1] == bytes([_QUERY]) and self._fails(body[1:].decode("utf-8", "replace")):
                    self._answer_with_failure(client, server, header + body)
                    continue
                server.sendall(header + body)

    # Whether the next answer of the server is ours to keep. One client at a time is what the modules are.
    swallow = False

    def _fails(self, statement: str) -> bool:
        with self.count.lock:
            self.statements.append(statement)
            if not _WRITE.match(statement):
                return False
            self.count.writes += 1
            return self.count.writes == self.count.failing

    def _answer_with_failure(self, client: socket.socket, server: socket.socket, packet: bytes) -> None:
        if self.count.lost:
            self.swallow = True
            server.sendall(packet)
            return
        client.sendall(_failure(self.failure))


def _failure(text: str) -> bytes:
    body = b"\xff" + struct.pack("<H", 1105) + b"#HY000" + text.encode()
    return struct.pack("<I", len(body))[:3] + b"\x01" + body


def _pump(server: socket.socket, client: socket.socket, proxy: Proxy) -> None:
    with contextlib.suppress(OSError):
        while True:
            data = server.recv(65536)
            if not data:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
                return
            if proxy.swallow:
                # The answer to a statement that returns no rows is one packet, and so one piece.
                proxy.swallow = False
                data = _failure(proxy.failure)
            client.sendall(data)


def _packet(stream: socket.socket) -> tuple[bytes, bytes]:
    header = _exactly(stream, 4)
    return header, _exactly(stream, int.from_bytes(header[:3], "little"))


def _exactly(stream: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = stream.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data
