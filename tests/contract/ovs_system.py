# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A real Open vSwitch of its own under test."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.ovs.backend import OvsBackend
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.database import Database
from lab.ovs import OvsLab, available
from tests.contract.system import System

COLUMNS = "datapath_type,fail_mode,stp_enable,rstp_enable,mcast_snooping_enable,protocols,other_config,external_ids"


class OvsSystem(System):
    """ovsdb-server and ovs-vswitchd in a temporary directory; bridges in it are the tests' own."""

    # What ovs-vswitchd cannot do here (an MTU on a dummy port) is not worth waiting for.
    patience = 1
    failure = "the lab lets this write fail"

    def __init__(self) -> None:
        if not available():
            pytest.skip("openvswitch-switch is not installed: its modules are proven on a real Open vSwitch only")
        self._stack = contextlib.ExitStack()
        self.lab = self._stack.enter_context(OvsLab())

    def connection(self, *, root: bool = False) -> dict[str, Any]:
        return {"database": self.lab.database}

    def reset(self) -> None:
        bridges = self.lab.vsctl("list-br").split()
        words = [word for bridge in bridges for word in ("--", "del-br", bridge)]
        if words:
            self.lab.vsctl(*words)

    def close(self) -> None:
        self._stack.close()

    def writes(self) -> int:
        return self.lab.writes

    def bridge(self, name: str) -> Any:
        """A bridge as ovs-vsctl shows it."""
        text = self.lab.vsctl("--format=json", f"--columns={COLUMNS}", "list", "Bridge", name)
        mtu = self.lab.vsctl("get", "Interface", name, "mtu_request").strip()
        controllers = sorted(self.lab.vsctl("get-controller", name).split())
        return {"columns": _sorted(json.loads(text)["data"]), "mtu": mtu, "controllers": controllers}

    def inventory(self) -> Any:
        return {name: self.bridge(name) for name in self.lab.vsctl("list-br").split()}

    def observe(self, kind: Any, keys: Collection[Any]) -> list[Mapping[str, Any]]:
        backend = OvsBackend(Database(self.lab.database))
        found = backend.observe(kind, set(keys), {row.name for row in kind.option_rows})
        return [kind.visible(key, thing.state) for key, thing in found.items()]

    def failing_write(self, number: int, *, lost: bool = False) -> contextlib.AbstractContextManager[None]:
        return self.lab.failing_write(number, lost=lost)


def _sorted(value: Any) -> Any:
    """OVSDB's sets and maps come in any order."""
    if isinstance(value, list):
        return sorted((_sorted(inner) for inner in value), key=repr)
    return value
