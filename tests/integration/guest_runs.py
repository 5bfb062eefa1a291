# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Running pve_vm and pve_container against a lab in this process: declaration in, outcome out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.converge import Outcome, converge, lines
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import Connection
from ansible_collections.hospital.continuity.plugins.module_utils.pve.guests import GuestBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.container import CONTAINER
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest import GuestKind
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.vm import VM
from lab.pve import Lab

TEMPLATE = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst"


@dataclass
class Guests:
    """What a user would do with the two modules."""

    lab: Lab

    def vm(self, *items: dict[str, Any], check: bool = False, **options: Any) -> Outcome:
        return self.run(VM, items, check=check, **options)

    def container(self, *items: dict[str, Any], check: bool = False, **options: Any) -> Outcome:
        return self.run(CONTAINER, items, check=check, **options)

    def run(self, kind: GuestKind, items: Any, *, check: bool = False, **options: Any) -> Outcome:
        backend = GuestBackend(self.client())
        try:
            declared = kind.declare({"config": list(items), **options})
            return converge(kind, declared, backend, check=check, verify_timeout=0)
        finally:
            backend.close()

    def settled(self, kind: GuestKind, *items: dict[str, Any], **options: Any) -> Outcome:
        """Check mode, the run, and a second run: the same steps predicted, none left, nothing written by either."""
        writes = len(self.lab.writes)
        predicted = self.run(kind, items, check=True, **options)
        assert len(self.lab.writes) == writes, "check mode wrote"
        outcome = self.run(kind, items, **options)
        assert not outcome.failure, outcome.failure
        assert [result.step.line for result in predicted.results] == [result.step.line for result in outcome.results]
        assert predicted.predicted == outcome.predicted
        writes = len(self.lab.writes)
        again = self.run(kind, items, **options)
        assert not again.changed, lines(again.results)
        assert len(self.lab.writes) == writes
        return outcome

    def refused(self, kind: GuestKind, *items: dict[str, Any], **options: Any) -> SubsystemError:
        """The error of a declaration that is refused, in check mode and in the run, with nothing written."""
        writes = len(self.lab.writes)
        errors = []
        for check in (True, False):
            try:
                outcome = self.run(kind, items, check=check, **options)
            except SubsystemError as problem:
                errors.append(problem)
            else:
                raise AssertionError(f"not refused: {lines(outcome.results)}")
        assert len(self.lab.writes) == writes, "something was written"
        assert str(errors[0]) == str(errors[1])
        return errors[1]

    def client(self) -> Client:
        """A client of the lab's; whoever asks for it closes it."""
        return Client(self.connection())

    def connection(self) -> Connection:
        return Connection.from_options(
            {
                "api_host": [self.lab.host],
                "api_port": self.lab.port,
                "api_token_id": self.lab.token_id,
                "api_token_secret": self.lab.token_secret,
                "ca_path": self.lab.ca,
            }
        )

    def sent(self, *methods: str) -> list[str]:
        """The writes since the counters were reset, as `PUT /nodes/…`."""
        return [f"{request.method} {request.path}" for request in self.lab.writes]


def steps(outcome: Outcome) -> list[str]:
    return [result.step.line for result in outcome.results]
