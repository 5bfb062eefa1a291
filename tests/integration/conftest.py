# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Which tests share a process where pytest-xdist runs the suite in several."""

from __future__ import annotations

import pytest

# Their hosts have the same addresses, and this machine is in their network.
_SAME_NETWORK = ("test_lab_hosts", "test_network_faults", "test_node_network_role", "test_lockout")

# Each test has a hospital of its own, and takes a minute or two: together they would keep one process
# busy when the other one has ended.
_SHARE_NOTHING = ("test_upgrade", "test_evacuate")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file's tests stay together: what they share is made once."""
    for number, item in enumerate(items):
        name = item.path.stem
        group = "network" if name in _SAME_NETWORK else f"{name}-{number}" if name in _SHARE_NOTHING else name
        item.add_marker(pytest.mark.xdist_group(group))
