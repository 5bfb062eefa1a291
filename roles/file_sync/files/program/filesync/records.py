# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What is remembered: durably in the state directory, and as locks of running programs."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filesync import durable
from filesync.generation import Held
from filesync.settings import Places, Unusable

RECEIVER = "receiver"
WRITER = "writer"


class Busy(Exception):
    """Another program has the lock. `by` is what it wrote about itself."""

    def __init__(self, by: Mapping[str, Any]) -> None:
        super().__init__("busy")
        self.by = dict(by)


def write_durably(path: Path, data: Mapping[str, Any]) -> None:
    """Whole or not at all, and still there after a power failure."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    durable.replaced(path, json.dumps(data).encode(), mode=0o600)


def read(path: Path) -> dict[str, Any]:
    """Empty where there is none. Raises Unusable for one that was damaged: a generation is never guessed."""
    try:
        data = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as problem:
        raise Unusable(f"{path} cannot be read: {problem}") from None
    if not isinstance(data, dict):
        raise Unusable(f"{path} does not hold what it should.")
    return data


@contextmanager
def locked(path: Path, about: Mapping[str, Any], *, wait: bool) -> Iterator[Lock]:
    """The lock of that file, with what others shall know of its holder. Raises Busy unless `wait`."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            raise Busy(_about(path)) from None
        lock = Lock(descriptor)
        lock.tell(about)
        yield lock
        lock.tell({})
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class Lock:
    descriptor: int

    def tell(self, about: Mapping[str, Any]) -> None:
        """Write what others shall know of the holder."""
        text = json.dumps({"pid": os.getpid(), **about} if about else {}).encode()
        os.pwrite(self.descriptor, text, 0)
        os.ftruncate(self.descriptor, len(text))


def _about(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def holder_of(path: Path) -> dict[str, Any]:
    """What the lock's holder wrote about itself; empty where nobody has the lock."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return {}
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _about(path) or {"what": "unknown"}
    finally:
        os.close(descriptor)
    return {}


@contextmanager
def the_side(places: Places, name: str, about: Mapping[str, Any], seconds: float = 10) -> Iterator[Lock]:
    """To write or to receive: one program alone, ever. A receiver that is still there is one whose writer is gone, and
    is ended; a writer is not. Raises Busy."""
    path = side_path(places, name)
    deadline = time.monotonic() + seconds
    with ExitStack() as stack:
        while True:
            try:
                lock = stack.enter_context(locked(path, about, wait=False))
                break
            except Busy as busy:
                if busy.by.get("what", RECEIVER) != RECEIVER or time.monotonic() > deadline:
                    raise
                _end(busy.by.get("pid"), hard=time.monotonic() > deadline - seconds / 2)
            time.sleep(0.1)
        yield lock


def _end(pid: object, *, hard: bool) -> None:
    """End a receiver and its rsync, which is of its process group."""
    if not isinstance(pid, int):
        return
    with suppress(OSError):
        if b"file_sync" in Path("/proc", str(pid), "cmdline").read_bytes():
            os.killpg(pid, signal.SIGKILL if hard else signal.SIGTERM)


def side_path(places: Places, name: str) -> Path:
    return places.run / f"{name}.side"


def receiver_path(places: Places, name: str, receiver: str) -> Path:
    return places.var / name / f"to-{receiver}.json"


_NONE = Held()


@dataclass(frozen=True)
class State:
    """A side's durable knowledge of a set.

    held: the highest generation heard of; files: the generation whose files are here; delivered: the writer's time up
    to which everything had arrived, in seconds since the epoch; error: of the last try, empty when it went well.
    """

    held: Held = _NONE
    files: int = 0
    delivered: float = 0.0
    error: str = ""


@contextmanager
def changing(places: Places, name: str) -> Iterator[Changing]:
    """The state, locked while it is looked at and changed."""
    with locked(places.run / f"{name}.state", {"what": "state"}, wait=True):
        yield Changing(places.var / name / "state.json")


@dataclass(frozen=True)
class Changing:
    path: Path

    @property
    def state(self) -> State:
        return _state(read(self.path))

    def put(self, state: State) -> None:
        if state != self.state:
            write_durably(
                self.path,
                {
                    "generation": state.held.generation,
                    "holder": state.held.holder,
                    "files": state.files,
                    "delivered": state.delivered,
                    "error": state.error,
                },
            )


def state_of(places: Places, name: str) -> State:
    return _state(read(places.var / name / "state.json"))


def _state(data: Mapping[str, Any]) -> State:
    if not data:
        return State()
    held = Held(int(data["generation"]), str(data["holder"]))
    return State(held, int(data["files"]), float(data["delivered"]), str(data["error"]))


# The words of `file_sync allow`: consent that is used up by its first use.
OLDER_FILES = "older_files"
DELETIONS = "deletions"


def allow(places: Places, name: str, word: str) -> None:
    write_durably(consent_path(places, name, word), {"word": word})


def consent_path(places: Places, name: str, word: str) -> Path:
    return places.var / name / f"allow-{word}.json"


def take_consent(places: Places, name: str, word: str) -> bool:
    """Whether consent was given; it is gone then."""
    path = consent_path(places, name, word)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
