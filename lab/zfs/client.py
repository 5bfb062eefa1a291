# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The programs on PATH hand their arguments to the lab and print what it answers: client.py SOCKET PROGRAM ARGUMENT...

It is started for every zfs and zpool, so it imports next to nothing.
"""

from __future__ import annotations

import _socket
import sys


def main() -> int:
    path, *words = sys.argv[1:]
    # As the real programs do, standard input is read only where a key or a stream is expected.
    reads = "keylocation=prompt" in words or "change-key" in words or "receive" in words
    secret = sys.stdin.read() if reads else ""
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.connect(path)
    connection.send("\0".join([secret, *words]).encode("utf-8", "surrogateescape"))
    connection.shutdown(_socket.SHUT_WR)
    answer = b""
    while True:
        received = connection.recv(1 << 20)
        if not received:
            break
        answer += received
    status, *parts = answer.decode("utf-8", "surrogateescape").split("\0")
    for part in parts:
        stream = sys.stdout if part[0] == "1" else sys.stderr
        print(part[1:], file=stream, flush=True)
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
