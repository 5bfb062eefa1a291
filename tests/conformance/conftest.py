# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The modules beside this file import each other by name; the counts are printed at the end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
for place in (HERE, HERE.parents[1]):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

import tally  # noqa: E402 - its place is known only now


def pytest_terminal_summary(terminalreporter: Any) -> None:
    lines = tally.lines()
    if lines:
        terminalreporter.section("conformance of the lab")
        for text in lines:
            terminalreporter.write_line(text)
