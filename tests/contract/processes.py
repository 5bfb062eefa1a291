# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Which tests share a process where pytest-xdist runs the suite in several, and what those tell the first one."""

from __future__ import annotations

from typing import Any

import pytest

from tests import access_table
from tests.contract import discovery
from tests.contract.case import Case

# By what a subsystem's name, or a file's, begins with. Each waits most of the time, and for something else.
_DATABASES = ("mysql", "mariadb", "test_mysql", "test_peers_mysql", "test_switchover")
_PROXMOX = ("pve", "test_faults", "test_playbook", "test_peers.py", "test_scope", "test_confirmed", "test_secrets")
# These log in as somebody of their own, or have no login.
_OWN_LOGINS = ("test_access.py", "test_cluster_formation.py", "test_node_programs.py", "test_coverage.py")


def _given(item: pytest.Item) -> list[object]:
    """What a test is parametrized with."""
    return (
        list(item.callspec.params.values()) if isinstance(item, pytest.Function) and hasattr(item, "callspec") else []
    )


def is_for_shipped_roles(item: pytest.Item) -> bool:
    """Whether it is about what the shipped roles allow, and leaves who logs in to the system under test."""
    name = item.path.name
    # Nonsense is refused before anybody logs in, whoever it is.
    if (
        name in _OWN_LOGINS
        or "generated_nonsense" in item.name
        or (of(item) != "pve" and not name.startswith("test_pve_"))
    ):
        return False
    modules = [value.module for value in _given(item) if isinstance(value, Case)]
    modules += [value for value in _given(item) if isinstance(value, str) and value in discovery.modules()]
    covered = {name for names in access_table.roles().values() for name in names}
    return all(module in covered or module == "pve_info" for module in modules)


def of(item: pytest.Item) -> str:
    """The group of tests that it runs with, by the system it is about."""
    given = _given(item)
    names = [value.subsystem for value in given if isinstance(value, Case)]
    names += [value for value in given if isinstance(value, str) and value in discovery.modules()]
    name = names[0] if names else item.path.name
    if name.startswith(_DATABASES):
        return "databases"
    return "pve" if name.startswith(_PROXMOX) else "hosts"


def hand_over(config: pytest.Config, **found: Any) -> None:
    """To the first process, from one that it started."""
    if hasattr(config, "workeroutput"):
        config.workeroutput.update(found)


def handed_over(node: Any) -> dict[str, Any]:
    """What a process that has ended left."""
    return getattr(node, "workeroutput", None) or {}
