# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""One QEMU process: software emulation, started with its parent and ended with it, spoken to by its monitor (QMP)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from lab.machine.image import Image
from lab.machine.programs import PATH, CannotRun
from lab.machine.recipe import Recipe

# The kernel's own tests and mitigations cost an emulated processor seconds and guard nothing here.
_KERNEL = (
    "root=/dev/vda console=ttyS0 quiet mitigations=off nokaslr tsc=reliable no_timer_check random.trust_cpu=on "
    "cryptomgr.notests systemd.getty_auto=no systemd.show_status=no panic=-1"
)


def command(recipe: Recipe, image: Image, disk: Path, console: Path) -> list[str]:
    """The machine as it is switched on. A saved state fits only a machine of the same command (but for paths); cards
    and disks of a test are plugged in later."""
    return [
        *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none"),
        # Of an old model: what newer ones add, libraries prefer, and to emulate it takes a third longer.
        *("-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "Nehalem"),
        *("-smp", "2", "-m", str(recipe.memory)),
        *("-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", _KERNEL),
        *("-drive", f"file={disk},if=none,id=root,format=qcow2,cache=unsafe", "-device", "virtio-blk-pci,drive=root"),
        *("-netdev", "user,id=mgmt0,restrict=on,hostfwd=tcp:127.0.0.1:0-:22"),
        *("-device", "virtio-net-pci,netdev=mgmt0,mac=52:54:00:00:00:00,romfile="),
        *("-serial", f"file:{console}", "-qmp", "stdio"),
    ]


class Qemu:
    """`with Qemu(command(...)) as qemu:`. state: a file written by save(), to go on from."""

    def __init__(self, argv: list[str], console: Path, state: Path | None = None) -> None:
        self._argv = argv
        self._console = console
        self._state = state
        self._process: subprocess.Popen[str] | None = None
        self._talking = threading.Lock()

    def __enter__(self) -> Self:
        argv = ["setpriv", "--pdeathsig", "KILL", *self._argv]
        if self._state:
            argv += ["-incoming", f"exec:zstd -dcq '{self._state}'"]
        self._process = subprocess.Popen(
            argv,
            env={**os.environ, "PATH": PATH},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            self._read()  # its greeting
            self.do("qmp_capabilities")
            if self._state:
                self._finished("inmigrate", seconds=60)
                self.do("cont")  # it was saved standing still
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        process, self._process = self._process, None
        if process:
            process.kill()
            with suppress(BrokenPipeError):
                process.communicate()

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def do(self, execute: str, **arguments: Any) -> Any:
        """A QMP command's answer. Raises CannotRun with the monitor's words."""
        with self._talking:
            pipe = self._running.stdin
            assert pipe is not None
            pipe.write(json.dumps({"execute": execute, "arguments": arguments}) + "\n")
            pipe.flush()
            while True:
                answer = self._read()
                if "error" in answer:
                    raise CannotRun(f"the monitor refused {execute} {arguments}: {answer['error']['desc']}")
                if "return" in answer:
                    return answer["return"]

    def monitor(self, line: str) -> str:
        """What a person would type at the monitor (HMP), and its answer."""
        return str(self.do("human-monitor-command", **{"command-line": line}))

    def ssh_port(self) -> int:
        """The port on the host's loopback that leads to the guest's port 22."""
        found = re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+\S+\s+(\d+)", self.monitor("info usernet"))
        if not found:
            raise CannotRun("QEMU forwards no port to the machine's SSH")
        return int(found.group(1))

    def save(self, state: Path) -> None:
        """Stop the machine and write its memory and devices to the file; its disk stays as it is."""
        self.do("stop")
        self.do("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
        self.do("migrate", uri=f"exec:zstd -1 -q -T2 -f -o '{state}'")
        deadline = time.monotonic() + 120
        while (status := self.do("query-migrate").get("status")) != "completed":
            if status == "failed" or time.monotonic() > deadline:
                raise CannotRun(f"the machine's state could not be saved: {status}")
            time.sleep(0.1)

    def console(self) -> str:
        """The last lines of the serial console."""
        with suppress(FileNotFoundError):
            return "\n".join(self._console.read_text(errors="replace").splitlines()[-20:])
        return ""

    @property
    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise CannotRun("the machine is switched off")
        return self._process

    def _finished(self, status: str, *, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.do("query-status")["status"] == status:
            if time.monotonic() > deadline:
                raise CannotRun("the machine's saved state could not be loaded")
            time.sleep(0.05)

    def _read(self) -> dict[str, Any]:
        pipe = self._running.stdout
        assert pipe is not None
        said = []
        for line in pipe:
            if line.startswith("{"):
                return dict(json.loads(line))
            said.append(line)
        raise CannotRun(f"QEMU ended: {''.join(said).strip() or self._running.wait()}")
