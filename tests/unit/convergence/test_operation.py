# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Modules that do something once: the same check mode, diff, consent and truth about steps as the others."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing, Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import ConsentMissing, InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Operation, operate
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Consent, Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Number

from .fridge import Broken


@dataclass(frozen=True)
class Defrosting(Operation):
    def check(self, order):
        if order.options["minutes"] > 60:
            raise InvalidInput("minutes: the blood would spoil.", hint="Give 60 or less.")

    def plan(self, observed, order):
        thing = observed[("f1",)]
        if thing.state["ice"] == 0:
            return Plan()
        return Plan((Step("defrost", "fridge", ("f1",), before=thing.state, after={"ice": 0}),))

    def consents(self, step):
        return (Consent("detach_disk", "it gets warm"),)

    def values(self, observed, order):
        return {"ice": observed[("f1",)].state["ice"]}


DEFROSTING = Defrosting(
    "defrosting",
    (Field("fridge", required=True), Field("minutes", Number(), type="int", default=10)),
    words=("detach_disk",),
)


class Kitchen:
    parallel = 1

    def __init__(self, ice=3):
        self.ice, self.writes, self.problems, self.failing, self.blind = ice, 0, [], None, False

    def observe(self, operation, order, keys=None):
        if self.blind and keys is not None:
            raise Broken("the light is out.")
        return {("f1",): Thing({"ice": self.ice})}

    def precheck(self, operation, plan, order):
        return self.problems

    def apply(self, operation, step):
        if self.failing:
            raise self.failing
        self.writes += 1
        self.ice = 0
        return ()

    def verify(self, operation, things, order):
        return () if self.ice == 0 else (Unmet("there is ice"),)

    def close(self):
        pass


def run(kitchen, *, check=False, **params):
    order = DEFROSTING.order({"fridge": "f1", "allow": ["detach_disk"], **params})
    return operate(DEFROSTING, order, kitchen, check=check)


def test_it_is_done_once_and_check_mode_predicts_it():
    kitchen = Kitchen()
    foreseen = run(kitchen, check=True)
    assert (foreseen.outcome.changed, kitchen.writes, foreseen.values) == (True, 0, {"ice": 3})
    done = run(kitchen)
    assert foreseen.outcome.predicted == done.outcome.predicted
    assert (done.outcome.changed, kitchen.writes, done.values) == (True, 1, {"ice": 0})
    again = run(kitchen)
    assert (again.outcome.changed, kitchen.writes, again.outcome.results) == (False, 1, ())


def test_it_asks_for_consent_before_anything_is_done():
    kitchen = Kitchen()
    for check in (True, False):
        with pytest.raises(ConsentMissing, match=r"defrost fridge f1: it gets warm \(needs detach_disk\)"):
            run(kitchen, allow=[], check=check)
    assert kitchen.writes == 0


def test_bad_input_is_refused_with_the_option_named():
    with pytest.raises(InvalidInput, match="minutes: the blood would spoil"):
        DEFROSTING.order({"fridge": "f1", "minutes": 90})
    with pytest.raises(InvalidInput, match="fridge is missing"):
        DEFROSTING.order({"minutes": 9})
    with pytest.raises(InvalidInput, match="stop_guest"):
        DEFROSTING.order({"fridge": "f1", "allow": ["stop_guest"]})


def test_what_an_earlier_task_may_make_warns_in_check_mode_only():
    kitchen = Kitchen()
    kitchen.problems = [Missing("there is no bowl")]
    assert "there is no bowl" in run(kitchen, check=True).outcome.warnings[0]
    with pytest.raises(InvalidInput, match="there is no bowl"):
        run(kitchen)


def test_failures_are_told_and_the_truth_about_the_step_is_kept():
    kitchen = Kitchen()
    kitchen.failing = Broken("the plug is stuck.")
    failed = run(kitchen)
    assert "the plug is stuck" in failed.outcome.failure
    assert not failed.outcome.changed
    kitchen = Kitchen()
    kitchen.blind = True
    done = run(kitchen)
    assert "the light is out" in done.outcome.failure
    assert [result.line for result in done.outcome.results] == ["done: defrost fridge f1"]
