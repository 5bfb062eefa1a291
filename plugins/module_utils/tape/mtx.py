# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A tape library as `mtx` shows and moves it. Source: mtx(1), and outputs recorded with mtx 1.3.12."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.hospital.continuity.plugins.module_utils.command import Completed, Runner, run
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError

# A robot that has to look at every slot first takes minutes.
TIMEOUT = 900.0
_HEAD = re.compile(r"Storage Changer \S+?:(\d+) Drives, (\d+) Slots \( (\d+) Import/Export \)")
_DRIVE = re.compile(r"Data Transfer Element (\d+):(Full|Empty)(?: \(Storage Element (\d+) Loaded\))?(.*)")
_SLOT = re.compile(r"Storage Element (\d+)( IMPORT/EXPORT)?:(Full|Empty)(.*)")
_TAG = re.compile(r"VolumeTag\s*=\s*(.*)")
_CLEANING = re.compile(r"CLN[UV]?\w*")
# (what mtx or the library says, what it means, what to do); the first that fits counts.
_WORDS: tuple[tuple[str, str, str], ...] = (
    ("door open", "the library's door is open", "Close the door and wait until the library is ready."),
    ("not ready", "the library is not ready", "Look at its panel; it may still be counting its tapes. Then run again."),
    ("medium not present", "no tape is there", "Look at the library's panel, then run again."),
    (
        "source element address",
        "the place it should come from is empty",
        "Look at the library's panel, then run again.",
    ),
    ("is empty", "the place it should come from is empty", "Somebody moved it meanwhile; run again."),
    ("already full", "the place it should go to is taken", "Somebody moved a tape meanwhile; run again."),
    ("is full", "the place it should go to is taken", "Somebody moved a tape meanwhile; run again."),
    (
        "prevent",
        "the drive does not let go of its tape",
        "End the backup that uses it (on the guest it is exported to), then run again.",
    ),
    ("reservation conflict", "another initiator has reserved it", "End what uses it, then run again."),
    ("cannot open", "its device cannot be opened", "Become root (become: true), and look at lsscsi -g."),
)


class LibraryError(SubsystemError):
    """The library did not do what it was asked."""


@dataclass(frozen=True)
class Place:
    """A slot or a drive. number: as mtx counts.  barcode: of the tape in it; empty where the tape bears none or none is
    there.  full: whether a tape is there.  home: for a drive, the slot its tape came from (0: not known)."""

    number: int
    full: bool = False
    barcode: str = ""
    import_export: bool = False
    home: int = 0

    @property
    def cleaning(self) -> bool:
        """Whether its tape is one that cleans drives, which is told by its barcode."""
        return bool(_CLEANING.match(self.barcode))


@dataclass(frozen=True)
class Contents:
    """Everything that a library holds, by the number of its place."""

    drives: Mapping[int, Place] = field(default_factory=dict)
    slots: Mapping[int, Place] = field(default_factory=dict)

    @property
    def storage(self) -> tuple[Place, ...]:
        """The slots that tapes stay in."""
        return tuple(place for place in self.slots.values() if not place.import_export)

    @property
    def import_export(self) -> tuple[Place, ...]:
        """The slots that people put tapes in and take them out by."""
        return tuple(place for place in self.slots.values() if place.import_export)


def parse(text: str) -> Contents:
    """What `mtx status` shows. Raises LibraryError where it shows no library."""
    head = _HEAD.search(text)
    if head is None:
        raise LibraryError("What mtx shows is no library's content.", hint="Look at it with mtx status.")
    drives: dict[int, Place] = {}
    slots: dict[int, Place] = {}
    for line in text.splitlines():
        drive, slot = _DRIVE.match(line.strip()), _SLOT.match(line.strip())
        if drive is not None:
            number, full, home, rest = drive.groups()
            drives[int(number)] = Place(int(number), full == "Full", _tag(rest), home=int(home or 0))
        elif slot is not None:
            number, sort, full, rest = slot.groups()
            slots[int(number)] = Place(int(number), full == "Full", _tag(rest), bool(sort))
    if len(drives) != int(head.group(1)) or len(slots) != int(head.group(2)):
        raise LibraryError(
            f"mtx speaks of {head.group(1)} drives and {head.group(2)} slots and shows {len(drives)} and {len(slots)}.",
            hint="Look at it with mtx status.",
        )
    return Contents(drives, slots)


def _tag(text: str) -> str:
    # Barcodes are padded with blanks to their full width.
    found = _TAG.search(text)
    return found.group(1).strip() if found else ""


class Mtx:
    """One library through its generic device (/dev/sgN, looked up at every run)."""

    def __init__(self, device: str, runner: Runner = run) -> None:
        self.device = device
        self.writes = 0
        self._run = runner

    def contents(self) -> Contents:
        return parse(self._asked("status").output)

    def transfer(self, source: int, slot: int) -> None:
        """From one slot to another."""
        self._moved("transfer", source, slot)

    def load(self, slot: int, drive: int) -> None:
        self._moved("load", slot, drive)

    def unload(self, slot: int, drive: int) -> None:
        self._moved("unload", slot, drive)

    def _moved(self, action: str, one: int, other: int) -> None:
        self.writes += 1
        self._asked(action, str(one), str(other))

    def _asked(self, *words: str) -> Completed:
        done = self._run(("mtx", "-f", self.device, *words), timeout=TIMEOUT)
        if done.status != 0:
            raise refused(words, done)
        return done


def refused(words: Sequence[str], done: Completed) -> LibraryError:
    """The error that mtx's end means."""
    text = " ".join(f"{done.errors} {done.output}".split())
    what = f"The library did not {' '.join(words)}"
    for part, means, hint in _WORDS:
        if part in text.lower():
            return LibraryError(f"{what}: {means} (mtx says: {text[:300].rstrip('.')}).", hint=hint)
    said = text[:300].rstrip(".") or f"exit code {done.status}"
    return LibraryError(f"{what}. mtx says: {said}.", hint="Look at the library's panel.")
