# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Option by option: written, unchanged in a second run, found when changed behind our back and put right alone,
predicted by check mode, put back to its default. Points 2, 3 and 4 of the contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field, normalised
from tests.contract import discovery, exercised
from tests.contract.case import Case, Option, nothing, of
from tests.contract.invocation import Result
from tests.contract.system import System, refused, succeeded

CASES = [(case, option) for case in discovery.cases() for option in case.options]
IDS = [f"{case.id}-{option.id}" for case, option in CASES]


class Trial:
    """One option's way through its life."""

    def __init__(self, system: System, case: Case, option: Option) -> None:
        self.system, self.case, self.option = system, case, option
        self.kind = discovery.kind_of(case.module)
        base = of(dict(case.base if option.base is None else option.base), system)
        self.item = {**base, **of(dict(option.beside), system), option.option: of(option.first, system)}
        state = normalised(self.kind.fields, self.item)
        self.row: Field = self.kind.row_for(self.kind.rows[option.option], state)
        self.identity = {name: self.item[name] for name in self.kind.identity}
        self.allow = [*of(list(case.allow), system), *of(list(option.allow), system)]

    def run(self, item: dict[str, Any], **arguments: Any) -> Any:
        if self.kind.words:
            arguments.setdefault("allow", self.allow)
        return self.system.run(self.case.module, [item], root=self.option.root, **arguments)

    def raw(self) -> Any:
        return self.case.raw(self.system, self.item) if self.case.raw else None

    def with_second(self) -> dict[str, Any]:
        return {**self.identity, self.option.option: of(self.option.second, self.system)}

    def create(self) -> None:
        """Written, and unchanged in a second run."""
        assert succeeded(self.run(self.item)).changed
        with self.system.unwritten():
            again = succeeded(self.run(self.item))
        assert not again.changed, again.steps

    def given(self) -> bool:
        """The same for a thing that was there; False where it had the value already."""
        if not succeeded(self.run(self.item)).changed:
            return False
        with self.system.unwritten():
            again = succeeded(self.run(self.item))
        assert not again.changed, again.steps
        return True

    def live(self) -> None:
        """What can happen to an option of its sort."""
        row, option = self.row, self.option
        if row.creating or option.mode == "once":
            return  # it takes part in creating only: nothing to find changed later
        if row.write_only:
            self.written_only()
        elif option.mode == "grows":
            self.grows()
        elif row.create_only or option.mode == "fixed":
            self.fixed()
        else:
            self.put_right()
            if row.resettable and option.reset and not row.key:
                self.put_back()

    def drift(self) -> None:
        if self.option.drift:
            self.option.drift(self.system, self.item)
        else:
            assert succeeded(self.run(self.with_second())).changed

    def put_right(self) -> None:
        """Found, predicted and mended, alone."""
        good = self.raw()
        self.drift()
        assert good is None or self.raw() != good, "the system shows no difference between the two values"
        with self.system.unwritten():
            check = succeeded(self.run(self.item, check=True))
        assert check.changed
        if self.option.planned is not None:
            assert check.planned == of(self.option.planned, self.system)
        else:
            self.alone(check)
        real = succeeded(self.run(self.item))
        assert real.planned == check.planned
        assert real.diff == check.diff
        assert self.raw() == good
        with self.system.unwritten():
            assert not succeeded(self.run(self.item)).changed

    def alone(self, result: Result) -> None:
        """One update, of just this option."""
        named = [sorted(step.rpartition(": ")[2].split(", ")) for step in result.planned]
        assert named == [sorted([self.option.option, *self.option.also])], f"not just this option: {result.steps}"

    def put_back(self) -> None:
        """`reset` gives it up, once."""
        item = {**self.identity, "reset": [self.option.option]}
        assert succeeded(self.run(item)).changed
        with self.system.unwritten():
            again = succeeded(self.run(item))
        assert not again.changed, again.steps

    def fixed(self) -> None:
        """Another value of an option that is fixed is refused before anything is written."""
        with self.system.unwritten():
            result = refused(self.run(self.with_second()))
        assert self.option.option in result.message

    def grows(self) -> None:
        """More of it is a change like any other; less is refused before anything is written."""
        more = self.with_second()
        check = succeeded(self.run(more, check=True))
        self.alone(check)
        assert succeeded(self.run(more)).planned == check.planned
        with self.system.unwritten():
            assert not succeeded(self.run(more)).changed
            refused(self.run(self.item))

    def written_only(self) -> None:
        """Not compared; written again when asked to."""
        with self.system.unwritten():
            assert not succeeded(self.run(self.with_second())).changed
        always = succeeded(self.run(self.with_second(), update_secrets="always"))
        assert always.changed
        assert [step.rpartition(": ")[2] for step in always.planned] == [self.option.option]


@pytest.mark.parametrize(("case", "option"), CASES, ids=IDS)
def test_an_option_is_written_kept_and_put_right(
    case: Case, option: Option, system_of: Callable[[Case], System]
) -> None:
    system = system_of(case)
    if option.lab_only:
        system.need_lab(case.module, option.name, option.lab_only)
    if option.root:
        system.need_lab(case.module, option.name, "only root@pam's password may set it, and the suite has a token")
    if option.nodes > system.node_count:
        exercised.skipped(case.module, option.name, f"it takes {option.nodes} nodes")
        pytest.skip(f"it takes {option.nodes} nodes, here is {system.node_count}")
    if not _on_what_is_there(system, case, option):
        # First what must be there: values may speak of it.
        system.prepare(case, option.setup)
        trial = Trial(system, case, option)
        trial.create()
        trial.live()
    kind = discovery.kind_of(case.module)
    exercised.option(case.module, option.name, root=option.root)
    key = kind.rows[option.option].key
    if key:
        exercised.option(case.module, f"{option.option}.{key}")
        exercised.option(case.module, option.option)
    for name in kind.identity:
        exercised.option(case.module, name)


def _on_what_is_there(system: System, case: Case, option: Option) -> bool:
    """Where making things takes long: on one that is there already, if the option can be given to it later."""
    if option.base is not None or option.setup is not nothing or option.root or case.setup is not nothing:
        return False
    base = of(dict(case.base), system)
    row = discovery.kind_of(case.module).rows[option.option]
    if row.creating or row.create_only or option.name == "status" or (option.option in base and row.key is None):
        return False
    with system.lent(case, base) as there:
        if not there:
            return False
        trial = Trial(system, case, option)
        if not trial.given():
            return False
        trial.live()
    return True
