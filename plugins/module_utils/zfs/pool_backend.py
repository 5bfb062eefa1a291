# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The engine's I/O for pools and the disks they are made of."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import (
    ABSENT,
    Declaration,
    Item,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput, listed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    DELETE,
    Consent,
    Plan,
    Step,
    Thing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import CommandLine
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.disks import (
    Disk,
    partition_of,
    same_disk,
    shared_disks,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.errors import PoolMissing, ZfsError
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout import SPARE, Row, merged, split
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout_status import PoolStatus
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.pool import (
    IMPORT,
    Contents,
    PoolKind,
    new_disks,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.pool_import import Waiting
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.pool_reading import PoolReading

# Seconds for what must not be stopped half-way: replaying a log, taking up the destruction of much data.
_PATIENCE = 3600
# A disk that nobody uses is opened for a moment all the same, by udev's or multipathd's looking at it. Seconds.
_BUSY, _BUSY_PAUSES, _BUSY_PAUSE = "is in use and contains a unknown filesystem", 5, 2
_GONE = ("no such pool or dataset", "no such pool available")


class PoolBackend:
    # Pools share disks and the kernel's lock on the list of pools.
    parallel = 1

    def __init__(self, command_line: CommandLine) -> None:
        self._zfs = command_line
        self.reading = PoolReading(command_line)
        self._removing = False
        self._imported: list[str] = []
        # What is on the disks that come into pools, by name, as it was shown to whoever consented.
        self._disks: dict[str, Disk] = {}

    @property
    def writes(self) -> int:
        return self._zfs.writes

    def close(self) -> None:
        """There is no connection to keep."""

    # -- reading ----------------------------------------------------------------------------------------------------

    def resolve(self, kind: PoolKind, declared: Declaration) -> Declaration:
        """The declaration with each disk by the name under which its pool knows it."""
        self._removing = declared.state == ABSENT
        if self._removing:
            return declared
        pools = self.reading.pools()
        written = sorted({disk for item in declared.items for disk in _disks_of(item)})
        known = {leaf.disk: leaf.path for pool in pools.values() for leaf in pool.leaves}
        parents = {partition_of(disk) for disk in written} - {""}
        where = self.reading.whole_disks([*written, *known, *parents])
        _refuse_shared(declared, {disk: where.get(disk, "") for disk in written}, where)
        members: dict[str, dict[str, str]] = {}
        for name, pool in pools.items():
            members[name] = {where[leaf.disk]: leaf.disk for leaf in pool.leaves if where.get(leaf.disk)}
        items = []
        for item in declared.items:
            mine = members.get(str(item.key[0]), {})
            names = {disk: mine.get(where.get(disk, ""), disk) for disk in _disks_of(item)}
            names.update(_lost_alias(pools.get(str(item.key[0])), names, where))
            items.append(_renamed(item, names))
        return replace(declared, items=tuple(items))

    def observe(self, kind: PoolKind, keys: Collection[Key] | None, options: Collection[str]) -> Mapping[Key, Thing]:
        pools = self.reading.pools()
        names = sorted(pools) if keys is None else sorted(str(key[0]) for key in keys)
        result: dict[Key, Thing] = {}
        properties = self.reading.properties([name for name in names if name in pools])
        for name in names:
            if name not in pools:
                continue
            if pools[name].unread:
                raise ZfsError(
                    f"Pool {name} does not answer (state {pools[name].state}): {pools[name].unread}",
                    hint=f"See zpool status {name} and the kernel's log. Nothing was changed.",
                )
            ashift = self.reading.ashift(pools[name], properties[name]["ashift"].value)
            contents = Contents(*self.reading.contents(name)) if self._removing else None
            result[(name,)] = kind.decode(pools[name], properties[name], ashift, contents)
        missing = [name for name in names if name not in pools] if keys is not None else []
        if missing:
            result.update(self._not_imported(missing))
        return result

    def _not_imported(self, names: Sequence[str]) -> dict[Key, Thing]:
        waiting = self.reading.waiting()
        result: dict[Key, Thing] = {}
        for name in names:
            found = [pool for pool in waiting if pool.name == name]
            if len(found) > 1:
                raise ZfsError(
                    f"{len(found)} pools named {name} are on the disks of this host, none of them imported "
                    f"({listed([pool.guid for pool in found])}).",
                    hint=f"Import the one you mean by its number: zpool import {found[0].guid}. Nothing was changed.",
                )
            if found:
                result[(name,)] = Thing({}, {"waiting": found[0]})
        return result

    # -- what can be known before the first write -------------------------------------------------------------------

    def precheck(self, kind: PoolKind, plan: Plan, declared: Declaration) -> Sequence[str]:
        problems: list[str] = []
        coming = sorted({disk for step in plan for disk in new_disks(step)})
        self._disks = self.reading.disks(coming)
        for step in plan:
            name = str(step.key[0])
            mine = new_disks(step)
            for disk in mine:
                uses = self._disks[disk].uses
                problems += [f"{name}: disk {disk} {reason}" for reason in uses]
            problems += _unwritable(name, step)
            if not problems:
                # What is on a disk is somebody's to consent to; all else is found before anything is wiped.
                full = any(self._disks[disk].carries for disk in mine)
                problems += self._tried(kind, step, "-f" if full else "")
        return problems

    def _tried(self, kind: PoolKind, step: Step, flag: str) -> list[str]:
        result = []
        for trial in kind.trials(step):
            argv = (*trial[:3], flag, *trial[3:]) if flag else trial
            done = self._zfs.attempt(argv)
            for _pause in range(_BUSY_PAUSES):
                if _BUSY not in done.errors:
                    break
                time.sleep(_BUSY_PAUSE)
                self._zfs.attempt(("udevadm", "settle"))
                done = self._zfs.attempt(argv)
            if done.status != 0:
                said = " ".join(line.strip() for line in done.errors.splitlines() if "use '-f'" not in line)
                result.append(f"{step.key[0]}: ZFS would refuse: {' '.join(said.split()).rstrip('.')}")
        return result

    def consents(self, kind: PoolKind, plan: Plan, declared: Declaration) -> Mapping[Key, Sequence[Consent]]:
        """A disk that carries anything is wiped only if that very disk is named."""
        full = {name: disk for name, disk in self._disks.items() if disk.carries}
        waiting = self.reading.waiting() if any(disk.pool_guids for disk in full.values()) else []
        result: dict[Key, list[Consent]] = {}
        for step in plan:
            mine = [full[name] for name in new_disks(step) if name in full]
            result[step.key] = [
                Consent(f"wipe_disk:{disk.name}", f"disk {disk.name} carries {listed(disk.carries)}, which is lost")
                for disk in mine
            ]
            # It may be the very pool, under another name: a word that was left in an inventory is not enough.
            result[step.key] += [
                Consent(
                    f"destroy_pool:{pool.name}", f"pool {pool.name}, which waits to be imported, loses disk {disk.name}"
                )
                for disk in mine
                for pool in waiting
                if pool.guid in disk.pool_guids
            ]
        return result

    def verify(self, kind: PoolKind, things: Mapping[Key, Thing], declared: Declaration) -> Sequence[Unmet]:
        unmets = list(kind.unmet(things, declared))
        for name in self._imported:
            unmets += [Unmet(f"{name}: {text}") for text in self.reading.unmounted(name)]
        return unmets

    # -- writing ----------------------------------------------------------------------------------------------------

    def apply(self, kind: PoolKind, step: Step) -> Sequence[str]:
        warnings: list[str] = []
        if step.action == IMPORT:
            return self._import(kind, step)
        if step.action == DELETE:
            self._require_consented(step)
        warnings += self._wipe(new_disks(step))
        for argv in kind.commands(step):
            slow = argv[1] in ("create", "destroy", "add")
            warnings += self._zfs.write(argv, at_least=_PATIENCE if slow else 0)
        return warnings

    def _wipe(self, names: Sequence[str]) -> list[str]:
        """Wipe what was consented to, after one more look: what came since is nobody's to wipe."""
        full = [name for name in names if name in self._disks and self._disks[name].carries]
        if not full:
            return []
        now = self.reading.disks(full)
        for name in full:
            new = [*now[name].uses, *(text for text in now[name].carries if text not in self._disks[name].carries)]
            if new:
                raise ZfsError(f"Disk {name} changed meanwhile: {listed(new)}.", hint="Run again.")
        for name in full:
            for argv in now[name].wiping:
                # A label that is half gone cannot be cleared; what is left of it goes with the signatures.
                self._zfs.write(argv, may_fail=argv[0] == "zpool")
        self._zfs.attempt(("udevadm", "settle"))
        return []

    def _require_consented(self, step: Step) -> None:
        """Nobody consented to losing what came after the question."""
        contents: Contents = step.facts.get("contents") or Contents()
        known = {one.name for one in contents.datasets}
        now, _used = self.reading.contents(str(step.key[0]))
        new = [one.name for one in now if one.name not in known]
        if new:
            raise ZfsError(
                f"In pool {step.key[0]} there is now also {listed(new)}, to which nobody consented.", hint="Run again."
            )

    def _import(self, kind: PoolKind, step: Step) -> Sequence[str]:
        waiting: Waiting = step.facts["waiting"]
        force = ("-f",) if waiting.claimed else ()
        name = waiting.guid or waiting.name
        try:
            try:
                argv = ("zpool", "import", "-d", "/dev/disk/by-id", *force, name)
                warnings = list(self._zfs.write(argv, at_least=_PATIENCE))
            except ZfsError as problem:
                if "no such pool available" not in problem.text.lower():
                    raise
                # Disks without a serial number have no name there.
                warnings = list(self._zfs.write(("zpool", "import", *force, name), at_least=_PATIENCE))
        except ZfsError as problem:
            if "import was successful" in problem.text.lower():
                warnings = [problem.text]
            elif any(text in problem.text.lower() for text in _GONE):
                # ZFS goes on to advise to destroy the pool, which is the last thing to do.
                raise PoolMissing(
                    f"ZFS cannot import pool {waiting.name}: too many of its disks are missing or damaged.",
                    hint=f"zpool import shows which. Attach or mend them, then run again. Do not create {waiting.name} "
                    "anew: its data may be whole.",
                ) from None
            else:
                raise
        self._imported.append(str(step.key[0]))
        return [*warnings, *self._after_import(kind, step)]

    def _after_import(self, kind: PoolKind, step: Step) -> list[str]:
        """What differs shows only now. Options that harm nobody are set at once; the rest is for another run."""
        item, declared = step.facts["item"], step.facts["declared"]
        here = self.resolve(kind, replace(declared, items=(item,)))
        found = self.observe(kind, {step.key}, {row.name for row in kind.option_rows})
        left = kind.plan(found, here)
        warnings: list[str] = []
        for further in left:
            if further.consent or new_disks(further) or "layout" in further.options:
                raise ZfsError(
                    f"Pool {step.key[0]} is imported now, and differs from what is declared in "
                    f"{', '.join(further.options)}.",
                    hint="Run again to see what that takes.",
                )
            for argv in kind.commands(further):
                warnings += self._zfs.write(argv)
        return warnings


def _lost_alias(pool: Optional[PoolStatus], names: Mapping[str, str], where: Mapping[str, str]) -> dict[str, str]:
    """A disk that broke has no names any more, so that another name of it cannot be told for one. Where one declared
    disk and one of the pool's are nowhere to be found, they are the same."""
    lost = {leaf.disk for leaf in pool.leaves if leaf.state not in ("ONLINE", "AVAIL", "INUSE")} if pool else set()
    lost -= set(names.values())
    unknown = [disk for disk in names if not where.get(disk)]
    unknown = [disk for disk in unknown if pool and disk not in {leaf.disk for leaf in pool.leaves}]
    return {unknown[0]: lost.pop()} if len(lost) == len(unknown) == 1 else {}


def _disks_of(item: Item) -> set[str]:
    layout: Iterable[Row] = item.options.get("layout") or ()
    changed: Mapping[str, str] = item.options.get("replace") or {}
    named = {disk for row in layout for disk in row.disks} | {disk for pair in changed.items() for disk in pair}
    return {disk for disk in named if not disk.isdigit()}


def _renamed(item: Item, names: Mapping[str, str]) -> Item:
    options: dict[str, Any] = dict(item.options)
    if options.get("layout"):
        options["layout"] = merged(
            replace(row, disks=tuple(names.get(disk, disk) for disk in row.disks)) for row in options["layout"]
        )
    if options.get("replace"):
        options["replace"] = {names.get(old, old): names.get(new, new) for old, new in options["replace"].items()}
    return replace(item, options=options)


def _refuse_shared(declared: Declaration, written: Mapping[str, str], where: Mapping[str, str]) -> None:
    """Two vdevs on one disk, by whatever names and in whichever pools. Raises InvalidInput."""
    problems = same_disk(written)
    owners: dict[str, tuple[str, str]] = {}
    groups: list[tuple[str, ...]] = []
    for item in declared.items:
        layout: Iterable[Row] = item.options.get("layout") or ()
        rows = [row for row in split(layout) if row.state != ABSENT]
        groups += [row.disks for row in rows]
        for disk, vdev_class in sorted((disk, row.vdev_class) for row in rows for disk in row.disks):
            other, as_what = owners.get(disk, ("", ""))
            # A spare may stand ready for several pools.
            if other and not as_what == vdev_class == SPARE:
                problems.append(f"disk {disk} is listed for pool {other} and for pool {item.key[0]}")
            owners[disk] = (str(item.key[0]), vdev_class)
    if not problems:
        problems = shared_disks(groups, where)
    if problems:
        raise InvalidInput(f"layout: {listed(problems)}.", hint="A disk can be in one place only. Nothing was changed.")


def _unwritable(name: str, step: Step) -> list[str]:
    health = step.facts.get("health", "ONLINE")
    if health in ("SUSPENDED", "FAULTED", "UNAVAIL"):
        return [f"{name}: the pool is {health}, nothing can be written; see zpool status"]
    if step.facts.get("readonly") and step.action != DELETE:
        return [f"{name}: the pool is imported read-only"]
    return []
