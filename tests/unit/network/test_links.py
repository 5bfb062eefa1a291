# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Which commands put addresses, MTUs and routes back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.network import links


def link(name: str, *addresses: str, **more: Any) -> dict[str, Any]:
    given_addresses = [
        {
            "family": "inet6" if ":" in one else "inet",
            "local": one.partition("/")[0],
            "prefixlen": int(one.partition("/")[2] or 24),
            "scope": "global",
            "label": name,
            "valid_life_time": 4294967295,
        }
        for one in addresses
    ]
    return {"ifname": name, "mtu": 1500, "flags": ["UP"], "address": "aa", "addr_info": given_addresses, **more}


def route(dst: str, gateway: str = "", dev: str = "mgmt", **more: Any) -> dict[str, Any]:
    return {"dst": dst, **({"gateway": gateway} if gateway else {}), "dev": dev, "flags": [], **more}


def commands(
    before: list[Any], now: list[Any], routes: list[Any] | None = None, there: list[Any] | None = None
) -> list[str]:
    found = links.commands(
        links.saved(before, routes or [], []),
        links.saved(now, there or [], []),
        internal={"mgmt"},
        taken=["10.0.0.99"],
    )
    return [" ".join(command) for command in found]


def test_an_internal_port_made_anew() -> None:
    was = link("mgmt", "10.0.0.1", "fd00::1/64", mtu=9000, address="02:00:00:00:00:01")
    now = link("mgmt", mtu=1500, address="3e:11:22:33:44:55", flags=[])
    default = [route("default", "10.0.0.254")]
    assert commands([was], [now], default) == [
        "ip link set dev mgmt address 02:00:00:00:00:01",
        "ip link set dev mgmt mtu 9000",
        "ip link set dev mgmt up",
        "ip address add 10.0.0.1/24 dev mgmt label mgmt",
        "ip address add fd00::1/64 dev mgmt nodad",
        "ip route replace default via 10.0.0.254 dev mgmt",
    ]


def test_the_mac_of_others_is_their_own() -> None:
    assert commands([link("eno1", address="a")], [link("eno1", address="b")]) == []


def test_an_address_that_moved_goes_home() -> None:
    assert commands([link("mgmt", "10.0.0.1"), link("eno1")], [link("mgmt"), link("eno1", "10.0.0.1")]) == [
        "ip address del 10.0.0.1/24 dev eno1",
        "ip address add 10.0.0.1/24 dev mgmt label mgmt",
    ]


def test_what_others_added_stays_and_what_others_hold_is_left_to_them() -> None:
    assert commands([link("mgmt", "10.0.0.99/32")], [link("mgmt", "10.0.0.50/32")]) == []


def test_a_service_address_may_have_moved_on() -> None:
    was, now = link("mgmt", "10.0.0.1", "10.0.0.98/32", "10.0.0.2"), link("mgmt")
    was["addr_info"][2]["secondary"] = True
    before, after = links.saved([was], [], []), links.saved([now], [], [])
    assert links.movable_gone(before, after) == ["10.0.0.98", "10.0.0.2"]


def test_ports_of_a_bridge_and_of_a_bond_of_the_kernel() -> None:
    masters = [link("br0", linkinfo={"info_kind": "bridge"}), link("bond0", linkinfo={"info_kind": "bond"})]
    assert commands([*masters, link("eno1", master="br0")], [*masters, link("eno1")]) == [
        "ip link set dev eno1 master br0",
        "ip link set dev eno1 up",
    ]
    assert commands([*masters, link("eno1", master="bond0")], [*masters, link("eno1")]) == [
        "ip link set dev eno1 down",
        "ip link set dev eno1 master bond0",
        "ip link set dev eno1 up",
    ]
    assert commands([*masters, link("eno1")], [*masters, link("eno1", master="br0")]) == [
        "ip link set dev eno1 nomaster",
        "ip link set dev eno1 up",
    ]
    # What Open vSwitch holds is Open vSwitch's.
    switch = link("ovs-system", linkinfo={"info_kind": "openvswitch"})
    assert commands([switch, link("eno1", master="ovs-system")], [switch, link("eno1")]) == []


