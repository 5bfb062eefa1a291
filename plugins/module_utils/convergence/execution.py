# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Carrying out a plan: dependency order, bounded parallel, and the truth about every step afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Callable

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key

PLANNED, DONE, FAILED, NOT_RUN = "planned", "done", "failed", "not_run"


@dataclass(frozen=True)
class StepResult:
    step: Step
    outcome: str
    message: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        return f"{self.outcome}: {self.step.line}" + (f" ({self.message})" if self.message else "")


def dependencies(plan: Plan) -> list[set[int]]:
    """For each step the numbers of the steps that come first: earlier ones of its own key, and those of its needs."""
    by_key: dict[Key, list[int]] = {}
    for number, step in enumerate(plan.steps):
        by_key.setdefault(step.key, []).append(number)
    result: list[set[int]] = []
    for number, step in enumerate(plan.steps):
        before = {earlier for earlier in by_key[step.key] if earlier < number}
        for key in step.needs:
            before.update(other for other in by_key.get(key, ()) if key != step.key)
        result.append(before)
    return result


def execute(plan: Plan, apply: Callable[[Step], Sequence[str]], *, parallel: int) -> tuple[StepResult, ...]:
    """Apply every step whose predecessors are done. One that fails stops its dependants, and an error that affects
    everything stops what has not begun."""
    waiting = dependencies(plan)
    results: dict[int, StepResult] = {}
    running: dict[Future[Sequence[str]], int] = {}
    stopped = ""
    with ThreadPoolExecutor(max_workers=max(1, parallel)) as pool:
        while len(results) < len(plan.steps):
            for number, step in enumerate(plan.steps):
                if number in results or number in running.values():
                    continue
                broken = [other for other in waiting[number] if other in results and results[other].outcome != DONE]
                if stopped or broken:
                    reason = stopped or f"after: {results[min(broken)].step.line}"
                    results[number] = StepResult(step, NOT_RUN, reason)
                elif len(running) < max(1, parallel) and all(other in results for other in waiting[number]):
                    running[pool.submit(apply, step)] = number
            if not running:
                if len(results) < len(plan.steps) and not _progress(plan, waiting, results):
                    raise SubsystemError("The steps wait for each other in a circle; this is a defect of the kind.")
                continue
            finished = wait(running, return_when=FIRST_COMPLETED).done
            for future in finished:
                number = running.pop(future)
                results[number] = _outcome(plan.steps[number], future)
                error = future.exception()
                if isinstance(error, SubsystemError) and error.affects_everything:
                    stopped = str(error)
    return tuple(results[number] for number in range(len(plan.steps)))


def execute_at_once(plan: Plan, apply_all: Callable[[Sequence[Step]], Sequence[str]]) -> tuple[StepResult, ...]:
    """Apply all steps as one, what others need first: every one of them is done, or failed, for the same reason."""
    try:
        warnings = tuple(apply_all(in_order(plan)) or ())
    except SubsystemError as error:
        return tuple(StepResult(step, FAILED, str(error)) for step in plan)
    first = StepResult(plan.steps[0], DONE, warnings=warnings)
    return (first, *(StepResult(step, DONE) for step in plan.steps[1:]))


def in_order(plan: Plan) -> tuple[Step, ...]:
    """The steps so that each comes after those it needs, otherwise as planned."""
    waiting = dependencies(plan)
    placed: dict[int, Step] = {}
    while len(placed) < len(plan.steps):
        ready = [number for number, before in enumerate(waiting) if number not in placed and before <= set(placed)]
        if not ready:
            raise SubsystemError("The steps wait for each other in a circle; this is a defect of the kind.")
        placed[ready[0]] = plan.steps[ready[0]]
    return tuple(placed.values())


def _progress(plan: Plan, waiting: list[set[int]], results: dict[int, StepResult]) -> bool:
    """Whether some step can still be begun or given up."""
    return any(
        number not in results
        and (
            all(other in results for other in waiting[number])
            or any(other in results and results[other].outcome != DONE for other in waiting[number])
        )
        for number in range(len(plan.steps))
    )


def _outcome(step: Step, future: Future[Sequence[str]]) -> StepResult:
    error = future.exception()
    if error is None:
        return StepResult(step, DONE, warnings=tuple(future.result() or ()))
    if isinstance(error, SubsystemError):
        return StepResult(step, FAILED, str(error))
    raise error
