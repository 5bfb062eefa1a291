# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The program that undoes a change of the network. It runs from the checkpoint's directory with nothing but Python:

    rollback.pyz timer|boot|now CHECKPOINT [REASON]

Whatever goes wrong with one part, the others have their turn, and what could not be put back is written down.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.command import ProgramMissing, Runner, run
from ansible_collections.hospital.continuity.plugins.module_utils.network import (
    interfaces_files,
    kernel,
    links,
    switch,
)
from ansible_collections.hospital.continuity.plugins.module_utils.network.checkpoint import (
    ARMED,
    ROLLED_BACK,
    ROLLING_BACK,
    Checkpoint,
)
from ansible_collections.hospital.continuity.plugins.module_utils.network.store import (
    ASIDE,
    SAVED,
    Store,
    this_boot,
)
from ansible_collections.hospital.continuity.plugins.module_utils.network.units import Units

TIMER, BOOT, NOW = "timer", "boot", "now"
# Seconds: for Open vSwitch's database at a start of the host, for interfaces it makes, for a reload, for a decision
# that is being made at this moment.
_DATABASE, _INTERFACES, _RELOAD, _PATIENCE = 30.0, 5.0, 120.0, 30.0


def main(argv: Optional[Sequence[str]] = None) -> int:
    words = list(sys.argv if argv is None else argv)
    if len(words) not in (3, 4) or words[1] not in (TIMER, BOOT, NOW):
        sys.stderr.write("usage: rollback.pyz timer|boot|now CHECKPOINT [REASON]\n")
        return 2
    store = Store(Path(words[0]).resolve().parent)
    ended = roll_back(store, words[1], words[2], reason=words[3] if len(words) == 4 else "")
    if ended is None:
        sys.stdout.write("Nothing to undo: the change was confirmed, or undone before.\n")
    else:
        sys.stdout.write("".join(f"{text}\n" for text in (f"Undone: {ended.reason}.", *ended.notes)))
    return 0


def roll_back(
    store: Store, occasion: str, identifier: str, *, reason: str = "", runner: Runner = run
) -> Optional[Checkpoint]:
    """Undo, unless the checkpoint was confirmed or undone before, or is another one: then None.

    A rollback that was itself cut off is begun again at the next start of the host."""
    with store.locked(patience=_PATIENCE):
        checkpoint = store.checkpoint()
        if checkpoint is None or checkpoint.identifier != identifier:
            return None
        if checkpoint.state not in (ARMED, ROLLING_BACK):
            return None
        if occasion == BOOT and checkpoint.boot == this_boot():
            # Somebody started the unit by hand: the timer is there.
            return None
        checkpoint = replace(checkpoint, state=ROLLING_BACK, reason=reason or _reason(checkpoint, occasion))
        # A disk that is full or read-only must not keep the network from coming back.
        with contextlib.suppress(OSError):
            store.keep(checkpoint)
        saved = store.read_json(SAVED)
        notes = _Undoing(saved, store, runner, at_boot=occasion == BOOT).all()
        ended = replace(checkpoint, state=ROLLED_BACK, ended_at=now(), notes=tuple(notes))
        written = _end(store, ended)
    units = Units(runner, Path(saved["units"]))
    with contextlib.suppress(OSError):
        units.remove_boot_unit()
    if occasion != BOOT and written:
        units.stop_timer(identifier)
    return ended


def _end(store: Store, ended: Checkpoint) -> bool:
    """Write down that it is over, and let no start of the host do it again. Where that cannot be written it still
    counts as armed, and its timer has to stay."""
    written = False
    try:
        store.keep(ended)
        written = True
    except OSError:
        # Nobody needs the program any more, and it takes more room than what there is to write.
        with contextlib.suppress(OSError):
            store.program.unlink(missing_ok=True)
            store.keep(ended)
            written = True
    with contextlib.suppress(OSError):
        store.marker.unlink(missing_ok=True)
    return written


def _reason(checkpoint: Checkpoint, occasion: str) -> str:
    if occasion == BOOT:
        return "this host was reset before anybody confirmed"
    return f"nobody confirmed within {checkpoint.timeout} s"


def now() -> str:
    """The time, UTC, as people and programs read it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


@dataclass
class _Undoing:
    saved: Mapping[str, Any]
    store: Store
    run: Runner
    at_boot: bool
    notes: list[str] = field(default_factory=list)

    def all(self) -> list[str]:
        changed = self._tried("the files of the interfaces", self._files)
        self._tried("Open vSwitch", self._switch)
        if not self.at_boot:
            self._tried("addresses and routes", self._kernel)
            # An untouched file has nothing to apply, and may differ from what is running for reasons of its own.
            if changed and self._tried("the interfaces", self._reload):
                self._tried("Open vSwitch", self._switch)
                self._tried("addresses and routes", self._kernel)
        return list(dict.fromkeys(self.notes))

    def _tried(self, what: str, part: Callable[[], bool]) -> bool:
        try:
            return part()
        except Exception as problem:  # noqa: BLE001 - the other parts must have their turn whatever this one met
            self.notes.append(f"{what} could not be put back: {problem}")
            return False

    def _files(self) -> bool:
        aside = self.store.directory / ASIDE
        if self.at_boot:
            self.notes += interfaces_files.put_pending_aside(self.saved["interfaces"], aside)
        changed, notes = interfaces_files.put_back(self.saved["interfaces"], aside)
        self.notes += notes
        return changed

    def _switch(self) -> bool:
        if self.saved["switch"] is None:
            return False
        self.notes += switch.put_back(
            self.saved["switch"],
            exists=lambda name: Path("/sys/class/net", name).exists(),
            patience=_DATABASE if self.at_boot else 0.0,
            attended=not self.at_boot,
        )
        return True

    def _kernel(self) -> bool:
        before = self.saved["kernel"]
        internal = switch.internal(self.saved["switch"])
        deadline = time.monotonic() + _INTERFACES
        found = kernel.look(self.run)
        while internal & set(links.missing(before, found)) and time.monotonic() < deadline:
            time.sleep(0.2)
            found = kernel.look(self.run)
        self.notes += [f"the interface {name} is gone" for name in links.missing(before, found)]
        candidates = links.movable_gone(before, found)
        with ThreadPoolExecutor(max_workers=16) as pool:
            taken = [address for address, answers in zip(candidates, pool.map(self._answers, candidates)) if answers]
        self.notes += [f"{address} is at home on another host by now" for address in taken]
        for command in links.commands(before, found, internal=internal, taken=taken):
            done = self.run(command)
            if done.status != 0:
                self.notes.append(f"{' '.join(command)}: {done.errors.strip()}")
        return True

    def _answers(self, address: str) -> bool:
        return self.run(["ping", "-c", "1", "-W", "1", address], timeout=5).status == 0

    def _reload(self) -> bool:
        try:
            done = self.run(["ifreload", "-a"], timeout=_RELOAD)
        except ProgramMissing:
            self.notes.append(
                "ifupdown2 is not installed: the files are as they were, and only what is told is applied"
            )
            return False
        if done.status != 0:
            # With Open vSwitch it says so of runs that did everything.
            said = (done.errors.strip() or done.output.strip()).splitlines()
            self.notes.append(f"ifreload -a ended with exit code {done.status}{f': {said[-1]}' if said else ''}")
        return True
