# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The service of a set on the side that writes, from the claim of a generation to its stop or a newer one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any

from filesync import lsyncd, records
from filesync.generation import Held, newest, older_files
from filesync.push import deletions_on, say, stopped_by
from filesync.remote import CLAIM, GENERATION, Away, Refused, ask
from filesync.settings import Places, Settings, Unusable, load
from filesync.source import Unsound, check_source

_POLL = 0.25


class Stopped(Exception):
    """The service must not go on."""


def run(places: Places, name: str) -> int:
    """The exit code: 0 when it was asked to stop, 1 when it stopped by itself, which is told and remembered."""
    try:
        _serve(places, load(places, name))
    except (Stopped, Unusable, Unsound) as problem:
        say(f"{name}: {problem}", bad=True)
        notify(f"STATUS={problem}")
        with suppress(Unusable, OSError):
            _remember(places, name, str(problem))
        return 1
    return 0


def _remember(places: Places, name: str, error: str) -> None:
    path = places.var / name / "service.json"
    if records.read(path).get("error", "") != error:
        records.write_durably(path, {"error": error})


def _serve(places: Places, settings: Settings) -> None:
    try:
        with records.the_side(places, settings.name, {"what": "starting"}) as lock:
            check_source(settings)
            held = take_generation(places, settings)
            lock.tell({"what": records.WRITER, "generation": held.generation})
            _remember(places, settings.name, "")
            Writing(places, settings, held).until_stopped()
    except records.Busy:
        raise Stopped(f"another service of the set {settings.name} runs on {settings.me}") from None


def take_generation(places: Places, settings: Settings) -> Held:
    """The highest of all that can be reached and one more, claimed at each of them. Raises Stopped."""
    state = records.state_of(places, settings.name)
    answers = _of_all(places, settings, GENERATION, settings.name)
    for peer, answer in answers.items():
        if answer.get("writing"):
            raise Stopped(
                f"{peer} writes the set {settings.name}, with generation {answer['generation']}. "
                f"Stop file_sync@{settings.name} there first; nothing was touched."
            )
    others = [Held(int(answer["generation"]), str(answer["holder"])) for answer in answers.values()]
    highest = newest(state.held, others)
    why = older_files(state.files, highest, settings.me, settings.origin)
    if why and not records.take_consent(places, settings.name, records.OLDER_FILES):
        raise Stopped(
            f"{why}. Have it written elsewhere, so that this side receives; or, if the files here shall count, "
            f"run `file_sync allow {settings.name} older_files` here and start again. Nothing was touched."
        )
    held = Held(highest.generation + 1, settings.me)
    with records.changing(places, settings.name) as changing:
        changing.put(replace(changing.state, held=held, files=held.generation, error=""))
    words = (CLAIM, settings.name, str(held.generation), str(highest.generation))
    try:
        _of_all(places, settings, *words, peers=tuple(answers))
    except Stopped:
        with records.changing(places, settings.name) as changing:
            changing.put(replace(changing.state, files=state.files))
        raise
    say(
        f"{settings.name}: {settings.me} writes, with generation {held.generation}; it reaches "
        f"{', '.join(answers) or 'nobody yet'}"
    )
    return held


def _of_all(
    places: Places, settings: Settings, *words: str, peers: tuple[str, ...] | None = None
) -> Mapping[str, Mapping[str, Any]]:
    """The answers of those that can be reached. Raises Stopped when one refuses since another side is newer."""
    asked = settings.peers if peers is None else peers

    def one(peer: str) -> Mapping[str, Any] | None:
        try:
            return ask(places, peer, *words)
        except Away as away:
            say(f"{settings.name}: {away}", bad=True)
        except Refused as refused:
            if words[0] == CLAIM:
                raise Stopped(str(refused)) from None
            say(f"{settings.name}: {peer} refuses: {refused}", bad=True)
        return None

    with ThreadPoolExecutor(max(1, len(asked))) as pool:
        answers = zip(asked, list(pool.map(one, asked)))
    return {peer: answer for peer, answer in answers if answer is not None}


@dataclass
class Writing:
    places: Places
    settings: Settings
    held: Held
    stop: bool = False
    reload: bool = False
    pushes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def until_stopped(self) -> None:
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGHUP, self._reload)
        self._beat()
        watcher = self._watch()
        notify(f"READY=1\nSTATUS=Writes with generation {self.held.generation}.")
        began = beaten = compared = time.monotonic()
        try:
            while not self.stop:
                time.sleep(_POLL)
                now = time.monotonic()
                self._still_held()
                if watcher.poll() is not None:
                    # A push that was refused ends lsyncd; who holds the newer generation is remembered by it.
                    self._still_held()
                    check_source(self.settings)
                    raise Stopped(f"lsyncd ended with {watcher.returncode}, {now - began:.0f} s after its start")
                if self.reload:
                    self.reload = False
                    self.settings = load(self.places, self.settings.name)
                    _end(watcher)
                    watcher, began = self._watch(), now
                if now - beaten >= self.settings.heartbeat:
                    beaten = now
                    self._beat()
                due = now - compared >= self.settings.reconcile
                compared = now if due else compared
                self._compare(due)
        finally:
            _end(watcher)
            for push in self.pushes.values():
                _end(push)
        self._flush()

    def _still_held(self) -> None:
        held = records.state_of(self.places, self.settings.name).held
        if held != self.held:
            raise Stopped(stopped_by(held))

    def _watch(self) -> subprocess.Popen[bytes]:
        path = self.places.run / f"{self.settings.name}.lua"
        path.write_text(lsyncd.configuration(self.places, self.settings))
        return subprocess.Popen(["/usr/bin/lsyncd", "-log", "scarce", str(path)], stdin=subprocess.DEVNULL)

    def _beat(self) -> None:
        """In place, of one length: whoever reads it finds a time."""
        try:
            check_source(self.settings)
        except Unsound as unsound:
            if unsound.unmounted:
                raise
            _remember(self.places, self.settings.name, str(unsound))
            return
        _remember(self.places, self.settings.name, "")
        descriptor = os.open(self.settings.heartbeat_file, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            os.pwrite(descriptor, f"{time.time():.3f}\n".encode(), 0)
        finally:
            os.close(descriptor)

    def _compare(self, due: bool) -> None:
        for peer in self.settings.peers:
            running = self.pushes.get(peer)
            if running and running.poll() is None:
                continue
            self.pushes.pop(peer, None)
            consent = records.consent_path(self.places, self.settings.name, deletions_on(peer))
            if due or consent.exists():
                self.pushes[peer] = self._push(peer)

    def _push(self, peer: str) -> subprocess.Popen[bytes]:
        argv = [str(self.places.push_program), f"{peer}:{self.settings.name}"]
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL)

    def _flush(self) -> None:
        """What was written last is taken along by those that can be reached, within the time for it."""
        with suppress(Unsound):
            self._beat()
        deadline = time.monotonic() + self.settings.flush
        pushes = {peer: self._push(peer) for peer in self.settings.peers}
        for peer, push in pushes.items():
            try:
                code = push.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                code = -1
                _end(push)
            if code:
                say(f"{self.settings.name}: stopped, and {peer} may lack the last changes", bad=True)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stop = True

    def _reload(self, _number: int, _frame: FrameType | None) -> None:
        self.reload = True


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def notify(text: str) -> None:
    """sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel, suppress(OSError):
            channel.connect("\0" + address[1:] if address.startswith("@") else address)
            channel.send(text.encode())
