# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""An emulated Debian 13 machine with a kernel of its own: `with Machine("alpha") as machine:`. See lab/README.md."""

from __future__ import annotations

from lab.machine.cluster import CLUSTER
from lab.machine.machine import Machine, join
from lab.machine.programs import CannotRun, missing
from lab.machine.recipe import NODE, Recipe
from lab.machine.storage import STORAGE

__all__ = ["CLUSTER", "NODE", "STORAGE", "CannotRun", "Machine", "Recipe", "join", "missing"]
