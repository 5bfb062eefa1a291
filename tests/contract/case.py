# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a module's cases consist of: plain data, from which the nine points are tested.

Every name a case makes carries PREFIX and every guest a vmid of the system's range, so that the same cases run in the
lab and on a real cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

PREFIX = "hct-"

Item = dict[str, Any]
# A value, or a function of the system that gives it (node names, vmids … are the system's).
Value = Any


def of(value: Value, system: Any) -> Any:
    """A value of a case on this system."""
    if callable(value):
        return value(system)
    if isinstance(value, dict):
        return {name: of(inner, system) for name, inner in value.items()}
    if isinstance(value, list):
        return [of(inner, system) for inner in value]
    return value


def nothing(system: Any) -> None:
    """No prerequisites."""


@dataclass(frozen=True)
class Option:
    """Two values an option accepts, and what it needs beside them.

    name: the option; `disks.size` is `size` of the items of `disks`.
    first, second: values in the whole of the option (for `disks.size` the whole `disks` list that bears it).
    beside: other options the item then needs; replaces those of the base item.  base: replaces the base item.
    setup: prerequisites beyond the case's.  root: accepted from root@pam with its password only.
    lab_only: why it cannot be exercised on a real cluster.  reset: whether `reset` is tried where the spec allows it.
    drift: changes it behind our back, `drift(system, item)`; without it, another run of the module does, with `second`.
    mode: how it lives, where the spec does not say: `fixed` (another value is refused), `grows` (`second` is more, and
    there is no way back), `once` (takes part in creating, or cannot be undone).
    planned: the steps that put it right, where it is not an update of just this option.
    allow: consent needed to change it.  also: options that cannot but change with it.  nodes: how many it takes.
    """

    name: str
    first: Value
    second: Value = None
    beside: Mapping[str, Value] = field(default_factory=dict)
    base: Mapping[str, Value] | None = None
    setup: Callable[[Any], None] = nothing
    root: bool = False
    lab_only: str = ""
    reset: bool = True
    drift: Callable[[Any, Item], None] | None = None
    allow: tuple[Value, ...] = ()
    also: tuple[str, ...] = ()
    nodes: int = 1
    mode: str = ""
    planned: Value = None
    label: str = ""

    @property
    def id(self) -> str:
        return f"{self.name}{f'[{self.label}]' if self.label else ''}"

    @property
    def option(self) -> str:
        """The option of the item; `disks` for `disks.size`."""
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class Scenario:
    """Something that needs consent: `word` as it stands in `allow` (with its target where it has one).

    arguments: the module's arguments without `allow`; `target` must be in the message beside the word.  beside: other
    words that the same thing needs.  exercises: options that only such a scenario shows.
    waits: without the word the change is made and waits (`unmet` says so and names the word); nothing is refused.
    """

    word: Value
    arguments: Mapping[str, Value]
    target: Value
    setup: Callable[[Any], None] = nothing
    beside: tuple[Value, ...] = ()
    lab_only: str = ""
    root: bool = False
    exercises: tuple[str, ...] = ()
    waits: bool = False
    label: str = ""

    @property
    def id(self) -> str:
        return self.label or str(self.word if isinstance(self.word, str) else "consent")


@dataclass(frozen=True)
class Secret:
    """An option whose value must never come out, with an item that bears it. `root`: why only root@pam's password may
    write it again.  other: another value, for one that is compared; otherwise it is written backwards."""

    name: str
    value: str
    beside: Mapping[str, Value] = field(default_factory=dict)
    base: Mapping[str, Value] | None = None
    lab_only: str = ""
    root: str = ""
    other: str = ""


@dataclass(frozen=True)
class Doing:
    """One thing that a module which describes no state does, from where `setup` leads.

    arguments: of the module.  exercises: options it shows beside those.  rests: a second run has nothing to do.
    repeats: a second run does it once more, as it was told to.
    faults: how the system is made to fail while it runs, by name; None: every write of it fails once.
    secrets: what `setup` or the arguments put in, and nobody may see.  unchanged: it only looks.
    """

    name: str
    arguments: Mapping[str, Value]
    setup: Callable[[Any], None] = nothing
    exercises: tuple[str, ...] = ()
    rests: bool = False
    repeats: bool = False
    faults: tuple[str, ...] | None = None
    secrets: tuple[str, ...] = ()
    unchanged: bool = False


@dataclass(frozen=True)
class Case:
    """One module's cases.

    within: the scope that holds `several`, where it is not their name; outside: one that holds none of them.
    variant: what sets these apart from the module's others (see discovery.cases).
    base: the smallest item that can be created.  setup: what must be there first.
    several: items that are created together, with much in them (check mode, second run, k-th write, info).
    changed: the same things, each changed, so that one run updates (k-th write); empty where nothing can change.
    gone: the items with which `several` is removed, where the identity alone is not enough.
    allow, removal: consent that changing and removing `several` needs.
    raw: what the system itself says of an item, comparable.
    stated: what goes with the identity where everything else is put back to its default.
    unreached: options and consent words that cannot be exercised, with the reason.
    info: the name under which the info module returns this kind.
    doings: what a module does that describes no state; `base` is then the least it must be given.
    """

    module: str
    subsystem: str
    base: Mapping[str, Value]
    options: tuple[Option, ...]
    several: Value
    changed: Value = field(default_factory=list)
    raw: Callable[[Any, Item], Any] | None = None
    setup: Callable[[Any], None] = nothing
    consents: tuple[Scenario, ...] = ()
    secrets: tuple[Secret, ...] = ()
    gone: Value = None
    stated: Mapping[str, Value] = field(default_factory=dict)
    removal: tuple[Value, ...] = ()
    unreached: Mapping[str, str] = field(default_factory=dict)
    examples: Callable[[Any], None] = nothing
    info: str = ""
    allow: tuple[Value, ...] = ()
    doings: tuple[Doing, ...] = ()
    variant: str = ""
    within: Mapping[str, Value] = field(default_factory=dict)
    outside: Mapping[str, Value] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.module}[{self.variant}]" if self.variant else self.module
