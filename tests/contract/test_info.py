# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Point 5: what is read, given back as `config` with unlisted_options: reset, plans nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import merged_mapping
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import label
from tests.contract import discovery
from tests.contract.case import Case, of
from tests.contract.system import System, succeeded


def read_back(system: System, case: Case, keys: set[tuple[Any, ...]]) -> list[Mapping[str, Any]]:
    """The things with these keys in `config`'s own form: from the info module, or where none is there yet, observed."""
    kind = discovery.kind_of(case.module)
    found = system.read_info(case.info, list(map(label, keys))) if case.info else system.observe(kind, keys)
    return [item for item in found if tuple(item[name] for name in kind.identity) in keys]


@pytest.mark.parametrize("phase", ["created", "changed"])
@pytest.mark.parametrize("case", discovery.cases(), ids=lambda case: case.id)
def test_what_is_read_given_as_config_plans_nothing(
    case: Case, phase: str, system_of: Callable[[Case], System]
) -> None:
    system, kind = system_of(case), discovery.kind_of(case.module)
    system.prepare(case)
    allow = {"allow": of([*case.allow, *case.removal], system)} if kind.words else {}
    several = of(case.several, system)
    succeeded(system.run(case.module, several, **allow))
    if phase == "changed" and case.changed:
        succeeded(system.run(case.module, of(case.changed, system), **allow))
    declared = kind.declare({"config": several})
    keys = set(declared.keys)
    read = read_back(system, case, keys)
    assert len(read) == len(keys), "not everything that was created is read back"
    for check in (True, False):
        with system.unwritten():
            result = succeeded(system.run(case.module, list(read), unlisted_options="reset", check=check))
        assert not result.changed, result.steps


@pytest.mark.parametrize("case", discovery.cases(), ids=lambda case: case.id)
def test_what_is_read_holds_what_was_written(case: Case, system_of: Callable[[Case], System]) -> None:
    system, kind = system_of(case), discovery.kind_of(case.module)
    system.prepare(case)
    allow = {"allow": of([*case.allow, *case.removal], system)} if kind.words else {}
    several = of(case.several, system)
    succeeded(system.run(case.module, several, **allow))
    declared = kind.declare({"config": several})
    found = kind.declare({"config": read_back(system, case, set(declared.keys))})
    by_key = {item.key: item.options for item in found.items}
    for item in declared.items:
        for row in kind.option_rows:
            if row.name in item.options and row.compared and not row.secret and not row.key:
                written, read = item.options[row.name], by_key[item.key].get(row.name)
                # Of a mapping only the keys that are listed are ours.
                written = merged_mapping(read, written) if row.merged else written
                assert row.same(written, read), row.name
