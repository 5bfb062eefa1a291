# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The systems under test, one a session each, and the summary of what was exercised."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract import discovery, exercised, host_limits, processes, pve_identity
from tests.contract.case import Case
from tests.contract.system import System


def pytest_configure(config: pytest.Config) -> None:
    """A real cluster takes its time: a line a test says how far it is."""
    if os.environ.get("PVE_HOST"):
        config.option.verbose = max(1, config.option.verbose)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on one system stay together where several processes share the suite (pytest -n 3 --dist loadgroup)."""
    if pve_identity.wanted():
        items[:] = [item for item in items if processes.is_for_shipped_roles(item)]
    for item in items:
        item.add_marker(pytest.mark.xdist_group(processes.of(item)))


def pytest_sessionfinish(session: pytest.Session) -> None:
    processes.hand_over(session.config, figures=FIGURES, exercised=exercised.collected())


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    found = processes.handed_over(node)
    FIGURES.extend(found.get("figures", ()))
    if "exercised" in found:
        exercised.add(found["exercised"])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[Any]:
    """What the hosts of a real cluster lack is no failure of ours; the cluster's answer is the reason."""
    try:
        return (yield)
    except Exception as problem:
        reason = host_limits.reason(str(problem)) if os.environ.get("PVE_HOST") else ""
        if not reason:
            raise
        _note_skipped(item, reason)
        pytest.skip(reason)


def _note_skipped(item: pytest.Item, reason: str) -> None:
    given = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    what = given.get("option") or given.get("scenario") or given.get("secret")
    if isinstance(given.get("case"), Case) and what is not None:
        exercised.skipped(given["case"].module, getattr(what, "name", "") or what.id, reason)


def _open(subsystem: str) -> System:
    if subsystem == "pve":
        from tests.contract.pve_system import open_pve_system

        return open_pve_system()
    if subsystem == "pve-bare":
        from tests.contract.bare_system import BareSystem

        return BareSystem()
    if subsystem == "pve-node":
        from tests.contract.node_system import NodeSystem

        return NodeSystem()
    if subsystem == "pve-notes":
        from tests.contract.notes_system import NotesSystem

        return NotesSystem()
    if subsystem == "ovs":
        from tests.contract.ovs_system import OvsSystem

        return OvsSystem()
    if subsystem == "zfs":
        from tests.contract.zfs_system import ZfsSystem

        return ZfsSystem()
    if subsystem == "host":
        from tests.contract.host_system import HostSystem

        return HostSystem()
    if subsystem == "scst":
        from tests.contract.scst_system import open_scst_system

        return open_scst_system()
    if subsystem == "pacemaker":
        from tests.contract.pacemaker_system import PacemakerSystem

        return PacemakerSystem()
    if subsystem == "pacemaker-cluster":
        from tests.contract.pacemaker_cluster_system import PacemakerClusterSystem

        return PacemakerClusterSystem()
    if subsystem in ("mariadb", "mysql"):
        from tests.contract.mysql_system import MysqlSystem

        return MysqlSystem(subsystem)
    if subsystem in ("mariadb-set", "mysql-set"):
        from tests.contract.mysql_set_system import MysqlSetSystem

        return MysqlSetSystem(subsystem.partition("-")[0])
    if subsystem in ("mariadb-seed", "mysql-seed"):
        from tests.contract.mysql_seed_system import MysqlSeedSystem

        return MysqlSeedSystem(subsystem.partition("-")[0])
    raise LookupError(f"no system for {subsystem}")


# One host serves both.
SHARED = {"tape": "scst"}

# What the systems say of the effort at the end.
FIGURES: list[str] = []


@pytest.fixture(scope="session")
def system_of() -> Iterator[Callable[[Case | str], Any]]:
    """The system a case (or a subsystem's name) runs on; opened when first asked for."""
    opened: dict[str, System] = {}

    def system_of(case: Case | str) -> System:
        name = case if isinstance(case, str) else case.subsystem
        name = SHARED.get(name, name)
        if name not in opened:
            opened[name] = _open(name)
            opened[name].reset()
        return opened[name]

    yield system_of
    for system in opened.values():
        if system.figures():
            FIGURES.append(system.figures())
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


@pytest.fixture
def scst(system_of: Callable[[str], Any]) -> Iterator[Any]:
    """A host with SCST and a tape library, nothing loaded, before and after."""
    system = system_of("scst")
    system.reset()
    yield system
    system.reset()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Options and consent words that were exercised, and what was not, with the reason."""
    write = terminalreporter.write_line
    terminalreporter.section("exercised")
    for figures in FIGURES:
        write(figures)
    for module in discovery.modules():
        if not discovery.has_cases(module):
            write(f"{module}: no cases")
            continue
        if discovery.does_something(module):
            case, operation = discovery.case_of(module), discovery.operation_of(module)
            write(exercised.line(module, [row.name for row in operation.fields], operation.words))
            for reason, missing in exercised.reasons(module, case.unreached).items():
                write(f"  not exercised: {', '.join(missing)}: {reason}")
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
