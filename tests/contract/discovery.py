# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Which modules there are, of which kind they are, and their cases."""

from __future__ import annotations

import functools
import importlib
from pathlib import Path
from types import ModuleType

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import Kind
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Operation
from tests.contract.case import Case

ROOT = Path(__file__).resolve().parent.parent.parent
COLLECTION = "ansible_collections.hospital.continuity"


def modules() -> list[str]:
    """All modules of the collection, by name."""
    folder = ROOT / "plugins" / "modules"
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


@functools.cache
def loaded(module: str) -> ModuleType:
    return importlib.import_module(f"{COLLECTION}.plugins.modules.{module}")


@functools.cache
def kind_of(module: str) -> Kind:
    """The kind a module names; LookupError for one that describes no state (info modules)."""
    kinds = [value for value in vars(loaded(module)).values() if isinstance(value, Kind)]
    if len(kinds) != 1:
        raise LookupError(f"{module} names {len(kinds)} kinds")
    return kinds[0]


def describes_a_state(module: str) -> bool:
    try:
        kind_of(module)
    except LookupError:
        return False
    return True


def stateful() -> list[str]:
    return [module for module in modules() if describes_a_state(module)]


def speaks_to_the_api(module: str) -> bool:
    """Whether it has the options of Proxmox VE's API. Some pve_ modules run programs on a node instead."""
    text = str(vars(loaded(module)).get("DOCUMENTATION", ""))
    return module.startswith("pve_") and "  - hospital.continuity.pve\n" in text


def has_cases(module: str) -> bool:
    return (Path(__file__).parent / "cases" / f"{module}.py").is_file()


@functools.cache
def case_of(module: str) -> Case:
    """A module's cases."""
    case: Case = importlib.import_module(f"tests.contract.cases.{module}").CASE
    return case


@functools.cache
def operation_of(module: str) -> Operation:
    """The operation a module names; LookupError for one that does nothing by itself."""
    found = [value for value in vars(loaded(module)).values() if isinstance(value, Operation)]
    if len(found) != 1:
        raise LookupError(f"{module} names {len(found)} operations")
    return found[0]


def does_something(module: str) -> bool:
    try:
        operation_of(module)
    except LookupError:
        return False
    return True


def operating() -> list[str]:
    """The modules that do something once."""
    return [module for module in modules() if does_something(module)]


@functools.cache
def variants(module: str) -> tuple[Case, ...]:
    """The same on other systems, where a module speaks to several sorts of them."""
    return tuple(getattr(importlib.import_module(f"tests.contract.cases.{module}"), "VARIANTS", ()))


def cases() -> list[Case]:
    """The cases of the modules that exist and describe a state, on each sort of system they speak to."""
    found = [module for module in stateful() if has_cases(module)]
    return [case for module in found for case in (case_of(module), *variants(module))]


def option_names(module: str) -> list[str]:
    """All options of an item, those of things inside it as `disks.size`; `state` of such a thing included."""
    names: list[str] = []
    for row in kind_of(module).fields:
        names.append(row.name)
        names.extend(f"{row.name}.{sub.name}" for sub in row.fields)
    return names
