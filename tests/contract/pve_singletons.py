# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a real cluster has once: taken away for the tests that are about it, and put back as it was."""

from __future__ import annotations

from typing import Any

from tests.contract.pve_api import Api, comparable

PATH = "/cluster/options"
# Always there, or told only: nothing to put back.
TOLD = ("allowed-tags",)
LASTING = {"description": "", "mac_prefix": "BC:24:11"}


def text(value: Any) -> str:
    """A value that GET shows in pieces, as PUT takes it."""
    if isinstance(value, dict):
        return ",".join(f"{name}={text(each)}" for name, each in value.items())
    return ";".join(map(str, value)) if isinstance(value, list) else str(value)


class ClusterOptions:
    """The cluster's options as they were when the session began."""

    def __init__(self, api: Api) -> None:
        self._api, self._before = api, self._now(api)

    @staticmethod
    def _now(api: Api) -> dict[str, Any]:
        options = {name: value for name, value in api.get(PATH).items() if name not in TOLD}
        return {name: value for name, value in options.items() if LASTING.get(name) != value}

    @property
    def binds_logins(self) -> bool:
        """Whether second factors are bound to them, which nobody takes away for a test."""
        return bool({"webauthn", "u2f"} & set(self._before))

    def clear(self) -> None:
        self._write({})

    def put_back(self) -> None:
        self._write(self._before)

    def _write(self, wanted: dict[str, Any]) -> None:
        now = self._now(self._api)
        if comparable(now) == comparable(wanted):
            return
        parameters = {name: text(value) for name, value in wanted.items() if now.get(name) != value}
        gone = sorted(set(now) - set(wanted))
        self._api.call("PUT", PATH, **parameters, **({"delete": ",".join(gone)} if gone else {}))
