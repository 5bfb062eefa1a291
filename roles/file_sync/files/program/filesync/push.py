# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Files to one receiver, once: what lsyncd calls in place of rsync."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from filesync import records
from filesync.generation import Held
from filesync.remote import RECEIVE, last_words, refusal_in, ssh
from filesync.settings import HIDDEN, PARTIAL, Places, Settings
from filesync.source import Unsound, check_source

# What lsyncd makes of rsync's exit codes: done, again after the delay, and end.
DONE, AGAIN, END = 0, 12, 1
_TOO_MANY_DELETIONS = 25
_WINDOW = 60.0
_DELETED = re.compile(r"^Number of deleted files: ([0-9,.]+)", re.MULTILINE)
_LIST_OF_FILES = "--include-from=-"


@dataclass(frozen=True)
class Delivery:
    """What is known of one receiver. delivered: everything until then has arrived, in seconds since the epoch.
    deletions: (time, number) of the last minute. halted: too many were wanted, and none is made until consent."""

    delivered: float = 0.0
    error: str = ""
    deletions: tuple[tuple[float, int], ...] = ()
    halted: bool = False

    def recent(self, now: float) -> int:
        return sum(number for when, number in self.deletions if when > now - _WINDOW)


def delivery_to(places: Places, name: str, receiver: str) -> Delivery:
    """As it was remembered."""
    data = records.read(records.receiver_path(places, name, receiver))
    return Delivery(
        float(data.get("delivered", 0)),
        str(data.get("error", "")),
        tuple((float(when), int(number)) for when, number in data.get("deletions", [])),
        bool(data.get("halted", False)),
    )


def rsync_words(
    places: Places,
    settings: Settings,
    receiver: str,
    delivery: Delivery,
    *,
    words: Sequence[str],
    listed: bool,
    now: float,
) -> list[str]:
    """The command. words: for the receiver's program. listed: the files' names come on standard input."""
    left = max(0, settings.max_delete - delivery.recent(now))
    return [
        "rsync",
        *settings.options,
        "--recursive",
        *([] if delivery.halted else ["--delete", "--force", f"--max-delete={left}"]),
        f"--partial-dir={PARTIAL}",
        f"--timeout={settings.timeout}",
        "--stats",
        f"--rsh={' '.join(ssh(places))}",
        f"--rsync-path={' '.join(words)}",
        f"--include=/{HIDDEN}/***",
        *(f"--exclude={pattern}" for pattern in settings.exclude),
        *(["--from0", _LIST_OF_FILES, "--exclude=*"] if listed else []),
        f"{settings.path}/",
        f"{receiver}:{settings.path}/",
    ]


def push(places: Places, settings: Settings, receiver: str, names: bytes | None = None) -> int:
    """names: filter rules with NUL between them, as lsyncd gives them; without them everything is compared.
    Returns DONE, AGAIN or END."""
    with records.locked(places.run / f"{settings.name}.to-{receiver}", {"what": "push"}, wait=True):
        before = delivery_to(places, settings.name, receiver)
        code, after = _pushed(places, settings, receiver, names, before)
        if after.error and after.error != before.error:
            say(f"{settings.name}: {receiver}: {after.error}", bad=True)
        elif before.error and not after.error:
            say(f"{settings.name}: {receiver}: well again")
        if after != before:
            records.write_durably(records.receiver_path(places, settings.name, receiver), asdict(after))
    return code


