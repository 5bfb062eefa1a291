# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A change that cuts off the control host, seen from the control host.

It reaches the node as in a hospital: through a switch, a bond of the node, a bridge of Open vSwitch and a VLAN
interface. The change takes that VLAN off the bond's trunks.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.hosts import Host, Hosts, Switch, wait_until, why_not
from tests.integration.over_ssh import Control

CONTROL, NODE = "198.19.77.1", "198.19.77.11"
BOND = {"name": "bond0", "bridge": "vmbr0"}
GOOD, BAD = [10, 20], [20]
STANZAS = f"auto lo\niface lo inet loopback\n\nauto mgmt\niface mgmt inet static\n  address {NODE}/24\n"
SWITCH = """
    add-br vmbr0 -- set bridge vmbr0 datapath_type=netdev
    -- add-bond vmbr0 bond0 eno1 eno2 lacp=active bond_mode=balance-tcp trunks=10,20 other_config:lacp-time=fast
    -- add-port vmbr0 mgmt tag=10 -- set interface mgmt type=internal
"""
STATE = "/var/lib/hospital.continuity/network-checkpoint/state.json"


def arm(timeout: int) -> dict[str, Any]:
    return {
        "name": "Arm",
        "hospital.continuity.network_checkpoint": {"action": "arm", "timeout": timeout, "peers": [CONTROL]},
    }


CHANGE = {
    "name": "Change",
    "hospital.continuity.ovs_bond": {
        "config": [{**BOND, "trunks": BAD}],
        "allow": ["management_path"],
        "verify_timeout": 0,
    },
    # The task cuts its own connection: what became of it, confirming tells.
    "ignore_unreachable": True,
}
CONFIRM = {
    "name": "Confirm",
    "hospital.continuity.network_checkpoint": {"action": "confirm", "reach_timeout": 60},
}


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    if reason := why_not():
        pytest.skip(reason)
    with Hosts("node1", "switch", ssh=True) as hosts:
        for number in (1, 2):
            hosts.link("node1", f"eno{number}", "switch", f"swp{number}")
        hosts.plug_in("switch", "swp9", f"{CONTROL}/24")
        switch = Switch(hosts["switch"])
        switch.bond("node1", ["swp1", "swp2"], vlans=GOOD)
        switch.access_port("swp9", 10)
        node = hosts["node1"]
        node.run("ovs-vsctl", *SWITCH.split())
        node.write("/etc/network/interfaces", STANZAS)
        node.run("ifup", "mgmt", check=False)
        assert node.access is not None
        node.access.know(node, NODE)
        wait_until(answers, "the node through its bond")
        yield hosts


@pytest.fixture
def node(hosts: Hosts) -> Iterator[Host]:
    node = hosts["node1"]
    assert trunks(node) == GOOD
    yield node
    # A test that failed must not leave the others without a way.
    wait_until(lambda: state(node) != "armed", "the rollback", 60)
    node.run("ovs-vsctl", "set", "port", "bond0", f"trunks={','.join(map(str, GOOD))}")
    wait_until(answers, "the node through its bond")


@pytest.fixture
def control(node: Host, tmp_path: Path) -> Control:
    return Control(node, tmp_path, NODE, alive=3)


def answers() -> bool:
    return subprocess.run(["ping", "-c", "1", "-W", "1", NODE], capture_output=True, check=False).returncode == 0


def trunks(node: Host) -> list[int]:
    """Over the node's console."""
    found: list[int] = json.loads(node.run("ovs-vsctl", "get", "port", "bond0", "trunks").stdout)
    return sorted(found)


def state(node: Host) -> str:
    done = node.run("cat", STATE, check=False)
    return str(json.loads(done.stdout)["state"]) if done.returncode == 0 else "none"


