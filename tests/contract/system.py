# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What the suite asks of a system under test, whether it is a lab, a real cluster or programs on this host."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar

import pytest

from tests.contract import exercised
from tests.contract.case import Case, of
from tests.contract.invocation import Result, run_module

ORDERED = "ordered failure of this test"


class System:
    """A system that modules are run against. Subclasses say how to reach it, count its writes and make them fail."""

    is_lab: ClassVar[bool] = True
    node_count: int = 1
    # What the message of a write that failing_write lets fail contains.
    failure: ClassVar[str] = ORDERED
    # Seconds to wait for conditions after a change.
    patience: ClassVar[int] = 5
    # How many generated inputs it is given; fewer where each run of a module costs tenths of a second.
    nonsense: ClassVar[int] = 120
    # Whether writes can be made to fail at all.
    fails_writes: ClassVar[bool] = True
    # At how many of its writes a run is made to fail, one after the other.
    failures: ClassVar[int] = 1000

    def connection(self, *, root: bool = False) -> dict[str, Any]:
        """The module's connection arguments."""
        return {}

    def environment(self) -> dict[str, str]:
        """The environment that points a program at this system."""
        return {}

    def variables(self) -> dict[str, Any]:
        """The variables of a play whose modules run on this system, where that is not this host."""
        return {}

    def module_defaults(self, module: str) -> dict[str, Any]:
        """What a playbook's module_defaults must say where the environment does not."""
        return {f"hospital.continuity.{module}": self.connection()} if not self.environment() else {}

    def reset(self) -> None:
        """Take away everything that tests made."""
        raise NotImplementedError

    def close(self) -> None:
        """The end of the session."""

    def figures(self) -> str:
        """How much was asked of the system, where that is worth saying."""
        return ""

    def lent(self, case: Case, item: Mapping[str, Any]) -> contextlib.AbstractContextManager[bool]:
        """An item that is there already, as its case makes it, to try options on: False where there is none."""
        return contextlib.nullcontext(False)

    def writes(self) -> int:
        """Writes that arrived since the last reset."""
        raise NotImplementedError

    def inventory(self) -> Any:
        """Everything that modules could have made, comparable: whether a refused run left something behind."""
        raise NotImplementedError

    def read_info(self, kind: str, names: list[str]) -> list[Mapping[str, Any]]:
        """What the subsystem's info module returns of a kind, in `config`'s own form."""
        raise NotImplementedError

    def observe(self, kind: Any, keys: Collection[Any]) -> list[Mapping[str, Any]]:
        """The same by the kind's own observation, where no info module is there yet."""
        raise NotImplementedError

    def command_lines(self) -> str:
        """The command lines of the programs that were run, which everybody on the host can see."""
        return ""

    def readable(self) -> str:
        """What anybody on the system can read of it: logs, and files with a mode for others."""
        return ""

    def fault(self, name: str) -> contextlib.AbstractContextManager[Any]:
        """Something of the system's own that does not work for a while."""
        raise NotImplementedError(name)

    def failing_write(self, number: int, *, lost: bool = False) -> contextlib.AbstractContextManager[Any]:
        """The number-th write (from 1) from here on fails; `lost`: it is carried out and its answer lost."""
        raise NotImplementedError

    def run(
        self,
        module: str,
        config: list[Mapping[str, Any]] | None = None,
        *,
        check: bool = False,
        root: bool = False,
        verbosity: int = 0,
        **arguments: Any,
    ) -> Result:
        """Run a module on this system."""
        given = {**self.connection(root=root), **arguments}
        if config is not None:
            given = {"config": config, "verify_timeout": self.patience, **given}
        return run_module(module, given, check=check, verbosity=verbosity)

    @contextlib.contextmanager
    def unwritten(self) -> Iterator[None]:
        """Nothing is written in this block."""
        before = self.writes()
        yield
        assert self.writes() == before, f"{self.writes() - before} writes where there should be none"

    def require(self, case: Case) -> None:
        """Skip where this system has not what a case's things are made of."""

    def prepare(self, case: Case, *more: Any) -> None:
        """An empty system with a case's prerequisites."""
        self.require(case)
        self.reset()
        case.setup(self)
        for setup in more:
            setup(self)

    def item(self, case: Case, **options: Any) -> dict[str, Any]:
        """The case's base item with some options."""
        return {**of(dict(case.base), self), **options}

    def need_lab(self, module: str, what: str, reason: str) -> None:
        """Skip, and say why in the summary, unless this is the lab."""
        if not self.is_lab:
            exercised.skipped(module, what, reason)
            pytest.skip(f"only in the lab: {reason}")


def succeeded(result: Result) -> Result:
    """The result, which must not be a failure."""
    assert not result.crash, result.crash
    assert not result.failed, result.message or result.stdout
    return result


def refused(result: Result) -> Result:
    """The result, which must be a failure with a message and no traceback."""
    assert not result.crash, result.crash
    assert result.failed, result.stdout
    assert result.message.strip()
    assert "Traceback" not in result.everything
    return result
