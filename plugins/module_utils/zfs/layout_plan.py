# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What to do so that a pool has the layout that is declared. Pure, and first of all harmless.

Only what is asked for in so many words is done: a vdev that is listed and not there is added, a disk that a listed
mirror lacks is attached, `replace` puts one disk in another's place, `state: absent` takes a vdev out. What is there
and not listed stays and is told. While a pool is sick, nothing is done at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout import (
    ABSENT,
    BY_ID,
    CACHE,
    CLASSES,
    DATA,
    DEDUP,
    DISK,
    DRAID,
    LOG,
    MIRROR,
    NORMAL,
    RAIDZ,
    SPARE,
    SPECIAL,
    Row,
    Rows,
    command_words,
    merged,
    mismatch,
    split,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout_status import (
    REPLACING,
    SPARING,
    PoolStatus,
    Slot,
    Vdev,
    row_of,
)

ADD, ATTACH, REPLACE, REMOVE = "add", "attach", "replace", "remove"


@dataclass(frozen=True)
class Change:
    """One run of zpool. rows: what is added, or the row that is removed.  at: the GUID of the vdev it is done to.
    old, new: disks.  loses: why it needs consent, empty where it needs none."""

    verb: str
    rows: Rows = ()
    at: str = ""
    old: str = ""
    new: str = ""
    loses: str = ""

    def argv(self, pool: str, ashift: int = 0) -> tuple[str, ...]:
        # What is added later shall fit what is there, whatever its sectors say. zpool(8): -o ashift.
        option = ("-o", f"ashift={ashift}") if ashift else ()
        if self.verb == ADD:
            return ("zpool", ADD, *option, pool, *command_words(self.rows))
        if self.verb == REMOVE:
            return ("zpool", REMOVE, pool, self.at)
        return ("zpool", self.verb, *option, pool, self.at, BY_ID + self.new)

    @property
    def disks(self) -> tuple[str, ...]:
        """The disks that come into the pool."""
        if self.verb == ADD:
            return tuple(disk for row in self.rows for disk in row.disks)
        return (self.new,) if self.new else ()

    @property
    def described(self) -> str:
        listed = "; ".join(row.described for row in self.rows)
        return {
            ADD: f"add {listed}",
            ATTACH: f"attach {self.new} to {self.old}",
            REPLACE: f"replace {self.old} with {self.new}",
            REMOVE: f"remove {listed}",
        }[self.verb]


@dataclass(frozen=True)
class LayoutPlan:
    """changes: in order.  after: the layout then.  problems: why it cannot be as declared.  unmet: what is otherwise
    than declared and left alone."""

    changes: tuple[Change, ...] = ()
    after: Rows = ()
    problems: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()


def sickness(pool: PoolStatus) -> list[str]:
    """Why nothing about the layout of a pool may be changed now; empty for a sound one."""
    result: list[str] = []
    for leaf in pool.leaves:
        if leaf.state not in ("ONLINE", "AVAIL", "INUSE"):
            result.append(f"disk {leaf.disk} is {leaf.state}")
        elif leaf.resilvering:
            result.append(f"disk {leaf.disk} is resilvering")
    for vdevs in pool.vdevs.values():
        for vdev in vdevs:
            for slot in vdev.slots:
                stands = ", ".join(slot.others)
                if slot.why == SPARING:
                    result.append(f"spare {stands} stands in for {slot.disk}")
                elif slot.why == REPLACING:
                    result.append(f"{slot.disk} is being replaced by {stands}")
    if pool.scan.resilvering:
        result.append("it is resilvering")
    if pool.moving:
        result.append(f"{pool.moving} is going on")
    if pool.state != "ONLINE" and not result:
        result.append(f"it is {pool.state}{f': {pool.status}' if pool.status else ''}")
    if pool.state != "ONLINE" and result:
        result[0] = f"it is {pool.state}, {result[0]}" if not result[0].startswith("it is") else result[0]
    return result


@dataclass
class _Planner:
    pool: PoolStatus
    changes: list[Change] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unmet: list[str] = field(default_factory=list)
    new_rows: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.vdevs = [(which, vdev) for which in CLASSES for vdev in self.pool.of_class(which)]
        # A spare at work stands in two places, of which the one among the spares is its own.
        self.mentioned: set[str] = set()
        self.renamed: dict[str, str] = {}
        self.attached: dict[str, list[str]] = {}
        self.gone: set[str] = set()

    # -- finding ----------------------------------------------------------------------------------------------------

    def holding(self, disk: str, which: Optional[str] = None) -> Optional[tuple[str, Vdev, Slot]]:
        """The vdev with that disk, as it will be when what has been planned so far is done; a wanted class first."""
        found: list[tuple[str, Vdev, Slot]] = []
        for vdev_class, vdev in self.vdevs:
            for slot in vdev.slots:
                if self.renamed.get(slot.guid) == disk or (slot.guid not in self.renamed and slot.holds(disk)):
                    found.append((vdev_class, vdev, slot))
        for one in found:
            if one[0] == which:
                return one
        return found[0] if found else None

    # -- what is asked for ------------------------------------------------------------------------------------------

    def replacements(self, wanted: Mapping[str, str]) -> None:
        for old, new in wanted.items():
            place, there = self.holding(old) or self._by_guid(old), self.holding(new)
            if there is not None and (place is None or place[2].guid == there[2].guid):
                continue
            if there is not None:
                self.problems.append(
                    f"replace: {new} is in the pool already ({there[0]} {there[1].name}), and {old} is too; take {new} "
                    "out first, with state: absent where it is a spare, cache or log"
                )
            elif place is None:
                self.problems.append(f"replace: the pool has no disk {old}")
            elif place[0] in (CACHE, SPARE):
                self.problems.append(
                    f"replace: {old} is a {place[0]}; take it out with state: absent and list {new} instead"
                )
            else:
                self.renamed[place[2].guid] = new
                loses = f"{old} leaves the pool as soon as {new} holds what it holds"
                self.changes.append(Change(REPLACE, at=place[2].guid, old=old, new=new, loses=loses))

    def _by_guid(self, guid: str) -> Optional[tuple[str, Vdev, Slot]]:
        for which, vdev in self.vdevs:
            for slot in vdev.slots:
                if slot.guid == guid:
                    return which, vdev, slot
        return None

    def alone(self, row: Row) -> None:
        """Disks without redundancy of their own."""
        missing: list[str] = []
        for disk in row.disks:
            place = self.holding(disk, row.vdev_class)
            if place is None:
                missing.append(disk)
                continue
            which, vdev, _slot = place
            if which != row.vdev_class:
                self.problems.append(f"disk {disk} belongs to the {which} vdevs, not to class {row.vdev_class}")
            elif vdev.type not in (DISK, REPLACING, SPARING):
                self.problems.append(
                    f"disk {disk} is in {vdev.name}, and is declared to stand alone; nothing is detached here"
                )
            self.mentioned.add(vdev.guid)
        if missing:
            self.new_rows.append(Row(row.vdev_class, DISK, tuple(missing)))

    def redundant(self, row: Row) -> None:
        """A mirror, raidz or draid."""
        places = [self.holding(disk, row.vdev_class) for disk in row.disks]
        there = {place[1].guid: place for place in places if place is not None}
        if not there:
            self.new_rows.append(row)
            return
        self.mentioned.update(there)
        names = " and ".join(sorted({place[1].name for place in there.values()}))
        if len(there) > 1:
            self.problems.append(f"the disks of the declared {row.described} are in {names}, which cannot be joined")
            return
        which, vdev, _slot = next(iter(there.values()))
        if which != row.vdev_class:
            self.problems.append(f"{vdev.name} is of class {which}, and class is fixed when a vdev is added")
            return
        found = row_of(vdev, which)
        missing = [disk for disk, place in zip(row.disks, places) if place is None]
        extra = [slot for slot in vdev.slots if not self._listed(slot, row)]
        if row.type == MIRROR and found.type in (MIRROR, DISK):
            self._mirror(row, vdev, missing, extra)
        elif not _same_sort(found, row):
            self.problems.append(f"{vdev.name} is {_sort(found)}, and can never become {_sort(row)}")
        elif missing and extra:
            self.problems.append(_use_replace(vdev, missing, extra))
        elif missing:
            self.problems.append(
                f"{vdev.name} has {len(found.disks)} disks and would need {', '.join(missing)}; a {row.type} is not "
                "made wider here: add a vdev of its own"
            )
        elif extra:
            self.unmet.append(f"{vdev.name} also has {_names(extra)}, which is not listed; it stays.")

    def _listed(self, slot: Slot, row: Row) -> bool:
        if slot.guid in self.renamed:
            return self.renamed[slot.guid] in row.disks
        return any(slot.holds(disk) for disk in row.disks)

    def _mirror(self, row: Row, vdev: Vdev, missing: Sequence[str], extra: Sequence[Slot]) -> None:
        if missing and extra:
            self.problems.append(_use_replace(vdev, missing, extra))
            return
        if extra:
            self.unmet.append(f"{vdev.name} also has {_names(extra)}, which is not listed; it stays.")
        first = vdev.slots[0]
        old = self.renamed.get(first.guid, first.disk)
        if missing and first.guid in self.renamed:
            # Its GUID goes with the replaced disk.
            others = [slot for slot in vdev.slots if slot.guid not in self.renamed]
            if not others:
                self.problems.append(f"{old} is only about to come; attach {', '.join(missing)} to it in another run")
                return
            first, old = others[0], others[0].disk
        for disk in missing:
            self.attached.setdefault(vdev.guid, []).append(disk)
            self.changes.append(Change(ATTACH, at=first.guid, old=old, new=disk))

    def removal(self, row: Row) -> None:
        """A row with state: absent."""
        if row.type == DISK:
            for disk in row.disks:
                place = self.holding(disk, row.vdev_class)
                if place is None or place[0] != row.vdev_class:
                    if place is not None:
                        self.problems.append(f"disk {disk} is of class {place[0]}, not {row.vdev_class}; nothing goes")
                elif place[1].type != DISK:
                    self.problems.append(f"disk {disk} is in {place[1].name}; only the whole vdev can be taken out")
                else:
                    self._remove(Row(row.vdev_class, DISK, (disk,)), place[1])
            return
        there = {}
        for disk in row.disks:
            place = self.holding(disk, row.vdev_class)
            if place is not None:
                there[place[1].guid] = place
        if not there:
            return
        which, vdev, _slot = next(iter(there.values()))
        if len(there) > 1 or which != row.vdev_class or set(row_of(vdev, which).disks) != set(row.disks):
            self.problems.append(f"{row.described} with state: absent is not one whole vdev of the pool")
            return
        self._remove(row_of(vdev, which), vdev)

    def _remove(self, row: Row, vdev: Vdev) -> None:
        rigid = [other.name for _which, other in self.vdevs if other.type in (*RAIDZ, *DRAID)]
        if row.vdev_class in (SPECIAL, DEDUP) and rigid:
            self.problems.append(f"{row.described} cannot be removed from a pool with {rigid[0]}: ZFS has no way")
            return
        self.mentioned.add(vdev.guid)
        self.gone.add(vdev.guid)
        what = {
            SPARE: "no disk of it stands ready any more when one fails",
            CACHE: "what it cached is read from the slower disks again",
            LOG: "synchronous writes go to the slower disks again",
        }.get(row.vdev_class, "what it holds is copied to the other vdevs, which takes space and time")
        loses = f"{row.described} leaves the pool: {what}"
        self.changes.append(Change(REMOVE, (row,), at=vdev.guid, loses=loses))

    # -- what comes of it -------------------------------------------------------------------------------------------

    def additions(self, pool: str) -> None:
        if not self.new_rows:
            return
        present = self.rows_after()
        why = mismatch([*present, *self.new_rows])
        # Somebody forced it before: then ZFS refuses nothing any more, and we do what would make it worse.
        if why and mismatch(present):
            least = min(row.tolerates for row in present if row.vdev_class in DATA)
            why = why if any(row.vdev_class in DATA and row.tolerates < least for row in self.new_rows) else ""
        if why:
            self.problems.append(f"{why}; ZFS refuses to mix them, and it is not forced to here")
            return
        for one in self.new_rows:
            lasting = one.vdev_class in DATA
            loses = f"{one.described} cannot be taken out of pool {pool} again" if lasting else ""
            self.changes.append(Change(ADD, (one,), loses=loses))

    def rows_after(self) -> list[Row]:
        rows: list[Row] = []
        for which, vdev in self.vdevs:
            if vdev.guid in self.gone:
                continue
            row = row_of(vdev, which)
            disks = [self.renamed.get(slot.guid, slot.disk) for slot in vdev.slots] + self.attached.get(vdev.guid, [])
            sort = MIRROR if row.type == DISK and len(disks) > 1 else row.type
            rows.append(Row(which, sort, tuple(sorted(disks)), row.draid_data, row.draid_spares))
        return split(rows)

    def undeclared(self) -> None:
        for which, vdev in self.vdevs:
            if vdev.guid not in self.mentioned:
                row = row_of(vdev, which)
                way = "" if which == NORMAL else " To take it out, list it with state: absent."
                self.unmet.append(f"it also has {row.described}, which layout does not list; it stays.{way}")


def planned(pool: PoolStatus, layout: Optional[Rows], replace: Mapping[str, str]) -> LayoutPlan:
    """What to do. `layout` None: only `replace` is asked for, or nothing."""
    planner = _Planner(pool)
    planner.replacements(replace)
    for row in layout or ():
        if row.state == ABSENT:
            planner.removal(row)
        elif row.type == DISK:
            planner.alone(row)
        else:
            planner.redundant(row)
    planner.additions(pool.name)
    if layout is not None:
        planner.undeclared()
    sick = sickness(pool)
    if pool.checkpoint:
        held = [one.described for one in planner.changes if one.verb != ADD]
        if held:
            planner.problems.append(
                f"the pool has a checkpoint, and ZFS lets no device leave or join a vdev before it is discarded (zpool "
                f"checkpoint -d {pool.name}), which cannot be undone; asked for was: {'; '.join(held)}"
            )
    if sick:
        planner.unmet[:0] = [f"{', '.join(sick)}; nothing about its layout is planned until it is sound again."]
        changes = planner.changes
        if "removal" in pool.moving:
            # It takes its time after zpool has returned, and until then the vdev is still there.
            planner.unmet += [f"{one.described} waits for the removal." for one in changes if one.verb == REMOVE]
            planner.changes = [one for one in changes if one.verb != REMOVE]
        wanted = [*(change.described for change in planner.changes), *planner.problems]
        if wanted:
            by_hand = [f"zpool replace {pool.name} {change.old} {BY_ID}{change.new}" for change in planner.changes]
            by_hand = [line for line, change in zip(by_hand, planner.changes) if change.verb == REPLACE]
            told = f" (by hand: {'; '.join(by_hand)})" if by_hand else ""
            problem = f"{', '.join(sick)}: no change of its layout is planned until it is sound again; asked for was: "
            return LayoutPlan(
                after=pool.layout, problems=(f"{problem}{'; '.join(wanted)}{told}",), unmet=tuple(planner.unmet)
            )
        return LayoutPlan(after=pool.layout, unmet=tuple(planner.unmet))
    if planner.problems:
        return LayoutPlan(after=pool.layout, problems=tuple(planner.problems), unmet=tuple(planner.unmet))
    after = merged([*planner.rows_after(), *planner.new_rows])
    return LayoutPlan(tuple(planner.changes), after, (), tuple(planner.unmet))


def redundancy(pool: PoolStatus) -> int:
    """How many disks may still fail, in the worst place, before data is lost."""
    left = [survives(vdev, which) for which in DATA for vdev in pool.of_class(which)]
    return max(0, min(left)) if left else 0


def survives(vdev: Vdev, which: str) -> int:
    """How many disks of one vdev may still fail; below zero, it has failed."""
    row = row_of(vdev, which)
    healthy = sum(1 for slot in _places(vdev) if slot)
    return row.tolerates - (len(row.disks) - healthy)


def _places(vdev: Vdev) -> list[bool]:
    """For each place of a vdev whether a sound disk is in it."""
    if not vdev.children:
        return [vdev.state == "ONLINE" and not vdev.resilvering]
    if vdev.type in (REPLACING, SPARING):
        return [any(leaf.state == "ONLINE" and not leaf.resilvering for leaf in vdev.leaves)]
    return [sound for child in vdev.children for sound in _places(child)]


def _same_sort(found: Row, wanted: Row) -> bool:
    if found.type != wanted.type:
        return False
    if wanted.draid_data and found.draid_data != wanted.draid_data:
        return False
    return found.draid_spares == wanted.draid_spares


def _sort(row: Row) -> str:
    data = f" with draid_data {row.draid_data}" if row.draid_data else ""
    spares = f" and draid_spares {row.draid_spares}" if row.draid_spares else ""
    return f"{row.type}{data}{spares}"


def _names(slots: Sequence[Slot]) -> str:
    return ", ".join(slot.disk for slot in slots)


def _use_replace(vdev: Vdev, missing: Sequence[str], extra: Sequence[Slot]) -> str:
    return (
        f"{vdev.name} has {_names(extra)} where {', '.join(missing)} is listed: list {_names(extra)} if it was "
        f"replaced by hand; only if {missing[0]} shall take its place, say replace: {{{extra[0].disk}: {missing[0]}}}"
    )
