# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Run a program: argv only and never a shell, in the C locale, with a deadline, with typed errors.

argv is visible to every user of the machine (`ps`), so it never carries a secret: those go through standard input.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional, Protocol

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError

# Where administration programs are; a login without a full PATH (sudo, cron, AWX) lacks them.
_ADMINISTRATION = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")


@dataclass(frozen=True)
class Completed:
    """A program that ran to its end. `status` is its exit code, negative where a signal ended it."""

    argv: tuple[str, ...]
    status: int
    output: str
    errors: str


class CommandFailed(SubsystemError):
    """A program could not do what it was asked. `completed` is None where it did not even end."""

    def __init__(self, message: str, *, hint: str = "", completed: Optional[Completed] = None) -> None:
        super().__init__(message, hint=hint)
        self.completed = completed


class ProgramMissing(CommandFailed):
    """The program is not installed: nothing further can succeed either."""

    affects_everything = True


class CommandTimedOut(CommandFailed):
    """The program did not end in time and was stopped."""


class Runner(Protocol):
    """How a backend runs programs, so that a test can put another in its place."""

    def __call__(self, argv: Sequence[str], *, stdin: str = "", timeout: float = 60.0) -> Completed:
        """Raises ProgramMissing or CommandTimedOut; an exit code is the caller's to judge."""


def run(argv: Sequence[str], *, stdin: str = "", timeout: float = 60.0) -> Completed:
    """Run a program to its end. `timeout` in seconds; the whole process group is stopped when it is over."""
    words = tuple(argv)
    process = _started(words)
    try:
        output, errors = process.communicate(stdin.encode("utf-8", "surrogateescape"), timeout=timeout)
    except subprocess.TimeoutExpired:
        _abandon(process)
        raise CommandTimedOut(
            f"{shown(words)} did not end within {timeout:g} seconds and was stopped.",
            hint="The machine is overloaded, or the system behind the program hangs.",
        ) from None
    return Completed(words, process.returncode, _text(output), _text(errors))


def _started(words: tuple[str, ...]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "LC_ALL": "C", "PATH": search_path(os.environ.get("PATH", ""))}
    try:
        # run_command belongs to AnsibleModule, which only the runner knows, and has no deadline.
        return subprocess.Popen(  # pylint: disable=ansible-bad-function
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except (FileNotFoundError, NotADirectoryError):
        raise ProgramMissing(
            f"The program {words[0]} is not there.", hint="Install the package it comes with."
        ) from None
    except PermissionError:
        raise ProgramMissing(f"The program {words[0]} may not be run.", hint="Look at its permissions.") from None
    except (OSError, ValueError) as problem:
        raise CommandFailed(f"{shown(words)} cannot be run: {problem}.", hint="Look at the values given.") from None


def _abandon(process: subprocess.Popen[bytes]) -> None:
    """Stop a program without waiting for it: one that is stuck in the kernel does not end when it is told."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1)


def shown(argv: Sequence[str]) -> str:
    """A command as a person reads it, shortened."""
    text = " ".join(f"'{word}'" if " " in word or not word else word for word in argv)
    return text if len(text) <= 200 else f"{text[:200]} ..."


def search_path(path: str) -> str:
    """PATH with the administration directories at its end."""
    parts = [part for part in path.split(os.pathsep) if part]
    return os.pathsep.join([*parts, *(part for part in _ADMINISTRATION if part not in parts)])


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
