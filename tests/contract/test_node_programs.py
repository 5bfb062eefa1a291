# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Maintenance and QDevice when something is wrong: refused beforehand, or told afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.node_system import NodeSystem
from tests.contract.system import refused, succeeded

THREE = {"pve1": "10.99.0.11", "pve2": "10.99.0.12", "pve3": "10.99.0.13"}
HOST = "10.99.0.50"


@pytest.fixture
def node(system_of: Any) -> Iterator[NodeSystem]:
    system: NodeSystem = system_of("pve-node")
    system.reset()
    yield system
    system.reset()


def is_refused(system: NodeSystem, module: str, item: dict[str, Any], *parts: str, **arguments: Any) -> None:
    for check in (True, False):
        with system.unwritten():
            result = refused(system.run(module, [item], check=check, **arguments))
        for part in parts:
            assert part in result.message, result.message


def test_guests_leave_and_come_back(node: NodeSystem) -> None:
    assert succeeded(node.run("pve_node_maintenance", [{"node": "pve1"}])).data["unmet"] == []
    assert node.state()["services"] == {"vm:100": "pve2", "vm:101": "pve2"}
    succeeded(node.run("pve_node_maintenance", [{"node": "pve1"}], state="absent"))
    succeeded(node.run("pve_node_maintenance", [{"node": "pve1"}], state="absent"))
    assert node.state()["services"]["vm:100"] == "pve1"


def test_a_guest_that_stays_is_told(node: NodeSystem) -> None:
    node.set(maintenance=["pve1"], idle=True)
    result = succeeded(node.run("pve_node_maintenance", [{"node": "pve1"}]))
    assert not result.changed and result.data["unmet"] == ["pve1 still runs vm:100."]


def test_a_guest_that_is_stopped_needs_not_leave(node: NodeSystem) -> None:
    node.set(maintenance=["pve1"], idle=True, states={"vm:100": "stopped"})
    assert succeeded(node.run("pve_node_maintenance", [{"node": "pve1"}])).data["unmet"] == []


def test_a_manager_that_takes_nothing_up(node: NodeSystem) -> None:
    node.set(idle=True)
    result = refused(node.run("pve_node_maintenance", [{"node": "pve1"}], timeout=1))
    assert "not put pve1 into maintenance within 1 s" in result.message


def test_maintenance_that_cannot_be(node: NodeSystem) -> None:
    module = "pve_node_maintenance"
    is_refused(node, module, {"node": "pve9"}, "pve9 is no node", "pve1, pve2")
    node.set(maintenance=["pve2"])
    is_refused(node, module, {"node": "pve1"}, "no other node is left", "pve1")
    node.set(maintenance=[], offline=["pve2"])
    is_refused(node, module, {"node": "pve1"}, "no quorum")
    node.set(nodes=THREE)
    is_refused(node, module, {"node": "pve2"}, "pve2 is offline")


def test_all_nodes_at_once_cannot_be_in_maintenance(node: NodeSystem) -> None:
    with node.unwritten():
        result = refused(node.run("pve_node_maintenance", [{"node": "pve1"}, {"node": "pve2"}]))
    assert "no other node is left" in result.message


def test_qdevice_that_cannot_be(node: NodeSystem) -> None:
    is_refused(node, "pve_qdevice", {"host": "qnetd"}, "host", "IP address")
    is_refused(node, "pve_qdevice", {"host": HOST, "network": "10.99"}, "network")
    is_refused(node, "pve_qdevice", {"host": HOST}, "is in no cluster", conf_path="/nonexistent/corosync.conf")
    node.set(qdevice="10.99.0.51")
    is_refused(node, "pve_qdevice", {"host": HOST}, "has a QDevice at 10.99.0.51 already")
    node.set(qdevice="", offline=["pve2"])
    is_refused(node, "pve_qdevice", {"host": HOST}, "1 of 2 nodes are offline")
    node.set(nodes=THREE, offline=[])
    is_refused(node, "pve_qdevice", {"host": HOST}, "odd number")


def test_a_node_that_cannot_reach_the_qdevice_is_told(node: NodeSystem) -> None:
    node.set(ties="NA,NV,NMW")
    result = succeeded(node.run("pve_qdevice", [{"host": HOST}]))
    assert result.changed
    assert result.data["unmet"][0] == "QDevice: 10.99.0.11 cannot reach it and gets no vote from it."
