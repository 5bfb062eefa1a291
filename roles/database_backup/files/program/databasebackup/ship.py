# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The writer's binary logs, as they are written, to this host. Run by systemd.

The server's own program receives them. Here is decided where it begins, and noticed when another server has become the
writer, when nothing comes any more, and when a log is whole.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Optional

from databasebackup import backups, events, logs, records, room
from databasebackup.logs import Session, Stored
from databasebackup.positions import Position, within
from databasebackup.processes import die_with_us, environment, last_words, run
from databasebackup.prune import Kept, logs_going
from databasebackup.settings import MARIADB, Places, Refused, Settings
from databasebackup.sql import Server

STATE = "ship.json"
# Enough for the two events at the beginning of a log, the second of which says what was before.
_HEAD = 300
_RETRY = 5.0
_CLOCKS = 3600


class Shipper:
    """Until it is told to end."""

    def __init__(self, settings: Settings, places: Places) -> None:
        self.settings, self.places = settings, places
        self.writer = Server.by_file(settings, places.ship_login)
        self.ending = False
        self.child: Optional[subprocess.Popen[bytes]] = None
        self.state: dict[str, Any] = {"server": None, "session": None, "until": 0, "error": None}

    def end(self, *_signal: object) -> None:
        self.ending = True
        if self.child is not None and self.child.poll() is None:
            self.child.terminate()

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self.end)
        signal.signal(signal.SIGINT, self.end)
        self.state.update(records.read(self.places.var / STATE))
        with records.alone(self.places.run / "ship.lock", "shipping of binary logs"):
            while not self.ending:
                try:
                    self._session()
                except (Refused, OSError) as problem:
                    self._tell(str(problem))
                self._sleep(min(_RETRY, self.settings.ship_poll))

    def _tell(self, error: Optional[str], **facts: Any) -> None:
        if error and error != self.state["error"]:
            sys.stderr.write(f"{error}\n")
            sys.stderr.flush()
        self.state.update(facts, error=error, at=backups.now())
        try:
            records.write(self.places.var / STATE, self.state)
        except OSError:
            sys.stderr.write(f"{self.places.var / STATE} cannot be written.\n")

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self.ending and time.monotonic() < until:
            time.sleep(0.1)

    # -- one connection ----------------------------------------------------------------------------------------------

    def _session(self) -> None:
        room.prepare(self.settings)
        room.require(self.settings.directory, self.settings.minimum_free)
        identity, version = self.writer.identity()
        self._tidy()
        first = self._first()
        name = f"{backups.stamp(backups.now())}-{identity}"
        session = Session(self.settings.logs / name)
        if session.path.exists():
            self._sleep(1)
            return
        session.path.mkdir(mode=0o700)
        session.remember(server=identity, version=version, began=backups.now(), until=0)
        with tempfile.TemporaryFile() as errors:
            self.child = subprocess.Popen(
                self._words(session.path, first, "--stop-never", self._id()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=environment(),
                preexec_fn=die_with_us,
            )
            try:
                self._follow(session, identity, self.child)
            finally:
                if self.child.poll() is None:
                    self.child.terminate()
                code = self.child.wait()
                errors.seek(0)
                said = last_words(errors.read())
        if not self.ending and code > 0:
            raise Refused(f"The logs of server {identity} do not come any more: {said or f'exit code {code}'}")

    def _id(self) -> str:
        name = "stop-never-slave-server-id" if self.settings.dialect == MARIADB else "connection-server-id"
        return f"--{name}={self.settings.dump_id}"

    def _words(self, folder: Path, log: str, *more: str) -> list[str]:
        words = [*self.settings.programs["binlog"], *self.writer.login, "--read-from-remote-server", "--raw", *more]
        return [*words, f"--result-file={folder}/", log]

    def _remote(self) -> list[tuple[str, int]]:
        rows = self.writer.rows("SHOW BINARY LOGS", timeout=20)
        if not rows:
            raise Refused("The writer keeps no binary log (log_bin).")
        return [(row["Log_name"], int(row["File_size"])) for row in rows]

    def _first(self) -> str:
        """The newest log before which nothing is that we lack; the oldest where there is none such."""
        names = [name for name, _size in self._remote()]
        have = self._have()
        if have is None:
            return names[0]
        for name in reversed(names):
            previous = self._previous(name)
            if previous is not None and within(previous, have):
                return name
        return names[0]

    def _have(self) -> Optional[Position]:
        for session in reversed(logs.sessions(self.settings)):
            for one in reversed(session.stored()):
                found = logs.summary(self.settings, one)
                if found is not None:
                    return found.contained
        return None

    def _previous(self, name: str) -> Optional[Position]:
        with tempfile.TemporaryDirectory(dir=self.settings.directory, prefix=".head-") as folder:
            run(self._words(Path(folder), name, f"--stop-position={_HEAD}"), timeout=60)
            found = events.summary(Path(folder) / name, self.settings.dialect)
            return found.previous if found.known else None

    def _follow(self, session: Session, identity: str, child: subprocess.Popen[bytes]) -> None:
        while not self.ending and child.poll() is None:
            asked = backups.now()
            try:
                now_writing, _version = self.writer.identity()
                if now_writing != identity:
                    self._tell(None, server=now_writing)
                    return
                name, size = self._remote()[-1]
            except Refused as problem:
                self._tell(f"The writer does not answer: {problem}")
                self._sleep(self.settings.ship_poll)
                continue
            here = session.path / name
            missing = size - here.stat().st_size if here.exists() else size
            if missing <= 0:
                session.remember(until=asked)
            error = self._whole(session, name) or self._earlier(session)
            facts = {"until": asked} if missing <= 0 else {}
            self._tell(error, server=identity, session=session.name, log=name, missing_bytes=max(0, missing), **facts)
            self._expired()
            self._sleep(self.settings.ship_poll)

    # -- what is kept ------------------------------------------------------------------------------------------------

    def _whole(self, session: Session, growing: str) -> Optional[str]:
        """Seal the logs that do not grow any more; what went wrong with one."""
        stored = session.stored()
        for one in stored[:-1]:
            if one.plain is not None and one.name != growing:
                try:
                    logs.seal(self.settings, self.places, session, one)
                except (Refused, OSError) as problem:
                    return f"The log {one.name} is kept as it came: {problem}"
        return None

    def _tidy(self) -> None:
        """Sessions that brought nothing, and heads that a killed run left."""
        for path in self.settings.directory.glob(".head-*"):
            shutil.rmtree(path, ignore_errors=True)
        for session in logs.sessions(self.settings):
            if not any(logs.summary(self.settings, one) for one in session.stored()):
                logs.forget(session)

    def _earlier(self, session: Session) -> Optional[str]:
        """What a killed run left plain is sealed. The last log of a session was cut off: it goes when the same log is
        here further. What went wrong with one."""
        mine = session.stored()
        for before in logs.sessions(self.settings) if mine else []:
            stored = before.stored()
            if before.name >= session.name or not stored:
                continue
            try:
                for one in stored[:-1]:
                    logs.seal(self.settings, self.places, before, one)
                if stored[-1].plain is not None:
                    self._superseded(before, stored[-1], session, mine)
            except (Refused, OSError) as problem:
                return f"A log of {before.name} is kept as it came: {problem}"
        return None

    def _superseded(self, before: Session, last: Stored, session: Session, mine: list[Stored]) -> None:
        again = next((one for one in mine if one.name == last.name and one.plain is not None), None)
        same = before.record.get("server") == session.record.get("server")
        if last.plain is None or again is None or again.plain is None or not same:
            logs.seal(self.settings, self.places, before, last)
        elif _continues(last.plain, again.plain):
            logs.remove(before, last)
            if not before.stored():
                logs.forget(before)
        elif again.plain.stat().st_size >= last.plain.stat().st_size:
            logs.seal(self.settings, self.places, before, last)

    def _expired(self) -> None:
        # A replica that was dumped may have been behind, and clocks differ.
        early = self.settings.max_lag + _CLOCKS
        those = [Kept(one.name, one.taken - early, one.verified) for one in backups.listed(self.settings)]
        found = logs.sessions(self.settings)
        ages = []
        where = {}
        for session in found:
            for one in session.stored():
                if one.facts and one.plain is None:
                    key = f"{session.name}/{one.name}"
                    where[key] = (session, one)
                    ages.append((key, float(one.facts["last_time"] or one.facts["received"])))
        for key in logs_going(ages, those, self.settings.log_days, backups.now()):
            logs.remove(*where[key])
        for session in found[:-1]:
            if not session.stored():
                logs.forget(session)


def _continues(old: Path, new: Path) -> bool:
    """Whether the one is the beginning of the other. The flags of its first event say whether the log was open."""
    size = old.stat().st_size
    if new.stat().st_size < size:
        return False
    with old.open("rb") as one, new.open("rb") as other:
        heads = one.read(23), other.read(23)
        if heads[0][:21] != heads[1][:21]:
            return False
        left = size - 23
        while left > 0:
            piece = min(left, 1 << 20)
            if one.read(piece) != other.read(piece):
                return False
            left -= piece
    return True


def ship(settings: Settings, places: Places) -> None:
    Shipper(settings, places).run()
