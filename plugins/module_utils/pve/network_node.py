# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A node beside its API: what runs there, its Open vSwitch, its network checkpoint."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.command import Runner, run
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.network import checkpoint
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.database import DEFAULT_ADDRESS
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_types import ALIAS, OVS_BOND
from ansible_collections.hospital.continuity.plugins.module_utils.pve.network_bonds import NodeSwitch
from ansible_collections.hospital.continuity.plugins.module_utils.remote import runner_of

_CLUSTER = Path("/etc/pve/nodes")

ARGUMENTS: Mapping[str, Any] = {
    "node_host": {"type": "str"},
    "database": {"type": "str"},
    "management_address": {"type": "str"},
}


class Node:
    """name: in the cluster.  run: how programs run on the node; None where that is not possible.  database: where its
    Open vSwitch is asked; empty where it cannot be.  database_run: from where, if not from the node itself."""

    def __init__(
        self,
        name: str,
        run: Optional[Runner] = None,
        database: str = "",
        *,
        database_run: Optional[Runner] = None,
    ) -> None:
        self.name = name
        self._run = run
        self._database = database
        self._database_run = database_run or run

    @classmethod
    def of_name(cls, name: str, *, node_host: str = "", database: str = "") -> Node:
        """By its name in the cluster. Raises InvalidInput for a `node_host` that is none."""
        if node_host:
            return cls(name, runner_of(node_host), database or DEFAULT_ADDRESS)
        if is_this_host(name):
            return cls(name, run, database or DEFAULT_ADDRESS)
        return cls(name, None, database, database_run=run)

    @property
    def is_reachable(self) -> bool:
        return self._run is not None

    @property
    def has_switch(self) -> bool:
        return bool(self._database) and self._database_run is not None

    @cached_property
    def switch(self) -> NodeSwitch:
        if self._database_run is None or not self._database:
            raise SubsystemError("The node's Open vSwitch cannot be reached.", hint="Name the node with node_host.")
        return NodeSwitch(self._database, self._database_run)

    @property
    def writes(self) -> int:
        return self.switch.writes if "switch" in self.__dict__ else 0

    def checkpoint(self) -> Optional[checkpoint.Checkpoint]:
        return checkpoint.armed(self._run) if self._run is not None else None

    def rollback_reason(self) -> str:
        """Why the node's last checkpoint was rolled back, if it was."""
        if self._run is None:
            return ""
        try:
            found = checkpoint.look(self._run)
        except SubsystemError:
            return ""
        rolled_back = found is not None and found.state in (checkpoint.ROLLED_BACK, checkpoint.ROLLING_BACK)
        return f"checkpoint: {found.reason}" if found is not None and rolled_back else ""

    def unmet(self, states: Mapping[str, Mapping[str, Any]]) -> list[Unmet]:
        """What the node itself shows to be different from its file. States by name."""
        result: list[Unmet] = []
        try:
            if self._run is not None and any(state.get("mtu") for state in states.values()):
                result += _wrong_mtus(self._run, states, self.name)
            if self.has_switch and any(state.get("type") == OVS_BOND for state in states.values()):
                result += self.switch.unmet(states, self.name)
        except SubsystemError as problem:
            # After a reload it may take a moment until the node lets anybody in again.
            result.append(
                Unmet(f"{self.name} itself cannot be asked what is up there: {problem.message}", passing=True)
            )
        return result


def is_this_host(name: str) -> bool:
    """Whether the module runs on the node itself."""
    return socket.gethostname().partition(".")[0] == name and _CLUSTER.is_dir()


def _wrong_mtus(run_there: Runner, states: Mapping[str, Mapping[str, Any]], node: str) -> list[Unmet]:
    done = run_there(["ip", "-j", "link", "show"])
    try:
        found = {row["ifname"]: row.get("mtu") for row in json.loads(done.output)} if done.status == 0 else {}
    except ValueError:
        found = {}
    return [
        Unmet(f"{name} on {node} has an MTU of {found[name]}, not of {state['mtu']}", passing=True)
        for name, state in sorted(states.items())
        if state.get("mtu") and name in found and found[name] != state["mtu"] and state.get("type") != ALIAS
    ]
