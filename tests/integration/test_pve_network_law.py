# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The engine's law for whole nodes: from any configuration to any other, staged request by request in the lab's model
of Proxmox VE's file, silent discards included; no server in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fakepve.model import PveError
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Request
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network import NETWORK
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_checks import problems
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_requests import Staging
from ansible_collections.hospital.continuity.plugins.module_utils.pve.network_states import (
    Listing,
    after_steps,
    lost,
    states_of,
    things_of,
)
from lab.pve import network
from lab.pve.network_node import NodeNetwork, first_file

Item = dict[str, Any]
NODE = "pve1"
CARDS = ("eno1", "eno2", "eno3", "eno4")
FREE = CARDS[1:]
BONDS, SWITCHES, BRIDGES, PORTS = ("bond1", "bond2"), ("vmbr1", "vmbr2"), ("vmbr2", "vmbr3"), ("iscsi", "images")
mtus = st.sampled_from([None, None, 1500, 9000])


class Node:
    """A node's pending file, changed by requests as the API changes it."""

    def __init__(self) -> None:
        self.network = NodeNetwork(first_file(CARDS, "10.99.0.11/24", "10.99.0.1"), CARDS)

    def listing(self) -> Listing:
        rows = self.network.read().entries.items()
        return Listing({name: {**row, "iface": name, "node": NODE} for name, row in rows if name != "lo"})

    def send(self, request: Request) -> None:
        name = request.path.rpartition("/")[2]
        values = {key: value for key, value in request.parameters.items() if key != "iface"}
        if request.method == "POST":
            self.network.change(lambda entries: network.create(entries, str(request.parameters["iface"]), values))
        elif request.method == "PUT":
            self.network.change(lambda entries: network.update(entries, name, values))
        else:
            self.network.change(lambda entries: network.delete(entries, name))

    def plan(self, config: list[Item], **params: Any) -> Plan:
        declared = NETWORK.declare({"config": config, **params})
        plan: Plan = NETWORK.plan(things_of(NETWORK, NODE, self.listing()), declared)
        return plan

    def bring(self, config: list[Item], **params: Any) -> Plan:
        """Stage a plan, having looked whether it can be."""
        before = self.listing()
        states = states_of(NETWORK, NODE, before)
        try:
            plan = self.plan(config, **params)
        except InvalidInput:
            assume(False)
        assume(not problems(states, after_steps(states, tuple(plan)), {str(step.key[1]) for step in plan}))
        staging = Staging(NETWORK.option_rows, before.rows)
        for step in plan:
            for request in staging.requests(step):
                try:
                    self.send(request)
                except PveError as problem:
                    raise AssertionError(f"{step.line}: {request}: {problem}") from problem
        missing = lost(NETWORK, NODE, states, tuple(plan), states_of(NETWORK, NODE, self.listing()))
        assert missing == [], [step.line for step in plan]
        return plan


def present(options: Mapping[str, Any]) -> Item:
    return {"node": NODE, **{name: value for name, value in options.items() if value is not None}}


