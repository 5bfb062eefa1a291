# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""For the conftest.py of suites that are nothing without emulated machines."""

from __future__ import annotations

import pytest

from lab.machine import missing


@pytest.fixture(scope="session", autouse=True)
def possible():
    if lacking := missing():
        pytest.skip(f"the emulated machine cannot run here: {lacking}")
