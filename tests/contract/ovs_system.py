# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A real Open vSwitch of its own under test."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

import pytest

from lab.ovs import OvsLab, available
from tests.contract import discovery
from tests.contract.armed_checkpoint import armed_checkpoint
from tests.contract.system import System, succeeded

COLUMNS = "datapath_type,fail_mode,stp_enable,rstp_enable,mcast_snooping_enable,protocols,other_config,external_ids"
PORT = "bond_mode,lacp,bond_updelay,bond_downdelay,vlan_mode,tag,trunks,cvlans,other_config,external_ids"
INTERFACE = "name,type,mac,mtu_request,options"


class OvsSystem(System):
    """ovsdb-server and ovs-vswitchd in a temporary directory; what is in it is the tests' own, NICs included."""

    # What ovs-vswitchd cannot do here (an MTU on a dummy port, a partner for LACP) is not worth waiting for.
    patience = 0
    # Each run costs processes.
    nonsense = 50
    failures = 30
    failure = "the lab lets this write fail"

    def __init__(self) -> None:
        if not available():
            pytest.skip("openvswitch-switch is not installed: its modules are proven on a real Open vSwitch only")
        self._stack = contextlib.ExitStack()
        self.lab = self._stack.enter_context(OvsLab(pretended_nics=True))
        self._until_reset = contextlib.ExitStack()

    def connection(self, *, root: bool = False) -> dict[str, Any]:
        return {"database": self.lab.database}

    def module_defaults(self, module: str) -> dict[str, Any]:
        waiting = {"verify_timeout": 1} if discovery.describes_a_state(module) else {}
        return {f"hospital.continuity.{module}": {**self.connection(), **waiting}}

    def reset(self) -> None:
        self._until_reset.close()
        bridges = self.lab.vsctl("list-br").split()
        words = [word for bridge in bridges for word in ("--", "del-br", bridge)]
        if words:
            self.lab.vsctl(*words)

    def close(self) -> None:
        self._until_reset.close()
        self._stack.close()

    def writes(self) -> int:
        return self.lab.writes

    def make_bridge(self, *names: str) -> None:
        for_each = (("--", "add-br", name, "--", "set", "Bridge", name, "datapath_type=dummy") for name in names)
        self.lab.vsctl(*(word for words in for_each for word in words))

    def arm_checkpoint(self) -> None:
        """Until the next reset."""
        self._until_reset.enter_context(armed_checkpoint())

    def bridge(self, name: str) -> Any:
        """A bridge as ovs-vsctl shows it."""
        mtu = self.lab.vsctl("get", "Interface", name, "mtu_request").strip()
        controllers = sorted(self.lab.vsctl("get-controller", name).split())
        return {"columns": self._row("Bridge", name, COLUMNS), "mtu": mtu, "controllers": controllers}

    def port(self, name: str) -> Any:
        """A port or bond as ovs-vsctl shows it, with its interfaces."""
        members = self.lab.vsctl("get", "Port", name, "interfaces").strip("[]\n ").split(", ")
        interfaces = _sorted([self._row("Interface", uuid, INTERFACE) for uuid in members])
        bridge = self.lab.vsctl("port-to-br", name).strip()
        return {"columns": self._row("Port", name, PORT), "interfaces": interfaces, "bridge": bridge}

    def _row(self, table: str, record: str, columns: str) -> Any:
        text = self.lab.vsctl("--format=json", f"--columns={columns}", "list", table, record)
        return _sorted(json.loads(text)["data"])

    def inventory(self) -> Any:
        tables = {
            "Bridge": f"_uuid,name,ports,controller,{COLUMNS}",
            "Port": f"_uuid,name,interfaces,{PORT}",
            "Interface": f"_uuid,{INTERFACE}",
            "Controller": "_uuid,target",
        }
        words = [word for table, columns in tables.items() for word in ("--", f"--columns={columns}", "list", table)]
        answers = self.lab.vsctl("--format=json", *words).splitlines()
        return [_sorted(json.loads(answer)["data"]) for answer in answers if answer.strip()]

    def read_info(self, kind: str, names: list[str]) -> list[Mapping[str, Any]]:
        config = succeeded(self.run("ovs_info", kinds=[kind], names=names)).data["config"]
        return list(config[kind])

    def command_lines(self) -> str:
        """What the database's log, and so the system's, says of every transaction: ovs-vsctl's are command lines."""
        return "\n".join(self.lab.transactions())

    def failing_write(self, number: int, *, lost: bool = False) -> contextlib.AbstractContextManager[None]:
        return self.lab.failing_write(number, lost=lost)


def _sorted(value: Any) -> Any:
    """OVSDB's sets and maps come in any order."""
    if isinstance(value, list):
        return sorted((_sorted(inner) for inner in value), key=repr)
    return value
