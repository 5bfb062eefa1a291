# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""iscsi-scstd: a process that can be killed. It listens where the real one does, and hangs up on everybody."""

from __future__ import annotations

import os
import socket
import sys

from lab.scst.control import Client, Problem

_PORT = 3260


def main(words: list[str]) -> int:
    """Returns once it is connected to the kernel; `-f` stays in the foreground, `-a` listens on one address only."""
    address = words[words.index("-a") + 1] if "-a" in words else ""
    reading, writing = os.pipe()
    if "-f" not in words and os.fork():
        os.close(writing)
        said = os.read(reading, 4096).decode()
        if said != "ready":
            print(said, file=sys.stderr)
        return int(said != "ready")
    try:
        listener = _listening(address)
        client = Client()
        client.call("daemon", pid=os.getpid())
    except (Problem, OSError) as problem:
        os.write(writing, f"iscsi-scstd: {problem}".encode())
        return 1
    os.write(writing, b"ready")
    os.close(writing)
    if "-f" not in words:
        os.setsid()
        null = os.open("/dev/null", os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
    while True:
        connection, _peer = listener.accept()
        connection.close()


def _listening(address: str) -> socket.socket:
    if address and ":" not in address:
        return socket.create_server((address, _PORT), reuse_port=False)
    return socket.create_server((address, _PORT), family=socket.AF_INET6, dualstack_ipv6=not address)
