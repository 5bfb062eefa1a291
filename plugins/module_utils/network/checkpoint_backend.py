# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Arming, confirming and rolling back on the host itself: files, Open vSwitch's rows, systemd."""

from __future__ import annotations

import os
import pwd
import sys
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.command import Runner, run
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing, Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Operation, Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.network import (
    checkpoint,
    interfaces_files,
    kernel,
    management,
    program,
    switch,
)
from ansible_collections.hospital.continuity.plugins.module_utils.network import units as systemd
from ansible_collections.hospital.continuity.plugins.module_utils.network.checkpoint import (
    ARMED,
    CONFIRMED,
    ROLLED_BACK,
    ROLLING_BACK,
    Checkpoint,
)
from ansible_collections.hospital.continuity.plugins.module_utils.network.checkpoint_operation import (
    ARM,
    CONFIRM,
    KEY,
    LONGEST_WITH_WATCHDOG,
    thing,
    told,
)
from ansible_collections.hospital.continuity.plugins.module_utils.network.peers import peer, silent
from ansible_collections.hospital.continuity.plugins.module_utils.network.rollback import now
from ansible_collections.hospital.continuity.plugins.module_utils.network.store import (
    PROGRAM,
    SAVED,
    Store,
    this_boot,
    uptime,
)
from ansible_collections.hospital.continuity.plugins.module_utils.network.units import Units
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.database import DEFAULT_ADDRESS

INTERFACES_FILE = "/etc/network/interfaces"
# Any of them resets a node that has lost its cluster for 60 s.
_WATCHDOGS = ["watchdog-mux.service", "pve-ha-lrm.service", "sbd.service"]
# Seconds: for a rollback that is under way or asked for; for peers, before arming and at most before confirming.
_ROLLBACK, _PEERS_BEFORE, _PEERS_AFTER = 240.0, 3.0, 30.0
# What is left of the time when the last look at the peers ends.
_MARGIN = 2.0


@dataclass(frozen=True)
class Places:
    """Where things are on this host."""

    directory: Path = Path(checkpoint.DIRECTORY)
    units: Path = Path(systemd.DIRECTORY)
    booted: Path = Path("/run/systemd/system")


