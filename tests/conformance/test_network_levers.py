# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A node's network in the lab: staging, what a reload does and does not do, and what tests can do to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from client import Answer, Client

from lab.pve import Lab, NodeSpec
from lab.pve.network_live import UNRECOGNISED

ALL = "/nodes/north/network"
OVS = "ovsbr"


@pytest.fixture(scope="module")
def started() -> Iterator[Lab]:
    nodes = [NodeSpec("north"), NodeSpec("south", nics=("ens1f0", "ens1f1"), physical=False)]
    with Lab(nodes=nodes) as lab:
        yield lab


@pytest.fixture
def lab(started: Lab) -> Lab:
    started.reset()
    return started


@pytest.fixture
def client(lab: Lab) -> Iterator[Client]:
    client = Client(lab).token(lab.token_id, lab.token_secret)
    yield client
    client.close()


def call(client: Client, method: str, path: str, **params: Any) -> Answer:
    """A call that succeeds; `vlan_id=…` is sent as 'vlan-id'."""
    dashed = {"vlan_id": "vlan-id", "vlan_raw_device": "vlan-raw-device"}
    answer = client.call(method, path, [(dashed.get(key, key), str(value)) for key, value in params.items()])
    assert answer.status == 200, answer.text
    return answer


def shown(client: Client, name: str, node: str = "north") -> Any:
    return call(client, "GET", f"/nodes/{node}/network/{name}").body["data"]


def listed(client: Client, node: str = "north", **params: Any) -> dict[str, Any]:
    return {e["iface"]: e for e in call(client, "GET", f"/nodes/{node}/network", **params).body["data"]}


def applied(client: Client) -> tuple[str, list[str]]:
    """(exit status, log) of an apply."""
    upid = call(client, "PUT", ALL).body["data"]
    assert upid.split(":")[5:7] == ["srvreload", "networking"]
    path = f"/nodes/north/tasks/{upid}"
    log = [line["t"] for line in call(client, "GET", path + "/log").body["data"]]
    return str(call(client, "GET", path + "/status").body["data"]["exitstatus"]), log


@pytest.fixture
def bonded(lab: Lab, client: Client) -> Lab:
    """A bond of Open vSwitch and an internal port, up."""
    call(client, "POST", ALL, iface=OVS, type="OVSBridge", autostart=1)
    bond = {"iface": "bond0", "type": "OVSBond", "ovs_bridge": OVS, "bond_mode": "active-backup"}
    call(client, "POST", ALL, **bond, ovs_bonds="eno2 eno4")
    call(client, "POST", ALL, iface="iscsi", type="OVSIntPort", ovs_bridge=OVS, ovs_tag=30, cidr="10.7.0.1/24")
    assert applied(client) == ("OK", ["TASK OK"])
    lab.reset_counters()
    return lab


def put_bond(client: Client, members: str, mode: str = "active-backup") -> None:
    call(client, "PUT", ALL + "/bond0", type="OVSBond", ovs_bridge=OVS, ovs_bonds=members, bond_mode=mode)


# --------------------------------------------------------------------- the nodes


def test_nodes_have_the_cards_that_were_asked_for(lab: Lab, client: Client) -> None:
    north, south = listed(client), listed(client, "south")
    assert sorted(north) == ["eno1", "eno2", "eno3", "eno4", "vmbr0"]
    assert sorted(south) == ["ens1f0", "ens1f1", "vmbr0"]
    assert [nodes["vmbr0"]["cidr"] for nodes in (north, south)] == ["10.99.0.11/24", "10.99.0.12/24"]
    assert (south["vmbr0"]["bridge_ports"], south["vmbr0"]["active"]) == ("ens1f0", 1)
    assert "exists" not in south["ens1f1"]
    assert north["eno2"]["exists"] == 1


def test_a_card_comes_back_if_it_is_hardware(lab: Lab, client: Client) -> None:
    call(client, "DELETE", ALL + "/eno2")
    assert "iface eno2" not in str(lab.network("north").pending)
    assert shown(client, "eno2")["type"] == "eth"
    call(client, "DELETE", "/nodes/south/network/ens1f1")
    assert client.call("GET", "/nodes/south/network/ens1f1").status == 400


def test_a_node_can_have_any_file(lab: Lab, client: Client) -> None:
    text = "auto lo\niface lo inet loopback\n\nauto eno1\niface eno1 inet dhcp\n#by hand\n"
    lab.network("north").boot_with(text)
    assert shown(client, "eno1")["method"] == "dhcp"
    assert shown(client, "eno1")["comments"] == "by hand\n"
    assert set(lab.network("north").live) == {"lo", "eno1"}
    with Lab(nodes=[NodeSpec("west", interfaces=text)]) as other:
        assert other.network("west").active == text


