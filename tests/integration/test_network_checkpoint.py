# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""network_checkpoint on a host with a real systemd, Open vSwitch and ifupdown2.

It is managed over SSH through a network of its own, so that what is changed here never cuts the control host off
(test_lockout.py does that).
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.hosts import Host, Hosts, wait_until, why_not
from tests.integration.over_ssh import Control

INTERFACES = "/etc/network/interfaces"
UNIT = "hospital-continuity-network-checkpoint"
STATE = "/var/lib/hospital.continuity/network-checkpoint"
STANZAS = "auto lo\niface lo inet loopback\n\nauto service\niface service inet static\n  address 10.77.0.1/24\n"
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    if reason := why_not():
        pytest.skip(reason)
    with Hosts("node1", ssh=True) as hosts:
        yield hosts


@pytest.fixture
def node(hosts: Hosts) -> Iterator[Host]:
    """A bridge with an internal port that has an address, a bond whose members are not there, and a guest's port."""
    node = hosts["node1"]
    node.write(INTERFACES, STANZAS)
    vsctl(
        node,
        "--if-exists del-br vmbr0 -- --if-exists del-br vmbr1",
        "-- add-br vmbr0 -- set bridge vmbr0 datapath_type=netdev other_config:mac-aging-time=200",
        "-- add-bond vmbr0 bond0 eno1 eno2 lacp=active bond_mode=balance-tcp trunks=10,20",
        "-- add-port vmbr0 service tag=10 -- set interface service type=internal",
        "-- add-port vmbr0 tap100i0 tag=20",
        "-- --id=@m create mirror name=watch select_all=true -- set bridge vmbr0 mirrors=@m",
    )
    wait_until(lambda: node.run("ip", "link", "show", "service", check=False).returncode == 0, "the internal port")
    node.run("ip", "address", "replace", "10.77.0.1/24", "dev", "service")
    node.run("ip", "link", "set", "service", "up")
    node.run("ip", "route", "replace", "10.78.0.0/16", "via", "10.77.0.2")
    yield node
    if state(node)["state"] == "armed":
        node.run("systemctl", "start", f"{UNIT}-{state(node)['identifier']}.service")
        wait_until(lambda: state(node)["state"] == "rolled_back", "the rollback of a test that failed")


@pytest.fixture
def control(node: Host, tmp_path: Path) -> Control:
    return Control(node, tmp_path, node.ssh_address)


def vsctl(node: Host, *parts: str) -> str:
    """ovs-vsctl, which complains of devices that are not there, and is right."""
    return node.run("ovs-vsctl", "--timeout=10", *" ".join(parts).split()).stdout


