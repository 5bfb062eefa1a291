# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A simulated SCST 3.11: its sysfs tree, the hardware and programs around it. See lab/README.md."""

from __future__ import annotations
