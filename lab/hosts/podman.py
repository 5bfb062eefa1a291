# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Podman as it works on a plain machine: settings of our own, and what it takes to be there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

WORK = Path(__file__).resolve().parents[2] / ".work" / "hosts"

# Programs and Debian's packages. netavark is asked for by podman though the hosts get their networks from us.
PROGRAMS = {
    "podman": "podman",
    "runc": "runc",
    "netavark": "netavark",
    "conmon": "conmon",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "nft": "nftables",
    "ethtool": "ethtool",
    "ping": "iputils-ping",
    "nsenter": "util-linux",
    "ssh-keygen": "openssh-client",
}

# crun refuses hybrid cgroups; limits cannot be raised above what this process has; there may be no systemd here.
_SETTINGS = """[containers]
default_ulimits = ["nofile=16384:16384", "nproc=8192:8192"]
cgroupns = "private"
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
# Where a user's PATH does not lead, and where podman keeps its helpers.
_ADMINISTRATION = "/usr/sbin:/sbin:/usr/lib/podman:/usr/libexec/podman"


def missing_packages() -> list[str]:
    """Debian's packages that are not installed."""
    path = f"{os.environ.get('PATH', '')}:{_ADMINISTRATION}"
    return sorted({package for program, package in PROGRAMS.items() if not shutil.which(program, path=path)})


def why_not() -> str:
    """What this machine lacks for containers, as a sentence; empty where they can run."""
    if os.geteuid() != 0:
        return "containers with systemd and network namespaces need root"
    if missing := missing_packages():
        return f"not installed: {', '.join(missing)}"
    return ""


def environment() -> dict[str, str]:
    """What podman is started with."""
    WORK.mkdir(parents=True, exist_ok=True)
    settings = WORK / "containers.conf"
    if not settings.exists() or settings.read_text() != _SETTINGS:
        settings.write_text(_SETTINGS)
    path = f"{os.environ.get('PATH', '/usr/bin:/bin')}:{_ADMINISTRATION}"
    return {**os.environ, "CONTAINERS_CONF": str(settings), "LC_ALL": "C.UTF-8", "PATH": path}


def program(*argv: str, stdin: str = "", check: bool = True, timeout: float = 120) -> str:
    """Run a program of this machine and return its output; a failure is told with what it said."""
    try:
        done = subprocess.run(
            argv, env=environment(), input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{' '.join(argv)} did not end within {timeout:g} s") from None
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


def podman(*words: str, check: bool = True, timeout: float = 120) -> str:
    return program("podman", *words, check=check, timeout=timeout)
