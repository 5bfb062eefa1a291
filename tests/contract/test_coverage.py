# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Every module has cases, and its cases have every option and every consent word, or a reason why not."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.contract import discovery
from tests.contract.cases import __name__ as cases_package


@pytest.mark.parametrize("module", discovery.modules())
def test_a_module_has_cases(module: str) -> None:
    assert discovery.has_cases(module), f"write tests/contract/cases/{module}.py"


def test_cases_have_a_module() -> None:
    files = {path.stem for path in Path(importlib.import_module(cases_package).__path__[0]).glob("[a-z]*.py")}
    assert not files - set(discovery.modules()), "cases of modules that do not exist"


@pytest.mark.parametrize("module", discovery.stateful())
def test_every_option_has_a_case_or_a_reason(module: str) -> None:
    case, kind = discovery.case_of(module), discovery.kind_of(module)
    have = {option.name for option in case.options} | set(kind.identity) | {secret.name for secret in case.secrets}
    have |= {name for scenario in case.consents for name in scenario.exercises}
    # The list itself, and the key of the things in it, come with the options of those.
    have |= {f"{row.name}.{row.key}" for row in kind.fields if row.key} | {row.name for row in kind.fields if row.key}
    missing = set(discovery.option_names(module)) - have - set(case.unreached)
    assert not missing, f"no case for {', '.join(sorted(missing))}"


@pytest.mark.parametrize("module", discovery.stateful())
def test_cases_name_options_that_exist(module: str) -> None:
    case, kind = discovery.case_of(module), discovery.kind_of(module)
    known = {*discovery.option_names(module), *kind.words}
    named = {option.name for option in case.options} | {secret.name for secret in case.secrets} | set(case.unreached)
    assert not named - known, f"no such option: {', '.join(sorted(named - known))}"


@pytest.mark.parametrize("module", discovery.stateful())
def test_every_consent_word_has_a_scenario_or_a_reason(module: str) -> None:
    case, kind = discovery.case_of(module), discovery.kind_of(module)
    have = {scenario.id.partition(":")[0].split("[")[0] for scenario in case.consents}
    missing = set(kind.words) - have - set(case.unreached)
    assert not missing, f"no scenario for {', '.join(sorted(missing))}"
