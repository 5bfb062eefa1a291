# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The modules that do something once. They keep points 1, 2, 6, 7, 8 and 9; what of these is the same for every module
stands with the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.consent import WORDS
from tests.contract import discovery, exercised
from tests.contract.case import Case, Doing, of
from tests.contract.playbook import documentation
from tests.contract.system import System, refused, succeeded
from tests.contract.test_documentation import COMMON, argument_spec
from tests.contract.test_nonsense import anything, of_entry, wrong_values
from tests.contract.test_secrets import assert_not_in

SystemOf = Callable[[Case], System]
OPERATING = [module for module in discovery.operating() if discovery.has_cases(module)]
CASES = [case for module in OPERATING for case in (discovery.case_of(module), *discovery.variants(module))]
DOINGS = [(case, doing) for case in CASES for doing in case.doings]
# An odd run costs a process on a host; the rest of what nonsense does is the same code as everywhere.
EXAMPLES = 15

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
each_doing = pytest.mark.parametrize(
    ("case", "doing"), DOINGS, ids=[f"{case.id}-{doing.name}" for case, doing in DOINGS]
)


def arguments_of(doing: Doing, system: System) -> dict[str, Any]:
    arguments: dict[str, Any] = of(dict(doing.arguments), system)
    return arguments


@each_case
def test_every_option_has_a_case_or_a_reason(case: Case) -> None:
    operation = discovery.operation_of(case.module)
    names = {row.name for row in operation.fields}
    have = {name for doing in case.doings for name in (*doing.arguments, *doing.exercises)} | set(case.unreached)
    assert not names - have, f"no case for {', '.join(sorted(names - have))}"
    assert not set(case.unreached) - names - set(operation.words), "no such option"
    for row in operation.fields:
        everywhere = [doing for other in CASES if other.module == case.module for doing in other.doings]
        tried = {doing.arguments.get(row.name) for doing in everywhere if row.choices}
        assert not set(row.choices) - tried, f"{row.name}: no case for {', '.join(set(row.choices) - tried)}"


@each_doing
def test_check_mode_writes_nothing_and_predicts_the_real_run(case: Case, doing: Doing, system_of: SystemOf) -> None:
    system = system_of(case)
    system.prepare(case, doing.setup)
    arguments = arguments_of(doing, system)
    with system.unwritten():
        check = succeeded(system.run(case.module, **arguments, check=True))
    if doing.unchanged:
        with system.unwritten():
            real = succeeded(system.run(case.module, **arguments))
    else:
        before = system.writes()
        real = succeeded(system.run(case.module, **arguments))
        assert system.writes() > before
    assert check.changed == real.changed == (not doing.unchanged)
    assert check.planned == real.planned
    assert check.diff == real.diff
    assert check.data["before"] == real.data["before"]
    assert all(step.startswith("planned: ") for step in check.steps)
    assert all(step.startswith("done: ") for step in real.steps)
    for name in (*doing.arguments, *doing.exercises):
        exercised.option(case.module, name)


@each_doing
def test_a_second_run_does_only_what_there_is_to_do(case: Case, doing: Doing, system_of: SystemOf) -> None:
    system = system_of(case)
    system.prepare(case, doing.setup)
    arguments = arguments_of(doing, system)
    succeeded(system.run(case.module, **arguments))
    if doing.rests:
        with system.unwritten():
            again = succeeded(system.run(case.module, **arguments))
        assert not again.changed and not again.diff, again.steps
        return
    if doing.repeats:
        assert succeeded(system.run(case.module, **arguments)).changed
        return
    with system.unwritten():
        again = system.run(case.module, **arguments)
        assert not again.crash, again.crash
    assert again.failed and again.message.strip(), "doing it twice is neither nothing nor refused"


@each_doing
def test_after_a_failure_the_next_run_does_it(case: Case, doing: Doing, system_of: SystemOf) -> None:
    system = system_of(case)
    system.prepare(case, doing.setup)
    arguments = arguments_of(doing, system)
    if doing.faults is None:
        before = system.writes()
        succeeded(system.run(case.module, **arguments))
        faults = [system.failing_write(number) for number in range(1, system.writes() - before + 1)]
    else:
        faults = [system.fault(name) for name in doing.faults]
    for fault in faults:
        system.prepare(case, doing.setup)
        before = system.inventory()
        with fault:
            broken = refused(system.run(case.module, **arguments))
        assert "Traceback" not in broken.everything
        if doing.faults is not None:
            assert system.inventory() == before, "what failed has left something behind that acts"
        assert succeeded(system.run(case.module, **arguments)).changed


