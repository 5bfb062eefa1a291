# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Copy what one program writes to what another reads, not faster than allowed, and know what became of both.

It is a pipe without a shell, in which the bytes are counted and can be slowed down.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Callable

from ansible_collections.hospital.continuity.plugins.module_utils.command import (
    CommandFailed,
    Completed,
    ProgramMissing,
    search_path,
    shown,
)

_BLOCK = 1 << 17
# No byte for this long, although no connection broke: something hangs.
STALLED = 3600.0
# One that has been told to stop, or whose other end is gone, is given this long.
_PATIENCE = 30.0


@dataclass
class Throttle:
    """Not more than `rate` bytes a second on the average; 0: as fast as it goes. A pause is not caught up later."""

    rate: int
    now: Callable[[], float] = time.monotonic
    _free: float = field(default=0.0, init=False)

    def pause(self, count: int) -> float:
        """How many seconds to wait before more, now that `count` bytes went."""
        if not self.rate:
            return 0.0
        moment = self.now()
        self._free = max(self._free, moment) + count / self.rate
        return self._free - moment


@dataclass(frozen=True)
class Transferred:
    """How a transfer ended: both programs, the bytes that got through, and the seconds that took."""

    sender: Completed
    receiver: Completed
    count: int
    seconds: float
    stalled: bool = False


def transfer(
    sender: Sequence[str], receiver: Sequence[str], *, bandwidth: int = 0, stalled: float = STALLED
) -> Transferred:
    """Run both to their ends. bandwidth: bytes a second, 0 for no limit; stalled: seconds without a byte after which it
    is given up. Raises ProgramMissing or CommandFailed where one cannot even be started."""
    began = time.monotonic()
    with _started(sender, reads=False) as (source, source_said), _started(receiver, reads=True) as (drain, drain_said):
        count, hangs = _copied(source, drain, Throttle(bandwidth), stalled)
        # The order matters: a receiver that is told of the end keeps what it has, a sender without a reader stops.
        _closed(drain.stdin)
        if hangs:
            _stopped(source)
        _closed(source.stdout)
        patience = min(_PATIENCE, stalled)
        receiver_ended = _ended(drain, stalled if not hangs else patience)
        # A sender that has nothing to write does not notice that nobody reads any more.
        sender_ended = _ended(source, patience if receiver_ended == 0 else 1.0)
        return Transferred(
            Completed(tuple(sender), sender_ended, "", _text(source_said)),
            Completed(tuple(receiver), receiver_ended, "", _text(drain_said)),
            count,
            time.monotonic() - began,
            hangs,
        )


def _copied(
    source: subprocess.Popen[bytes], drain: subprocess.Popen[bytes], throttle: Throttle, stalled: float
) -> tuple[int, bool]:
    """(bytes that got through, whether it was given up for hanging)."""
    if source.stdout is None or drain.stdin is None:
        return 0, False
    reader, writer = source.stdout.fileno(), drain.stdin.fileno()
    os.set_blocking(writer, False)
    size = max(1, min(_BLOCK, throttle.rate // 10)) if throttle.rate else _BLOCK
    count = 0
    while True:
        # A receiver that is gone shows as an error at its end of the pipe, also while the sender thinks.
        readable, broken = _waited(reader, writer, stalled)
        if broken:
            return count, False
        if not readable:
            return count, True
        block = memoryview(os.read(reader, size))
        if not block:
            return count, False
        while block:
            _nothing, writable, _odd = select.select([], [writer], [], stalled)
            if not writable:
                return count, True
            try:
                written = os.write(writer, block)
            except BlockingIOError:
                continue
            except OSError:
                return count, False
            block = block[written:]
            count += written
            time.sleep(throttle.pause(written))


def _waited(reader: int, writer: int, seconds: float) -> tuple[bool, bool]:
    """Wait for bytes to read: (whether there are some, or the end; whether nobody reads at the other end any more)."""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    poll.register(writer, 0)
    events = dict(poll.poll(seconds * 1000))
    return reader in events, bool(events.get(writer, 0) & (select.POLLERR | select.POLLNVAL))


@contextlib.contextmanager
def _started(argv: Sequence[str], *, reads: bool) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """A program whose complaints go to a file, so that they never block it. Whatever happens, it does not stay."""
    environment = {**os.environ, "LC_ALL": "C", "PATH": search_path(os.environ.get("PATH", ""))}
    with tempfile.TemporaryFile() as said:
        try:
            # run_command belongs to AnsibleModule, which only the runner knows, and makes no pipes.
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                tuple(argv),
                stdin=subprocess.PIPE if reads else subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if reads else subprocess.PIPE,
                stderr=said,
                env=environment,
                start_new_session=True,
            )
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            raise ProgramMissing(
                f"The program {argv[0]} is not there, or may not be run.", hint="Install the package it comes with."
            ) from None
        except (OSError, ValueError) as problem:
            raise CommandFailed(f"{shown(argv)} cannot be run: {problem}.", hint="Look at the values given.") from None
        try:
            yield process, said
        finally:
            _stopped(process)
            for pipe in (process.stdin, process.stdout):
                _closed(pipe)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)


def _ended(process: subprocess.Popen[bytes], seconds: float) -> int:
    """Its exit code, after it was stopped if need be."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        _stopped(process)
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(_PATIENCE)
    return -signal.SIGKILL


def _stopped(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)


def _closed(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        with contextlib.suppress(OSError):
            pipe.close()


def _text(said: IO[bytes]) -> str:
    said.seek(0)
    return said.read(1 << 16).decode("utf-8", "backslashreplace")
