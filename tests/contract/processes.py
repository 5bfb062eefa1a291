# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Which tests share a process where pytest-xdist runs the suite in several, and what those tell the first one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract import discovery
from tests.contract.case import Case

# By what a subsystem's name, or a file's, begins with. Each waits most of the time, and for something else.
_DATABASES = ("mysql", "mariadb", "test_mysql", "test_peers_mysql", "test_switchover")
_PROXMOX = ("pve", "test_faults", "test_playbook", "test_peers.py", "test_scope", "test_confirmed", "test_secrets")


def of(item: pytest.Item) -> str:
    """The group of tests that it runs with, by the system it is about."""
    given = item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
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