def test_the_order_of_the_list_changes(client: Client) -> None:
    orders = {tuple(e["iface"] for e in call(client, "GET", ALL).body["data"]) for _attempt in range(20)}
    assert len(orders) > 1


# ----------------------------------------------------------------------- staging


def test_a_change_is_staged_until_it_is_applied(lab: Lab, client: Client) -> None:
    network = lab.network("north")
    before = network.active
    call(client, "POST", ALL, iface="vmbr1", type="bridge", autostart=1, bridge_ports="eno2")
    assert (network.active, "vmbr1" in network.live) == (before, False)
    assert "+iface vmbr1 inet manual" in call(client, "GET", ALL).body["changes"]
    assert "changes" not in call(client, "GET", "/nodes/south/network").body
    staged = network.pending
    assert applied(client)[0] == "OK"
    assert (network.active, network.pending) == (staged, None)
    assert "changes" not in call(client, "GET", ALL).body
    assert shown(client, "vmbr1")["active"] == 1
    assert shown(client, "eno2")["active"] == 1


def test_staged_changes_can_be_dropped(lab: Lab, client: Client) -> None:
    call(client, "POST", ALL, iface="vmbr1", type="bridge")
    call(client, "DELETE", ALL)
    assert lab.network("north").pending is None
    assert "vmbr1" not in listed(client)


def test_what_somebody_else_stages_is_seen_and_not_counted(lab: Lab, client: Client) -> None:
    network = lab.network("north")
    network.stage("eno3.7", type="vlan", cidr="10.8.0.1/24")
    network.stage("vmbr0", type="bridge", cidr="10.99.0.11/24", gateway="10.99.0.1", comments="mine")
    assert lab.requests == []
    assert shown(client, "eno3.7")["vlan-raw-device"] == "eno3"
    assert shown(client, "vmbr0")["comments"] == "mine\n"
    network.stage_removal("eno3.7")
    assert "eno3.7" not in network.parsed_pending.entries
    assert network.apply() == []
    assert network.parsed.entries["vmbr0"]["comments"] == "mine\n"
    assert lab.writes == []


@pytest.mark.parametrize("before", ["change", "apply"])
def test_somebody_can_come_in_between(lab: Lab, client: Client, before: str) -> None:
    lab.network("north").stage("eno3.7", type="vlan", before=before)
    assert lab.network("north").pending is None
    call(client, "POST", ALL, iface="vmbr1", type="bridge")
    assert ("eno3.7" in str(lab.network("north").pending)) == (before == "change")
    applied(client)
    assert {"eno3.7", "vmbr1"} <= set(lab.network("north").parsed.entries)


def test_reset_forgets_the_networks(lab: Lab, client: Client) -> None:
    call(client, "POST", ALL, iface="vmbr1", type="bridge")
    lab.reset()
    assert lab.network("north").pending is None
    assert "vmbr1" not in listed(client)


@pytest.mark.parametrize(
    ("params", "kept"),
    [
        ({"type": "bridge", "comments": "x"}, {"method": "manual", "cidr": "10.99.0.11/24"}),
        ({"type": "bridge", "cidr6": "fd00::1/64"}, {"method": "manual", "cidr": None, "cidr6": "fd00::1/64"}),
        ({"type": "bridge", "delete": "cidr"}, {"method": "manual", "cidr": None, "address": None}),
        ({"type": "bridge", "cidr": "10.99.0.11/24", "autostart": 0}, {"autostart": None, "method": "static"}),
        ({"type": "bridge", "cidr": "10.99.0.11/24", "delete": "nonsense"}, {"method": "static"}),
    ],
)
def test_a_put_loses_what_it_does_not_name(client: Client, params: dict[str, Any], kept: dict[str, Any]) -> None:
    call(client, "PUT", ALL + "/vmbr0", **params)
    after = shown(client, "vmbr0")
    assert {key: after.get(key) for key in kept} == kept
    assert after["bridge_ports"] == "eno1"


@pytest.mark.parametrize("how", ["empty", "delete", "remove"])
def test_a_bridge_takes_its_members_configuration_with_it(bonded: Lab, client: Client, how: str) -> None:
    if how == "remove":
        call(client, "DELETE", f"{ALL}/{OVS}")
    else:
        call(
            client,
            "PUT",
            f"{ALL}/{OVS}",
            type="OVSBridge",
            **({"ovs_ports": ""} if how == "empty" else {"delete": "ovs_ports"}),
        )
    assert "ovs_bonds" not in shown(client, "bond0")
    assert shown(client, "iscsi") == {
        "type": "unknown", "method": "manual", "method6": "manual", "families": ["inet"], "priority": 7, "active": 1,
    }  # fmt: skip
    assert "10.7.0.1" not in str(bonded.network("north").pending)


