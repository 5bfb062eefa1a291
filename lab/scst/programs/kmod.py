# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""modprobe, rmmod, lsmod and modinfo of SCST's modules."""

from __future__ import annotations

import errno
import os
import sys

from lab.scst.control import Client, Problem
from lab.scst.state import MODULES


def modprobe(words: list[str]) -> int:
    removing = any(word in ("-r", "--remove") for word in words)
    names = [word.replace("-", "_") for word in words if not word.startswith("-")]
    quiet = any(word in ("-q", "--quiet") for word in words)
    client = Client()
    for name in names:
        try:
            client.call("unload" if removing else "load", module=name)
        except Problem as problem:
            if problem.code == errno.EBUSY:
                return _failed(f"modprobe: FATAL: Module {name} is in use.")
            if problem.code == errno.EIO:
                return _failed(f"modprobe: ERROR: could not {'remove' if removing else 'insert'} '{name}': {problem}")
            if removing:  # one that is not loaded is no error here
                continue
            return 1 if quiet else _failed(f"modprobe: FATAL: {problem}")
    return 0


def rmmod(words: list[str]) -> int:
    client = Client()
    for name in [word.replace("-", "_") for word in words if not word.startswith("-")]:
        users: list[str] = next((users for loaded, _size, users in client.call("loaded") if loaded == name), [])
        try:
            client.call("unload", module=name)
        except Problem as problem:
            if problem.code == errno.EBUSY and users:
                return _failed(f"rmmod: ERROR: Module {name} is in use by: {' '.join(users)}")
            return _failed(f"rmmod: ERROR: Module {name} is {'in use' if problem.code else 'not currently loaded'}")
    return 0


def lsmod(words: list[str]) -> int:
    print(f"{'Module':<19} {'Size':>8}  Used by")
    for name, size, users in Client().call("loaded"):
        print(f"{name:<19} {size:>8}  {len(users)} {','.join(users)}".rstrip())
    return 0


def modinfo(words: list[str]) -> int:
    """`modinfo --field filename MODULE…`: whether the running kernel has them."""
    status = 0
    for name in [word.replace("-", "_") for word in words if not word.startswith("-") and word != "filename"]:
        if name in MODULES:
            print(f"/lib/modules/{os.uname().release}/extra/{name}.ko")
        else:
            status = _failed(f"modinfo: ERROR: Module {name} not found.")
    return status


def _failed(text: str) -> int:
    print(text, file=sys.stderr)
    return 1
