# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What of network_checkpoint the control host does: it reaches the host anew, as long as `reach_timeout` says."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.contract import discovery, exercised
from tests.contract.cases.network_checkpoint import MODULE, armed
from tests.contract.playbook import Played, play

# Longer than a refused connection takes, and far from what is tried without the option.
PATIENCE = 4


def test_the_host_is_tried_as_long_as_reach_timeout_says(system_of: Callable[[str], Any], tmp_path: Path) -> None:
    system = system_of(discovery.case_of(MODULE).subsystem)
    system.prepare(discovery.case_of(MODULE), armed)

    def confirm() -> Played:
        arguments = {"action": "confirm", "reach_timeout": PATIENCE}
        return play([{f"hospital.continuity.{MODULE}": arguments}], {}, tmp_path, variables=system.variables())

    with system.unwritten():
        with system.out_of_reach():
            began = time.monotonic()
            failed = confirm()
            took = time.monotonic() - began
        (result,) = failed.results
        assert failed.code != 0 and result["outcome"] == "failed"
        assert "could not be reached" in result["msg"]
        assert PATIENCE <= result["unreached"] <= took < PATIENCE + 60
    (result,) = confirm().results
    assert result["changed"] and result["checkpoint"]["state"] == "confirmed"
    exercised.option(MODULE, "reach_timeout")