@st.composite
def configurations(draw: st.DrawFn) -> list[Item]:
    """A node as somebody might want it: each card in one place, and everything it stands on beside it."""
    cards = list(draw(st.permutations(FREE)))
    items: list[Item] = []
    switches = draw(st.lists(st.sampled_from(SWITCHES), max_size=2, unique=True))
    for name in switches:
        items.append(present({"iface": name, "type": "OVSBridge", "autostart": draw(st.booleans()), "mtu": draw(mtus)}))
    for name in draw(st.lists(st.sampled_from(BONDS), max_size=2, unique=True)):
        members = [cards.pop() for _count in range(draw(st.integers(0, min(2, len(cards)))))]
        if switches and draw(st.booleans()):
            items.append(
                present(
                    {
                        "iface": name,
                        "type": "OVSBond",
                        "ovs_bridge": draw(st.sampled_from(switches)),
                        "ovs_bonds": members,
                        "bond_mode": draw(st.sampled_from(["active-backup", "balance-slb", "lacp-balance-tcp"])),
                        "ovs_tag": draw(st.sampled_from([None, 5])),
                        "ovs_options": draw(st.sampled_from([None, {"trunks": [20, 10]}, {"vlan_mode": "trunk"}])),
                        "mtu": draw(mtus),
                    }
                )
            )
        else:
            items.append(
                present(
                    {
                        "iface": name,
                        "type": "bond",
                        "autostart": True,
                        "slaves": members,
                        "bond_mode": draw(st.sampled_from(["802.3ad", "active-backup"])),
                        "mtu": draw(mtus),
                    }
                )
            )
    for name in draw(st.lists(st.sampled_from(PORTS), max_size=2, unique=True)) if switches else ():
        items.append(
            present(
                {
                    "iface": name,
                    "type": "OVSIntPort",
                    "ovs_bridge": draw(st.sampled_from(switches)),
                    "ovs_tag": draw(st.sampled_from([None, 7, 8])),
                    "cidr": draw(st.sampled_from([None, f"10.{len(name)}.0.1/24"])),
                    "cidr6": draw(st.sampled_from([None, f"fd00:{len(name)}::1/64"])),
                }
            )
        )
    bonds = [item["iface"] for item in items if item["type"] == "bond"]
    if bonds and draw(st.booleans()):
        items.append(present({"iface": f"{bonds[0]}.30", "type": "vlan", "cidr": "10.30.0.1/24", "mtu": draw(mtus)}))
    if draw(st.booleans()):
        name = draw(st.sampled_from([name for name in BRIDGES if name not in switches] or ["vmbr4"]))
        ports = cards[:1] or bonds[1:2]
        items.append(
            present(
                {
                    "iface": name,
                    "type": "bridge",
                    "bridge_ports": ports,
                    "bridge_vlan_aware": draw(st.booleans()),
                    "cidr": draw(st.sampled_from([None, "10.50.0.1/24"])),
                    "mtu": draw(mtus),
                }
            )
        )
        cards = cards[1:]
    if cards and switches and draw(st.booleans()):
        items.append(
            present(
                {"iface": cards.pop(), "type": "OVSPort", "ovs_bridge": draw(st.sampled_from(switches)), "ovs_tag": 3}
            )
        )
    for name in cards:
        if draw(st.booleans()):
            items.append(present({"iface": name, "type": "eth", "mtu": draw(mtus)}))
    return list(draw(st.permutations(items)))


LAW = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)


@LAW
@given(first=configurations(), then=configurations())
def test_from_any_configuration_to_any_other(first: list[Item], then: list[Item]) -> None:
    node = Node()
    node.bring(first)
    assert not node.plan(first)
    # What is not wanted any more goes in a task of its own, as in a playbook.
    wanted = {item["iface"]: item for item in then}
    gone = [{"node": NODE, "iface": item["iface"]} for item in first if item["iface"] not in wanted]
    if gone:
        node.bring(gone, state="absent")
        assert not node.plan(gone, state="absent")
    node.bring(then)
    assert not node.plan(then)


@LAW
@given(config=configurations())
def test_everything_goes_again(config: list[Item]) -> None:
    node = Node()
    before = states_of(NETWORK, NODE, node.listing())
    node.bring(config)
    node.bring([{"node": NODE, "iface": item["iface"]} for item in config], state="absent")
    after = states_of(NETWORK, NODE, node.listing())
    for states in (before, after):
        for state in states.values():
            dict(state).pop("autostart", None)
    assert {name: state["type"] for name, state in after.items()} == {
        name: state["type"] for name, state in before.items()
    }


@LAW
@given(config=configurations())
def test_what_is_read_is_no_change(config: list[Item]) -> None:
    node = Node()
    node.bring(config)
    found = things_of(NETWORK, NODE, node.listing())
    shown = [dict(NETWORK.visible(key, thing.state) or {}) for key, thing in found.items()]
    for unlisted_options in ("ignore", "reset"):
        assert not node.plan(shown, unlisted_options=unlisted_options)
