# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What the engine asks of a subsystem: the only place where I/O happens."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    Consent,
    Plan,
    Step,
    Thing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key

KindT_contra = TypeVar("KindT_contra", contravariant=True)


@dataclass(frozen=True)
class Unmet:
    """A condition that does not hold although every command succeeded. `passing`: time alone may mend it, so it is
    worth looking again."""

    text: str
    passing: bool = False


class Missing(str):
    """A problem with something else that does not exist. A task before this one may be about to make it, so in check
    mode, where it has not been made, this warns and does not fail."""


def placed(where: str, problem: str) -> str:
    """A problem with the place it is at in front; what is Missing stays so."""
    return type(problem)(f"{where}: {problem}")


class Backend(Protocol[KindT_contra]):
    """One subsystem's I/O. `parallel` is how many steps it can stand at a time; `writes` how many it has written."""

    @property
    def parallel(self) -> int:
        """How many steps may run at a time."""

    @property
    def writes(self) -> int:
        """How many writes have been made."""

    def resolve(self, kind: KindT_contra, declared: Declaration) -> Declaration:
        """The declaration with identities as the system spells them (`100` is `vm:100`). Reads only."""

    def observe(
        self, kind: KindT_contra, keys: Collection[Key] | None, options: Collection[str]
    ) -> Mapping[Key, Thing]:
        """The things that exist, of `keys` or (None) all of them. `options` names what somebody will look at: what
        costs an extra request is read only when it is among them."""

    def precheck(self, kind: KindT_contra, plan: Plan, declared: Declaration) -> Sequence[str]:
        """What can be known to fail before the first write, in the user's words. Reads only."""

    def apply(self, kind: KindT_contra, step: Step) -> Sequence[str]:
        """Do one step and wait for it. Returns warnings. Raises SubsystemError."""

    def verify(self, kind: KindT_contra, things: Mapping[Key, Thing], declared: Declaration) -> Sequence[Unmet]:
        """What does not hold although everything is as declared."""

    def close(self) -> None:
        """Give connections back."""


@runtime_checkable
class Atomic(Protocol):
    """A backend whose subsystem takes several steps as one: a transaction, a file that is staged and then applied."""

    def apply_all(self, kind: Any, steps: Sequence[Step]) -> Sequence[str]:
        """Do all the steps, in their order, or none, and wait for it. Returns warnings. Raises SubsystemError, and then
        nothing of it has happened."""


@runtime_checkable
class Telling(Protocol):
    """A backend that was told something which the system says only once, when it is made (an API token's secret)."""

    def told(self) -> Mapping[str, Any]:
        """What the module returns beside what all return, whether its steps succeeded or not."""


@runtime_checkable
class Guarded(Protocol):
    """A backend that knows of consents which no single thing tells: whether the path to this host is touched."""

    def consents(self, kind: Any, plan: Plan, declared: Declaration) -> Mapping[Key, Sequence[Consent]]:
        """What steps, by the key of their thing, interrupt beyond what their kind says. Reads only."""
