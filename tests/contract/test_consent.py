# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Point 7: every consent word is refused when it is missing, with nothing written, and honoured when it is given."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.consent import WORDS
from tests.contract import discovery, exercised
from tests.contract.case import Case, Scenario, of
from tests.contract.system import System, refused, succeeded

SystemOf = Callable[[Case], System]
SCENARIOS = [(case, scenario) for case in discovery.cases() for scenario in case.consents]


@pytest.mark.parametrize(
    ("case", "scenario"), SCENARIOS, ids=[f"{case.id}-{scenario.id}" for case, scenario in SCENARIOS]
)
def test_consent_is_asked_for_and_honoured(case: Case, scenario: Scenario, system_of: SystemOf) -> None:
    system = system_of(case)
    if scenario.lab_only:
        system.need_lab(case.module, scenario.id, scenario.lab_only)
    if scenario.root:
        system.need_lab(case.module, scenario.id, "only root@pam's password may, and the suite has a token")
    system.prepare(case, scenario.setup)
    word, target = str(of(scenario.word, system)), str(of(scenario.target, system))
    name = word.partition(":")[0]
    arguments = of(dict(scenario.arguments), system)
    others = of(list(scenario.beside), system)

    if scenario.waits:
        _without_the_word_it_waits(system, case, scenario, word)
        return
    for check in (True, False):
        with system.unwritten():
            result = refused(system.run(case.module, **arguments, allow=others, check=check, root=scenario.root))
        assert word in result.message, result.message
        assert target in result.message, result.message
        assert "allow" in result.message

    if WORDS[name]:
        with system.unwritten():
            result = refused(
                system.run(case.module, **arguments, allow=[*others, f"{name}:hct-another"], root=scenario.root)
            )
        assert word in result.message
        with system.unwritten():
            refused(system.run(case.module, **arguments, allow=[*others, name], root=scenario.root))

    given = [*others, word]
    predicted = succeeded(system.run(case.module, **arguments, allow=given, check=True, root=scenario.root))
    done = succeeded(system.run(case.module, **arguments, allow=given, root=scenario.root))
    assert done.changed
    assert done.planned == predicted.planned
    with system.unwritten():
        again = succeeded(system.run(case.module, **arguments, allow=others, root=scenario.root))
    assert not again.changed, "consent is asked for what is already done"
    _exercised(case, scenario, name)


def _without_the_word_it_waits(system: System, case: Case, scenario: Scenario, word: str) -> None:
    """Some changes can be made at once and take effect later: nothing is interrupted, and `unmet` says what waits."""
    arguments = of(dict(scenario.arguments), system)
    waiting = succeeded(system.run(case.module, **arguments))
    assert waiting.changed
    assert any(word.partition(":")[0] in text for text in waiting.data["unmet"]), waiting.data["unmet"]
    with system.unwritten():
        again = succeeded(system.run(case.module, **arguments))
    assert not again.changed
    assert again.data["unmet"] == waiting.data["unmet"], "it still waits, and that is still said"
    predicted = succeeded(system.run(case.module, **arguments, allow=[word], check=True))
    done = succeeded(system.run(case.module, **arguments, allow=[word]))
    assert done.changed
    assert done.planned == predicted.planned
    assert not done.data["unmet"]
    with system.unwritten():
        assert not succeeded(system.run(case.module, **arguments, allow=[word])).changed
    _exercised(case, scenario, word)


def _exercised(case: Case, scenario: Scenario, word: str) -> None:
    exercised.word(case.module, word)
    for option in scenario.exercises:
        exercised.option(case.module, option)


@pytest.mark.parametrize(
    "case", [case for case in discovery.cases() if discovery.kind_of(case.module).words], ids=lambda case: case.id
)
def test_a_word_that_does_not_exist_is_refused(case: Case, system_of: SystemOf) -> None:
    system = system_of(case)
    system.prepare(case)
    with system.unwritten():
        result = refused(system.run(case.module, [system.item(case)], allow=["everything"]))
    assert "everything" in result.message
