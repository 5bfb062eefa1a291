# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The control host's part of network_checkpoint: a change is confirmed only over a connection made after it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any, Optional

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.hospital.continuity.plugins.module_utils.network.checkpoint import (
    ROLLED_BACK,
    ROLLING_BACK,
)

MODULE = "hospital.continuity.network_checkpoint"
DEFAULT_REACH_TIMEOUT = 300.0
PAUSE = 1.0

Result = dict[str, Any]


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Mapping[str, Any]] = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if arguments.get("action") != "confirm" or self._task.check_mode:
            return {**result, **self._module(arguments, task_vars)}
        return {**result, **self._confirm(arguments, task_vars)}

    def _confirm(self, arguments: Mapping[str, Any], task_vars: Optional[Mapping[str, Any]]) -> Result:
        try:
            patience = float(arguments.get("reach_timeout") or DEFAULT_REACH_TIMEOUT)
        except (TypeError, ValueError):
            # The module's own words about a wrong value.
            return self._module(arguments, task_vars)
        asked = {name: value for name, value in arguments.items() if name in ("interfaces_file", "database")}
        start = time.monotonic()
        away = 0.0
        while True:
            status = self._reached({**asked, "action": "status"}, task_vars)
            waited = time.monotonic() - start
            if status is None:
                away = waited
            else:
                answer = self._decided(status, arguments, task_vars, away)
                if answer is not None:
                    return {**answer, "unreached": round(away)}
            if waited >= patience:
                return self._never(waited, status)
            time.sleep(PAUSE)

    def _decided(
        self, status: Result, arguments: Mapping[str, Any], task_vars: Optional[Mapping[str, Any]], away: float
    ) -> Optional[Result]:
        """What it comes to, now that the host has answered; None while that is not known yet."""
        if status.get("failed"):
            return status
        checkpoint = status["checkpoint"]
        if checkpoint["state"] == ROLLING_BACK:
            return None
        if checkpoint["state"] == ROLLED_BACK:
            return self._rolled_back(checkpoint, away)
        confirmed = self._reached(arguments, task_vars, anew=False)
        if confirmed is None or not confirmed.get("failed") or confirmed.get("checkpoint"):
            return confirmed
        # It failed beforehand, perhaps because the time was over just then.
        return {**confirmed, "checkpoint": checkpoint}

    def _rolled_back(self, checkpoint: Mapping[str, Any], away: float) -> Result:
        host = self._host()
        text = f"{host} could not be reached for {away:.0f} s after the change. It" if away else host
        left = f" What to know: {'; '.join(checkpoint['notes'])}." if checkpoint.get("notes") else ""
        text = f"{text} was rolled back at {checkpoint['ended_at']}, because {checkpoint['reason']}"
        return {
            "failed": True,
            "msg": f"{text}, and has its old configuration.{left}",
            "checkpoint": dict(checkpoint),
        }

    def _never(self, waited: float, status: Optional[Result]) -> Result:
        host = self._host()
        if status is not None:
            text = f"{host} answers again, and its rollback has not ended within {waited:.0f} s."
        else:
            text = f"{host} could not be reached for {waited:.0f} s after the change. "
            text += "By now its rollback has come by itself, so look for another cause: its console, power, the switch."
        known = {"checkpoint": status["checkpoint"]} if status and status.get("checkpoint") else {}
        return {"failed": True, "msg": text, "unreached": round(waited), **known}

    def _reached(
        self, arguments: Mapping[str, Any], task_vars: Optional[Mapping[str, Any]], *, anew: bool = True
    ) -> Optional[Result]:
        """The module's answer over a new connection; None where none comes about, or it breaks."""
        if anew:
            with contextlib.suppress(AnsibleError, AttributeError, NotImplementedError):
                self._connection.reset()
        try:
            answer = self._module(arguments, task_vars)
        except AnsibleConnectionFailure:
            return None
        if answer.get("unreachable"):
            return None
        return answer

    def _module(self, arguments: Mapping[str, Any], task_vars: Optional[Mapping[str, Any]]) -> Result:
        answer: Result = self._execute_module(
            module_name=MODULE, module_args=dict(arguments), task_vars=task_vars, wrap_async=False
        )
        return answer

    def _host(self) -> str:
        return str((self._templar.available_variables or {}).get("inventory_hostname") or "The host")
