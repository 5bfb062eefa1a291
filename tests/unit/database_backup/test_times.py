# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Times as people write them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from databasebackup.history import LATEST
from databasebackup.restore import name_for
from databasebackup.settings import Refused
from databasebackup.times import second, told


@pytest.fixture
def cordoba(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/Argentina/Cordoba")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("cordoba")
def test_a_time_without_a_zone_is_the_hosts_and_with_one_it_is_that() -> None:
    assert second("2026-11-22 14:03:17") == second("2026-11-22T17:03:17Z") == second("2026-11-22 18:03:17+01:00")
    assert told(second("2026-11-22 17:03:17Z")) == "2026-11-22 14:03:17-0300"
    assert name_for("2026-11-22 14:03:17") == "20261122T170317Z"


def test_the_latest_is_no_time() -> None:
    assert second("latest") == LATEST
    assert name_for(" Latest ") == "latest"


@pytest.mark.parametrize("text", ["", "yesterday", "14:03", "2026-13-01 00:00:00", "9999999999-01-01", "now; rm -rf /"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="is no time"):
        second(text)
