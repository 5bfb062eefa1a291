# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The operation behind the module zfs_replication: its options, its plan, what it returns. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing, Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput, listed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Operation, Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Consent, Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Boolean, Duration, Key
from ansible_collections.hospital.continuity.plugins.module_utils.remote import runner_of
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import Pool, Snapshot
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.dataset import ancestors, check_name, pool_of
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.forms import Bytes
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.replication import (
    End,
    Pair,
    Wanted,
    Work,
    at_target,
    common,
    divergence,
    told,
    work,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.retention import DAY, at
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.snapshot import REPLICA

REPLICATE, HOLD = "replicate", "hold"
_SHOWN = 6
# Two hosts' clocks are never quite the same.
_TOLERANCE = 60
# Days after which a hold that nobody moves on is spoken of.
_FORGOTTEN = 30


@dataclass(frozen=True)
class Progress:
    """What was done in this run for one dataset. seconds: of the transfers alone."""

    count: int = 0
    seconds: float = 0.0
    resumed: bool = False


@dataclass(frozen=True)
class ReplicationOperation(Operation):
    def check(self, order: Order) -> None:
        source, target = str(order.options["source"]), str(order.options["target"])
        host = str(order.options.get("target_host") or "")
        check_name(source, "source")
        check_name(target, "target")
        runner_of(host)
        if "/" not in target:
            raise InvalidInput(
                f"target: {target!r} is a pool. A replica is a dataset of its own.", hint=f"Write {target}/NAME."
            )
        if not host and (source == target or target.startswith(f"{source}/") or source.startswith(f"{target}/")):
            raise InvalidInput(
                f"target: {target} and {source} lie in each other.",
                hint="Replicate to somewhere else, or give target_host.",
            )
        if order.options.get("bandwidth") == 0:
            raise InvalidInput("bandwidth: at 0 nothing would ever arrive.", hint="Leave it out for no limit.")

    def wanted(self, order: Order) -> Wanted:
        return Wanted(
            raw=order.options.get("raw"),
            resume=bool(order.options["resume"]),
            intermediates=bool(order.options["intermediates"]),
        )

    def plan(self, observed: Mapping[Key, Thing], order: Order) -> Plan:
        steps: list[Step] = []
        problems: list[str] = []
        for key, thing in observed.items():
            pair: Pair = thing.facts["pair"]
            if not pair.source.exists:
                # An earlier task may be about to make it; precheck says so, or refuses.
                shown = (f"{pair.source.dataset} (does not exist)",)
                facts = {"work": Work(), "pair": pair}
                after = state_of(pair, None)
                steps.append(Step(REPLICATE, "dataset", key, thing.state or None, after, shown, facts=facts))
                continue
            if self._recent(pair, int(thing.facts["now"]), order):
                continue
            try:
                todo = work(pair, self.wanted(order))
            except InvalidInput as problem:
                problems.append(f"{key[0]}: it {problem}")
                continue
            if todo.tasks:
                steps.append(self._step(key, thing, todo, created={step.key for step in steps}))
        if problems:
            raise InvalidInput(listed(problems).rstrip(".") + ".", hint="Nothing was changed.")
        return Plan(tuple(steps))

    @staticmethod
    def _recent(pair: Pair, now: int, order: Order) -> bool:
        """Whether the receiver has what is new enough (newer_than)."""
        limit, shared = order.options.get("newer_than"), common(pair.source, pair.target)
        # One of the future says nothing of how new it is, and would say so for years.
        return limit is not None and shared is not None and not _ahead(shared, now) and now - shared.created < limit

    @staticmethod
    def _step(key: Key, thing: Thing, todo: Work, created: set[Key]) -> Step:
        pair: Pair = thing.facts["pair"]
        words = [told(task) for task in (todo.sends or todo.tasks)]
        if len(words) > _SHOWN:
            words = [*words[: _SHOWN - 1], f"and {len(words) - _SHOWN + 1} more"]
        consent = (Consent(f"rollback_receiver:{key[0]}", todo.loses),) if todo.loses else ()
        above = tuple((name,) for name in ancestors(str(key[0])) if (name,) in created)
        return Step(
            REPLICATE if todo.sends else HOLD,
            "dataset",
            key,
            before=thing.state or None,
            after=state_of(pair, todo.final),
            options=tuple(words),
            consent=consent,
            needs=above,
            facts={"work": todo, "pair": pair},
        )

    # -- what can be known beforehand, and what success does not promise --------------------------------------------

    @staticmethod
    def problems(plan: Plan, pools: Mapping[str, Pool], parents: Mapping[str, str]) -> Sequence[str]:
        """What would fail. pools: the receiver's; parents: type of those parents of new replicas that exist."""
        problems: list[str] = []
        new = {str(step.key[0]) for step in plan if any(send.creates for send in step.facts["work"].sends)}
        for step in plan:
            name, pair, todo = str(step.key[0]), step.facts["pair"], step.facts["work"]
            if not pair.source.exists:
                problems.append(Missing(f"{pair.source.dataset}: there is no such dataset"))
                continue
            pool = pools.get(pool_of(name))
            if pool is not None and pool.health in ("SUSPENDED", "FAULTED", "UNAVAIL"):
                problems.append(f"{name}: pool {pool.name} is {pool.health}, nothing can be received")
            elif pool is not None and pool.readonly:
                problems.append(f"{name}: pool {pool.name} is imported read-only")
            parent = ancestors(name)[0]
            if name in new and parents.get(parent) == "volume":
                problems.append(f"{name}: {parent} is a volume, in which nothing can be received")
            elif name in new and parent not in parents and parent not in new:
                problems.append(Missing(f"{name}: its parent {parent} does not exist at the receiver"))
            if any(not send.raw and not send.token for send in todo.sends) and not pair.source.key:
                problems.append(
                    f"{pair.source.dataset}: its encryption key is not loaded, so it can only be sent as it is stored; "
                    "leave raw out"
                )
            mixed = _mixed(pair, todo)
            if mixed:
                problems.append(mixed)
        return problems

    def unmet(self, observed: Mapping[Key, Thing], order: Order) -> Sequence[Unmet]:
        result = []
        for key, thing in observed.items():
            pair, now = thing.facts["pair"], int(thing.facts["now"])
            shared, limit = common(pair.source, pair.target), order.options.get("newer_than")
            if not pair.source.snapshots:
                result.append(f"{pair.source.dataset} has no snapshot, so nothing of it is replicated; take one.")
            elif shared is None:
                result.append(f"{key[0]} has no recovery point: nothing of {pair.source.dataset} has arrived.")
            else:
                lost = divergence(pair.source, pair.target)
                if lost:
                    result.append(
                        f"{key[0]} has what {pair.source.dataset} has not, so the next snapshot cannot be received: "
                        f"{listed(lost)}."
                    )
                unprotected = _unprotected(pair.target)
                result.extend([unprotected] if unprotected else [])
                result.extend(_left_behind(pair, shared))
                age = now - shared.created
                if _ahead(shared, now):
                    result.append(
                        f"{shared.name} was taken at {at(shared.created)}, and by this host's clock it is {at(now)}. "
                        "One of the two clocks is wrong, so nobody can tell how old the replica is; set the clock and "
                        "take a new snapshot."
                    )
                elif limit is not None and age >= limit:
                    result.append(
                        f"{key[0]}: the newest snapshot of {pair.source.dataset} is {age} seconds old, more than "
                        f"newer_than ({limit}); take a new one."
                    )
        return [Unmet(text) for text in result]

    def values(self, observed: Mapping[Key, Thing], order: Order) -> Mapping[str, Any]:
        rows = [_row(key, thing) for key, thing in observed.items()]
        points = [row["recovery_point"] for row in rows]
        lacking = [point for point in points if point["age"] is None]
        oldest = (lacking or sorted(points, key=lambda point: -int(point["age"])) or [_point(None, 0)])[0]
        progress: Sequence[Progress] = [thing.facts["progress"] for thing in observed.values()]
        return {
            "recovery_point": oldest,
            "datasets": rows,
            "bytes": sum(one.count for one in progress),
            "seconds": round(sum(one.seconds for one in progress), 1),
            "resumed": any(one.resumed for one in progress),
        }


def state_of(pair: Pair, shared: Optional[Snapshot]) -> dict[str, Any]:
    """What is compared of a replica: which of the source's snapshots it has in common with it at last."""
    state: dict[str, Any] = {"source": pair.source.dataset}
    if shared is not None:
        state["recovery_point"] = at_target(shared, pair.target).short
    return state


def thing(pair: Pair, now: int, progress: Progress) -> Thing:
    """One dataset at both ends, as the engine compares it."""
    state = state_of(pair, common(pair.source, pair.target)) if pair.target.exists else {}
    return Thing(state, {"pair": pair, "now": now, "progress": progress})


def _row(key: Key, observed: Thing) -> dict[str, Any]:
    pair: Pair = observed.facts["pair"]
    progress: Progress = observed.facts["progress"]
    return {
        "source": pair.source.dataset,
        "target": str(key[0]),
        "recovery_point": _point(_dated(pair, int(observed.facts["now"])), int(observed.facts["now"])),
        "bytes": progress.count,
    }


def _point(shared: Optional[Snapshot], now: int) -> dict[str, Any]:
    if shared is None:
        return {"snapshot": "", "time": "", "age": None}
    age = None if _ahead(shared, now) else max(0, now - shared.created)
    return {"snapshot": shared.name, "time": at(shared.created), "age": age}


def _ahead(snapshot: Snapshot, now: int) -> bool:
    return snapshot.created > now + _TOLERANCE


def _dated(pair: Pair, now: int) -> Optional[Snapshot]:
    """The newest snapshot that both ends have and whose time can be: one of the future only where there is no other."""
    there = {one.guid for one in pair.target.snapshots}
    past = (one for one in reversed(pair.source.snapshots) if one.guid in there and not _ahead(one, now))
    return next(past, common(pair.source, pair.target))


def _mixed(pair: Pair, todo: Work) -> Optional[str]:
    """Raw streams only follow raw ones, and a readable one onto a raw replica ends them for ever. One that came raw
    has a key of its own; a readable one in an encrypted parent has the parent's."""
    source, target = pair.source, pair.target
    if not (source.encrypted and target.snapshots):
        return None
    if any(send.raw for send in todo.sends) and not target.encrypted:
        return (
            f"{target.dataset}: it came readable (raw: false), and what is sent as it is stored cannot follow; give "
            "raw: false, or replicate into a dataset that does not exist"
        )
    came_raw = target.encrypted and target.encryption_root == target.dataset
    if any(not send.raw and not send.token for send in todo.sends) and came_raw:
        return (
            f"{target.dataset}: it came as it is stored (raw), and after something readable nothing raw could follow "
            "any more; leave raw out, or replicate into a dataset that does not exist"
        )
    return None


def _unprotected(target: End) -> Optional[str]:
    if not target.readonly:
        return (
            f"{target.dataset} can be written to (readonly=off), as if it had taken over. The next snapshot is "
            f"received only with rollback_receiver:{target.dataset}."
        )
    if not target.marked:
        return (
            f"{target.dataset} has lost its mark ({REPLICA}), so a policy may take snapshots of it. It gets the mark "
            "again with the next snapshot."
        )
    return None


def _left_behind(pair: Pair, shared: Snapshot) -> Sequence[str]:
    """What other replications hold at the source and have not moved on from: perhaps they ended."""
    by_name = {one.short: one for one in pair.source.snapshots}
    return tuple(
        f"{by_name[short].name} is held by another replication ({tag}), which is {days} days behind. If that has "
        f"ended: zfs release {tag} {by_name[short].name}"
        for short, tag in pair.source.foreign
        for days in [(shared.created - by_name[short].created) // DAY]
        if days >= _FORGOTTEN
    )


REPLICATION = ReplicationOperation(
    name="replication",
    words=("rollback_receiver",),
    fields=(
        Field("source", required=True),
        Field("target", required=True),
        Field("target_host"),
        Field("recursive", Boolean(), type="bool", default=False),
        Field("raw", Boolean(), type="bool"),
        Field("bandwidth", Bytes()),
        Field("newer_than", Duration()),
        Field("resume", Boolean(), type="bool", default=True),
        Field("intermediates", Boolean(), type="bool", default=True),
    ),
)
