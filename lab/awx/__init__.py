# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A simulated AWX: the part of its API that the collection awx.awx writes to, and jobs that run as AWX runs them."""

from __future__ import annotations

from lab.awx.jobs import Finished, Job, Runs
from lab.awx.server import Awx

__all__ = ["Awx", "Finished", "Job", "Runs"]
