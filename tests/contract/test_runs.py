# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Whole runs over several things: check mode, the second run, failures at the k-th write. Points 2, 3 and 6."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract import discovery
from tests.contract.case import Case, of
from tests.contract.invocation import Result
from tests.contract.system import System, refused, succeeded

SystemOf = Callable[[Case], System]
CASES = discovery.cases()
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


class Runs:
    """The phases that every module's things go through: created, changed, removed."""

    def __init__(self, system: System, case: Case) -> None:
        self.system, self.case = system, case
        self.kind = discovery.kind_of(case.module)
        system.require(case)
        self.several = of(case.several, system)
        self.changed = of(case.changed, system)

    def run(self, config: list[dict[str, Any]], **arguments: Any) -> Result:
        allow = [*of(list(self.case.allow), self.system), *of(list(self.case.removal), self.system)]
        if self.kind.words:
            arguments.setdefault("allow", allow)
        return self.system.run(self.case.module, copy.deepcopy(config), **arguments)

    def identities(self) -> list[dict[str, Any]]:
        return [{name: item[name] for name in self.kind.identity} for item in self.several]

    def create(self, **arguments: Any) -> Result:
        return self.run(self.several, **arguments)

    def change(self, **arguments: Any) -> Result:
        return self.run(self.changed, **arguments)

    def remove(self, **arguments: Any) -> Result:
        gone = self.identities() if self.case.gone is None else of(self.case.gone, self.system)
        return self.run(gone, state="absent", **arguments)

    def phases(self) -> list[tuple[str, Callable[..., Result], Callable[[], None]]]:
        """(name, the run, how to get to where it starts)."""

        def empty() -> None:
            self.system.prepare(self.case)

        def created() -> None:
            empty()
            succeeded(self.create())

        phases: list[tuple[str, Callable[..., Result], Callable[[], None]]] = [("create", self.create, empty)]
        if self.changed:
            phases.append(("change", self.change, created))
        return [*phases, ("remove", self.remove, created)]


@each_case
def test_check_mode_writes_nothing_and_predicts_the_real_run(case: Case, system_of: SystemOf) -> None:
    runs = Runs(system_of(case), case)
    for _name, run, arrive in runs.phases():
        arrive()
        with runs.system.unwritten():
            check = succeeded(run(check=True))
        real = succeeded(run())
        assert check.changed and real.changed
        assert check.planned == real.planned
        assert check.diff == real.diff
        assert check.data["before"] == real.data["before"]
        assert all(step.startswith("planned: ") for step in check.steps)
        assert all(step.startswith("done: ") for step in real.steps)


@each_case
def test_a_second_run_changes_and_writes_nothing(case: Case, system_of: SystemOf) -> None:
    runs = Runs(system_of(case), case)
    for _name, run, arrive in runs.phases():
        arrive()
        succeeded(run())
        with runs.system.unwritten():
            again = succeeded(run())
            assert not again.changed, again.steps
            assert not again.diff
            assert not succeeded(run(check=True)).changed


@each_case
def test_the_order_of_the_config_means_nothing(case: Case, system_of: SystemOf) -> None:
    runs = Runs(system_of(case), case)
    runs.system.prepare(case)
    succeeded(runs.create())
    with runs.system.unwritten():
        again = succeeded(runs.run(runs.several[::-1]))
    assert not again.changed, again.steps


def spread(total: int, most: int) -> list[int]:
    """All numbers to `total`, or the first, the last and as many between them as make `most`."""
    if total <= most:
        return list(range(1, total + 1))
    return sorted({1 + round(place * (total - 1) / (most - 1)) for place in range(most)})


@each_case
@pytest.mark.parametrize("lost", [False, True], ids=["refused", "answer-lost"])
def test_after_a_failure_at_any_write_the_next_run_converges(case: Case, lost: bool, system_of: SystemOf) -> None:
    runs = Runs(system_of(case), case)
    for name, run, arrive in runs.phases():
        arrive()
        before = runs.system.writes()
        succeeded(run())
        total = runs.system.writes() - before
        assert total > 0
        for number in spread(total, runs.system.failures):
            arrive()
            with runs.system.failing_write(number, lost=lost):
                broken = refused(run())
            assert runs.system.failure in broken.message, f"{name}, write {number}: {broken.message}"
            assert any(step.startswith("failed: ") for step in broken.steps)
            mended = run()
            assert not mended.crash, mended.crash
            assert not mended.failed, f"{name}, after a failure at write {number} of {total}: {mended.message}"
            with runs.system.unwritten():
                again = succeeded(run())
            assert not again.changed, f"{name}, after a failure at write {number}: {again.steps}"


@each_case
def test_what_is_left_out_goes_back_to_its_default_only_when_asked(case: Case, system_of: SystemOf) -> None:
    runs = Runs(system_of(case), case)
    runs.system.prepare(case)
    succeeded(runs.create())
    bare = [{**item, **of(dict(case.stated), runs.system)} for item in runs.identities()]
    with runs.system.unwritten():
        kept = succeeded(runs.run(bare))
        assert not kept.changed, kept.steps
        check = succeeded(runs.run(bare, unlisted_options="reset", check=True))
    reset = succeeded(runs.run(bare, unlisted_options="reset"))
    # A kind whose options are all required has none to give up.
    assert reset.changed == any(row.resettable for row in runs.kind.option_rows)
    assert reset.planned == check.planned
    with runs.system.unwritten():
        again = succeeded(runs.run(bare, unlisted_options="reset"))
    assert not again.changed, again.steps


@each_case
def test_absent_of_what_is_absent_is_no_change(case: Case, system_of: SystemOf) -> None:
    runs = Runs(system_of(case), case)
    runs.system.prepare(case)
    with runs.system.unwritten():
        assert not succeeded(runs.remove()).changed


@each_case
def test_one_thing_listed_twice_is_refused(case: Case, system_of: SystemOf) -> None:
    runs = Runs(system_of(case), case)
    runs.system.prepare(case)
    with runs.system.unwritten():
        result = refused(runs.run([runs.several[0], runs.several[0]]))
    assert "config[1]" in result.message and "config[0]" in result.message
