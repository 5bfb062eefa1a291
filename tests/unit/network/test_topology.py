# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The walk from an address down to the cables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.network.topology import (
    Link,
    SwitchInterface,
    SwitchPort,
    Topology,
    described,
    is_guests,
    passed,
)

LINKS = [
    Link("eno1"),
    Link("eno2"),
    Link("eno3", master="bond1"),
    Link("eno4", master="bond1"),
    Link("eno5", master="vmbr2"),
    Link("bond1", "bond", master="vmbr1"),
    Link("bond1.7", "vlan", parent="bond1"),
    Link("vmbr1", "bridge"),
    Link("vmbr1.40", "vlan", parent="vmbr1"),
    Link("tap100i0", "tun", master="vmbr1"),
    Link("veth101i0", "veth", master="vmbr1"),
    Link("fwpr102p0", "veth", master="vmbr1", peer="fwln102i0"),
    Link("mgmt", "openvswitch"),
    Link("mgmt.5", "vlan", parent="mgmt"),
    Link("vmbr2", "bridge"),
    Link("a", "veth", peer="b"),
    Link("b", "veth", master="vmbr2", peer="a"),
    Link("macvlan0", "macvlan", parent="eno1"),
    Link("vrf1", "vrf"),
    Link("eno6", master="vrf1"),
]
PORTS = (
    SwitchPort("vmbr0", "vmbr0", (SwitchInterface("vmbr0", "internal"),)),
    SwitchPort("bond0", "vmbr0", (SwitchInterface("eno1"), SwitchInterface("eno2"))),
    SwitchPort("mgmt", "vmbr0", (SwitchInterface("mgmt", "internal"),)),
    SwitchPort("tap200i0", "vmbr0", (SwitchInterface("tap200i0"),)),
    SwitchPort("fwln201o0", "vmbr0", (SwitchInterface("fwln201o0", "internal"),)),
    SwitchPort("vnet3", "vmbr0", (SwitchInterface("vnet3"),)),
    SwitchPort("ovsbr9", "ovsbr9", (SwitchInterface("ovsbr9", "internal"),)),
    SwitchPort("p9", "ovsbr9", (SwitchInterface("p9", "patch", "p0"),)),
    SwitchPort("p0", "ovsbr8", (SwitchInterface("p0", "patch", "p9"),)),
    SwitchPort("dpdk0", "ovsbr8", (SwitchInterface("dpdk0", "dpdk"),)),
    SwitchPort("ovsbr7", "ovsbr7", (SwitchInterface("ovsbr7", "internal"),)),
    SwitchPort("bond1x", "ovsbr7", (SwitchInterface("bond1x"),)),
)
TOPOLOGY = Topology({link.name: link for link in LINKS}, PORTS)


@pytest.mark.parametrize(
    ("start", "interfaces", "text"),
    [
        ("mgmt", "mgmt vmbr0 bond0 eno1 eno2", "mgmt, a port of vmbr0 with the uplink bond0 (eno1, eno2)"),
        ("vmbr0", "vmbr0 bond0 eno1 eno2", "vmbr0 with the uplink bond0 (eno1, eno2)"),
        (
            "mgmt.5",
            "mgmt.5 mgmt vmbr0 bond0 eno1 eno2",
            "mgmt.5 on mgmt, a port of vmbr0 with the uplink bond0 (eno1, eno2)",
        ),
        ("vmbr1", "vmbr1 bond1 eno3 eno4", "vmbr1 with the uplink bond1 (eno3, eno4)"),
        ("vmbr1.40", "vmbr1.40 vmbr1 bond1 eno3 eno4", "vmbr1.40 on vmbr1 with the uplink bond1 (eno3, eno4)"),
        # A VLAN of a port takes its frames before the bridge above does.
        ("bond1.7", "bond1.7 bond1 eno3 eno4", "bond1.7 on bond1 (eno3, eno4)"),
        ("a", "a b vmbr2 eno5", "a to b, a port of vmbr2 with the uplink eno5"),
        (
            "ovsbr9",
            "ovsbr9 p9 p0 ovsbr8 dpdk0",
            "ovsbr9 with the uplink p9 to p0, a port of ovsbr8 with the uplink dpdk0",
        ),
        ("macvlan0", "macvlan0 eno1", "macvlan0 on eno1"),
        ("eno6", "eno6", "eno6"),
        ("eno4", "eno4 bond1 eno3", "eno4, a port of bond1 (eno3)"),
        ("wlan0", "wlan0", "wlan0"),
    ],
)
def test_what_frames_pass(start: str, interfaces: str, text: str) -> None:
    assert passed(TOPOLOGY, [start]) == frozenset(interfaces.split())
    assert described(TOPOLOGY, start) == text


@pytest.mark.parametrize(
    "name", ["tap100i0", "tap1a2b3c4d-5e", "veth101i1", "fwpr100p0", "fwln100i0", "fwbr1i0", "vnet0"]
)
def test_guests_interfaces(name: str) -> None:
    assert is_guests(name)


@pytest.mark.parametrize("name", ["eno1", "vmbr0", "bond0", "veth0", "tap", "fw1", "mgmt", "vnet", "enp1s0f0np0"])
def test_interfaces_of_the_host(name: str) -> None:
    assert not is_guests(name)


names = st.sampled_from([f"n{number}" for number in range(8)] + ["tap1i0"])
links = st.builds(
    Link,
    name=names,
    kind=st.sampled_from(["", "bridge", "bond", "vlan", "veth", "vrf"]),
    master=names | st.just(""),
    parent=names | st.just(""),
    peer=names | st.just(""),
)
ports = st.builds(
    SwitchPort,
    name=names,
    bridge=names,
    interfaces=st.lists(
        st.builds(
            SwitchInterface,
            name=names,
            type=st.sampled_from(["", "internal", "patch", "vxlan"]),
            peer=names | st.just(""),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
)
topologies = st.builds(
    Topology,
    links=st.lists(links, max_size=8).map(lambda found: {link.name: link for link in found}),
    ports=st.lists(ports, max_size=6).map(tuple),
)


@given(topology=topologies, starts=st.lists(names, min_size=1, max_size=2))
def test_the_walk_ends_and_starts_where_it_should(topology: Topology, starts: list[str]) -> None:
    """Whatever is wired in a circle: it ends, holds its starts, and walking from more finds no less."""
    found = passed(topology, starts)
    assert set(starts) <= found
    for start in starts:
        assert passed(topology, [start]) <= found
        assert start in described(topology, start)


@given(topology=topologies, start=names.filter(lambda name: not is_guests(name)))
def test_members_of_a_bond_that_is_passed_are_passed(topology: Topology, start: str) -> None:
    found = passed(topology, [start])
    switched = {port.name for port in topology.ports} | {port.bridge for port in topology.ports}
    switched |= {interface.name for port in topology.ports for interface in port.interfaces}
    for name in found - {start}:
        link = topology.links.get(name)
        if link is None or link.kind != "bond" or link.parent or link.peer or name in switched or link.master:
            continue
        members = {
            other.name for other in topology.links.values() if other.master == name and not is_guests(other.name)
        }
        assert members <= found
