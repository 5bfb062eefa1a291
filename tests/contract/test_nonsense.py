# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Point 9: nonsense ends in `failed` with a message, never in a traceback, and nothing was written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.contract import discovery
from tests.contract.system import System, refused
from tests.contract.test_documentation import argument_spec

TELLING = ("name", "hostname", "disable", "enabled", "path", "status", "onboot")
EXAMPLES_ON_A_CLUSTER = 5
WRONG: Mapping[str, list[Any]] = {
    "bool": ["perhaps", {"a": 1}, 7],
    "int": ["many", {"a": 1}, [1, 2], "1.5e"],
    "float": ["many", {"a": 1}],
    "dict": ["text", 7, [1]],
    "list": [{"a": 1}],
    "str": [],
}
# What people and programs write by mistake.
ODD_TEXTS = (
    "", " ", "\n", "a\nb", "-", "0", "-1", "1" * 40, "..", "../../etc/passwd", "a/b", "%2e", "a,b=c", "=", ",", ";",
    "yes", "null", "ü", "\u202e", "\x00", "🙂", "{{ x }}", "$(id)", "'; drop", "1G", "1Q", "local:", ":", "a" * 300,
)  # fmt: skip
texts = st.sampled_from(ODD_TEXTS) | st.text(
    alphabet=st.characters(exclude_categories=("Cs",)), min_size=0, max_size=20
)
numbers = (
    st.sampled_from([0, -1, 1, 2**31, 2**63, 10**30, -(2**40)])
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
)
anything = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def plausible(entry: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values of the right type that nobody means: they get past Ansible, and some as far as the system."""
    if entry.get("choices"):
        return st.sampled_from(list(entry["choices"]))
    sort = entry.get("type", "str")
    if sort == "bool":
        return st.booleans()
    if sort == "int":
        return st.sampled_from([0, -1, 1, 7, 2**31, 10**30]) | st.integers()
    if sort == "float":
        return st.sampled_from([0, -1, 0.5, 1e300]) | st.floats(allow_nan=False, allow_infinity=False)
    if sort == "list":
        if entry.get("options"):
            return st.lists(item_of(entry["options"], plausible), max_size=2)
        return st.lists(st.integers() if entry.get("elements") == "int" else texts, max_size=3)
    if sort == "dict":
        return st.dictionaries(texts, texts | st.integers(), max_size=3)
    return texts | st.dictionaries(texts, texts, max_size=2) if sort == "raw" else texts


def of_entry(entry: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values for one entry of an argument_spec: of its type and odd, or of any other."""
    if entry.get("choices"):
        return st.sampled_from(list(entry["choices"])) | anything
    sort = entry.get("type", "str")
    if sort == "bool":
        return st.booleans() | anything
    if sort in ("int", "float"):
        return numbers | anything
    if sort == "list":
        options = entry.get("options")
        element = of_item(options) if options else texts
        return st.lists(element, max_size=3) | anything
    if sort == "dict":
        return st.dictionaries(texts, anything, max_size=3) | anything
    return texts | anything


def of_item(options: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An item with a few of its options, one of them perhaps unknown."""
    return item_of({**options, "no_such_option": {"type": "raw"}}, of_entry)


def item_of(
    options: Mapping[str, Any], value: Callable[[Mapping[str, Any]], st.SearchStrategy[Any]], most: int = 4
) -> st.SearchStrategy[dict[str, Any]]:
    names = st.lists(st.sampled_from(sorted(options)), min_size=1, max_size=most, unique=True)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: value(options[name]) for name in chosen}))


def wrong_values(entry: Mapping[str, Any]) -> list[Any]:
    """Values that an entry of an argument_spec can never accept."""
    values = list(WRONG.get(entry.get("type", "str"), []))
    if entry.get("choices") and entry.get("type", "str") == "str":
        values.append("no-such-choice")
    if entry.get("elements") == "dict":
        values += [["text"], [7], [{"no_such_option": 1}]]
    return values


@pytest.mark.parametrize("module", discovery.stateful())
def test_a_value_of_the_wrong_sort_is_refused(module: str, system_of: Callable[[Any], System]) -> None:
    """Every option, one wrong value at a time, each known to be wrong before anything is written."""
    case = discovery.case_of(module)
    system = system_of(case)
    system.prepare(case)
    spec = argument_spec(module)
    item = system.item(case)
    with system.unwritten():
        for name, entry in spec["config"]["options"].items():
            for value in wrong_values(entry):
                result = refused(system.run(module, [{**item, name: value}]))
                # Ansible itself does not name the option whose elements are no mappings.
                assert name in result.message or entry.get("elements") == "dict", f"{name}={value!r}: {result.message}"
        for name, entry in spec.items():
            for value in wrong_values(entry):
                given = {"config": [item], name: value}
                result = refused(system.run(module, **given))
                assert name in result.message or entry.get("elements") == "dict", f"{name}={value!r}: {result.message}"
        # Of what there is only one, an item need not say which.
        unnamed = [[{}]] if discovery.kind_of(module).identity else []
        for broken in (*unnamed, ["text"], [None], [[item]], [{**item, "no_such_option": 1}]):
            refused(system.run(module, config=broken))
        for name in discovery.kind_of(module).identity:
            for value in ("", None):
                refused(system.run(module, [{**item, name: value}]))
        refused(system.run(module))


@pytest.mark.parametrize("module", discovery.stateful())
def test_generated_nonsense_is_refused_or_makes_sense(module: str, system_of: Callable[[Any], System]) -> None:
    """What is accepted by chance is kept, and a second run finds it; everything else is refused with a message and
    leaves nothing behind."""
    case, kind = discovery.case_of(module), discovery.kind_of(module)
    system = system_of(case)
    spec = argument_spec(module)
    options = spec["config"]["options"]
    known = {name: entry for name, entry in options.items() if name not in kind.identity}
    if not system.is_lab:
        # What is made must be found again by its name, and stay switched off.
        known = {name: entry for name, entry in known.items() if name not in TELLING}
    mutations = of_item(options if system.is_lab else known)
    if known:
        mutations |= item_of(known, plausible, most=1) | item_of(known, plausible, most=2)

    @settings(
        max_examples=system.nonsense if system.is_lab else EXAMPLES_ON_A_CLUSTER,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(mutations=mutations)
    def run(mutations: dict[str, Any]) -> None:
        system.prepare(case)
        item = {**system.item(case), **mutations}
        before = system.inventory()
        result = system.run(module, [item])
        assert not result.crash, result.crash
        assert "Traceback" not in result.everything
        if result.failed:
            assert result.message.strip()
            assert system.inventory() == before, f"something was written, then: {result.message}"
            return
        with system.unwritten():
            again = system.run(module, [item])
            assert not again.crash, again.crash
            assert not again.failed, again.message
        assert not again.changed, f"accepted and not kept: {again.steps}"

    run()


@pytest.mark.parametrize("module", discovery.modules())
def test_nonsense_beside_the_config_is_refused(module: str, system_of: Callable[[Any], System]) -> None:
    """The connection's and the module's own options."""
    case = discovery.case_of(module)
    system = system_of(case)
    system.prepare(case)
    spec = argument_spec(module)
    beside = {name: entry for name, entry in spec.items() if name != "config" and wrong_values(entry)}
    config = {"config": [system.item(case)]} if discovery.describes_a_state(module) else system.item(case)
    with system.unwritten():
        for name, entry in beside.items():
            for value in wrong_values(entry):
                result = refused(system.run(module, **{**config, name: value}))
                assert name in result.message or entry.get("elements") == "dict", result.message
        refused(system.run(module, **config, no_such_option=1))
