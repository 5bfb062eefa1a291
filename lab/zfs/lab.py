# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A directory with programs named zfs and zpool that stand in for the real ones, put before the others on PATH.

The programs only carry arguments to this process and answers back, because Ansible starts many of them.
"""

from __future__ import annotations

import os
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from lab.zfs.pool_program import PoolProgram
from lab.zfs.program import Program
from lab.zfs.state import RELEASE, Dataset, Pool, State

_PROGRAM = """#!/bin/sh
exec "{python}" -I -S "{client}" "{socket}" {name} "$@"
"""
# The commands that only read.
_READING = {"list", "get", "version", "import", "status"}


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
        self.reset()

    def __enter__(self) -> Self:
        self._directory = Path(tempfile.mkdtemp(prefix="zfs-"))
        self.path.mkdir()
        socket = self._directory / "lab.sock"
        self._server = _Server(str(socket), self)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        for name in ("zfs", "zpool"):
            program = self.path / name
            client = Path(__file__).with_name("client.py")
            program.write_text(_PROGRAM.format(python=sys.executable, client=client, socket=socket, name=name))
            program.chmod(0o755)
        self._before = os.environ["PATH"]
        os.environ["PATH"] = f"{self.path}:{self._before}"
        return self

    def __exit__(self, *_exception: object) -> None:
        os.environ["PATH"] = self._before
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
        state.pools[name] = Pool(guid=state.guid())
        state.datasets[name] = Dataset("filesystem", mounted=True)

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
        with self._lock:
            program = (PoolProgram if name == "zpool" else Program)(self.state, stdin)
            failing = False
            if words and words[0] not in _READING and "-n" not in words:
                self.state.log.append([name, *words])
                failing = self.state.fail_at == len(self.state.log)
            if failing and not self.state.lost:
                return 1, [(2, "internal error: the lab lets this write fail")]
            status = program.run(words)
            if failing:
                return 1, [(2, "internal error: the lab lets this write fail, having done it")]
            return status, program.printed


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
        self.wfile.write(answer.encode("utf-8", "surrogateescape"))
