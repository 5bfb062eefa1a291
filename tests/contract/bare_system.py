# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Nodes that are no cluster yet, under test: the lab's. A real node that has joined can only be installed anew."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar
from unittest import mock

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.cluster import ClusterBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import Connection
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import PveError, Unreachable
from lab.pve import Formation
from tests.contract.invocation import Result
from tests.contract.pve_api import comparable
from tests.contract.pve_system import VERBS
from tests.contract.system import ORDERED, System, succeeded

NAMES = ("pve1", "pve2", "pve3")


class BareSystem(System):
    """Three of them. The module runs at `asked`, which is the joining node unless a test says otherwise."""

    nonsense = 40
    node_count: ClassVar[int] = len(NAMES)  # type: ignore[misc]

    def __init__(self) -> None:
        if os.environ.get("PVE_HOST"):
            pytest.skip("a real node that has joined a cluster can only be taken out of it by installing it anew")
        self.formation = Formation(NAMES, outage=2, settling=0.1)
        self.asked = "pve2"

    def close(self) -> None:
        self.formation.stop()

    def reset(self) -> None:
        self.formation.reset()
        self.asked = "pve2"

    def connection(self, *, root: bool = False) -> dict[str, Any]:
        return self.connection_to(self.asked)

    def connection_to(self, name: str) -> dict[str, Any]:
        node = self.formation[name]
        where = {"api_host": [node.host], "api_port": node.port, "ca_path": node.ca}
        return {**where, "api_user": node.user, "api_password": node.password}

    def environment(self) -> dict[str, str]:
        node = self.formation[self.asked]
        return {"PVE_PORT": str(node.port), "PVE_USER": node.user, "PVE_PASSWORD": node.password, "PVE_CA": node.ca}

    def variables(self) -> dict[str, Any]:
        """What the examples speak of."""
        addresses = {name: self.formation[name].address for name in NAMES}
        corosync = {f"{name}_corosync": self.formation[name].second for name in NAMES}
        first = self.formation["pve1"]
        return {**addresses, **corosync, "pve1_fingerprint": first.fingerprint, "root_password": first.password}

    def member(self, name: str, **options: Any) -> dict[str, Any]:
        """An item with which a node joins pve1's cluster."""
        first = self.formation["pve1"]
        known = {"hostname": first.address, "fingerprint": first.fingerprint, "password": first.password}
        return {"clustername": "hct-cluster", "node": name, **known, **options}

    def create(self, **options: Any) -> Result:
        """pve1's cluster, as somebody else made it."""
        item = {"clustername": "hct-cluster", "node": "pve1", **options}
        return succeeded(self.run("pve_cluster", [item], **self.connection_to("pve1")))

    def join(self, name: str, **options: Any) -> Result:
        return succeeded(self.run("pve_cluster", [self.member(name, **options)], **self.connection_to(name)))

    def run(self, module: str, config: Any = None, **arguments: Any) -> Result:
        """What is removed was switched off before, and another member is asked."""
        if arguments.get("state") == "absent" and "api_host" not in arguments:
            others = [name for item in config or () for name in self._switched_off(str(item.get("node")))]
            arguments = {**(self.connection_to(others[0]) if others else {}), **arguments}
        return super().run(module, config, **arguments)

    def _switched_off(self, name: str) -> list[str]:
        """The members that are left, when a member is off. One that is alone gets another beside it, to be asked."""
        machine = self.formation.machines.get(name)
        if machine is None or machine.corosync is None:
            return []
        if len(machine.corosync.members) == 1 and name in machine.corosync.members:
            self.formation.settle()
            self.formation.enlist("pve3", name, votes=5)
        self.formation.power(name, False)
        return [member for member in machine.corosync.members if member != name]

    def writes(self) -> int:
        return len(self.formation.writes)

    def inventory(self) -> Any:
        files = {name: machine.corosync for name, machine in self.formation.machines.items()}
        return comparable({name: corosync.file() if corosync else None for name, corosync in files.items()})

    def observe(self, kind: Any, keys: Collection[Any]) -> list[Mapping[str, Any]]:
        backend = ClusterBackend(Client(Connection.from_options(self.connection())))
        try:
            found = backend.observe(kind, set(keys), {row.name for row in kind.option_rows})
        finally:
            backend.close()
        return [kind.visible(key, thing.state) for key, thing in found.items()]

    @contextlib.contextmanager
    def failing_write(self, number: int, *, lost: bool = False) -> Iterator[None]:
        """Between the module and the wire, at whichever node it writes to. The lab's tasks have ended by then."""
        count = 0

        def wrapped(original: Any) -> Any:
            def send(client: Client, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
                nonlocal count
                count += 1
                if count != number:
                    return original(client, path, parameters)
                if not lost:
                    raise PveError(f"{path}: {ORDERED}")
                original(client, path, parameters)
                raise Unreachable(f"{path}: {ORDERED}, the answer is lost")

            return send

        with contextlib.ExitStack() as stack:
            for verb in VERBS:
                stack.enter_context(mock.patch.object(Client, verb, wrapped(getattr(Client, verb))))
            yield