def _pushed(
    places: Places, settings: Settings, receiver: str, names: bytes | None, before: Delivery
) -> tuple[int, Delivery]:
    held = records.state_of(places, settings.name).held
    if held.holder != settings.me:
        return END, replace(before, error=stopped_by(held))
    try:
        check_source(settings)
    except Unsound as unsound:
        return (END if unsound.unmounted else AGAIN), replace(before, error=str(unsound))
    # Before anything is looked at: what was there then will have arrived.
    until = _until(settings, names)
    waits = before.halted and names is None
    consented = waits and records.take_consent(places, settings.name, deletions_on(receiver))
    if consented:
        before = replace(before, halted=False, deletions=())
        settings = replace(settings, max_delete=2**31 - 1)
    now = time.time()
    kind = "full" if names is None else "part"
    words = [RECEIVE, settings.name, str(held.generation), kind, f"{until:.3f}"]
    argv = rsync_words(places, settings, receiver, before, words=words, listed=names is not None, now=now)
    rules = b"\0".join(rule(name) for name in names.split(b"\0")) if names else b""
    done = subprocess.run(argv, input=rules, capture_output=True, check=False)
    said = done.stderr.decode(errors="replace")
    if refused := refusal_in(said):
        return _refused(places, settings, refused.newer, before, str(refused))
    deletions = tuple(entry for entry in before.deletions if entry[0] > now - _WINDOW)
    number = _deleted(done.stdout.decode(errors="replace"))
    if number and not consented:
        deletions += ((now, number),)
    after = replace(before, deletions=deletions)
    if done.returncode == _TOO_MANY_DELETIONS:
        after = replace(after, halted=True, delivered=max(before.delivered, until))
        return DONE, replace(after, error=_halted(settings, receiver))
    if done.returncode in (0, 24):  # 24: files vanished while they were read; their events follow
        error = _halted(settings, receiver) if before.halted else ""
        return DONE, replace(after, error=error, delivered=max(before.delivered, until))
    error = f"rsync ended with {done.returncode}: {last_words(said)}"
    # 23: some files could not be sent. The rest was; the next full comparison tries again.
    return (DONE if done.returncode == 23 else AGAIN), replace(after, error=error)


def _refused(
    places: Places, settings: Settings, newer: Held | None, before: Delivery, message: str
) -> tuple[int, Delivery]:
    if newer is None:
        return AGAIN, replace(before, error=message)
    with records.changing(places, settings.name) as changing:
        state = changing.state
        if newer.generation >= state.held.generation:
            changing.put(replace(state, held=newer))
    return END, replace(before, error=stopped_by(newer))


def deletions_on(receiver: str) -> str:
    """The word of consent for one receiver."""
    return f"{records.DELETIONS}-{receiver}"


def stopped_by(held: Held) -> str:
    """Why this side does not write any more."""
    return f"{held.holder or 'nobody'} holds generation {held.generation}, which is newer: this side writes no more."


def _halted(settings: Settings, receiver: str) -> str:
    return (
        f"More than {settings.max_delete} files were to be deleted within a minute. Nothing more is deleted on "
        f"{receiver} until `file_sync allow {settings.name} deletions` is run here; all else is still sent."
    )


def _until(settings: Settings, names: bytes | None) -> float:
    """The time of the heartbeat, if it is in this push; events that came before it are as well, or have been."""
    if names is not None and f"/{HIDDEN}/heartbeat".encode() not in names.split(b"\0"):
        return 0.0
    try:
        return float(settings.heartbeat_file.read_text())
    except (OSError, ValueError):
        return 0.0


def rule(name: bytes) -> bytes:
    """rsync's rule for a path as lsyncd wrote it. lsyncd puts a backslash before each special character and not before
    a backslash, which rsync takes for one in a rule with special characters. A directory that is gone ends in /***."""
    suffix = b"***" if name.endswith(b"/***") else b""
    path = re.sub(rb"\\([\]\[*?])", rb"\1", name[: len(name) - len(suffix)])
    if suffix or re.search(rb"[\[*?]", path):
        path = re.sub(rb"([\]\[*?\\])", rb"\\\1", path)
    return path + suffix


def _deleted(stats: str) -> int:
    found = _DELETED.search(stats)
    return int(re.sub(r"[,.]", "", found[1])) if found else 0


def say(message: str, *, bad: bool = False) -> None:
    """To the journal, with a priority. sd-daemon(3)."""
    sys.stderr.write(f"<{3 if bad else 6}>file_sync {message}\n")
    sys.stderr.flush()


def from_lsyncd(words: Sequence[str]) -> tuple[str, str, bool]:
    """(receiver, set, whether names follow on standard input) of the command that lsyncd would have given to rsync."""
    receiver, _colon, name = words[-1].rstrip("/").rpartition("/")[2].partition(":")
    return receiver, name, _LIST_OF_FILES in words
