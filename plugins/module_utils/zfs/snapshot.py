# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Snapshots by policy: what is due is taken, what the policy no longer keeps is destroyed.

A policy is a user property of its dataset, `hospital.continuity:snapshots.<prefix>`, so that the host itself knows it.
Its snapshots are those named <prefix>-<period>, as retention.label writes periods; nothing else is ever destroyed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing, Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration, Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput, listed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import Kind
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    DELETE,
    UPDATE,
    Consent,
    Plan,
    Step,
    Thing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import (
    Boolean,
    Key,
    Number,
    Unordered,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import Pool, Snapshot
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.dataset import Command, check_name, pool_of
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.retention import (
    PERIODS,
    Moment,
    Policy,
    at,
    due,
    kept,
)

PROPERTY = "hospital.continuity:snapshots."
# Set at a dataset that receives a replication, and inherited by what is below it.
REPLICA = "hospital.continuity:replica"
TAKE, DESTROY = "take", "destroy"

_PREFIX = re.compile(r"^[a-z0-9][a-z0-9._-]{0,99}$")
_NAME = re.compile(r"^[A-Za-z0-9_.:][A-Za-z0-9_.:-]{0,199}$")
_PERIOD = re.compile(r"^\d{4}(-W\d{2}|-\d{2}(-\d{2}(T\d{2}Z)?)?)?$")
_MOST = 100_000
# A command line holds 2 MB; names have 255 characters at most.
_AT_ONCE = 500


@dataclass(frozen=True)
class Managed:
    """The datasets a policy is for, and what is known of them. now: the host's clock, seconds since 1970.

    datasets: the policy's own dataset, if it exists, and below it those that no other policy of the same prefix and no
    replication has.  whole: these are all that are below.  replica: the dataset receives a replication.
    """

    now: int
    exists: bool = True
    datasets: tuple[str, ...] = ()
    whole: bool = True
    replica: bool = False
    snapshots: tuple[Snapshot, ...] = ()

    def own(self, dataset: str, prefix: str) -> list[Moment]:
        """The snapshots of a policy at one dataset. Their names are without the prefix."""
        return [
            Moment(period, one.created, one.order, held=one.holds > 0 or bool(one.clones))
            for one in self.snapshots
            for period in [period_of(one.short, prefix)]
            if one.dataset == dataset and period
        ]

    def names(self, prefix: str) -> tuple[str, ...]:
        """The full names of a policy's snapshots, the oldest first."""
        mine = [one for one in self.snapshots if one.dataset in self.datasets and period_of(one.short, prefix)]
        return tuple(one.name for one in sorted(mine, key=lambda one: (one.order, one.name)))


@dataclass(frozen=True)
class SnapshotKind(Kind):
    # -- what the user asks for -------------------------------------------------------------------------------------

    def check(self, item: Item) -> None:
        dataset, prefix = map(str, item.key)
        check_name(dataset, "dataset")
        if not _PREFIX.match(prefix):
            raise InvalidInput(
                f"prefix: {prefix!r} cannot begin the names of snapshots.",
                hint="Write lower-case letters, digits and . _ - , for example auto.",
            )
        for period in PERIODS:
            count = item.options.get(period)
            if count is not None and not (isinstance(count, int) and 0 <= count <= _MOST):
                raise InvalidInput(f"{period}: {count} is not a number of snapshots.", hint=f"Give 0 to {_MOST}.")
        for name in item.options.get("names") or ():
            if not _NAME.match(name) or len(f"{dataset}@{name}") > 255:
                raise InvalidInput(
                    f"names: {name!r} is no name of a snapshot.",
                    hint="Write what comes after the @, letters, digits and _ . : - .",
                )
            if name == prefix or period_of(name, prefix):
                raise InvalidInput(
                    f"names: {name!r} looks like one of the policy's own.", hint="Give it another name, or prefix."
                )

    # -- planning ---------------------------------------------------------------------------------------------------

    def plan_present(self, item: Item, thing: Thing | None, declared: Declaration) -> Sequence[Step]:
        state, managed = _observed(thing)
        after, options = self.wanted(item, state, declared)
        policy, names = policy_of(after), tuple(item.options.get("names") or ())
        if not policy.keeps and not names:
            raise InvalidInput(f"the policy would keep nothing; give one of {', '.join(PERIODS)}")
        recursive, taking = bool(after.get("recursive")), bool(after.get("take", True))
        if not recursive:
            managed = replace(managed, datasets=managed.datasets[:1], whole=True)
        if managed.replica and (names or (taking and policy.keeps)):
            raise InvalidInput(
                "is the receiver of a replication, which could not go on if a snapshot were taken here; "
                "give take: false to prune only"
            )
        steps = []
        if options:
            steps.append(self._policy_step(item.key, state, after, options))
        new = self._new(item.key, managed, policy if taking else Policy(), names)
        # A full pool takes no snapshot: what goes without the coming one goes before it.
        first = self._pruned(item.key, managed, policy, ()) if policy.keeps else {}
        gone = self._pruned(item.key, managed, policy, new) if policy.keeps else {}
        if first:
            steps.append(self._destroying(item.key, first))
        if new:
            steps.append(self._taking(item.key, managed, new, recursive=recursive))
        rest = _without(gone, first)
        if rest:
            steps.append(self._destroying(item.key, rest))
        return self._with_states(item.key, steps, state, after, managed, new, gone)

    def plan_removal(self, item: Item, thing: Thing | None) -> Sequence[Step]:
        state, managed = _observed(thing)
        dataset, prefix = map(str, item.key)
        named = sorted(set(item.options.get("names") or ()))
        mine = set(managed.names(prefix))
        gone: dict[str, list[str]] = {}
        for one in managed.snapshots:
            if one.name in mine or (one.dataset in managed.datasets and one.short in named):
                gone.setdefault(one.dataset, []).append(one.short)
        steps = []
        if gone:
            words = []
            if mine:
                loses = f"its {len(mine)} snapshots are lost for ever ({_by_dataset(managed.names(prefix))})"
                words.append(Consent(f"destroy_snapshot:{dataset}@{prefix}", loses))
            for name in named:
                where = [one for one, shorts in gone.items() if name in shorts]
                if where:
                    loses = "it is lost for ever" + (f", at {listed(where)}" if where != [dataset] else "")
                    words.append(Consent(f"destroy_snapshot:{dataset}@{name}", loses))
            steps.append(replace(self._destroying(item.key, gone), consent=tuple(words)))
        if state:
            steps.append(Step(DELETE, self.name, item.key))
        return self._with_states(item.key, steps, state, {}, managed, (), gone)

    def _policy_step(self, key: Key, before: Mapping[str, Any], after: Mapping[str, Any], options: list[str]) -> Step:
        return Step(UPDATE if before else CREATE, self.name, key, options=tuple(options), inputs={"policy": after})

    def _new(self, key: Key, managed: Managed, policy: Policy, names: Iterable[str]) -> tuple[str, ...]:
        """The names, after the @, of the snapshots to take."""
        dataset, prefix = map(str, key)
        period = due(managed.own(dataset, prefix), policy, managed.now)
        there = {one.short for one in managed.snapshots if one.dataset == dataset}
        wanted = [*([f"{prefix}-{period}"] if period else []), *names]
        return tuple(name for name in wanted if name not in there)

    @staticmethod
    def _taking(key: Key, managed: Managed, new: Sequence[str], *, recursive: bool) -> Step:
        dataset = str(key[0])
        datasets = managed.datasets if recursive and managed.datasets else (dataset,)
        more = f" and {len(datasets) - 1} datasets below" if len(datasets) > 1 else ""
        whole = recursive and managed.whole
        commands = []
        for name in new:
            words = ["-r", f"{dataset}@{name}"] if whole else [f"{one}@{name}" for one in datasets]
            commands.append(Command(("zfs", "snapshot", *words)))
        shown = tuple(f"{dataset}@{name}{more}" for name in new)
        return Step(TAKE, "snapshot", key, options=shown, facts={"commands": tuple(commands)})

    @staticmethod
    def _pruned(key: Key, managed: Managed, policy: Policy, new: Sequence[str]) -> dict[str, list[str]]:
        """Dataset -> the names, after the @, of what goes there."""
        prefix = str(key[1])
        latest = max((one.order for one in managed.snapshots), default=0)
        coming = [Moment(period, managed.now, latest + 1) for period in (period_of(name, prefix) for name in new)]
        gone: dict[str, list[str]] = {}
        for dataset in managed.datasets:
            moments = [*managed.own(dataset, prefix), *(one for one in coming if one.name)]
            _stays, goes = kept(moments, policy, managed.now)
            if goes:
                gone[dataset] = [f"{prefix}-{one.name}" for one in goes]
        return gone

    @staticmethod
    def _destroying(key: Key, gone: Mapping[str, Sequence[str]]) -> Step:
        commands = [
            Command(("zfs", "destroy", f"{dataset}@{','.join(shorts[start : start + _AT_ONCE])}"))
            for dataset, shorts in gone.items()
            for start in range(0, len(shorts), _AT_ONCE)
        ]
        names = tuple(f"{dataset}@{short}" for dataset, shorts in gone.items() for short in shorts)
        return Step(DESTROY, "snapshot", key, options=names, facts={"commands": tuple(commands)})

    @staticmethod
    def _with_states(
        key: Key,
        steps: Sequence[Step],
        state: Mapping[str, Any],
        after: Mapping[str, Any],
        managed: Managed,
        new: Sequence[str],
        gone: Mapping[str, Sequence[str]],
    ) -> Sequence[Step]:
        """The steps with what there is before and after all of them."""
        prefix, names = str(key[1]), list(managed.names(str(key[1])))
        lost = {f"{dataset}@{short}" for dataset, shorts in gone.items() for short in shorts}
        datasets = managed.datasets if after.get("recursive") and managed.datasets else (str(key[0]),)
        coming = [f"{dataset}@{name}" for dataset in datasets for name in new if period_of(name, prefix)]
        left = (*(name for name in names if name not in lost), *coming)
        before_all = with_names(state, tuple(names))
        after_all = with_names(after, left)
        return tuple(replace(step, before=before_all or None, after=after_all or None) for step in steps)

    def visible(self, key: Key, state: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """A policy and the snapshots it has; None where there is neither."""
        if not state:
            return None
        return {**self.config(key, state), "snapshots": list(state.get("snapshots", ()))}

    def config(self, key: Key, state: Mapping[str, Any]) -> dict[str, Any]:
        """A policy in `config`'s own form."""
        return super().visible(key, {name: value for name, value in state.items() if name != "snapshots"}) or {}

    # -- writing ----------------------------------------------------------------------------------------------------

    def commands(self, step: Step) -> Sequence[Command]:
        """The programs of a step, in order."""
        if step.action in (TAKE, DESTROY):
            commands: Sequence[Command] = step.facts["commands"]
            return commands
        dataset, prop = str(step.key[0]), f"{PROPERTY}{step.key[1]}"
        if step.action == DELETE:
            return (Command(("zfs", "inherit", prop, dataset)),)
        return (Command(("zfs", "set", f"{prop}={encoded(step.inputs['policy'])}", dataset)),)

    # -- what can be known beforehand, and what success does not promise --------------------------------------------

    def problems(self, plan: Plan, pools: Mapping[str, Pool], managed: Mapping[Key, Managed]) -> Sequence[str]:
        problems: list[str] = []
        for key in dict.fromkeys(step.key for step in plan):
            dataset = str(key[0])
            pool = pools.get(pool_of(dataset))
            if pool is not None and pool.health in ("SUSPENDED", "FAULTED", "UNAVAIL"):
                problems.append(f"{dataset}: pool {pool.name} is {pool.health}, nothing can be written")
            elif pool is not None and pool.readonly:
                problems.append(f"{dataset}: pool {pool.name} is imported read-only")
            elif not managed[key].exists:
                problems.append(Missing(f"{dataset}: there is no such dataset"))
        for step in plan:
            if step.action == DESTROY:
                problems.extend(_protected(step, managed[step.key]))
        return problems

    def unmet(self, things: Mapping[Key, Thing]) -> Sequence[Unmet]:
        result = []
        for key in sorted(things):
            state, managed = _observed(things[key])
            ahead = [one for one in managed.snapshots if one.created > managed.now + 60]
            if state and ahead:
                result.append(
                    Unmet(
                        f"{key[0]}: {ahead[-1].name} was taken at {at(ahead[-1].created)}, and by this host's clock it "
                        f"is {at(managed.now)}. One of the two clocks is wrong; what lies in the future is kept."
                    )
                )
        return result


def _without(gone: Mapping[str, Sequence[str]], those: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Dataset -> names, less those that are among the others."""
    left = {dataset: [one for one in shorts if one not in those.get(dataset, ())] for dataset, shorts in gone.items()}
    return {dataset: shorts for dataset, shorts in left.items() if shorts}


def _by_dataset(names: Sequence[str]) -> str:
    """Snapshots for a person to agree to: what they are called, or where there are several datasets, how many each."""
    counts = Counter(name.partition("@")[0] for name in names)
    if len(counts) < 2:
        return listed([name.partition("@")[2] for name in names])
    return listed([f"{count} of {dataset}" for dataset, count in sorted(counts.items())])


def period_of(short: str, prefix: str) -> str:
    """The period in the name of one of a policy's snapshots; empty for a snapshot that is not the policy's."""
    if not short.startswith(f"{prefix}-"):
        return ""
    period = short[len(prefix) + 1 :]
    return period if _PERIOD.match(period) else ""


def policy_of(state: Mapping[str, Any]) -> Policy:
    return Policy(**{name: int(state[name]) for name in PERIODS if state.get(name)})


def encoded(state: Mapping[str, Any]) -> str:
    """A policy as its property holds it: hourly=24,daily=7,recursive=on."""
    parts = [f"{name}={state[name]}" for name in PERIODS if state.get(name)]
    parts += ["recursive=on"] if state.get("recursive") else []
    parts += ["take=off"] if not state.get("take", True) else []
    return ",".join(parts)


def decoded(text: str) -> dict[str, Any]:
    """The state that a property means. What is not understood counts as not set, so that it is written anew."""
    state: dict[str, Any] = {}
    for part in text.split(","):
        name, _equals, value = part.partition("=")
        if name in PERIODS and value.isdigit() and 0 < int(value) <= _MOST:
            state[name] = int(value)
        elif part == "recursive=on":
            state["recursive"] = True
        elif part == "take=off":
            state["take"] = False
    return state


def with_names(state: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """A policy's state with the snapshots there are, for people to compare."""
    return {**state, **({"snapshots": names} if names else {})}


def _observed(thing: Thing | None) -> tuple[dict[str, Any], Managed]:
    """What is stored of a policy, and what is known of its datasets."""
    if thing is None:
        return {}, Managed(0, exists=False)
    managed: Managed = thing.facts["managed"]
    return {name: value for name, value in thing.state.items() if name != "snapshots"}, managed


def _protected(step: Step, managed: Managed) -> Iterable[str]:
    """What of a step's snapshots cannot be destroyed, and why."""
    by_name = {one.name: one for one in managed.snapshots}
    for name in step.options:
        one = by_name.get(name)
        if one is not None and one.clones:
            yield f"{name}: {listed(one.clones)} is a clone of it; promote it (zfs promote) or destroy it first"
        elif one is not None and one.holds:
            yield f"{name}: it is held, which a replication or a person did (zfs holds {name}); release it first"


def _count(name: str) -> Field:
    return Field(name, Number(zero_is_unset=True), type="int")


SNAPSHOTS = SnapshotKind(
    name="snapshot policy",
    identity=("dataset", "prefix"),
    words=("destroy_snapshot",),
    fields=(
        Field("dataset"),
        Field("prefix"),
        *map(_count, PERIODS),
        Field("recursive", Boolean(), type="bool", default=False),
        Field("take", Boolean(), type="bool", default=True),
        Field("names", Unordered(), type="list", elements="str", creating=True),
    ),
)
