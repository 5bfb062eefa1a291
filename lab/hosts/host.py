# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""One host: a container with systemd, in a network namespace of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from lab.hosts.namespaces import Namespace, Port
from lab.hosts.podman import podman, program
from lab.hosts.ssh import Access

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_START_SECONDS = 60


class Failed(Exception):
    """A command on a host ended with another exit code than 0."""

    def __init__(self, host: str, done: subprocess.CompletedProcess[str]) -> None:
        super().__init__(f"{host}: {' '.join(done.args)}: exit code {done.returncode}: {done.stderr or done.stdout}")
        self.done = done


@dataclass
class Host:
    """`container` is its name for podman, `pid_file` holds the process id of its systemd as this machine sees it."""

    name: str
    container: str
    image: str
    pid_file: Path
    namespace: Namespace
    access: Access | None = None
    shm_size: str = ""

    def start(self, set_name: str) -> None:
        """Make the container; `ready` waits for it."""
        self.namespace.make()
        podman(
            *("run", "--detach", "--name", self.container, "--hostname", self.name),
            *("--label", f"hospital-continuity={set_name}", "--pidfile", str(self.pid_file)),
            *("--privileged", "--systemd=always", f"--network=ns:{self.namespace.path}"),
            *([f"--shm-size={self.shm_size}"] if self.shm_size else []),
            *("--tmpfs", "/tmp", self.image),
        )

    def ready(self) -> None:
        """Wait until systemd has started everything. The bus does not answer in the first moments."""
        deadline = time.monotonic() + _START_SECONDS
        while (state := self.run("systemctl", "is-system-running", check=False).stdout.strip()) != "running":
            if state == "degraded":
                failed = self.run("systemctl", "--failed", "--no-legend", "--plain", check=False).stdout
                raise RuntimeError(f"{self.name}: units failed at the start: {failed}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} is '{state}' after {_START_SECONDS} s")
            time.sleep(0.05)
        if self.access:
            self.access.admit(self)

    @property
    def pid(self) -> int:
        """Raises RuntimeError when the host is off."""
        try:
            return int(self.pid_file.read_text())
        except FileNotFoundError:
            raise RuntimeError(f"{self.name} is off") from None

    def run(
        self, *argv: str, check: bool = True, stdin: str = "", timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on the host as root. Raises Failed with what it said."""
        done = subprocess.run(
            self.argv(*argv), input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )
        done.args = argv
        if check and done.returncode:
            raise Failed(self.name, done)
        return done

    def argv(self, *argv: str) -> list[str]:
        """The command for a program on the host: a twentieth of the time that `podman exec` takes."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--uts", "--ipc", "--net", "--pid"]
        return [*enter, "--", "/usr/bin/env", "-i", f"PATH={_PATH}", "LC_ALL=C.UTF-8", "HOME=/root", *argv]

    def write(self, path: str, text: str, mode: str = "0644") -> None:
        self.run(
            "sh", "-c", 'mkdir -p "$(dirname "$1")" && cat > "$1" && chmod "$2" "$1"', "sh", path, mode, stdin=text
        )

    def read(self, path: str) -> str:
        return self.run("cat", path).stdout

    def port(self, name: str) -> Port:
        return Port(self.namespace, name)

    @property
    def ssh_address(self) -> str:
        """Its address in the management network, which is apart from its ports."""
        if self.access is None:
            raise RuntimeError(f"{self.name} was made without SSH: Hosts(…, ssh=True)")
        return self.access.address

    def power_off(self) -> None:
        """At once, nothing is written: what a reset or a failing power supply does. Its ports lose their carrier."""
        pid = self.pid
        # Its process id may soon be another process's.
        self.pid_file.unlink()
        os.kill(pid, signal.SIGKILL)  # with it goes every process of its: sooner than podman could
        program("podman", "wait", self.container, timeout=30)
        wired = set(self._wired())
        for name in self.namespace.interfaces():
            if name in wired:
                self.namespace.ip("address", "flush", "dev", name)
                self.namespace.ip("link", "set", name, "down", "mtu", "1500")
            elif name != "lo":  # Open vSwitch's internal ports would outlive it
                self.namespace.ip("link", "del", name, check=False)

    def power_on(self) -> None:
        self.switch_on()
        self.ready()

    def switch_on(self) -> None:
        """The power is there; `ready` waits for what it makes of it."""
        for name in self._wired():
            self.namespace.ip("link", "set", name, "up")
        if self.access:
            self.access.configure(self.namespace)
        podman("start", self.container)

    def reset(self) -> None:
        """Power lost and back; returns when it runs again."""
        self.power_off()
        self.power_on()

    @property
    def powered(self) -> bool:
        try:
            return Path(f"/proc/{self.pid}").exists()
        except RuntimeError:
            return False

    def _wired(self) -> list[str]:
        kinds = self.namespace.ip("-oneline", "link", "show", "type", "veth")
        return [line.split()[1].split("@")[0].rstrip(":") for line in kinds.splitlines()]
