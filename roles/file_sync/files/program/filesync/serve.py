# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The receiver's side: the forced command of each peer's key. It knows three words, and nothing else is run."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import syslog
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from types import FrameType

from filesync import records
from filesync.generation import Held, files_after_claim, refusal
from filesync.remote import CLAIM, GENERATION, RECEIVE, Refused, refused_line
from filesync.settings import PARTIAL, Places, Settings, Unusable, load
from filesync.source import Unsound, check_target

# Short options in one word, and after `e.` what the client's rsync can. No `s`: it would bring arguments past us.
_SHORT = re.compile(r"-[AEHIODSWXacdglnoprtuvxyz]+(e[0-9.]*\.[A-Za-z]*)?\Z")
_LONG = re.compile(
    r"--(server|delete(-before|-during|-delay|-after)?|force|numeric-ids|stats|max-delete=\d+|timeout=\d+|bwlimit=[\d.]+[KMG]?"
    r"|delay-updates|fsync|recursive|compress|compress-level=\d+|new-compress|old-compress|compress-choice=\w+|checksum-choice=\w+"
    r"|modify-window=-?\d+|no-r|no-W|sparse|preallocate|whole-file)\Z"
)


def server_words(words: Sequence[str], settings: Settings) -> list[str]:
    """The command of the receiving rsync: the options that the sender's asked for, if each is harmless, and the set's
    own directory whatever it named. Raises Refused."""
    options = list(words)
    if not options or options[0] != "--server" or "." not in options:
        raise Refused("only a receiving rsync is run here")
    options = options[: options.index(".")]
    kept: list[str] = []
    while options:
        word = options.pop(0)
        if word == "--partial-dir":
            if not options or options.pop(0) != PARTIAL:
                raise Refused("another directory for what is unfinished is not taken")
            kept += [word, PARTIAL]
        elif _SHORT.match(word) or _LONG.match(word):
            kept.append(word)
        else:
            raise Refused(f"rsync's option {word} is not taken")
    if any(word.startswith("--delete") for word in kept) and not any(word.startswith("--max-delete=") for word in kept):
        raise Refused("deletions without a limit are not taken")
    return ["rsync", *kept, ".", f"{settings.path}/"]


def serve(places: Places, peer: str, command: str) -> int:
    """command: what the peer asked for. Answers on standard output, refuses on standard error."""
    syslog.openlog("file_sync", syslog.LOG_PID, syslog.LOG_DAEMON)
    try:
        words = shlex.split(command)
        if len(words) < 2:
            raise Refused(f"{peer} may only send the files of a set")
        settings = load(places, words[1])
        if peer not in settings.peers:
            raise Refused(f"{peer} is no member of the set {settings.name} on {settings.me}")
        return _answer(places, settings, peer, words)
    except (Refused, Unusable, Unsound, ValueError) as problem:
        newer = problem.newer if isinstance(problem, Refused) else None
        sys.stderr.write(refused_line(str(problem), newer))
        syslog.syslog(syslog.LOG_WARNING, f"{peer} refused: {problem}")
        return 1


def _answer(places: Places, settings: Settings, peer: str, words: Sequence[str]) -> int:
    if words[0] == GENERATION and len(words) == 2:
        state = records.state_of(places, settings.name)
        about = records.holder_of(records.side_path(places, settings.name))
        writing = about.get("what") == records.WRITER
        answer = {"generation": state.held.generation, "holder": state.held.holder, "writing": writing}
        sys.stdout.write(json.dumps(answer) + "\n")
        return 0
    if words[0] == CLAIM and len(words) == 4:
        claim(places, settings, Held(int(words[2]), peer), base=int(words[3]))
        sys.stdout.write("{}\n")
        return 0
    if words[0] == RECEIVE and len(words) > 5 and words[3] in ("full", "part"):
        return receive(
            places,
            settings,
            Held(int(words[2]), peer),
            full=words[3] == "full",
            until=float(words[4]),
            argv=server_words(words[5:], settings),
        )
    raise Refused(f"{peer} may only send the files of a set")


def refuse_if_writing(places: Places, settings: Settings) -> None:
    about = records.holder_of(records.side_path(places, settings.name))
    if about.get("what") == records.WRITER:
        raise _writes_itself(places, settings)


def _writes_itself(places: Places, settings: Settings) -> Refused:
    held = records.state_of(places, settings.name).held
    return Refused(
        f"{settings.me} writes the set {settings.name} itself with generation {held.generation}: nothing is taken from "
        f"others. Where it should not, stop file_sync@{settings.name} there."
    )


def claim(places: Places, settings: Settings, presented: Held, *, base: int) -> None:
    """A side begins to write. base: the highest generation it had heard of. Raises Refused."""
    refuse_if_writing(places, settings)
    with records.changing(places, settings.name) as changing:
        state = changing.state
        if why := refusal(state.held, presented):
            raise Refused(f"{settings.me}: {why}", state.held)
        files = files_after_claim(state.files, base, presented.generation)
        changing.put(replace(state, held=presented, files=files))


def receive(
    places: Places, settings: Settings, presented: Held, *, full: bool, until: float, argv: Sequence[str]
) -> int:
    """rsync's exit code. Raises Refused and Unsound."""
    with suppress(PermissionError):  # the leader of a session is one of its group already
        os.setpgid(0, 0)
    _let_in(places, settings, presented)
    about = {"what": records.RECEIVER, "from": presented.holder, "generation": presented.generation}
    try:
        with records.the_side(places, settings.name, about):
            # Again: until now another one may have come.
            _let_in(places, settings, presented)
            check_target(settings)
            code = _run(argv)
            with records.changing(places, settings.name) as changing:
                state = changing.state
                error = "" if code in (0, 24) else f"rsync from {presented.holder} ended with {code}"
                good = code == 0 and state.held == presented
                files = presented.generation if good and full else state.files
                delivered = max(state.delivered, until) if good else state.delivered
                changing.put(replace(state, files=files, delivered=delivered, error=error))
            return code
    except records.Busy as busy:
        if busy.by.get("what") in (records.WRITER, "starting"):
            raise _writes_itself(places, settings) from None
        raise Refused(f"another transfer to {settings.me} does not end") from None


def _let_in(places: Places, settings: Settings, presented: Held) -> None:
    state = records.state_of(places, settings.name)
    if why := refusal(state.held, presented):
        raise Refused(f"{settings.me}: {why}", state.held)
    refuse_if_writing(places, settings)
    if presented != state.held:
        with records.changing(places, settings.name) as changing:
            if why := refusal(changing.state.held, presented):
                raise Refused(f"{settings.me}: {why}", changing.state.held)
            changing.put(replace(changing.state, held=presented))


def _run(argv: Sequence[str]) -> int:
    """rsync ends before this program does, whatever ends it."""
    running = subprocess.Popen(argv)

    def end(_number: int, _frame: FrameType | None) -> None:
        running.kill()

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, end)
    return running.wait()
