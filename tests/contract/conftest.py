# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The systems under test, one a session each, and the summary of what was exercised."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract import discovery, exercised
from tests.contract.case import Case
from tests.contract.system import System


def _open(subsystem: str) -> System:
    if subsystem == "pve":
        from tests.contract.pve_system import open_pve_system

        return open_pve_system()
    if subsystem == "ovs":
        from tests.contract.ovs_system import OvsSystem

        return OvsSystem()
    if subsystem == "zfs":
        from tests.contract.zfs_system import ZfsSystem

        return ZfsSystem()
    raise LookupError(f"no system for {subsystem}")


@pytest.fixture(scope="session")
def system_of() -> Iterator[Callable[[Case | str], Any]]:
    """The system a case (or a subsystem's name) runs on; opened when first asked for."""
    opened: dict[str, System] = {}

    def system_of(case: Case | str) -> System:
        name = case if isinstance(case, str) else case.subsystem
        if name not in opened:
            opened[name] = _open(name)
            opened[name].reset()
        return opened[name]

    yield system_of
    for system in opened.values():
        system.close()


@pytest.fixture
def pve(system_of: Callable[[str], Any]) -> Iterator[Any]:
    """The Proxmox cluster, empty before; whatever a test did to a lab is undone after it."""
    system = system_of("pve")
    system.reset()
    yield system
    system.reset()


@pytest.fixture
def lab(pve: Any) -> Any:
    """The lab behind the Proxmox cluster, for what can only be done to a simulated one."""
    if not pve.is_lab:
        pytest.skip("only in the lab: nobody breaks a real cluster for a test")
    return pve.lab


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Options and consent words that were exercised, and what was not, with the reason."""
    write = terminalreporter.write_line
    terminalreporter.section("exercised")
    for module in discovery.modules():
        if not discovery.has_cases(module):
            write(f"{module}: no cases")
            continue
        if not discovery.describes_a_state(module):
            write(f"{module}: describes no state; its options are those of the connection and what to read")
            continue
        case, kind = discovery.case_of(module), discovery.kind_of(module)
        names = discovery.option_names(module)
        write(exercised.line(module, names, kind.words))
        for reason, missing in exercised.reasons(module, case.unreached).items():
            write(f"  not exercised: {', '.join(missing)}: {reason}")
        left = set(names) - exercised.options[module] - set(case.unreached) - set(exercised.not_here[module])
        left |= set(kind.words) - exercised.words[module] - set(case.unreached) - set(exercised.not_here[module])
        if left:
            write(f"  left out of this run: {', '.join(sorted(left))}")
