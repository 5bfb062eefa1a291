# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The engine: observe, plan, consent, apply, verify. No Ansible in it."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import consent
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import (
    Atomic,
    Backend,
    Guarded,
    Missing,
    Unmet,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import (
    ABSENT,
    ON_CREATE,
    RESET,
    Declaration,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import (
    InvalidInput,
    SubsystemError,
    listed,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.execution import (
    DONE,
    FAILED,
    NOT_RUN,
    PLANNED,
    StepResult,
    execute,
    execute_at_once,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import Kind
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Thing, label
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key

States = dict[Key, Optional[Mapping[str, Any]]]


@dataclass(frozen=True)
class Outcome:
    """What a run came to. `predicted` is the plan's own before and after (the diff, the same in check and real run),
    `after` what was found when it was over."""

    plan: Plan
    results: tuple[StepResult, ...] = ()
    predicted: tuple[States, States] = field(default_factory=lambda: ({}, {}))
    after: States = field(default_factory=dict)
    unmet: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    failure: str = ""
    wrote: bool = False

    @property
    def changed(self) -> bool:
        return self.wrote or any(result.outcome in (DONE, PLANNED) for result in self.results)


@dataclass(frozen=True)
class Clock:
    """Time, so that tests need not wait for it."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def converge(
    kind: Kind,
    declared: Declaration,
    backend: Backend[Any],
    *,
    check: bool = False,
    clock: Clock = Clock(),
    verify_timeout: float = 60.0,
) -> Outcome:
    """Make `declared` true, or say what stands in the way. Raises SubsystemError before anything is written; what goes
    wrong later is in the outcome, because by then there is a truth to report about every step."""
    declared = backend.resolve(kind, declared)
    wanted_options = looked_at(kind, declared)
    observed = backend.observe(kind, None if declared.unlisted == ABSENT else declared.keys, wanted_options)
    plan = kind.plan(observed, declared)
    plan, missing = admitted(kind, backend, plan, declared, check=check)
    predicted = (plan.before(), plan.after())
    if check or not plan:
        now = texts(_unmet(kind, backend, observed, declared))
        results = tuple(StepResult(step, PLANNED) for step in plan)
        return Outcome(plan, results, predicted, dict(plan.after()), now, missing)

    wrote_before = backend.writes
    results = carried_out(kind, backend, plan)
    touched = {result.step.key for result in results if result.outcome != NOT_RUN}
    failure = failure_of(results)
    after: States = {}
    unmet: Sequence[Unmet] = ()
    try:
        found = dict(backend.observe(kind, touched, wanted_options))
        after = {key: found[key].state if key in found else None for key in predicted[1] if key in touched}
        failure = failure or _not_converged(kind, found, touched, declared)
        if not failure:
            unmet = polled(lambda: _unmet(kind, backend, {**observed, **found}, declared), clock, verify_timeout)
    except SubsystemError as problem:
        # By now there is a truth about every step, and it must not be lost because looking again failed.
        failure = f"{failure} Looking again after the steps failed: {problem}".strip()
    return Outcome(
        plan,
        results,
        predicted,
        after,
        texts(unmet),
        tuple(f"{result.step.line}: {text}" for result in results for text in result.warnings),
        failure,
        wrote=backend.writes > wrote_before,
    )


def admitted(kind: Any, backend: Any, plan: Plan, declared: Any, *, check: bool) -> tuple[Plan, tuple[str, ...]]:
    """The plan with all its consents given, and what is missing as warnings (in check mode). Raises InvalidInput for
    what is known to fail, ConsentMissing for what nobody agreed to."""
    if not plan:
        return plan, ()
    problems = tuple(backend.precheck(kind, plan, declared))
    if problems and not (check and all(isinstance(problem, Missing) for problem in problems)):
        raise InvalidInput(listed(problems).rstrip(".") + ".", hint="Nothing was changed.")
    if isinstance(backend, Guarded):
        plan = plan.with_consents(backend.consents(kind, plan, declared))
    consent.require(plan, declared.allow)
    if not problems:
        return plan, ()
    return plan, (f"{listed(problems)}. This is planned as if an earlier task made what is missing.",)


def carried_out(kind: Any, backend: Any, plan: Plan) -> tuple[StepResult, ...]:
    """The plan's steps, as one where the subsystem has transactions, otherwise one by one."""
    if isinstance(backend, Atomic):
        return execute_at_once(plan, lambda steps: backend.apply_all(kind, steps))
    return execute(plan, lambda step: backend.apply(kind, step), parallel=backend.parallel)


def looked_at(kind: Kind, declared: Declaration) -> frozenset[str]:
    """The options whose state somebody will look at, so that a backend can spare requests for the others."""
    if declared.unlisted_options == RESET or declared.state == ABSENT:
        return frozenset(row.name for row in kind.option_rows)
    names = {name for item in declared.items for name in (*item.options, *item.reset)}
    return frozenset(names | set(declared.scope))


def failure_of(results: Sequence[StepResult]) -> str:
    failed = [result for result in results if result.outcome == FAILED]
    if not failed:
        return ""
    left = [result.step.line for result in results if result.outcome == NOT_RUN]
    done = sum(result.outcome == DONE for result in results)
    text = f"{len(failed)} of {len(results)} steps failed: "
    text += listed([f"{result.step.line}: {result.message}" for result in failed])
    if done:
        text += f" Done: {done}."
    if left:
        text += f" Not begun: {listed(left)}."
    return f"{text} Mend the cause and run again: what is done stays done."


def _not_converged(kind: Kind, found: Mapping[Key, Thing], touched: Collection[Key], declared: Declaration) -> str:
    """Plan again what was touched: anything left means that the system took the change and did not keep it."""
    again = replace(
        declared,
        items=tuple(item for item in declared.items if item.key in touched),
        unlisted="ignore",
        update_secrets=ON_CREATE,
    )
    left = kind.plan(found, again)
    if not left:
        return ""
    return (
        "It did not converge: after a run without errors there is still to do: "
        f"{listed([step.line for step in left])}. "
        "The system accepted the change and did not keep it; look at its log."
    )


def _unmet(kind: Kind, backend: Backend[Any], things: Mapping[Key, Thing], declared: Declaration) -> Sequence[Unmet]:
    if declared.state == ABSENT:
        return backend.verify(kind, {}, declared) if kind.lingers else ()
    keys = set(declared.keys)
    present = {key: thing for key, thing in things.items() if key in keys}
    return backend.verify(kind, present, declared) if present else ()


def polled(look: Callable[[], Sequence[Unmet]], clock: Clock, timeout: float) -> Sequence[Unmet]:
    """Look until everything holds, or nothing that is left would pass by itself, or the deadline is over."""
    deadline = clock.now() + timeout
    pause = 0.2
    while True:
        unmet = look()
        if not any(condition.passing for condition in unmet) or clock.now() >= deadline:
            return unmet
        clock.sleep(min(pause, max(0.0, deadline - clock.now())))
        pause = min(pause * 2, 5.0)


def texts(unmet: Sequence[Unmet]) -> tuple[str, ...]:
    return tuple(condition.text for condition in unmet)


def shown(kind: Any, states: Mapping[Key, Mapping[str, Any] | None]) -> dict[str, Any]:
    """States by label, in `config`'s own form."""
    return {label(key) or kind.name: kind.visible(key, state) for key, state in states.items()}


def lines(results: Sequence[StepResult]) -> list[str]:
    return [result.line for result in results]
