# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A directory with programs named zfs and zpool that stand in for the real ones, put before the others on PATH.

The programs only carry arguments to this process and answers back, because Ansible starts many of them.
"""

from __future__ import annotations

import os
import re
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from lab.zfs import disk_programs
from lab.zfs.base import Base
from lab.zfs.disk_programs import DiskPrograms
from lab.zfs.disks import LabDisk, LabVdev
from lab.zfs.pool_program import PoolProgram
from lab.zfs.pool_state import Pool
from lab.zfs.program import Program
from lab.zfs.state import RELEASE, Dataset, State

_PROGRAM = """#!/bin/sh
{otherwise}exec "{python}" -I -S "{client}" "{socket}" {name} "$@"
"""
# Seconds: longer than any test's patience.
_HANGING = 60
# The commands that only read.
_READING = {"list", "get", "version", "import", "status", "send", "holds", "history"}


class ZfsLab:
    """`with ZfsLab() as lab:` puts the programs on this process's PATH until the end; `lab.path` is their directory.

    pools: names of the pools it begins with.  release: what `zfs version` says.
    state: what there is; `with lab.change() as state:` changes it behind everybody's back.
    """

    def __init__(self, *pools: str, release: str = RELEASE) -> None:
        self._pools = pools or ("tank",)
        self._release = release
        self._directory = Path()
        self._before = ""
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self.reset()

    def __enter__(self) -> Self:
        self._directory = Path(tempfile.mkdtemp(prefix="zfs-"))
        self.path.mkdir()
        socket = self._directory / "lab.sock"
        self._server = _Server(str(socket), self)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        # The clock is the stand-in's for whoever asks as the modules do; all else is for the real program.
        programs = dict.fromkeys(("zfs", "zpool", *disk_programs.NAMES), "")
        for name, question in {"date": "+%s", **disk_programs.ONE_QUESTION}.items():
            programs[name] = f'[ "$*" = "{question}" ] || exec {shutil.which(name)} "$@"\n'
        for name, otherwise in programs.items():
            program = self.path / name
            client = Path(__file__).with_name("client.py")
            words = {"python": sys.executable, "client": client, "socket": socket, "name": name}
            program.write_text(_PROGRAM.format(otherwise=otherwise, **words))
            program.chmod(0o755)
        self._before = os.environ["PATH"]
        os.environ["PATH"] = f"{self.path}:{self._before}"
        return self

    def __exit__(self, *_exception: object) -> None:
        os.environ["PATH"] = self._before
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def path(self) -> Path:
        """The directory to put on PATH."""
        return self._directory / "bin"

    def reset(self) -> None:
        """As at the beginning: the pools, each with nothing but its root in it."""
        with self._lock:
            self.state = State(release=self._release)
            for name in self._pools:
                self.add_pool(self.state, name)

    @staticmethod
    def add_pool(state: State, name: str) -> None:
        """A pool of one disk, which is none of the host's first ones."""
        number = len(state.pools)
        kernel = f"sdz{chr(ord('a') + number)}"
        state.disks[kernel] = LabDisk(
            (f"scsi-35000c500aff000{number:02x}",),
            signatures={"": [("gpt", ""), ("PMBR", "")], "1": [("zfs_member", name)], "9": []},
        )
        leaf = LabVdev("disk", state.guid(), disk=kernel, shown=f"/dev/disk/by-id/{state.disks[kernel].ids[0]}")
        pool = Pool(guid=state.guid(), vdevs={"normal": [leaf]}, next_number=1, hostid=state.hostid)
        state.pools[name] = pool
        state.datasets[name] = Dataset("filesystem", mounted=True, fixed={"creation": str(state.now())})

    @contextmanager
    def change(self) -> Iterator[State]:
        with self._lock:
            yield self.state

    @property
    def log(self) -> list[list[str]]:
        """The programs that may have changed something, with their arguments."""
        return self.state.log

    @property
    def writes(self) -> int:
        return len(self.log)

    def zfs(self, *words: str, stdin: str = "") -> str:
        """What somebody at the machine's console does. Raises CalledProcessError."""
        with self._lock:
            program = Program(self.state, stdin)
            status = program.run(words)
        output, errors = ("\n".join(text for to, text in program.printed if to == one) for one in (1, 2))
        if status != 0:
            raise subprocess.CalledProcessError(status, ["zfs", *words], output, errors)
        return output

    def zpool(self, *words: str) -> str:
        """The same with zpool."""
        with self._lock:
            program = PoolProgram(self.state)
            status = program.run(words)
        output, errors = ("\n".join(text for to, text in program.printed if to == one) for one in (1, 2))
        if status != 0:
            raise subprocess.CalledProcessError(status, ["zpool", *words], output, errors)
        return output

    @contextmanager
    def failing_write(self, number: int, *, lost: bool = False) -> Iterator[None]:
        """The number-th write (from 1) from here on fails; `lost`: it is carried out, and its answer lost."""
        with self.change() as state:
            state.fail_at, state.lost = len(state.log) + number, lost
        try:
            yield
        finally:
            with self.change() as state:
                state.fail_at, state.lost = 0, False

    def answer(self, name: str, words: list[str], stdin: str) -> tuple[int, list[tuple[int, str]]]:
        """Run one of the programs: its exit code and what it prints."""
        if name == "date":
            return 0, [(1, str(self.state.now()))]
        if self._hangs(name, words):
            self._closing.wait(_HANGING)
            return 1, [(2, "internal error: the lab let this wait")]
        with self._lock:
            of_disks = name in disk_programs.NAMES or name in disk_programs.ONE_QUESTION
            if of_disks:
                program: Base = DiskPrograms(self.state)
                words, reading = [name, *words], "--all" not in words
            else:
                program = (PoolProgram if name == "zpool" else Program)(self.state, stdin)
                reading = not words or words[0] in _READING or "-n" in words
                # Without a pool, zpool import only looks.
                reading = reading and not (name == "zpool" and words[:1] == ["import"] and len(words) > 1)
            failing = False
            if not reading:
                self.state.log.append(words if of_disks else [name, *words])
                failing = self.state.fail_at == len(self.state.log)
            if failing and not self.state.lost:
                return 1, [(2, "internal error: the lab lets this write fail")]
            status = program.run(words)
            if failing:
                return 1, [(2, "internal error: the lab lets this write fail, having done it")]
            return status, program.printed

    def _hangs(self, name: str, words: list[str]) -> bool:
        """Whether a program asks for a pool that does not answer, by its name or by asking for all."""
        command = words[0] if words else ""
        if (name, command) not in {("zfs", "get"), ("zfs", "list"), ("zpool", "history"), ("zpool", "status")}:
            return False
        with self._lock:
            named = {head for word in words[1:] for head in [re.split("[/@]", word)[0]] if head in self.state.pools}
            asked = [pool for one, pool in self.state.pools.items() if one in named or not named]
        return any(pool.hanging == "all" or (pool.hanging and command != "status") for pool in asked)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str, lab: ZfsLab) -> None:
        self.lab = lab
        super().__init__(path, _Handler)


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        secret, name, *words = self.rfile.read().decode("utf-8", "surrogateescape").split("\0")
        assert isinstance(self.server, _Server)
        status, printed = self.server.lab.answer(name, words, secret)
        answer = "\0".join([str(status), *(f"{to}{text}" for to, text in printed)])
        # Whoever asked may have been stopped meanwhile.
        with suppress(BrokenPipeError):
            self.wfile.write(answer.encode("utf-8", "surrogateescape"))
