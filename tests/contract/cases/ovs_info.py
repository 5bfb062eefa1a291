# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of ovs_info, which reads. Point 5 of every other ovs module is its round trip."""

from __future__ import annotations

from typing import Any

from tests.contract.case import Case


def setup(system: Any) -> None:
    """Something to read."""
    system.make_bridge("vmbr0")
    system.lab.vsctl("add-bond", "vmbr0", "bond0", "eno1", "eno2")


CASE = Case(module="ovs_info", subsystem="ovs", setup=setup, base={}, options=(), several=[], examples=setup)
