# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Replication, the pure part: from what is at both ends to what is to be done, in order.

Snapshots of the two ends are the same when their GUIDs are; names mean nothing. The newest one that both have is the
recovery point. It is held at both ends, and the hold before it is let go only when the new one is in place, so that
nobody's pruning takes away what the next run builds on.

Nothing at the receiver is ever rolled back or destroyed without the word rollback_receiver. A dataset that exists there
and has nothing in common with the source is never touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Optional, Union

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput, listed
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import Snapshot

TAG = "hospital.continuity"


@dataclass(frozen=True)
class End:
    """A dataset at one end. snapshots: the oldest first.  held: the names behind the @ of those with our hold.

    written: bytes since the newest snapshot.  token: of a transfer that was cut off here.  marked: it bears the mark of
    a replica, replica_of: of which dataset.  encrypted, key: whether it is, and whether its key is loaded.
    encryption_root: the dataset whose key it uses.  foreign: (name behind the @, tag) of other replications' holds.
    """

    dataset: str
    exists: bool = True
    type: str = "filesystem"
    snapshots: tuple[Snapshot, ...] = ()
    held: frozenset[str] = frozenset()
    written: int = 0
    readonly: bool = True
    token: str = ""
    marked: bool = True
    replica_of: str = ""
    encrypted: bool = False
    key: bool = True
    encryption_root: str = ""
    foreign: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Token:
    """What a token says of the transfer it belongs to. name: of the snapshot at the sender, in full, and its GUID.
    usable: the sender can go on with it."""

    name: str
    guid: str
    usable: bool


@dataclass(frozen=True)
class Pair:
    source: End
    target: End
    token: Optional[Token] = None


@dataclass(frozen=True)
class Wanted:
    """raw: None means that encrypted datasets are sent as they are stored, and others are not."""

    raw: Optional[bool] = None
    resume: bool = True
    intermediates: bool = True


# -- what there is to do, one after another


@dataclass(frozen=True)
class Abandon:
    """Throw away what was received of a snapshot that was cut off."""

    dataset: str


@dataclass(frozen=True)
class RollBack:
    """Back to this snapshot of the receiver, in full."""

    snapshot: str


@dataclass(frozen=True)
class Protect:
    """Mark the receiver as one, and make it read-only."""

    dataset: str


@dataclass(frozen=True)
class Send:
    """snapshot: in full, at the sender.  base: what the receiver has already, in full, at the sender; empty: all of it.
    token: go on with a transfer that was cut off.  creates: the dataset is new at the receiver."""

    snapshot: str
    target: str
    base: str = ""
    token: str = ""
    raw: bool = False
    creates: bool = False
    filesystem: bool = True


@dataclass(frozen=True)
class Hold:
    """Hold snapshots, in full, at the sender or the receiver."""

    snapshots: tuple[str, ...]
    sender: bool


@dataclass(frozen=True)
class Release:
    """Let our hold of snapshots go, in full."""

    snapshots: tuple[str, ...]
    sender: bool


Task = Union[Abandon, RollBack, Protect, Send, Hold, Release]


@dataclass(frozen=True)
class Work:
    """What one dataset needs. loses: what rolling its receiver back would lose, empty where nothing.
    final: the newest snapshot that both ends have in the end; None where they have none.
    notes: what a person should know of it."""

    tasks: tuple[Task, ...] = ()
    loses: str = ""
    final: Optional[Snapshot] = None
    notes: tuple[str, ...] = ()

    @property
    def sends(self) -> tuple[Send, ...]:
        return tuple(task for task in self.tasks if isinstance(task, Send))


def common(source: End, target: End) -> Optional[Snapshot]:
    """The newest snapshot that both have, as it is at the source."""
    there = {one.guid for one in target.snapshots}
    return next((one for one in reversed(source.snapshots) if one.guid in there), None)


def at_target(snapshot: Snapshot, target: End) -> Snapshot:
    """The same snapshot at the receiver, where its name may be another; one that is still to come has the sender's."""
    found = next((one for one in target.snapshots if one.guid == snapshot.guid), None)
    return found or replace(snapshot, name=f"{target.dataset}@{snapshot.short}")


def divergence(source: End, target: End) -> list[str]:
    """What the receiver has that the source has not: rolling back would lose it. Empty where nothing."""
    shared = common(source, target)
    if shared is None:
        return []
    position = [one.guid for one in target.snapshots].index(shared.guid)
    lost = []
    newer = [one.short for one in target.snapshots[position + 1 :]]
    if newer:
        lost.append(f"its {len(newer)} newer snapshots ({listed(newer)})" if len(newer) > 1 else f"its @{newer[0]}")
    if target.written:
        lost.append(f"{target.written} bytes that were written to it since @{target.snapshots[-1].short}")
    return lost