def test_without_a_checkpoint_the_modules_do_not_touch_the_path(node: Host, control: Control) -> None:
    refused = control.play([CHANGE])
    assert refused.outcomes == ["failed"]
    message = refused.results[0]["msg"]
    assert "network_checkpoint" in message and "mgmt" in message and "bond0" in message and NODE in message
    unasked = control.play([arm(30), {"hospital.continuity.ovs_bond": {"config": [{**BOND, "trunks": BAD}]}}])
    assert unasked.outcomes == ["ok", "failed"]
    assert "management_path" in unasked.results[1]["msg"]
    assert control.checkpoint("confirm")["changed"]
    assert trunks(node) == GOOD


def test_a_change_that_keeps_the_way_is_confirmed(node: Host, control: Control) -> None:
    change = {**CHANGE, "hospital.continuity.ovs_bond": {**CHANGE["hospital.continuity.ovs_bond"]}}
    change["hospital.continuity.ovs_bond"]["config"] = [{**BOND, "trunks": [*GOOD, 30]}]
    played = control.play([arm(30), change, CONFIRM]).good()
    assert played.outcomes == ["ok", "ok", "ok"]
    assert trunks(node) == [*GOOD, 30]
    assert state(node) == "confirmed"


def test_locked_out_the_node_comes_back_by_itself(node: Host, control: Control) -> None:
    running = control.start([arm(12), CHANGE, CONFIRM])
    cut = wait_until(lambda: trunks(node) == BAD and not answers(), "being locked out", 30)
    back = wait_until(answers, "the node coming back", 30)
    output, _nothing = running.communicate(timeout=60)
    assert running.returncode != 0
    results = results_of(control)
    assert [result["task"] for result in results] == ["Arm", "Change", "Confirm"]
    confirm = results[-1]
    assert confirm["outcome"] == "failed"
    assert output.count("FAILED!") + output.count("failed: [") == 1, f"one clear failed task, not: {output}"
    assert "node1" in confirm["msg"] and "rolled back" in confirm["msg"] and "old configuration" in confirm["msg"]
    assert "nobody confirmed within 12 s" in confirm["msg"]
    assert confirm["checkpoint"]["state"] == "rolled_back"
    assert trunks(node) == GOOD
    print(f"locked out after {cut:.1f} s, back after {back:.1f} s: {confirm['msg']}")


def test_locked_out_and_reset_in_between(node: Host, control: Control) -> None:
    running = control.start([arm(40), CHANGE, CONFIRM])
    wait_until(lambda: trunks(node) == BAD and not answers(), "being locked out", 30)
    began = time.monotonic()
    node.reset()
    wait_until(answers, "the node coming back", 30)
    assert time.monotonic() - began < 40, "that was the timer, not the reset"
    running.communicate(timeout=90)
    confirm = results_of(control)[-1]
    assert running.returncode != 0
    assert (confirm["task"], confirm["outcome"]) == ("Confirm", "failed")
    assert "reset" in confirm["msg"] and "old configuration" in confirm["msg"]
    assert trunks(node) == GOOD


def test_the_play_is_killed_between_the_change_and_confirming(node: Host, control: Control) -> None:
    running = control.start([arm(10), CHANGE, CONFIRM])
    wait_until(lambda: trunks(node) == BAD, "the change", 30)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate(timeout=10)
    wait_until(lambda: state(node) == "rolled_back" and answers(), "the node coming back", 30)
    assert trunks(node) == GOOD
    late = control.checkpoint("confirm")
    assert late["failed"] and "nobody confirmed within 10 s" in late["msg"]


def test_a_second_play_while_armed_is_refused(node: Host, control: Control) -> None:
    first = control.play([arm(60)]).good().results[0]["checkpoint"]
    second = control.play([arm(60), CHANGE, CONFIRM])
    assert second.outcomes == ["failed"]
    assert first["armed_at"] in second.results[0]["msg"] and CONTROL in second.results[0]["msg"]
    assert trunks(node) == GOOD
    assert control.checkpoint("confirm")["changed"]


def results_of(control: Control) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (control.folder / "results.jsonl").read_text().splitlines()]
