# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Installing the program that takes snapshots, and the units of systemd that run it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from ansible_collections.hospital.continuity.plugins.module_utils.command import ProgramMissing, Runner, run
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.durable import kept, replaced
from ansible_collections.hospital.continuity.plugins.module_utils.zfs import snapshot_program
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.snapshot_timer import (
    ABSENT,
    INSTALL,
    KEY,
    PROGRAM,
    REMOVE,
    SERVICE,
    TIMER,
    WANTED,
    Files,
    TimerOperation,
    files,
    state,
)

_SECONDS = 60.0


@dataclass(frozen=True)
class Places:
    """Where things are on this host."""

    directory: Path = Path("/var/lib/hospital.continuity/snapshots")
    units: Path = Path("/etc/systemd/system")
    booted: Path = Path("/run/systemd/system")
    python: Path = Path("/usr/bin/python3")

    @property
    def program(self) -> Path:
        return self.directory / PROGRAM


class TimerBackend:
    parallel = 1

    def __init__(self, places: Optional[Places] = None, runner: Runner = run) -> None:
        self.places = places or Places()
        self.writes = 0
        self._run = runner
        self._wanted: Optional[Files] = None

    def close(self) -> None:
        """There is no connection to give back."""

    def observe(
        self, operation: TimerOperation, order: Order, keys: Collection[Key] | None = None
    ) -> Mapping[Key, Thing]:
        result: dict[Key, Thing] = {}
        if order.options["state"] != ABSENT:
            self._wanted = files(
                snapshot_program.archive(),
                python=self._python(),
                path=str(self.places.program),
                calendar=order.options["calendar"],
            )
            result[WANTED] = Thing(state(self._wanted, active=True))
        found = self._found()
        if found is not None:
            result[KEY] = Thing(state(found, active=self._active()))
        return result

    def precheck(self, operation: TimerOperation, plan: Plan, order: Order) -> Sequence[str]:
        if os.geteuid() != 0:
            return ("A timer of systemd needs root on the host: add become: true",)
        if order.options["state"] == ABSENT:
            return ()
        if not self.places.booted.is_dir():
            return ("This host does not run systemd, whose timer takes the snapshots",)
        with contextlib.suppress(ProgramMissing):
            done = self._run(["systemd-analyze", "calendar", "--", order.options["calendar"]], timeout=_SECONDS)
            if done.status != 0:
                said = " ".join(done.errors.split()).rstrip(".")
                return (f"calendar: systemd does not take {order.options['calendar']!r} ({said})",)
        return ()

    def apply(self, operation: TimerOperation, step: Step) -> Sequence[str]:
        try:
            if step.action == REMOVE:
                self._remove()
            else:
                self._install(fresh=step.action == INSTALL)
        except OSError as problem:
            place = problem.filename or self.places.directory
            raise SubsystemError(f"{problem.strerror}: {place}.", hint="Look at the file system.") from None
        return ()

    def verify(self, operation: TimerOperation, things: Mapping[Key, Thing], order: Order) -> Sequence[Unmet]:
        if order.options["state"] == ABSENT or KEY not in things or things[KEY].state["active"]:
            return ()
        return (Unmet(f"{TIMER} is not active; see systemctl status {TIMER}."),)

    # -- reading ----------------------------------------------------------------------------------------------------

    @property
    def _service(self) -> Path:
        return self.places.units / SERVICE

    @property
    def _timer(self) -> Path:
        return self.places.units / TIMER

    def _found(self) -> Optional[Files]:
        """What is installed, whole or in part; None where there is nothing."""
        contents = [_content(path) for path in (self.places.program, self._service, self._timer)]
        if all(content is None for content in contents):
            return None
        program, service, timer = (content or b"" for content in contents)
        return Files(program, service, timer)

    def _active(self) -> bool:
        """Whether the timer waits, will wait after a boot, and systemd knows the units as they are now."""
        asked = ["systemctl", "show", "--property=ActiveState,UnitFileState,NeedDaemonReload", TIMER, SERVICE]
        said = self._run(asked, timeout=_SECONDS).output
        timer, _blank, service = said.partition("\n\n")
        wanted = ("ActiveState=active", "UnitFileState=enabled", "NeedDaemonReload=no")
        return all(text in timer.splitlines() for text in wanted) and "NeedDaemonReload=no" in service.splitlines()

    def _python(self) -> str:
        """One that is still there after an upgrade of the host, if there is one."""
        if os.access(self.places.python, os.X_OK):
            return str(self.places.python)
        return os.path.realpath(sys.executable)

    # -- writing ----------------------------------------------------------------------------------------------------

    def _install(self, *, fresh: bool) -> None:
        wanted = self._wanted
        if wanted is None:
            raise SubsystemError("Nobody looked at what there is.")
        self.writes += 1
        with self._undone(fresh):
            self.places.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            replaced(self.places.program, wanted.program, mode=0o600)
            replaced(self._service, wanted.service, mode=0o644)
            replaced(self._timer, wanted.timer, mode=0o644)
            self._systemctl("daemon-reload")
            self._systemctl("enable", "--now", TIMER)

    @contextlib.contextmanager
    def _undone(self, fresh: bool) -> Iterator[None]:
        """What was not there before and could not be installed whole is taken away again."""
        try:
            yield
        except BaseException:
            if fresh:
                with contextlib.suppress(OSError):
                    self._unlink()
            raise

    def _remove(self) -> None:
        self.writes += 1
        if self._timer.exists():
            self._systemctl("disable", "--now", TIMER)
        self._unlink()
        self._systemctl("daemon-reload")

    def _unlink(self) -> None:
        for path in (self._timer, self._service, self.places.program):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
                kept(path.parent)
        with contextlib.suppress(OSError):
            self.places.directory.rmdir()

    def _systemctl(self, *words: str) -> None:
        done = self._run(["systemctl", *words], timeout=_SECONDS)
        if done.status != 0:
            said = " ".join(done.errors.split()).rstrip(".") or f"exit code {done.status}"
            raise SubsystemError(f"systemctl {words[0]} said: {said}.", hint="Look at systemctl status.")


def _content(path: Path) -> Optional[bytes]:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as problem:
        raise SubsystemError(
            f"{path} cannot be read: {problem.strerror}.", hint="Become root (become: true)."
        ) from None