class CheckpointBackend:
    parallel = 1

    def __init__(self, places: Places, runner: Runner = run) -> None:
        self.places = places
        self.writes = 0
        self._run = runner
        self._store = Store(places.directory)
        self._units = Units(runner, places.units)

    def close(self) -> None:
        """There is no connection to give back."""

    def observe(self, operation: Operation, order: Order, keys: Collection[Key] | None = None) -> Mapping[Key, Thing]:
        found = self._store.checkpoint()
        return {} if found is None else {KEY: thing(found)}

    # -- what can be known beforehand -------------------------------------------------------------------------------

    def precheck(self, operation: Operation, plan: Plan, order: Order) -> Sequence[str]:
        problems = self._problems(order)
        # The first begins a sentence.
        return [type(text)(text[:1].upper() + text[1:]) for text in problems[:1]] + list(problems[1:])

    def _problems(self, order: Order) -> Sequence[str]:
        found = self._store.checkpoint()
        action = order.options["action"]
        if os.geteuid() != 0:
            return ("a network checkpoint needs root on the host: add become: true",)
        if action == ARM:
            return self._before_arming(order, found)
        if action == CONFIRM:
            return self._before_confirming(order, found)
        if found is None or found.state not in (ARMED, ROLLING_BACK):
            return (Missing(f"there is nothing to roll back: {told(found)}"),)
        return ()

    def _before_arming(self, order: Order, found: Optional[Checkpoint]) -> Sequence[str]:
        if not self.places.booted.is_dir():
            return ("this host does not run systemd, and the rollback needs its timer and its start of the host",)
        if found is not None and found.state in (ARMED, ROLLING_BACK):
            text = f"{told(found)}; a second one would save the changed configuration as the old one. "
            if found.state == ARMED and not found.protects:
                return (f"{text}Nothing rolls it back by itself any more: do it (action: roll_back)",)
            return (f"{text}Confirm it, roll it back (action: roll_back), or wait",)
        problems = [*self._wrong_places(order), *self._too_long(order.options["timeout"])]
        dumb = silent(self._run, [peer(text) for text in order.options.get("peers") or ()], patience=_PEERS_BEFORE)
        if dumb:
            names = ", ".join(map(str, dumb))
            problems.append(f"peers: {names} does not answer even before the change, so it could never be confirmed")
        return problems

    def _wrong_places(self, order: Order) -> list[str]:
        problems = []
        interfaces_file, database = order.options["interfaces_file"], order.options["database"]
        if interfaces_file != INTERFACES_FILE and not Path(interfaces_file).is_file():
            problems.append(f"interfaces_file: {interfaces_file} is no file on this host")
        if database != DEFAULT_ADDRESS:
            try:
                switch.saved(database)
            except SubsystemError as problem:
                problems.append(f"database: {problem.message.rstrip('.')}")
        return problems

    def _too_long(self, timeout: int) -> list[str]:
        if timeout <= LONGEST_WITH_WATCHDOG:
            return []
        watchdogs = self._units.active(_WATCHDOGS)
        if not watchdogs:
            return []
        text = (
            f"timeout: {timeout} s is longer than {LONGEST_WITH_WATCHDOG} s, and on this host {', '.join(watchdogs)} "
        )
        return [f"{text}resets a node that has lost its cluster for 60 s: the way back has to be shorter"]

    def _before_confirming(self, order: Order, found: Optional[Checkpoint]) -> Sequence[str]:
        if found is None or not found.protects:
            return (Missing(f"there is nothing to confirm: {told(found)}"),)
        peers = order.options.get("peers") or found.peers
        patience = max(0.0, min(_PEERS_AFTER, found.remaining - _MARGIN))
        dumb = silent(self._run, [peer(text) for text in peers], patience=patience)
        if not dumb:
            return ()
        names = ", ".join(map(str, dumb))
        return (f"peers: {names} does not answer this host, so the change is not confirmed and will be rolled back",)

    # -- the three actions ------------------------------------------------------------------------------------------

    def apply(self, operation: Operation, step: Step) -> Sequence[str]:
        try:
            if step.action == ARM:
                return self._arm(step)
            return self._confirm() if step.action == CONFIRM else self._roll_back()
        except OSError as problem:
            place = problem.filename or self.places.directory
            raise SubsystemError(f"{problem.strerror}: {place}.", hint="Look at the disk.") from None

    def _arm(self, step: Step) -> Sequence[str]:
        after, interfaces_file = step.after or {}, step.inputs["interfaces_file"]
        saved = {
            "interfaces": interfaces_files.saved(interfaces_file),
            "kernel": kernel.look(self._run),
            "switch": self._switch(step.inputs["database"]),
            "units": str(self.places.units),
        }
        connection = management.ssh_connection(self._run).split()
        self._store.make()
        with self._store.locked(patience=_ROLLBACK):
            found = self._store.checkpoint()
            if found is not None and found.state in (ARMED, ROLLING_BACK):
                raise SubsystemError(f"Meanwhile {told(found)}.", hint="Nothing was changed.")
            identifier = uuid.uuid4().hex[:12]
            python = os.path.realpath(sys.executable)
            fresh = Checkpoint(
                state=ARMED,
                identifier=identifier,
                armed_at=now(),
                by=_name() + (f" from {connection[0]}" if connection else ""),
                timeout=after["timeout"],
                deadline=uptime() + after["timeout"],
                boot=this_boot(),
                peers=tuple(after["peers"]),
            )
            self.writes += 1
            self._store.write_json(SAVED, saved)
            self._store.write(PROGRAM, program.archive())
            try:
                self._units.write_boot_unit(
                    python=python, program=self._store.program, marker=self._store.marker, identifier=identifier
                )
                # The timer first: armed without a timer would be worse than a timer that finds nothing armed.
                self._units.start_timer(
                    python=python, program=self._store.program, identifier=identifier, seconds=fresh.timeout
                )
                self._store.write(self._store.marker.name, b"")
                self._store.keep(fresh)
            except BaseException:
                self._units.remove_boot_unit()
                self._store.marker.unlink(missing_ok=True)
                self._units.stop_timer(identifier)
                raise
        if interfaces_files.pending(interfaces_file).exists():
            return [f"{interfaces_files.pending(interfaces_file)} has changes that are not applied: they are not saved"]
        return []

    def _switch(self, address: str) -> Optional[Mapping[str, Any]]:
        scheme, _colon, path = address.partition(":")
        if address == DEFAULT_ADDRESS and scheme == "unix" and not Path(path).exists():
            # No Open vSwitch on this host.
            return None
        return switch.saved(address)

    def _confirm(self) -> Sequence[str]:
        with self._store.locked(patience=_ROLLBACK):
            found = self._store.checkpoint()
            if found is None or found.state != ARMED:
                raise SubsystemError(f"Too late: {told(found)}.")
            self.writes += 1
            # From here on the timer finds nothing to undo, whenever it comes.
            self._store.keep(found, state=CONFIRMED, ended_at=now())
            self._store.marker.unlink(missing_ok=True)
        self._units.stop_timer(found.identifier)
        self._units.remove_boot_unit()
        return ()

    def _roll_back(self) -> Sequence[str]:
        found = self._store.checkpoint()
        if found is None:
            raise SubsystemError("The checkpoint is gone.")
        self.writes += 1
        self._units.run_now(
            python=os.path.realpath(sys.executable),
            program=self._store.program,
            identifier=found.identifier,
            reason=f"{_name()} asked for it",
            seconds=_ROLLBACK,
        )
        ended = self._store.checkpoint()
        if ended is None or ended.state != ROLLED_BACK:
            raise SubsystemError(f"It was not rolled back: {told(ended)}.", hint="Look at the journal.")
        return ended.notes

    def verify(self, operation: Operation, things: Mapping[Key, Thing], order: Order) -> Sequence[Unmet]:
        found: Optional[Checkpoint] = things[KEY].facts["checkpoint"] if KEY in things else None
        if found is None or found.state != ARMED:
            return ()
        unmet = []
        if not self._units.timer_runs(found.identifier):
            unmet.append(Unmet("The timer of the rollback is not active."))
        if not self._units.boot_unit_enabled():
            unmet.append(Unmet("The unit that rolls back after a reset is not enabled."))
        return unmet


def _name() -> str:
    """Who asks: whoever became root."""
    user = os.environ.get("SUDO_USER", "")
    if user:
        return user
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
