# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A copy of another MariaDB server's files, by mariadb-backup, made beside this server's own and exchanged with them.

Until the exchange this server goes on with what it has. What was exchanged is put back when the server does not start
with the copy, and removed only when it is complete. Everything is below the data directory, so that nothing is copied
twice, and no other file system gets full.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ansible_collections.hospital.continuity.plugins.module_utils.command import Completed, Runner, run
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.errors import MysqlError
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.transfer import transfer

# What a server's administrator keeps there.
_KEPT = (".pem", ".crt", ".key", ".cnf", ".flag")
# Where mariadb-backup notes the position; the name changed with 11.1.
_POSITIONS = ("mariadb_backup_binlog_info", "xtrabackup_binlog_info")
_NO_DATA = ("mariadb_backup_", "xtrabackup_", "backup-my.cnf")
# Without its accounts no server starts on half of an exchange.
_ACCOUNTS = "mysql"
_A_DAY = 86400.0
_STOPPING = 120.0
_PAUSE = 0.2


class PhysicalCopy:
    """data: the server's data directory.  place: a folder in it that is nobody's.  kept: names there that stay."""

    def __init__(self, data: Path, place: Path, *, kept: Sequence[str] = (), runner: Runner = run) -> None:
        self.data, self.new, self.old = data, place / "new", place / "old"
        self._place, self._run = place, runner
        self._stays = {place.name, "lost+found", *kept}
        self._moved: list[tuple[Path, Path]] = []

    def fetch(self, backup: Sequence[str]) -> str:
        """Get it and make it ready; returns the GTID position. backup: the command that runs mariadb-backup at the
        other server. Raises MysqlError, and then nothing is left of it."""
        with _as_error("The copy could not be made"):
            self.forget()
            self._place.mkdir(mode=0o700)
            self.new.mkdir(mode=0o700)
        try:
            done = transfer([*backup, "--backup", "--stream=mbstream"], ["mbstream", "-x", "-C", str(self.new)])
            if done.sender.status or done.receiver.status or done.stalled:
                raise _failed(done.sender, done.receiver)
            prepared = self._run(("mariadb-backup", "--prepare", f"--target-dir={self.new}"), timeout=_A_DAY)
            if prepared.status:
                raise MysqlError(f"mariadb-backup could not make the copy ready: {_last_words(prepared)}.")
            with _as_error("The copy could not be made"):
                position = self._position()
                self._give_away()
        except BaseException:
            self.forget()
            raise
        return position

    def exchange(self) -> None:
        """Put the copy in the place of the old files; the server is stopped. Raises MysqlError, and then nothing was
        exchanged."""
        with _as_error("The old data could not be exchanged for the copy"):
            self._await_stopped()
            self.old.mkdir(mode=0o700)
            try:
                for name in sorted(self._files(), key=lambda name: name != _ACCOUNTS):
                    self._move(self.data / name, self.old / name)
                for name in sorted(_names(self.new), key=lambda name: name == _ACCOUNTS):
                    if not name.startswith(_NO_DATA):
                        self._move(self.new / name, self.data / name)
            except OSError:
                self._put_back()
                raise

    def revert(self) -> None:
        """The server is stopped, and gets what it had, where that was exchanged."""
        if not self._moved:
            return
        with _as_error(f"The old data, which is in {self.old}, could not be put back"):
            self._await_stopped()
            came = {there.name for here, there in self._moved if here.parent == self.new}
            for name in self._files():
                if name not in came:
                    # What the server made while it tried to start.
                    (self.data / name).rename(self.new / f"made-{name}")
            self._put_back()

    def forget(self) -> None:
        """Remove the copy, or the old files, whatever is left of them."""
        shutil.rmtree(self._place, ignore_errors=True)
        self._moved = []

    # -- files ------------------------------------------------------------------------------------------------------

    def _files(self) -> list[str]:
        """What the exchange is about."""
        return [
            name
            for name in _names(self.data)
            if name not in self._stays and not name.startswith(".") and not name.endswith(_KEPT)
        ]

    def _move(self, here: Path, there: Path) -> None:
        here.rename(there)
        self._moved.append((here, there))

    def _put_back(self) -> None:
        while self._moved:
            here, there = self._moved[-1]
            there.rename(here)
            self._moved.pop()

    def _give_away(self) -> None:
        """To whom the data directory belongs."""
        owner = self.data.stat()
        os.chown(self.new, owner.st_uid, owner.st_gid)
        for folder, folders, files in os.walk(self.new):
            for name in (*folders, *files):
                os.chown(Path(folder, name), owner.st_uid, owner.st_gid, follow_symlinks=False)

    def _position(self) -> str:
        """The third word: FILE, POSITION, GTIDS."""
        for name in _POSITIONS:
            path = self.new / name
            if path.exists():
                words = path.read_text(encoding="utf-8").split()
                return words[2] if len(words) > 2 else ""
        raise MysqlError(
            "The copy does not tell its position in the donor's binary log.", hint="Look whether log_bin is on there."
        )

    def _await_stopped(self) -> None:
        """A server holds a lock on its first file until its very end, long after it answers nobody any more."""
        path = self.data / "ibdata1"
        deadline = time.monotonic() + _STOPPING
        while path.exists():
            with path.open("r+b") as stream:
                try:
                    fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    if time.monotonic() > deadline:
                        raise MysqlError(
                            f"Something still uses {path}, {_STOPPING:.0f} s after the server was stopped.",
                            hint="Look whether stop_command stops this server, and waits for its end.",
                        ) from None
                else:
                    return
            time.sleep(_PAUSE)


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@contextlib.contextmanager
def _as_error(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise MysqlError(
            f"{what}: {problem.strerror or problem}: {problem.filename}.", hint="The module has to run as root."
        ) from None


def _failed(sender: Completed, receiver: Completed) -> MysqlError:
    broken = sender if sender.status else receiver
    side = "the donor's mariadb-backup" if sender.status else "mbstream here"
    return MysqlError(
        f"The copy did not arrive: {side} says: {_last_words(broken)}.",
        hint="Nothing was changed here. Try backup_command by hand, with --backup --stream=mbstream.",
    )


def _last_words(done: Completed) -> str:
    lines = [line.strip() for line in done.errors.splitlines() if line.strip()]
    wrong = [line for line in lines if "rror" in line or "FATAL" in line] or lines or [f"exit code {done.status}"]
    return "; ".join(wrong[-3:])[-600:].rstrip(".")
