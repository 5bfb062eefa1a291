# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Point 1: what a module accepts and returns is what its documentation says, and its examples run as they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from ansible.module_utils import basic

from tests.contract import discovery
from tests.contract.case import Case, of
from tests.contract.playbook import documentation, play
from tests.contract.system import System, refused, succeeded

MODULES = discovery.modules()
# What every module of Ansible may return, and no module documents.
COMMON = {"changed", "diff", "failed", "msg", "invocation", "warnings", "deprecations", "exception"}


class TagsAsText(yaml.SafeLoader):
    """Reads tags of Ansible's own (`!unsafe`) as the text behind them."""


TagsAsText.add_multi_constructor("!", lambda loader, _suffix, node: loader.construct_scalar(node))


class Accepted(Exception):
    """Carries the argument_spec out of a module's main()."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        super().__init__("argument_spec")
        self.spec = spec


def argument_spec(module: str) -> Mapping[str, Any]:
    """The argument_spec a module gives to AnsibleModule."""

    def intercepted(_self: Any, argument_spec: Mapping[str, Any], **_more: Any) -> None:
        raise Accepted(argument_spec)

    with mock.patch.object(basic.AnsibleModule, "__init__", intercepted), pytest.raises(Accepted) as accepted:
        discovery.loaded(module).main()
    return accepted.value.spec


@pytest.fixture(scope="module")
def documented() -> Mapping[str, Any]:
    return documentation([f"hospital.continuity.{module}" for module in MODULES])


def differences(spec: Mapping[str, Any], documented: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """Where an argument_spec and the documented options differ."""
    for name in sorted(set(spec) ^ set(documented)):
        yield f"{where}{name} is only in {'argument_spec' if name in spec else 'DOCUMENTATION'}"
    for name in sorted(set(spec) & set(documented)):
        code, text = spec[name], documented[name]
        for attribute, default in (("type", "str"), ("elements", None), ("required", False), ("default", None)):
            if code.get(attribute, default) != text.get(attribute, default):
                yield f"{where}{name}.{attribute}: {code.get(attribute)!r}, documented {text.get(attribute)!r}"
        if sorted(map(str, code.get("choices") or ())) != sorted(map(str, text.get("choices") or ())):
            yield f"{where}{name}.choices: {code.get('choices')}, documented {text.get('choices')}"
        if not text.get("description"):
            yield f"{where}{name} is not described"
        yield from differences(code.get("options") or {}, text.get("suboptions") or {}, f"{where}{name}.")


@pytest.mark.parametrize("module", MODULES)
def test_the_options_are_those_documented(module: str, documented: Mapping[str, Any]) -> None:
    doc = documented[f"hospital.continuity.{module}"]["doc"]
    assert not list(differences(argument_spec(module), doc.get("options", {})))


@pytest.mark.parametrize("module", discovery.stateful())
def test_the_return_keys_are_those_documented(
    module: str, documented: Mapping[str, Any], system_of: Callable[[Case], System]
) -> None:
    case = discovery.case_of(module)
    system = system_of(case)
    system.prepare(case)
    returned = documented[f"hospital.continuity.{module}"]["return"]
    several = of(case.several, system)
    arguments = {"allow": of(list(case.allow), system)} if discovery.kind_of(module).words else {}
    with system.failing_write(1):
        failed = refused(system.run(module, several, **arguments))
    done = succeeded(system.run(module, several, **arguments))
    assert set(done.data) - COMMON <= set(returned)
    assert set(failed.data) - COMMON <= set(returned)
    assert set(returned) - COMMON <= set(done.data), "documented, but not returned"
    assert all(row.get("description") for row in returned.values())


@pytest.mark.parametrize("module", discovery.stateful())
def test_consent_words_are_in_the_documentation(module: str, documented: Mapping[str, Any]) -> None:
    doc = documented[f"hospital.continuity.{module}"]["doc"]
    text = yaml.safe_dump(doc.get("notes", []))
    for word in discovery.kind_of(module).words:
        assert word in text, f"the notes do not say what {word} is for"


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_run_as_they_stand(
    module: str, documented: Mapping[str, Any], system_of: Callable[[Case], System], tmp_path: Path
) -> None:
    """Letter by letter, in their order, in one lab that holds what they speak of."""
    case = discovery.case_of(module)
    system = system_of(case)
    system.need_lab(module, "EXAMPLES", "they name things of their own, not hct- ones")
    system.reset()
    case.examples(system)
    examples = documented[f"hospital.continuity.{module}"]["examples"]
    tasks = yaml.load(examples, TagsAsText)
    assert len(tasks) >= 2, "one example is not enough to learn from"
    assert all(task.get("name") for task in tasks)
    assert f"hospital.continuity.{module}" in tasks[0]
    defaults = system.module_defaults(module)
    ran = play(examples, system.environment(), tmp_path, defaults=defaults, variables=system.variables())
    assert ran.code == 0, ran.output
    assert [result["outcome"] for result in ran.results] == ["ok"] * len(tasks)
    if discovery.describes_a_state(module):
        assert all(result["changed"] for result in ran.results), "an example that changes nothing shows nothing"
