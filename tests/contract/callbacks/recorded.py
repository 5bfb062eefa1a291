# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Write each task's result to the file that RECORDED_RESULTS names, one JSON object a line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: recorded
type: aggregate
short_description: Records the results of tasks for the contract suite
description: Writes each task's result to the file that RECORDED_RESULTS names, one JSON object a line.
"""


class CallbackModule(CallbackBase):
    """One line a result, whatever its outcome."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "recorded"
    CALLBACK_NEEDS_ENABLED = True

    def _record(self, result: Any, outcome: str) -> None:
        try:
            data = dict(result.result)
        except AttributeError:  # before ansible-core 2.20 the attribute was private
            data = dict(result._result)
        try:
            name = result.task.get_name()
        except AttributeError:
            name = result._task.get_name()
        with Path(os.environ["RECORDED_RESULTS"]).open("a") as file:
            file.write(json.dumps({"task": name, "outcome": outcome, **data}, default=str) + "\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        self._record(result, "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._record(result, "failed")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._record(result, "unreachable")

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._record(result, "skipped")
