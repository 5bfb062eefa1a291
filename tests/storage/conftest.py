# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Machines with disks, disk arrays and tape libraries. Each file of tests starts its own."""

from __future__ import annotations

from tests.machine.possible import possible

__all__ = ["possible"]
