# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Programs that feed one another, without a shell, and that do not outlive us."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any, Optional

from databasebackup.settings import Refused

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
PIECE = 1 << 18


def die_with_us() -> None:
    """In a child, before it runs its program: it is killed when we are."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def environment() -> dict[str, str]:
    """Nothing of the caller's that a client program would take options from."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MYSQL", "MARIADB"))}
    return {**kept, "LC_ALL": "C", "PATH": f"{kept.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"}


def run(words: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0, **more: Any) -> bytes:
    """What it printed. Raises Refused with what it complained about."""
    try:
        done: subprocess.CompletedProcess[bytes] = subprocess.run(
            list(words), input=stdin, capture_output=True, timeout=timeout, env=environment(), check=False, **more
        )
    except FileNotFoundError:
        raise Refused(f"The program {words[0]} is not installed.") from None
    except subprocess.TimeoutExpired:
        raise Refused(f"{_short(words)} did not end within {timeout:g} seconds.") from None
    if done.returncode:
        raise Refused(f"{_short(words)} failed: {last_words(done.stderr) or f'exit code {done.returncode}'}")
    return done.stdout


class Chain:
    """Programs of which each reads what the one before writes. Ends badly when any of them does."""

    def __init__(
        self, *commands: Sequence[str], stdin: Any = subprocess.DEVNULL, stdout: Any = subprocess.PIPE
    ) -> None:
        self._stack = ExitStack()
        self._commands = commands
        self._errors: list[IO[bytes]] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        self.stdin: Optional[IO[bytes]] = None
        source = stdin
        try:
            for number, words in enumerate(commands):
                last = number == len(commands) - 1
                errors = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed with the stack
                self._errors.append(errors)
                process = subprocess.Popen(
                    list(words),
                    stdin=source,
                    stdout=stdout if last else subprocess.PIPE,
                    stderr=errors,
                    env=environment(),
                    preexec_fn=die_with_us,
                )
                self.processes.append(process)
                if number and source is not subprocess.DEVNULL:
                    source.close()
                if not number:
                    self.stdin = process.stdin
                source = process.stdout
        except FileNotFoundError as problem:
            self.kill()
            raise Refused(f"The program {problem.filename} is not installed.") from None

    @property
    def stdout(self) -> IO[bytes]:
        found = self.processes[-1].stdout
        if found is None:
            raise ValueError("its output goes elsewhere")
        return found

    def feed(self, piece: bytes) -> None:
        """Raises Refused when the first one takes no more."""
        try:
            self.stdin.write(piece)  # type: ignore[union-attr]
        except OSError:
            self.end()
            raise Refused(f"{_short(self._commands[0])} ended before it had read everything.") from None

    def end(self) -> None:
        """Wait for all. Raises Refused with what the first that failed complained about."""
        if self.stdin is not None and not self.stdin.closed:
            with suppress(OSError):
                self.stdin.close()
        for process in self.processes:
            process.wait()
        complaints = []
        for words, process, errors in zip(self._commands, self.processes, self._errors):
            if process.returncode:
                errors.seek(0)
                complaints.append((words, process.returncode, last_words(errors.read())))
        self._stack.close()
        # Who was cut off by the failure of the next one ended by SIGPIPE: not what is wrong.
        complaints.sort(key=lambda row: row[1] == -signal.SIGPIPE or "roken pipe" in row[2])
        if complaints:
            words, code, said = complaints[0]
            raise Refused(f"{_short(words)} failed: {said or f'exit code {code}'}")

    def kill(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
        self._stack.close()


def pour(source: IO[bytes], into: Callable[[bytes], Any]) -> int:
    """All that comes, in pieces; how many bytes that were."""
    count = 0
    while True:
        piece = source.read(PIECE)
        if not piece:
            return count
        count += len(piece)
        into(piece)


def last_words(errors: bytes) -> str:
    """The end of what a program complained about, on one line."""
    lines = [line.strip() for line in errors.decode("utf-8", "replace").splitlines() if line.strip()]
    return " ".join(lines[-3:])[-600:]


def _short(words: Sequence[str]) -> str:
    """The program's own name, also where its loader starts it."""
    first = Path(words[0]).name
    return Path(words[3]).name if first.startswith("ld-linux") and len(words) > 3 else first
