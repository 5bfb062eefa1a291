# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Commands in a machine over SSH, one connection for all of them."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from lab.machine.image import Image
from lab.machine.programs import CannotRun
from lab.machine.qemu import Qemu


class Shell:
    """`with Shell(image, port) as shell:` and then shell.run("ip", "link")."""

    def __init__(self, image: Image, port: int) -> None:
        self._image = image
        self.port = port
        self._folder = Path()

    def __enter__(self) -> Self:
        # A socket's path has 107 characters at most: not below a deep working directory.
        self._folder = Path(tempfile.mkdtemp(prefix="machine-", dir="/tmp"))
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {self._image.host_key}")
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def known_hosts(self) -> Path:
        return self._folder / "known_hosts"

    def options(self, *, shared: bool = True) -> list[str]:
        """Options of ssh with which it asks nothing and trusts this machine alone."""
        control = ("-o", "ControlMaster=auto", "-o", f"ControlPath={self._folder / 'ssh'}", "-o", "ControlPersist=600")
        return [
            *("-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR"),
            *("-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={self.known_hosts}"),
            *("-o", "ConnectTimeout=5", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=6"),
            *(control if shared else ()),
        ]

    def command(self) -> list[str]:
        """How a person reaches the machine."""
        return ["ssh", *self.options(shared=False), "-i", str(self._image.key), "-p", str(self.port), "root@127.0.0.1"]

    def run(
        self, *argv: str, stdin: str = "", check: bool = True, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the machine, each word as it is. check: CannotRun with what it said when it fails."""
        ssh = ["ssh", *self.options(), "-i", str(self._image.key), "-p", str(self.port), "root@127.0.0.1"]
        try:
            done = subprocess.run(
                [*ssh, shlex.join(argv)], input=stdin, capture_output=True, text=True, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired as late:
            raise CannotRun(f"{shlex.join(argv)} did not end within {timeout:.0f} s") from late
        if check and done.returncode != 0:
            raise CannotRun(
                f"{shlex.join(argv)} ended with {done.returncode}: {done.stderr.strip()}\n{done.stdout.strip()}"
            )
        return done

    def wait(self, seconds: float, qemu: Qemu) -> None:
        """Until the machine answers. Raises CannotRun with its console's last lines."""
        deadline = time.monotonic() + seconds
        while not self._answers():
            if time.monotonic() > deadline or not qemu.alive:
                raise CannotRun(f"the machine did not answer within {seconds:.0f} s; its console:\n{qemu.console()}")
            self.close()
            time.sleep(0.3)

    def _answers(self) -> bool:
        with suppress(CannotRun):
            return self.run("true", check=False, timeout=20).returncode == 0
        return False

    def close(self) -> None:
        """End the shared connection."""
        if (self._folder / "ssh").exists():
            subprocess.run(
                ["ssh", *self.options(), "-O", "exit", "-p", str(self.port), "root@127.0.0.1"],
                capture_output=True,
                check=False,
            )
            (self._folder / "ssh").unlink(missing_ok=True)
