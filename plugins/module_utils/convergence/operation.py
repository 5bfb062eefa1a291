# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The other sort of module: it does something once (a checkpoint, a backup, a migration) and describes no state.

Check mode, diff, consent, secrets and errors are as everywhere. An operation whose precondition holds already
(`newer_than`, `if: diverged`) plans nothing. What it did is looked at once more and told; there is no state to converge
to.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import consent
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.converge import (
    Clock,
    Outcome,
    States,
    admitted,
    carried_out,
    failure_of,
    polled,
    texts,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput, SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.execution import (
    NOT_RUN,
    PLANNED,
    StepResult,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Consent, Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field, normalised
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key, plain

_CLOCK = Clock()
OperationT_contra = TypeVar("OperationT_contra", contravariant=True)


@dataclass(frozen=True)
class Order:
    """What the user wants done, checked and canonical: `options` by name, defaults filled in."""

    options: Mapping[str, Any]
    allow: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Operation:
    """name: the word for it.  fields: the module's options.  words: the consent words its steps may need. Pure."""

    name: str
    fields: tuple[Field, ...]
    words: tuple[str, ...] = ()

    def order(self, params: Mapping[str, Any]) -> Order:
        """The module's parameters as an Order. Raises InvalidInput naming the option."""
        names = {row.name for row in self.fields}
        given = {name: value for name, value in params.items() if name in names}
        options = {row.name: row.effective(None) for row in self.fields if row.default is not None}
        options.update(normalised(self.fields, given))
        for row in self.fields:
            if row.required and options.get(row.name) is None:
                raise InvalidInput(f"{row.name} is missing.", hint="Look at ansible-doc for what it means.")
        allow = frozenset(params.get("allow") or ())
        consent.validate(allow, self.words)
        order = Order(options, allow)
        self.check(order)
        return order

    # -- hooks ------------------------------------------------------------------------------------------------------

    def check(self, order: Order) -> None:
        """Raises InvalidInput for what is wrong whatever the system holds."""

    def plan(self, observed: Mapping[Key, Thing], order: Order) -> Plan:
        """What to do. Nothing where the precondition says so. Raises InvalidInput with what is impossible."""
        raise TypeError(f"{self.name} does not say how it is planned")

    def consents(self, step: Step) -> Sequence[Consent]:
        """What the step interrupts or destroys."""
        return ()

    def values(self, observed: Mapping[Key, Thing], order: Order) -> Mapping[str, Any]:
        """What the module returns beside what all return. No secrets."""
        return {}

    def visible(self, key: Key, state: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """A state as a person may see it."""
        return None if state is None else {name: plain(value) for name, value in state.items()}


class OperationBackend(Protocol[OperationT_contra]):
    """An operation's I/O. A backend may also be Atomic or Guarded (backend.py)."""

    @property
    def parallel(self) -> int:
        """How many steps may run at a time."""

    @property
    def writes(self) -> int:
        """How many writes have been made."""

    def observe(
        self, operation: OperationT_contra, order: Order, keys: Collection[Key] | None = None
    ) -> Mapping[Key, Thing]:
        """What planning needs to know; `keys`: only what was touched. Reads only."""

    def precheck(self, operation: OperationT_contra, plan: Plan, order: Order) -> Sequence[str]:
        """What can be known to fail before the first write, in the user's words. Reads only."""

    def apply(self, operation: OperationT_contra, step: Step) -> Sequence[str]:
        """Do one step and wait for it. Returns warnings. Raises SubsystemError."""

    def verify(self, operation: OperationT_contra, things: Mapping[Key, Thing], order: Order) -> Sequence[Unmet]:
        """What does not hold although every step succeeded."""

    def close(self) -> None:
        """Give connections back."""


@dataclass(frozen=True)
class Done:
    """What an operation came to: the outcome every module has, and the operation's own values."""

    outcome: Outcome
    values: Mapping[str, Any] = field(default_factory=dict)


def operate(
    operation: Operation,
    order: Order,
    backend: OperationBackend[Any],
    *,
    check: bool = False,
    clock: Clock = _CLOCK,
    verify_timeout: float = 60.0,
) -> Done:
    """Do what `order` says, once. Raises SubsystemError before anything is written; what goes wrong later is in the
    outcome."""
    observed = backend.observe(operation, order)
    plan = Plan(tuple(_with_consents(operation, step) for step in operation.plan(observed, order)))
    plan, missing = admitted(operation, backend, plan, order, check=check)
    predicted = (plan.before(), plan.after())
    if check or not plan:
        results = tuple(StepResult(step, PLANNED) for step in plan)
        unmet = texts(backend.verify(operation, observed, order)) if not plan else ()
        outcome = Outcome(plan, results, predicted, dict(plan.after()), unmet, missing)
        return Done(outcome, operation.values(observed, order))

    wrote_before = backend.writes
    results = carried_out(operation, backend, plan)
    touched = {result.step.key for result in results if result.outcome != NOT_RUN}
    failure = failure_of(results)
    found = dict(observed)
    after: States = {}
    unmet = ()
    try:
        found = dict(backend.observe(operation, order, touched))
        after = {key: found[key].state if key in found else None for key in predicted[1] if key in touched}
        if not failure:
            unmet = texts(polled(lambda: backend.verify(operation, found, order), clock, verify_timeout))
    except SubsystemError as problem:
        failure = f"{failure} Looking again after the steps failed: {problem}".strip()
    warnings = tuple(f"{result.step.line}: {text}" for result in results for text in result.warnings)
    wrote = backend.writes > wrote_before
    outcome = Outcome(plan, results, predicted, after, unmet, warnings, failure, wrote=wrote)
    return Done(outcome, operation.values(found, order))


def _with_consents(operation: Operation, step: Step) -> Step:
    wanted = tuple(operation.consents(step))
    return replace(step, consent=(*step.consent, *wanted)) if wanted else step