def state(node: Host) -> dict[str, Any]:
    done = node.run("cat", f"{STATE}/state.json", check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {"state": "none"}


def configuration(node: Host) -> dict[str, Any]:
    """What a checkpoint has to bring back."""
    columns = {
        "Bridge": "name,datapath_type,fail_mode,other_config,rstp_enable",
        "Port": "name,tag,trunks,lacp,bond_mode,vlan_mode,other_config",
        "Interface": "name,type,mtu_request,options,external_ids",
        "Mirror": "name,select_all",
    }
    tables = {
        table: sorted(
            map(repr, json.loads(vsctl(node, f"--format=json --columns={names} list {table}"))["data"]),
        )
        for table, names in columns.items()
    }
    (link,) = json.loads(node.run("ip", "-j", "address", "show", "dev", "service").stdout)
    return {
        **tables,
        "ports": sorted(vsctl(node, "list-ports vmbr0").split()),
        "members": sorted(vsctl(node, "list-ifaces vmbr0").split()),
        "file": node.read(INTERFACES),
        "addresses": sorted(one["local"] for one in link["addr_info"] if one["scope"] == "global"),
        "mac": link["address"],
        "route": node.run("ip", "route", "show", "10.78.0.0/16").stdout.split()[:5],
    }


def everything_changed(node: Host) -> None:
    """What a bad change may do: ports made anew, members, modes, a bridge more, another file."""
    vsctl(
        node,
        "del-port service -- del-port bond0 -- add-port vmbr0 eno1 tag=5 -- --if-exists clear bridge vmbr0 mirrors",
        "-- set bridge vmbr0 fail_mode=secure other_config={} -- add-br vmbr1 -- set bridge vmbr1 datapath_type=netdev",
        "-- add-port vmbr1 eno2",
    )
    node.write(INTERFACES, "auto lo\niface lo inet loopback\n")
    node.write(f"{INTERFACES}.d/new", "# new\n")
    node.write(f"{INTERFACES}.new", "# pending\n")


def no_trace(node: Host) -> None:
    """Nothing is left that could still roll back."""
    assert not node.run("ls", "/etc/systemd/system/sysinit.target.wants").stdout.count(UNIT)
    assert node.run("test", "-e", f"/etc/systemd/system/{UNIT}.service", check=False).returncode
    wait_until(lambda: UNIT not in node.run("systemctl", "list-units", "--no-legend").stdout, "the end of the units")
    assert node.run("test", "-e", f"{STATE}/armed", check=False).returncode


def test_the_timer_brings_everything_back(node: Host, control: Control) -> None:
    before = configuration(node)
    armed = control.checkpoint("arm", timeout=6)
    assert armed["changed"] and armed["checkpoint"]["state"] == "armed"
    assert armed["unmet"] == []
    assert armed["checkpoint"]["by"].startswith("root from ")
    began = time.monotonic()
    everything_changed(node)
    vsctl(node, "add-port vmbr0 tap101i0 tag=20")
    wait_until(lambda: state(node)["state"] == "rolled_back", "the rollback", 20)
    assert time.monotonic() - began < 12
    after = configuration(node)
    # The port of a guest that was started in between stays.
    for guest, name in ((after["ports"], "tap101i0"), (after["members"], "tap101i0")):
        guest.remove(name)
    for table in ("Port", "Interface"):
        after[table] = [row for row in after[table] if "tap101i0" not in row]
    assert after == before
    assert node.run("test", "-e", f"{INTERFACES}.d/new", check=False).returncode
    assert node.read(f"{INTERFACES}.new") == "# pending\n"
    told = " ".join(state(node)["notes"])
    assert f"{INTERFACES}.new" in told and f"{INTERFACES}.d/new" in told
    no_trace(node)

    late = control.checkpoint("confirm")
    assert late["failed"]
    assert "nobody confirmed within 6 s" in late["msg"] and "old configuration" in late["msg"]
    assert late["checkpoint"]["state"] == "rolled_back"


def test_a_reset_brings_everything_back_before_networking_starts(hosts: Hosts, node: Host, control: Control) -> None:
    before = configuration(node)
    node.run("rm", "-f", f"{INTERFACES}.new")
    assert control.checkpoint("arm", timeout=40)["changed"]
    everything_changed(node)
    node.reset()
    assert state(node)["state"] == "rolled_back"
    assert "reset" in state(node)["reason"]
    after = configuration(node)
    # Neither the MAC nor a route made by hand outlives a reset, with or without a checkpoint.
    for name in ("mac", "route"):
        del before[name], after[name]
    assert after == before
    started = node.run("journalctl", "--boot", "--output=short-monotonic", "--no-pager").stdout
    order = [f"Finished {UNIT}", "Starting ovs-vswitchd", "Starting networking"]
    places = [started.index(text) for text in order]
    assert places == sorted(places), "Open vSwitch or networking began with the new configuration"
    assert "ordering cycle" not in started.lower()
    no_trace(node)


def test_what_is_confirmed_stays(node: Host, control: Control) -> None:
    assert control.checkpoint("arm", timeout=8, peers=["127.0.0.1"])["changed"]
    vsctl(node, "set port bond0 bond_mode=balance-slb trunks=10")
    confirmed = control.checkpoint("confirm", peers=[f"{node.ssh_address}:22"])
    assert confirmed["changed"] and confirmed["checkpoint"]["state"] == "confirmed"
    assert confirmed["unreached"] == 0
    no_trace(node)
    again = control.checkpoint("confirm")
    assert not again["changed"] and not again["failed"]
    time.sleep(8)
    assert "balance-slb" in vsctl(node, "get port bond0 bond_mode")
    assert state(node)["state"] == "confirmed"
    node.reset()
    assert "balance-slb" in vsctl(node, "get port bond0 bond_mode")


def test_a_peer_that_does_not_answer_prevents_confirming(node: Host, control: Control) -> None:
    dead_before = control.checkpoint("arm", peers=["10.77.0.99"])
    assert dead_before["failed"] and "10.77.0.99" in dead_before["msg"]
    assert state(node)["state"] != "armed"
    assert control.checkpoint("arm", timeout=15)["changed"]
    failed = control.checkpoint("confirm", peers=["127.0.0.1", "10.77.0.99", "127.0.0.1:1"])
    assert failed["failed"]
    assert "10.77.0.99" in failed["msg"] and "127.0.0.1:1" in failed["msg"] and "127.0.0.1," not in failed["msg"]
    wait_until(lambda: state(node)["state"] == "rolled_back", "the rollback", 30)


def test_the_way_back_is_shorter_than_the_watchdog(node: Host, control: Control) -> None:
    node.write("/run/systemd/system/watchdog-mux.service", "[Service]\nExecStart=/bin/sleep 1000\n")
    node.run("systemctl", "start", "watchdog-mux.service")
    try:
        refused = control.checkpoint("arm", timeout=51)
        assert refused["failed"]
        assert "51 s" in refused["msg"] and "50 s" in refused["msg"] and "watchdog-mux.service" in refused["msg"]
        assert control.checkpoint("arm", timeout=50)["changed"]
        assert control.checkpoint("confirm")["changed"]
    finally:
        node.run("systemctl", "stop", "watchdog-mux.service")


def test_a_dead_timer_is_told(node: Host, control: Control) -> None:
    assert control.checkpoint("arm", timeout=100)["changed"]
    node.run("systemctl", "stop", f"{UNIT}-{state(node)['identifier']}.timer")
    status = control.checkpoint("status")
    assert not status["changed"] and any("timer" in text for text in status["unmet"])
    assert control.checkpoint("roll_back")["changed"]


def test_rolling_back_at_once(node: Host, control: Control) -> None:
    before = configuration(node)
    assert control.checkpoint("arm", timeout=300)["changed"]
    node.run("rm", "-f", f"{INTERFACES}.new")
    everything_changed(node)
    undone = control.checkpoint("roll_back")
    assert undone["changed"] and undone["checkpoint"]["state"] == "rolled_back"
    assert "root asked for it" in undone["checkpoint"]["reason"]
    assert configuration(node) == before
    no_trace(node)
    assert not control.checkpoint("roll_back")["changed"], "it is rolled back already"


def test_a_second_run_while_armed_is_refused(node: Host, control: Control) -> None:
    armed = control.checkpoint("arm", timeout=120)
    saved = node.read(f"{STATE}/saved.json")
    vsctl(node, "set bridge vmbr0 fail_mode=secure")
    second = control.checkpoint("arm", timeout=120)
    assert second["failed"]
    assert armed["checkpoint"]["armed_at"] in second["msg"] and "root from" in second["msg"]
    assert "rolls back in" in second["msg"]
    assert node.read(f"{STATE}/saved.json") == saved, "the changed configuration was saved as the old one"
    assert control.checkpoint("roll_back")["changed"]
    assert control.checkpoint("arm", timeout=120)["changed"], "after a rollback arming is fine"
    assert control.checkpoint("confirm")["changed"]


def test_confirming_and_the_timer_have_one_winner(node: Host) -> None:
    """Both at nearly the same moment, nearer each time: who won the last time starts later. Whoever wins, what the
    state says is what happened to the configuration."""
    outcomes: list[str] = []
    confirm_later, step = 0.0, 0.4
    for _number in range(12):
        vsctl(node, "set bridge vmbr0 fail_mode=standalone")
        assert operated(node, "arm", timeout=300)["changed"]
        vsctl(node, "set bridge vmbr0 fail_mode=secure")
        start = f"systemctl start {UNIT}-{state(node)['identifier']}.service"
        rollback = subprocess.Popen(node.argv("sh", "-c", f"sleep {max(0.0, -confirm_later)}; {start}"))
        time.sleep(max(0.0, confirm_later))
        confirmed = operated(node, "confirm")
        assert rollback.wait(30) in (0, 5)  # 5: the unit was taken away with its timer
        wait_until(lambda: state(node)["state"] in ("confirmed", "rolled_back"), "an end")
        ended = state(node)["state"]
        wanted = {"confirmed": "secure", "rolled_back": "standalone"}[ended]
        assert vsctl(node, "get bridge vmbr0 fail_mode").strip() == wanted
        assert confirmed["changed"] == (ended == "confirmed"), confirmed
        assert bool(confirmed["failure"]) == (ended == "rolled_back"), confirmed
        no_trace(node)
        step = step / 2 if outcomes and outcomes[-1] != ended else step
        confirm_later += step if ended == "confirmed" else -step
        outcomes.append(ended)
    assert set(outcomes) == {"confirmed", "rolled_back"}, "the race was never a race"


_OPERATE = """
import json, sys
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import operate
from ansible_collections.hospital.continuity.plugins.module_utils.network.checkpoint_backend import (
    CheckpointBackend, Places,
)
from ansible_collections.hospital.continuity.plugins.module_utils.network.checkpoint_operation import CHECKPOINT
try:
    done = operate(CHECKPOINT, CHECKPOINT.order(json.loads(sys.argv[1])), CheckpointBackend(Places()))
    print(json.dumps({"changed": done.outcome.changed, "failure": done.outcome.failure}))
except SubsystemError as problem:
    print(json.dumps({"changed": False, "failure": str(problem)}))
"""


def operated(node: Host, action: str, **options: Any) -> dict[str, Any]:
    """The operation itself on the host: it takes a tenth of the time of a task, so that a race is one."""
    root = "/root/collection/ansible_collections/hospital/continuity"
    if node.run("test", "-d", root, check=False).returncode:
        node.run("mkdir", "-p", root)
        packed = subprocess.run(["tar", "-C", str(ROOT), "-c", "plugins/module_utils"], capture_output=True, check=True)
        subprocess.run(node.argv("tar", "-C", root, "-x"), input=packed.stdout, check=True)
    words = ["env", "PYTHONPATH=/root/collection", "python3", "-c", _OPERATE, json.dumps({"action": action, **options})]
    result: dict[str, Any] = json.loads(node.run(*words).stdout)
    return result