def work(pair: Pair, wanted: Wanted) -> Work:
    """Raises InvalidInput with what is impossible."""
    source, target = pair.source, pair.target
    if not source.snapshots:
        return Work(notes=(f"{source.dataset} has no snapshot, so there is nothing to replicate",))
    shared = common(source, target)
    new = not target.snapshots
    if target.exists and shared is None and not (new and target.token):
        raise InvalidInput(_nothing_in_common(source, target))
    partial = _partial(pair, wanted)
    resumed = partial if partial is not None and pair.token is not None else None
    chain = _chain(source, shared, resumed, wanted)
    if shared is not None and not chain:
        return _nothing_to_send(pair, shared)
    _refuse_namesakes(target, shared, chain)
    tasks: list[Task] = []
    notes: list[str] = []
    if target.token and resumed is None:
        tasks.append(Abandon(target.dataset))
        notes.append(f"what {target.dataset} had received of a transfer that was cut off cannot be used any more")
    # Only what is already a dataset of its own can be out of step, and be protected.
    lost = divergence(source, target)
    loses = ""
    if shared is not None and (lost or not target.readonly):
        loses = _loss(target, lost)
        tasks.extend(_rolled_back(target, at_target(shared, target)) if lost else ())
    if not new and not (target.readonly and target.marked):
        tasks.append(Protect(target.dataset))
    # What the next step builds on must not be pruned in the middle, nor by anybody after a cut.
    based_on = [shared] if shared is not None else []
    unheld = tuple(one.name for one in [*based_on, *chain] if one.short not in source.held)
    if unheld:
        tasks.append(Hold(unheld, sender=True))
    bases = [at_target(one, target) for one in based_on]
    if any(one.short not in target.held for one in bases):
        tasks.append(Hold(tuple(one.name for one in bases), sender=False))
    raw = source.encrypted if wanted.raw is None else wanted.raw
    base = shared
    for number, one in enumerate(chain):
        token = target.token if resumed is not None and number == 0 else ""
        creates = new and number == 0
        tasks.append(
            Send(
                one.name,
                target.dataset,
                base="" if token or base is None else base.name,
                token=token,
                raw=raw,
                creates=creates,
                filesystem=source.type == "filesystem",
            )
        )
        base = one
    final = chain[-1]
    here = source.held | {one.short for one in [*based_on, *chain]}
    there = target.held | {one.short for one in bases}
    tasks.extend(_holds(pair, final, here, there, rolled_back=bool(loses)))
    return Work(tuple(tasks), loses, final, tuple(notes))


def _nothing_in_common(source: End, target: End) -> str:
    """Why a receiver is not overwritten, with what tells a person whose it is: it may be the only copy there is."""
    newest_first = [one.short for one in reversed(target.snapshots)]
    has = f"its snapshots are {listed(newest_first, most=5)}" if newest_first else "it has no snapshot"
    apart = f"has no snapshot in common with {source.dataset} any more"
    if target.replica_of == source.dataset:
        return (
            f"is a replica of {source.dataset} and {apart}: what both had was destroyed at one end ({has}). It may be "
            "the only copy of what was lost; keep it until another, at a dataset that does not exist yet, is complete"
        )
    if target.replica_of:
        return (
            f"is a replica of {target.replica_of}, has no snapshot in common with {source.dataset} ({has}), and is not "
            "overwritten. Replicate into a dataset that does not exist"
        )
    return (
        f"exists and has no snapshot in common with {source.dataset} ({has}), and is not overwritten. Replicate into "
        "a dataset that does not exist"
    )


def _refuse_namesakes(target: End, shared: Optional[Snapshot], chain: Sequence[Snapshot]) -> None:
    """ZFS receives no snapshot of a name that is there. What is newer than the recovery point is rolled back first."""
    older = target.snapshots[: [one.guid for one in target.snapshots].index(shared.guid) + 1] if shared else ()
    coming = {one.short for one in chain}
    taken = [one.name for one in older if one.short in coming]
    if taken:
        raise InvalidInput(
            f"has {listed(taken)}, which the source has by the same name with another content; rename one of the two "
            "(zfs rename)"
        )


def _nothing_to_send(pair: Pair, shared: Snapshot) -> Work:
    """The receiver has the newest snapshot: only holds may be missing, or left from a run that was cut off."""
    return Work(tuple(_holds(pair, shared, pair.source.held, pair.target.held)), final=shared)


