# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Runs on a host, as its standard input for python3: every few milliseconds it prints whether the address is here and
whether the server takes writes. The clock is the kernel's, so all hosts' and the control host's are the same.

    SECONDS address 0|1
    SECONDS server 0|1|?        ?: it does not answer, which says nothing about what it would take
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time

import pymysql

EVERY = 0.02


def say(what: str, state: str) -> None:
    sys.stdout.write(f"{time.monotonic():.4f} {what} {state}\n")
    sys.stdout.flush()


def holds(address: str) -> bool:
    """Only an address of this host can be bound to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
        return True


def ask(path: str) -> str:
    """Until the connection ends; then what that means."""
    connection = None
    try:
        connection = pymysql.connect(unix_socket=path, user="root", connect_timeout=1, read_timeout=1, write_timeout=1)
        with connection.cursor() as cursor:
            while True:
                cursor.execute("SELECT @@global.read_only")
                say("server", "0" if cursor.fetchone()[0] else "1")
                time.sleep(EVERY)
    except (pymysql.MySQLError, OSError):
        return alive(path)
    finally:
        if connection is not None:
            with contextlib.suppress(Exception):
                connection._force_close()


def alive(path: str) -> str:
    """A server that hangs still listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(path)
        except TimeoutError:
            return "?"
        except OSError:
            return "0"
        return "?"


def watch_server(path: str) -> None:
    while True:
        say("server", ask(path))
        time.sleep(EVERY)


def main() -> None:
    address, path = sys.argv[1:]
    threading.Thread(target=watch_server, args=(path,), daemon=True).start()
    while True:
        say("address", "1" if holds(address) else "0")
        time.sleep(EVERY)


main()
