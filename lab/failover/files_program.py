# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Runs on a host, as its standard input for python3: an application behind the web server, which writes a file now and
then while that runs on the host with the floating address, and prints the time and the name when the file is there."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

EVERY = 0.1
# As services/nginx.conf of examples/silvercreek has it.
WEB_SERVER = ("127.0.0.1", 8080)


def asked(address: str) -> bool:
    """Whether anybody can reach the web server through this host: only an address of this host can be bound to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(WEB_SERVER) == 0


def main() -> None:
    address, folder, prefix = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    number = 0
    while True:
        if asked(address) and folder.is_dir():
            number += 1
            name = f"{prefix}-{number:06d}"
            unfinished = folder / f"{name}.part"
            unfinished.write_text(name)
            unfinished.rename(folder / name)
            sys.stdout.write(f"{time.monotonic():.4f} {name}\n")
            sys.stdout.flush()
        time.sleep(EVERY)


main()
