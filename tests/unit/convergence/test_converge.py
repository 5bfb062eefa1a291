# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Observe, plan, consent, apply, verify: what a run does and what it says of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import converge as engine
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import (
    Missing,
    Unmet,
    placed,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import ConsentMissing, InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.execution import dependencies, execute
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step

from .fridge import FRIDGE, Broken, Cellar, PowerCut


class FakeTime:
    def __init__(self):
        self.time = 0.0
        self.clock = engine.Clock(now=lambda: self.time, sleep=self.sleep)

    def sleep(self, seconds):
        self.time += seconds


def run(cellar, *config, check=False, clock=None, **params):
    declared = FRIDGE.declare({"config": list(config), **params})
    return engine.converge(FRIDGE, declared, cellar, check=check, clock=clock or FakeTime().clock)


def test_check_mode_predicts_the_real_run_and_writes_nothing():
    cellar = Cellar({("f1",): {"degrees": 8}})
    config = [{"name": "f1", "degrees": 3}, {"name": "f2", "ward": "er"}]
    foreseen = run(cellar, *config, check=True)
    assert cellar.writes == 0
    real = run(cellar, *config)
    assert foreseen.predicted == real.predicted
    assert [result.step for result in foreseen.results] == [result.step for result in real.results]
    assert foreseen.changed
    assert real.changed
    again = run(cellar, *config)
    assert not again.changed
    assert cellar.writes == 2


def test_check_mode_goes_on_where_another_task_may_make_what_is_missing():
    cellar = Cellar({("f1",): {}})
    cellar.refusals = [placed("f1", Missing("there is no socket s9"))]
    with pytest.raises(InvalidInput, match="f1: there is no socket s9"):
        run(cellar, {"name": "f1", "degrees": 1})
    foreseen = run(cellar, {"name": "f1", "degrees": 1}, check=True)
    assert foreseen.changed
    assert ["no socket s9" in text for text in foreseen.warnings] == [True]
    cellar.refusals.append("f1: no plug fits")
    with pytest.raises(InvalidInput, match="no plug fits"):
        run(cellar, {"name": "f1", "degrees": 1}, check=True)
    assert cellar.writes == 0


def test_check_mode_refuses_what_the_real_run_refuses():
    cellar = Cellar({("f1",): {}})
    for check in (True, False):
        with pytest.raises(ConsentMissing, match=r"fridge f1.*blood gets warm.*detach_disk.*Nothing was changed"):
            run(cellar, {"name": "f1"}, state="absent", check=check)
        cellar.refusals = ["f1: no socket is free"]
        with pytest.raises(InvalidInput, match="no socket"):
            run(cellar, {"name": "f1", "degrees": 1}, check=check)
        cellar.refusals = []
    assert cellar.writes == 0


def test_with_consent_it_is_done():
    cellar = Cellar({("f1",): {}})
    assert run(cellar, {"name": "f1"}, state="absent", allow=["detach_disk"]).changed
    assert cellar.things == {}


def test_one_failure_does_not_stop_the_others_and_the_next_run_converges():
    cellar = Cellar(failing={("f2",): Broken("no power at the socket.", hint="Plug it in.")})
    config = [{"name": f"f{number}"} for number in range(1, 4)]
    outcome = run(cellar, *config)
    assert "1 of 3 steps failed" in outcome.failure
    assert "no power at the socket. Plug it in." in outcome.failure
    assert sorted(cellar.things) == [("f1",), ("f3",)]
    assert outcome.changed
    cellar.failing.clear()
    assert not run(cellar, *config).failure
    assert len(cellar.things) == 3


def test_what_affects_everything_stops_the_rest():
    cellar = Cellar(failing={("f1",): PowerCut("the cellar is dark.")}, parallel=1)
    outcome = run(cellar, *({"name": f"f{number}"} for number in range(1, 4)))
    assert [result.outcome for result in outcome.results] == ["failed", "not_run", "not_run"]
    assert cellar.things == {}


@pytest.mark.parametrize("moment", ["observe", "verify"])
def test_what_was_done_is_told_although_looking_again_fails(moment):
    cellar = Cellar()
    look = getattr(cellar, moment)

    def dark(*arguments):
        if cellar.writes:
            raise PowerCut("the cellar is dark.")
        return look(*arguments)

    setattr(cellar, moment, dark)
    outcome = run(cellar, {"name": "f1"})
    assert "the cellar is dark" in outcome.failure
    assert [result.line for result in outcome.results] == ["done: create fridge f1"]
    assert outcome.changed


def test_a_change_that_does_not_stick_is_a_failure():
    outcome = run(Cellar({("f1",): {}}, forgets={"ward"}), {"name": "f1", "ward": "icu"})
    assert "did not converge" in outcome.failure
    assert "update fridge f1: ward" in outcome.failure


def test_conditions_are_waited_for_after_a_change_only():
    still_warm = [Unmet("f1 is still warm", passing=True)]
    time = FakeTime()
    cellar = Cellar(complaints=[still_warm, still_warm, []])
    assert run(cellar, {"name": "f1"}, clock=time.clock).unmet == ()
    assert time.time > 0
    time = FakeTime()
    cellar.complaints = [still_warm]
    assert run(cellar, {"name": "f1"}, clock=time.clock).unmet == ("f1 is still warm",)
    assert time.time == 0


def test_waiting_ends_at_the_deadline_and_at_what_time_cannot_mend():
    time = FakeTime()
    warm = [Unmet("f1 is still warm", passing=True)]
    assert run(Cellar(complaints=[warm] * 99), {"name": "f1"}, clock=time.clock).unmet == ("f1 is still warm",)
    assert time.time == pytest.approx(60)
    time = FakeTime()
    door = [Unmet("the door is open")]
    assert run(Cellar(complaints=[door] * 2), {"name": "f1"}, clock=time.clock).unmet == ("the door is open",)
    assert time.time == 0


def test_the_result_shows_what_was_found_and_no_secret():
    cellar = Cellar()
    outcome = run(cellar, {"name": "f1", "pin": "1234"})
    assert outcome.after == {("f1",): {"serial": "SN0"}}
    assert cellar.pins == {("f1",): "1234"}
    assert "1234" not in str(engine.shown(FRIDGE, outcome.after)) + str(engine.lines(outcome.results))


def step(name, *needs, action="create"):
    return Step(action, "fridge", (name,), after={}, needs=tuple((need,) for need in needs))


def test_steps_follow_their_dependencies():
    order = []
    plan = Plan((step("c", "b"), step("b", "a"), step("a"), step("a", action="update")))
    results = execute(plan, lambda one: order.append((one.key[0], one.action)) or (), parallel=4)
    assert all(result.outcome == "done" for result in results)
    assert order.index(("a", "create")) < order.index(("a", "update")) < order.index(("b", "create"))
    assert order[-1] == ("c", "create")
    assert dependencies(plan)[0] == {1}


def test_a_failed_step_stops_its_dependants_only():
    def apply(one):
        if one.key == ("a",):
            raise Broken("broken")
        return ()

    results = execute(Plan((step("c", "b"), step("b", "a"), step("a"), step("d"))), apply, parallel=2)
    assert [result.outcome for result in results] == ["not_run", "not_run", "failed", "done"]


def test_a_circle_is_a_defect_not_a_hang():
    with pytest.raises(Exception, match="circle"):
        execute(Plan((step("a", "b"), step("b", "a"))), lambda one: (), parallel=2)


def test_the_run_looks_at_the_listed_things_only():
    cellar = Cellar({("f1",): {}, ("f2",): {}})
    run(cellar, {"name": "f1"})
    assert cellar.observed == [(("f1",),)]
    assert replace(FRIDGE.declare({"config": []})).keys == ()
