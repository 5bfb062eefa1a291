# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""SCST's tree in sysfs: its attributes read and written. Nothing else touches it.

An attribute's last line `[key]` marks what SCST would save, and is no part of the value. EAGAIN from a write is no
failure: the request is queued, and `last_sysfs_mgmt_res` tells what has become of it.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from ansible_collections.hospital.continuity.plugins.module_utils.scst.errors import ScstError, ScstUnavailable

TREE = "/sys/kernel/scst_tgt"
_KEY = "[key]"
_RESULT = "last_sysfs_mgmt_res"
# The kernel's answers for what is not there; the last, for what went away after it was opened.
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ENODEV)
# What SCST answers, in words, and what to do.
_WORDS: dict[int, tuple[str, str]] = {
    errno.EPERM: ("not permitted: the daemon iscsi-scstd is not connected", "Look at systemctl status scst."),
    errno.EACCES: ("permission denied", "Become root (become: true)."),
    errno.ENOENT: ("there is no such thing (any more)", "Somebody changed it meanwhile, run again."),
    errno.EEXIST: ("it exists already", "Somebody changed it meanwhile, run again."),
    errno.EBUSY: ("it is in use: a session is open", "End the session, or allow cut_session."),
    errno.EINVAL: ("it does not accept that", "Look at the kernel's log (dmesg)."),
    errno.ETIMEDOUT: ("it did not answer in time", "Look at the kernel's log (dmesg)."),
}


@dataclass(frozen=True)
class Attribute:
    """value: its text without the mark.  saved: SCST marks it as one to be saved.  readable: False where SCST refuses
    to say (a wedged OutgoingUser)."""

    value: str
    saved: bool = False
    readable: bool = True


def attribute(text: str) -> Attribute:
    """What a file of the tree holds."""
    lines = text.rstrip("\n").split("\n")
    saved = lines[-1] == _KEY
    return Attribute("\n".join(lines[:-1] if saved else lines).rstrip("\n"), saved)


class Sysfs:
    """log: the last line of the kernel's log about an error, if there is one.  patience: seconds a queued request may
    take."""

    def __init__(
        self,
        root: str = TREE,
        *,
        log: Callable[[], str] = lambda: "",
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
        patience: float = 60.0,
    ) -> None:
        self.root = root
        self.writes = 0
        self._log = log
        self._sleep = sleep
        self._now = now
        self._patience = patience

    def path(self, *parts: str) -> Path:
        return Path(self.root, *parts)

    def exists(self, *parts: str) -> bool:
        path = self.path(*parts)
        return path.is_symlink() or path.exists()

    def directories(self, *parts: str) -> list[str]:
        """The names of the directories below one, in order; none where it is not there."""
        return [name for name in self.names(*parts) if self.path(*parts, name).is_dir()]

    def files(self, *parts: str) -> list[str]:
        """The names of what can be both read and written, in order."""
        return [name for name in self.names(*parts) if self._is_setting(*parts, name)]

    def names(self, *parts: str) -> list[str]:
        """What is below a directory, in order; nothing where it is not there."""
        try:
            return sorted(path.name for path in self.path(*parts).iterdir())
        except OSError as problem:
            if problem.errno in _GONE:
                return []
            raise _unreadable(self.path(*parts), problem) from None

    def _is_setting(self, *parts: str) -> bool:
        try:
            mode = self.path(*parts).lstat().st_mode
        except OSError:
            return False
        return stat.S_ISREG(mode) and mode & 0o600 == 0o600

    def link(self, *parts: str) -> str:
        """Where a link leads, as it is written; empty where there is none."""
        try:
            return str(self.path(*parts).readlink())
        except OSError:
            return ""

    def read(self, *parts: str) -> Attribute:
        """An attribute; empty where it is not there (any more), not readable where SCST refuses."""
        try:
            return attribute(self.path(*parts).read_text(encoding="utf-8", errors="backslashreplace"))
        except OSError as problem:
            if problem.errno in _GONE:
                return Attribute("")
            if problem.errno == errno.EINVAL:
                return Attribute("", readable=False)
            raise _unreadable(self.path(*parts), problem) from None

    def write(self, parts: Sequence[str], text: str, *, shown: str = "", gone_is_fine: bool = False) -> None:
        """Write one line and wait until SCST has done it. `shown` replaces the text in messages (secrets).
        Raises ScstError in the user's words."""
        self.writes += 1
        number = self._written(self.path(*parts), f"{text}\n".encode())
        if number == errno.EAGAIN:
            number = self._queued()
        if number == 0 or (gone_is_fine and number in _GONE):
            return
        self._refused(parts, shown or text, number)

    @staticmethod
    def _written(path: Path, data: bytes) -> int:
        try:
            handle = os.open(path, os.O_WRONLY)
            try:
                os.write(handle, data)
            finally:
                os.close(handle)
        except OSError as problem:
            return problem.errno or errno.EIO
        return 0

    def _queued(self) -> int:
        """The errno that a queued request ended with, 0 for none."""
        deadline = self._now() + self._patience
        while self._now() < deadline:
            try:
                number = abs(int(self.path(_RESULT).read_text(encoding="ascii").split("\n")[0] or "0"))
            except (OSError, ValueError) as problem:
                if getattr(problem, "errno", None) != errno.EAGAIN:
                    return errno.EIO
                number = errno.EAGAIN
            if number != errno.EAGAIN:
                return number
            self._sleep(0.1)
        return errno.ETIMEDOUT

    def _refused(self, parts: Sequence[str], text: str, number: int) -> None:
        words, hint = _WORDS.get(number, (os.strerror(number), "Look at the kernel's log (dmesg)."))
        said = self._log() if number in (errno.EINVAL, errno.EPERM, errno.EIO, errno.ETIMEDOUT) else ""
        kernel = f" The kernel's log says: {said.rstrip('.')}." if said else ""
        where = "/".join(parts)
        name = errno.errorcode.get(number, str(number))
        message = f"SCST refused {text!r} for {where}: {words} ({name}).{kernel}"
        raise (ScstUnavailable if number == errno.EPERM else ScstError)(message, hint=hint, number=number)


def _unreadable(path: Path, problem: OSError) -> ScstError:
    words, hint = _WORDS.get(
        problem.errno or 0, (problem.strerror or str(problem), "Look at the kernel's log (dmesg).")
    )
    return ScstError(f"{path} cannot be read: {words}.", hint=hint, number=problem.errno or 0)
