# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A backend that takes a whole plan as one, and one that knows of consents which no single thing tells."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import converge as engine
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import ConsentMissing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.execution import DONE, FAILED, in_order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Consent, Plan, Step

from .fridge import FRIDGE, Broken, Cellar


@dataclass
class Delivery(Cellar):
    """Everything comes with one van, or nothing does."""

    orders: list = field(default_factory=list)
    way: dict = field(default_factory=dict)

    def apply_all(self, kind, steps):
        self.orders.append([step.key for step in steps])
        for step in steps:
            if step.key in self.failing:
                raise self.failing[step.key]
        for step in steps:
            self.apply(kind, step)
        return ("the van was late",)

    def consents(self, kind, plan, declared):
        return self.way


def run(cellar, *config, **params):
    return engine.converge(FRIDGE, FRIDGE.declare({"config": list(config), **params}), cellar)


def test_a_plan_is_handed_over_as_one_and_every_step_is_done():
    cellar = Delivery()
    outcome = run(cellar, {"name": "f1", "degrees": 3}, {"name": "f2", "degrees": 5})
    assert cellar.orders == [[("f1",), ("f2",)]]
    assert [result.outcome for result in outcome.results] == [DONE, DONE]
    assert outcome.warnings == ("create fridge f1: the van was late",)
    assert not run(cellar, {"name": "f1", "degrees": 3}).changed


def test_when_one_step_fails_none_is_done_and_each_says_why():
    cellar = Delivery(failing={("f2",): Broken("no room")})
    outcome = run(cellar, {"name": "f1", "degrees": 3}, {"name": "f2", "degrees": 5})
    assert [result.outcome for result in outcome.results] == [FAILED, FAILED]
    assert "no room" in outcome.failure
    assert not outcome.changed
    assert not cellar.things


def test_what_only_the_backend_knows_of_needs_its_word_also_for_what_is_created():
    cellar = Delivery(way={("f1",): (Consent("detach_disk", "the door is behind it"),)})
    with pytest.raises(ConsentMissing, match=r"fridge f1: the door is behind it \(needs detach_disk\)"):
        run(cellar, {"name": "f1", "degrees": 3})
    assert not cellar.orders
    run(cellar, {"name": "f1", "degrees": 3}, allow=["detach_disk"])
    assert cellar.orders == [[("f1",)]]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8))
def test_steps_come_after_what_they_need(pairs):
    steps = tuple(
        Step("create", "fridge", (name,), needs=tuple((before,) for other, before in pairs if other == name > before))
        for name in (3, 5, 1, 0, 4, 2)
    )
    placed = [step.key for step in in_order(Plan(steps))]
    assert sorted(placed) == sorted(step.key for step in steps)
    for step in steps:
        assert all(placed.index(need) < placed.index(step.key) for need in step.needs)
