# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The programs of the host that building and running a machine needs, and running them with an error worth reading."""

from __future__ import annotations

import os
import shutil
import subprocess

# program: the Debian package it comes from
RUN = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "zstd": "zstd",
    "setpriv": "util-linux",
}
BUILD = {"mmdebstrap": "mmdebstrap", "mke2fs": "e2fsprogs", "apt-get": "apt"}

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class CannotRun(Exception):
    """What this host lacks to build or run a machine, in words for people."""


def missing() -> str:
    """Why no machine can be built and run here; empty where it can."""
    packages = sorted(
        {package for program, package in {**RUN, **BUILD}.items() if not shutil.which(program, path=PATH)}
    )
    if packages:
        return f"not installed: {', '.join(packages)}"
    if os.geteuid() != 0:
        return "building the image needs root"
    return ""


def run(*argv: str, cwd: str | None = None) -> str:
    """The program's standard output. Raises CannotRun with what it said."""
    environment = {**os.environ, "PATH": PATH, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        argv, env=environment, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise CannotRun(f"{' '.join(argv)} ended with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
