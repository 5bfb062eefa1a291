# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""`unlisted: absent` removes what is not listed, inside its scope and nowhere else. Never tried on a real cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.contract import discovery
from tests.contract.case import PREFIX, Case, of
from tests.contract.system import System, refused, succeeded

SystemOf = Callable[[Case], System]
SCOPED = [case for case in discovery.cases() if discovery.kind_of(case.module).scope]
each_scoped = pytest.mark.parametrize("case", SCOPED, ids=lambda case: case.module)
# Removing what is not listed is safe for these kinds, and for no other.
SAFE = {"pve_acl", "pve_backup_job", "pve_ha_rule"}


class Scoped:
    """Several things, of which only the first will be listed."""

    def __init__(self, system: System, case: Case) -> None:
        system.need_lab(case.module, "unlisted", "a typing error there would remove what is not the tests' own")
        self.system, self.case, self.kind = system, case, discovery.kind_of(case.module)
        system.prepare(case)
        self.several: list[dict[str, Any]] = of(case.several, system)
        name = self.kind.identity[0]
        self.within = dict(case.within) or {name: f"{PREFIX}*"}
        self.outside = dict(case.outside) or {name: "another-*"}
        self._others: set[tuple[str, ...]] = set()
        self._others = self.names()
        succeeded(system.run(case.module, self.several))

    def run(self, **arguments: Any) -> Any:
        config = arguments.pop("config", [dict(zip(self.kind.identity, self.first(), strict=True))])
        return self.system.run(self.case.module, config, unlisted="absent", **arguments)

    def first(self) -> tuple[str, ...]:
        return self.key_of(self.several[0])

    def key_of(self, item: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(str(item[name]) for name in self.kind.identity)

    def names(self) -> set[tuple[str, ...]]:
        return {self.key_of(item) for item in self.system.read_info(self.case.info, [])} - self._others


def test_only_safe_kinds_have_a_scope() -> None:
    assert {case.module for case in SCOPED} == SAFE


@each_scoped
def test_what_is_not_listed_goes(case: Case, system_of: SystemOf) -> None:
    scoped = Scoped(system_of(case), case)
    scope = scoped.within
    with scoped.system.unwritten():
        check = succeeded(scoped.run(scope=scope, check=True))
    done = succeeded(scoped.run(scope=scope))
    assert done.planned == check.planned
    assert scoped.names() == {scoped.first()}
    with scoped.system.unwritten():
        assert not succeeded(scoped.run(scope=scope)).changed


@each_scoped
def test_what_lies_outside_the_scope_stays(case: Case, system_of: SystemOf) -> None:
    scoped = Scoped(system_of(case), case)
    before = scoped.names()
    with scoped.system.unwritten():
        assert not succeeded(scoped.run(scope=scoped.outside)).changed
    assert scoped.names() == before


@each_scoped
def test_a_typing_error_is_stopped(case: Case, system_of: SystemOf) -> None:
    scoped = Scoped(system_of(case), case)
    scope = scoped.within
    with scoped.system.unwritten():
        assert "max_removals" in refused(scoped.run(scope=scope, max_removals=0)).message
        assert "scope" in refused(scoped.run()).message
        assert "config" in refused(scoped.run(config=[], scope=scope)).message
        assert "no_such" in refused(scoped.run(scope={"no_such": "x"})).message
        assert "state" in refused(scoped.run(scope=scope, state="absent")).message