def test_a_new_default_route_goes_and_the_old_comes_back() -> None:
    node = [link("mgmt", "10.0.0.1")]
    assert commands(node, node, [route("default", "10.0.0.254", metric=100)], [route("default", "10.0.0.253")]) == [
        "ip route del default via 10.0.0.253 dev mgmt",
        "ip route replace default via 10.0.0.254 dev mgmt metric 100",
    ]
    assert commands(node, node, [], [route("default", "10.0.0.253"), route("10.9.0.0/16", "10.0.0.2")]) == []


def test_routes_of_every_sort() -> None:
    node = [link("mgmt", "10.0.0.1")]
    several = {"dst": "10.3.0.0/16", "nexthops": [{"gateway": "10.0.0.2", "dev": "mgmt", "weight": 2}], "flags": []}
    wanted = [
        route("10.1.0.0/16", "10.0.0.2", protocol="static", flags=["onlink"]),
        route("10.2.0.0/16", scope="link", prefsrc="10.0.0.1", protocol="boot"),
        several,
        {"type": "blackhole", "dst": "10.4.0.0/16", "flags": []},
        {"dst": "10.5.0.0/16", "via": {"family": "inet6", "host": "fe80::1"}, "dev": "mgmt", "flags": []},
        route("10.6.0.0/16", dev="gone"),
        route("10.0.0.0/24", protocol="kernel"),
    ]
    assert commands(node, node, wanted) == [
        "ip route replace 10.1.0.0/16 via 10.0.0.2 dev mgmt onlink proto static",
        "ip route replace 10.2.0.0/16 dev mgmt scope link src 10.0.0.1",
        "ip route replace 10.3.0.0/16 nexthop via 10.0.0.2 dev mgmt weight 2",
        "ip route replace blackhole 10.4.0.0/16",
        "ip route replace 10.5.0.0/16 via inet6 fe80::1 dev mgmt",
    ]
    assert commands(node, node, wanted, wanted) == []


def test_a_lease_keeps_its_time() -> None:
    was = link("mgmt", "10.0.0.1")
    was["addr_info"][0].update(valid_life_time=300, preferred_life_time=200, broadcast="10.0.0.255")
    assert commands([was], [link("mgmt")]) == [
        "ip address add 10.0.0.1/24 broadcast 10.0.0.255 dev mgmt label mgmt valid_lft 300 preferred_lft 200"
    ]


@pytest.mark.parametrize("name", ["lo", "tap100i0", "veth101i0"])
def test_loopback_and_guests_are_left_alone(name: str) -> None:
    assert commands([link(name, "10.0.0.1", mtu=9000)], [link(name)]) in ([], ["ip link set dev lo mtu 9000"])


hosts = st.lists(
    st.builds(
        link,
        st.sampled_from(["mgmt", "eno1", "eno2", "br0"]),
        st.sampled_from(["10.0.0.1", "10.0.0.2", "fd00::1/64"]),
        mtu=st.sampled_from([1500, 9000]),
        flags=st.sampled_from([["UP"], []]),
        address=st.sampled_from(["a", "b"]),
    ),
    unique_by=lambda one: one["ifname"],
)


@given(host=hosts)
def test_nothing_changed_is_nothing_to_do(host: list[Any]) -> None:
    assert commands(host, host, [route("default", "10.0.0.254")], [route("default", "10.0.0.254")]) == []


@given(before=hosts, now=hosts)
def test_what_is_told_is_about_interfaces_that_are_there(before: list[Any], now: list[Any]) -> None:
    names = {one["ifname"] for one in now}
    for command in commands(before, now):
        words = command.split()
        assert words[words.index("dev") + 1] in names
