# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Machines with disks, disk arrays and tape libraries. Each file of tests starts its own."""

from __future__ import annotations

import pytest

from lab.machine import missing


@pytest.fixture(scope="session", autouse=True)
def _possible():
    if lacking := missing():
        pytest.skip(f"the emulated machine cannot run here: {lacking}")
