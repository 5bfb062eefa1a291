# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Two nodes and a witness on machines whose watchdogs really reset them. Each file of tests starts its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.machine.possible import possible
from tests.watchdog.cluster import Cluster, started

__all__ = ["possible"]


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with started(tmp_path_factory.mktemp("cluster"), watchdogs=request.module.WATCHDOGS) as running:
        yield running