def _holds(
    pair: Pair, final: Snapshot, here: frozenset[str], there: frozenset[str], *, rolled_back: bool = False
) -> Sequence[Task]:
    """Hold `final` at both ends, then let all others go. here, there: what is held at the sender and the receiver by
    then.  rolled_back: what the receiver had beside the source is gone by then."""
    source, target = pair.source, pair.target
    tasks: list[Task] = []
    if final.short not in here:
        tasks.append(Hold((final.name,), sender=True))
    arrived = at_target(final, target)
    if arrived.short not in there:
        tasks.append(Hold((arrived.name,), sender=False))
    left_here = sorted(here - {final.short})
    if left_here:
        tasks.append(Release(tuple(f"{source.dataset}@{name}" for name in left_here), sender=True))
    shared = common(source, target)
    still = target.snapshots
    if rolled_back and shared is not None:
        still = still[: [one.guid for one in still].index(shared.guid) + 1]
    left_there = sorted(there & {one.short for one in still} - {arrived.short})
    if left_there:
        tasks.append(Release(tuple(f"{target.dataset}@{name}" for name in left_there), sender=False))
    return tasks


def _rolled_back(target: End, to: Snapshot) -> Sequence[Task]:
    """Back to a snapshot, what we hold ourselves of the newer ones first. Raises InvalidInput where others use them."""
    newer = target.snapshots[target.snapshots.index(to) + 1 :]
    ours = tuple(one.name for one in newer if one.short in target.held)
    used = [one.name for one in newer if one.clones or one.holds > (one.name in ours)]
    if used:
        raise InvalidInput(
            f"would have to be rolled back to {to.name}, but somebody holds, or made a clone of, {listed(used)}"
        )
    release: Sequence[Task] = (Release(ours, sender=False),) if ours else ()
    return (*release, RollBack(to.name))


def _partial(pair: Pair, wanted: Wanted) -> Optional[Snapshot]:
    """The snapshot with which a transfer that was cut off can go on; None where there is none, or none that can.
    Raises InvalidInput for one that is not ours."""
    token, source, target = pair.token, pair.source, pair.target
    if not target.token:
        return None
    if token is None or token.name.partition("@")[0] != source.dataset:
        whose = f"of {token.name}" if token is not None and token.name else "nobody can tell of what"
        raise InvalidInput(
            f"holds a part of another transfer ({whose}), which is not thrown away. "
            f"Let that go on, or give it up: zfs receive -A {target.dataset}"
        )
    found = next((one for one in source.snapshots if one.guid == token.guid), None)
    if found is None and not target.snapshots:
        # Nothing says that it is this host's: pools of several hosts have the same names.
        raise InvalidInput(
            f"holds the beginning of {token.name}, which this host does not have (any more), so it may be another "
            f"host's and is not thrown away. If it is of no use: zfs receive -A {target.dataset}"
        )
    if not (token.usable and wanted.resume):
        return None
    shared = common(source, target)
    # What is older than what the receiver has by now leads nowhere.
    if found is None or (shared is not None and source.snapshots.index(found) <= source.snapshots.index(shared)):
        return None
    return None if divergence(source, target) else found


def _chain(source: End, shared: Optional[Snapshot], resumed: Optional[Snapshot], wanted: Wanted) -> list[Snapshot]:
    """The snapshots to send, in order."""
    begin = source.snapshots.index(shared) + 1 if shared is not None else 0
    if resumed is not None:
        begin = source.snapshots.index(resumed)
    left = list(source.snapshots[begin:])
    if wanted.intermediates or len(left) < 2:
        return left
    # What was begun is finished first.
    return [left[0], left[-1]] if resumed is not None else left[-1:]


def _loss(target: End, lost: Sequence[str]) -> str:
    if lost:
        return f"it is rolled back, and loses {listed(list(lost))}"
    return (
        "it can be written to (readonly=off), as if it had taken over; it is made read-only, and whoever works on it "
        "is cut off"
    )


def tag(other: str) -> str:
    """The hold's tag at one end, which names the other: two replications of one source do not release each other's.
    ZFS takes 255 characters at most."""
    return f"{TAG}:{other}"[:250]


def told(task: Task) -> str:
    """A task in a few words, for the step's line."""
    if isinstance(task, Send):
        how = "resumed" if task.token else "full" if not task.base else "incremental"
        return f"{task.snapshot} ({how})"
    if isinstance(task, Abandon):
        return "give up the part that was received"
    if isinstance(task, RollBack):
        return f"roll back to {task.snapshot}"
    if isinstance(task, Protect):
        return "make it read-only and mark it as a replica"
    verb = "hold" if isinstance(task, Hold) else "release"
    return f"{verb} {listed(task.snapshots, most=3)}"