@each_doing
def test_no_secret_comes_out(case: Case, doing: Doing, system_of: SystemOf) -> None:
    system = system_of(case)
    system.prepare(case, doing.setup)
    arguments = arguments_of(doing, system)
    for check in (True, False):
        result = succeeded(system.run(case.module, **arguments, check=check, verbosity=4))
        assert_not_in(result.everything + system.command_lines() + system.readable(), *doing.secrets)
    refused(system.run(case.module, **arguments, no_such_option=1))
    assert_not_in(system.readable(), *doing.secrets)


@each_case
def test_consent_is_asked_for_and_honoured(case: Case, system_of: SystemOf) -> None:
    system, operation = system_of(case), discovery.operation_of(case.module)
    system.prepare(case)
    with system.unwritten():
        result = refused(system.run(case.module, **system.item(case), allow=["everything"]))
    assert ("everything" if operation.words else "allow") in result.message
    assert ("allow" in argument_spec(case.module)) == bool(operation.words)
    for scenario in case.consents:
        system.prepare(case, scenario.setup)
        word, target = str(of(scenario.word, system)), str(of(scenario.target, system))
        arguments, others = of(dict(scenario.arguments), system), of(list(scenario.beside), system)
        wrong = [f"{word.partition(':')[0]}:hct-another"] if WORDS[word.partition(":")[0]] else []
        for allow in (others, [*others, *wrong]):
            with system.unwritten():
                result = refused(system.run(case.module, **arguments, allow=allow))
            assert word in result.message and target in result.message
        assert succeeded(system.run(case.module, **arguments, allow=[*others, word])).changed
        exercised.word(case.module, word)
    left = set(operation.words) - {scenario.id.partition(":")[0] for scenario in case.consents} - set(case.unreached)
    assert not left, f"no scenario for {', '.join(sorted(left))}"


@each_case
def test_the_return_keys_are_those_documented(case: Case, system_of: SystemOf) -> None:
    system = system_of(case)
    doc = documentation([f"hospital.continuity.{case.module}"])[f"hospital.continuity.{case.module}"]
    returned = doc["return"]
    for doing in case.doings:
        system.prepare(case, doing.setup)
        done = succeeded(system.run(case.module, **arguments_of(doing, system)))
        assert set(done.data) - COMMON <= set(returned)
        always = {name for name, row in returned.items() if "always" in str(row["returned"])}
        assert always <= set(done.data), "documented as always there, but not returned"
    text = str(doc["doc"].get("notes", []))
    assert all(word in text for word in discovery.operation_of(case.module).words)


@each_case
def test_a_value_of_the_wrong_sort_is_refused(case: Case, system_of: SystemOf) -> None:
    system = system_of(case)
    spec = argument_spec(case.module)
    doing = next(doing for doing in case.doings if not doing.unchanged)
    system.prepare(case, doing.setup)
    arguments = arguments_of(doing, system)
    with system.unwritten():
        for name, entry in spec.items():
            for value in wrong_values(entry):
                result = refused(system.run(case.module, **{**arguments, name: value}))
                # Ansible itself does not name the option whose elements are no mappings.
                assert name in result.message or entry.get("elements") == "dict", f"{name}={value!r}: {result.message}"
        for name in [name for name, entry in spec.items() if entry.get("required")]:
            left = {other: value for other, value in arguments.items() if other != name}
            assert name in refused(system.run(case.module, **left)).message


@each_case
def test_generated_nonsense_is_refused_or_makes_sense(case: Case, system_of: SystemOf) -> None:
    system = system_of(case)
    spec = argument_spec(case.module)
    doing = next(doing for doing in case.doings if not doing.unchanged)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(mutations=mutations_of(spec))
    def run(mutations: dict[str, Any]) -> None:
        system.prepare(case, doing.setup)
        before = system.inventory()
        result = system.run(case.module, **{**arguments_of(doing, system), **mutations})
        assert not result.crash, result.crash
        assert "Traceback" not in result.everything
        if result.failed:
            assert result.message.strip()
            assert system.inventory() == before, f"something was written, then: {result.message}"

    run()


def mutations_of(spec: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.lists(st.sampled_from(sorted(spec)), min_size=1, max_size=3, unique=True)
    odd = names.flatmap(lambda chosen: st.fixed_dictionaries({name: of_entry(spec[name]) for name in chosen}))
    return odd | st.fixed_dictionaries({"no_such_option": anything})