def test_a_port_in_no_bridge_is_discarded(bonded: Lab, client: Client) -> None:
    call(client, "POST", ALL, iface="vmbr1", type="OVSBridge")
    call(client, "PUT", ALL + "/eno3", type="OVSPort", ovs_bridge="vmbr1")
    assert shown(client, "eno3")["type"] == "eth"
    call(client, "PUT", ALL + "/vmbr1", type="OVSBridge", ovs_ports="eno3")
    assert shown(client, "eno3")["type"] == "OVSPort"


# ------------------------------------------------------------------------ reload


def test_members_of_a_bond_that_is_up_stay(bonded: Lab, client: Client) -> None:
    put_bond(client, "eno2 eno3", "balance-slb")
    status, log = applied(client)
    assert status == "OK"
    assert [line for line in log if UNRECOGNISED in line] == log[:-1] != []
    live = bonded.network("north").live["bond0"]
    assert (live["ovs_bonds"], live["bond_mode"]) == ("eno2 eno4", "active-backup")
    assert shown(client, "bond0")["ovs_bonds"] == "eno2 eno3"
    put_bond(client, "eno2 eno3", "lacp-balance-slb")
    applied(client)
    assert bonded.network("north").live["bond0"]["bond_mode"] == "active-backup"


def test_live_members_first_and_everything_arrives(bonded: Lab, client: Client) -> None:
    bonded.network("north").set_live_members("bond0", "eno3", "eno2")
    put_bond(client, "eno2 eno3", "balance-slb")
    assert applied(client) == ("OK", ["TASK OK"])
    live = bonded.network("north").live["bond0"]
    assert (live["ovs_bonds"], live["bond_mode"]) == ("eno2 eno3", "balance-slb")


def test_the_mode_alone_arrives(bonded: Lab, client: Client) -> None:
    put_bond(client, "eno4 eno2", "balance-slb")
    assert applied(client) == ("OK", ["TASK OK"])
    assert bonded.network("north").live["bond0"]["bond_mode"] == "balance-slb"


def test_a_reload_can_fail(bonded: Lab, client: Client) -> None:
    failure = "command 'ifreload -a' failed: exit code 1"
    bonded.fail_tasks("srvreload", failure, log=["error: bond0: no such device"])
    put_bond(client, "eno2 eno4", "balance-slb")
    assert applied(client) == (failure, ["error: bond0: no such device", "TASK ERROR: " + failure])
    network = bonded.network("north")
    assert network.pending is None
    assert network.parsed.entries["bond0"]["bond_mode"] == "balance-slb"
    assert network.live["bond0"]["bond_mode"] == "active-backup"


def test_what_is_gone_from_the_file_goes_down(bonded: Lab, client: Client) -> None:
    call(client, "DELETE", ALL + "/iscsi")
    applied(client)
    assert "iscsi" not in bonded.network("north").live
    assert bonded.network("north").live[OVS]["ovs_ports"] == "bond0"
    assert [request.method for request in bonded.writes] == ["DELETE", "PUT"]


# ---------------------------------------------------------------- who may do what


def test_a_token_needs_its_privileges(lab: Lab, client: Client) -> None:
    reader = Client(lab).token(*lab.limited_token({"/nodes/north": ["Sys.Audit"]}))
    assert reader.call("GET", ALL + "/vmbr0").status == 200
    assert "vmbr0" not in listed(reader)
    assert sorted(listed(reader)) == ["eno1", "eno2", "eno3", "eno4"]
    for method, path, params in (
        ("POST", ALL, {"iface": "vmbr1", "type": "bridge"}),
        ("PUT", ALL + "/eno2", {"type": "eth"}),
        ("DELETE", ALL + "/eno2", {}),
        ("PUT", ALL, {}),
        ("DELETE", ALL, {}),
    ):
        answer = reader.call(method, path, list(params.items()))
        assert (answer.status, answer.reason) == (403, "Permission check failed (/nodes/north, Sys.Modify)")
    nobody = Client(lab).token(*lab.limited_token())
    assert nobody.call("GET", ALL + "/vmbr0").status == 403
    writer = Client(lab).token(
        *lab.limited_token({"/nodes/north": ["Sys.Modify"], "/sdn/zones/localnetwork": ["SDN.Audit"]})
    )
    call(writer, "POST", ALL, iface="vmbr1", type="bridge")
    assert sorted(listed(writer, type="any_bridge")) == ["vmbr0", "vmbr1"]
    for other in (reader, nobody, writer):
        other.close()


def test_networks_need_no_quorum_but_the_node(lab: Lab, client: Client) -> None:
    lab.node_offline("south")
    lab.lose_quorum()
    call(client, "POST", ALL, iface="vmbr1", type="bridge", autostart=1)
    assert applied(client)[0] == "OK"
    answer = client.call("GET", "/nodes/south/network")
    assert (answer.status, answer.text) == (595, "")
