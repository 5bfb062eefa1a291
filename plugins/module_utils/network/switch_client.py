# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Open vSwitch's database over its own protocol: a rollback writes rows back as they were, which ovs-vsctl has no words
for, and of any number. Source: RFC 7047, chapter 4."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.jsonrpc import Session

DATABASE = "Open_vSwitch"


class SwitchUnreachable(SubsystemError):
    """The database cannot be talked to."""


class SwitchRefused(SubsystemError):
    """The database did not take a transaction. `error`: what it said, in RFC 7047's words."""

    def __init__(self, error: str, details: str = "") -> None:
        super().__init__(f"Open vSwitch answered: {f'{error}: {details}'.rstrip(': ')}.")
        self.error = error


class SwitchClient:
    """One connection. `address`: unix:PATH or tcp:HOST:PORT; `timeout`: seconds for an answer."""

    def __init__(self, address: str, *, timeout: float = 10.0) -> None:
        self.address = address
        try:
            self._session = Session(address, timeout)
        except (OSError, ValueError) as problem:
            raise SwitchUnreachable(
                f"Open vSwitch's database cannot be reached at {address}: {problem}.",
                hint="Is openvswitch-switch running, and is this a unix: or tcp: address of it?",
            ) from None

    def close(self) -> None:
        self._session.__exit__(None, None, None)

    def schema(self) -> dict[str, Any]:
        """The database's schema. Source: RFC 7047, section 3.2."""
        found: dict[str, Any] = self._call("get_schema", DATABASE)
        return found

    def transact(self, operations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """All operations or none. Raises SwitchRefused with the first that failed."""
        results: list[dict[str, Any]] = self._call("transact", DATABASE, *operations)
        for result in results:
            # An operation behind one that failed was not tried, and has no result.
            if result is not None and result.get("error"):
                raise SwitchRefused(str(result["error"]), str(result.get("details") or ""))
        return results

    def _call(self, method: str, *params: Any) -> Any:
        try:
            return self._session.call(method, *params)
        except (OSError, ValueError) as problem:
            raise SwitchUnreachable(f"Open vSwitch's database at {self.address} did not answer: {problem}.") from None
