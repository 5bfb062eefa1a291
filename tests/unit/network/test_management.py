# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Which interfaces a host is managed through, from what its programs say; and what that asks of a change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.command import Completed, ProgramMissing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.network import guard
from ansible_collections.hospital.continuity.plugins.module_utils.network.checkpoint import Checkpoint, armed, look
from ansible_collections.hospital.continuity.plugins.module_utils.network.management import (
    ManagementPath,
    find,
    topology_of,
    usual,
)


def address(local: str, prefix: int = 24) -> dict[str, Any]:
    return {"family": "inet6" if ":" in local else "inet", "local": local, "prefixlen": prefix, "scope": "global"}


# As `ip -j -d address show` says it (iproute2 6.1).
LINKS = [
    {"ifname": "lo", "addr_info": [address("127.0.0.1", 8), address("::1", 128)]},
    {"ifname": "eno1", "master": "bond0", "linkinfo": {"info_slave_kind": "bond"}, "addr_info": []},
    {"ifname": "eno2", "master": "bond0", "linkinfo": {"info_slave_kind": "bond"}, "addr_info": []},
    {"ifname": "bond0", "master": "vmbr0", "linkinfo": {"info_kind": "bond"}, "addr_info": []},
    {"ifname": "vmbr0", "linkinfo": {"info_kind": "bridge"}, "addr_info": [address("10.99.0.11")]},
    {
        "ifname": "vmbr0.30",
        "link": "vmbr0",
        "linkinfo": {"info_kind": "vlan"},
        "addr_info": [address("fd00:30::11", 64), address("fe80::1", 64)],
    },
    {"ifname": "eno3", "addr_info": [address("192.0.2.11")]},
    {"ifname": "veth9", "link_index": 7, "link_netnsid": 0, "linkinfo": {"info_kind": "veth"}, "addr_info": []},
    {},
]
CHECKPOINT = Checkpoint("armed", "1", "2026-03-01T01:00:00Z", "root", 45, 100.0, "b/1", remaining=20.0)


class Answers:
    """A host whose programs say this. What is not listed ends with exit code 1; it has no Open vSwitch."""

    def __init__(self, said: Mapping[str, str], switch: Sequence[Mapping[str, Any]] | None = None) -> None:
        self.said = {"ip -j -d address show": json.dumps(LINKS), "ip -j route show default": "[]", **said}
        self.switch = switch

    def __call__(self, argv: Sequence[str], *, stdin: str = "", timeout: float = 60.0) -> Completed:
        if argv[0] == "ovs-vsctl":
            if self.switch is None:
                raise ProgramMissing("The program ovs-vsctl is not there.")
            return Completed(tuple(argv), 0, "\n".join(map(json.dumps, self.switch)), "")
        text = self.said.get(" ".join(argv))
        return Completed(tuple(argv), 1 if text is None else 0, text or "", "")


def ssh(client: str, server: str) -> dict[str, str]:
    return {"printenv SSH_CONNECTION": f"{client} 50000 {server} 22\n"}


def test_the_address_of_the_ssh_connection() -> None:
    path = find(Answers(ssh("10.99.0.1", "10.99.0.11")))
    assert path.interfaces == {"vmbr0", "bond0", "eno1", "eno2"}
    assert path.reason == (
        "10.99.0.11, through which this host is managed, is on vmbr0 with the uplink bond0 (eno1, eno2)"
    )


def test_an_ipv6_connection_in_a_vlan() -> None:
    path = find(Answers(ssh("fd00:30::1", "fd00:30:0:0:0:0:0:11")))
    assert path.interfaces == {"vmbr0.30", "vmbr0", "bond0", "eno1", "eno2"}


def test_a_link_local_connection_names_its_interface() -> None:
    assert "vmbr0.30" in find(Answers(ssh("fe80::2%vmbr0.30", "fe80::1%vmbr0.30"))).interfaces


def test_an_ipv4_connection_to_an_ipv6_socket() -> None:
    assert "vmbr0" in find(Answers(ssh("::ffff:10.99.0.1", "::ffff:10.99.0.11"))).interfaces


def test_the_way_back_is_another() -> None:
    back = {"ip -j route get 203.0.113.7": json.dumps([{"dst": "203.0.113.7", "dev": "eno3"}])}
    path = find(Answers({**ssh("203.0.113.7", "10.99.0.11"), **back}))
    assert path.interfaces == {"vmbr0", "bond0", "eno1", "eno2", "eno3"}
    assert "the way back to 203.0.113.7 leads through eno3" in path.reason


def test_sudo_hides_the_connection_and_an_ancestor_knows_it() -> None:
    said = {
        "cat /proc/self/stat": "50 (cat) R 40 50",
        "cat /proc/40/stat": "40 (a (bad) name) S 30 40",
        "cat /proc/40/environ": "PATH=/bin\0SUDO_USER=admin\0",
        "cat /proc/30/environ": "SSH_CONNECTION=10.99.0.1 50000 10.99.0.11 22\0HOME=/root\0",
    }
    assert "eno1" in find(Answers(said)).interfaces


def test_a_real_ancestor_is_asked() -> None:
    """The same with real processes: the shell has the connection, the program it starts has not."""
    program = (
        "from ansible_collections.hospital.continuity.plugins.module_utils.network.management import ssh_connection\n"
        "from ansible_collections.hospital.continuity.plugins.module_utils.command import run\n"
        "print(ssh_connection(run))"
    )
    inner = f"env -u SSH_CONNECTION {sys.executable} -c '{program}'; true"
    done = subprocess.run(
        ["sh", "-c", inner],
        env={**os.environ, "SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "192.0.2.1 1 192.0.2.2 22", done.stderr


def test_an_environment_from_another_host_does_not_count() -> None:
    """Who enters a container from an SSH session brings that session's environment along."""
    routes = {"ip -j route show default": json.dumps([{"dst": "default", "dev": "eno3"}])}
    path = find(Answers({**ssh("198.51.100.1", "198.51.100.2"), **routes}))
    assert path == ManagementPath(frozenset({"eno3"}), "the default route of this host leads through eno3")


def test_a_connection_to_itself_says_nothing() -> None:
    routes = {"ip -j -6 route show default": json.dumps([{"dst": "default", "dev": "vmbr0.30"}])}
    assert "vmbr0.30" in find(Answers({**ssh("127.0.0.1", "127.0.0.1"), **routes})).interfaces


def test_several_default_routes() -> None:
    hops = [{"dst": "default", "nexthops": [{"dev": "eno3"}, {"dev": "vmbr0"}]}]
    path = find(Answers({"ip -j route show default": json.dumps(hops)}))
    assert path.interfaces == {"eno3", "vmbr0", "bond0", "eno1", "eno2"}


def test_no_network_at_all() -> None:
    assert find(Answers({})) == ManagementPath()


def test_the_address_that_is_given() -> None:
    assert "vmbr0.30" in find(Answers({}), address="fd00:30::11/64").interfaces
    with pytest.raises(InvalidInput, match=r"10\.0\.0\.9 is on no interface.*10\.99\.0\.11"):
        find(Answers({}), address="10.0.0.9")
    with pytest.raises(InvalidInput, match="management_address"):
        find(Answers({}), address="pve1")


def test_an_internal_port_of_open_vswitch() -> None:
    """As ovs-vsctl writes rows: one element stands without a set around it."""
    tables = [
        {"headings": ["name", "ports"], "data": [["br0", ["set", [["uuid", "p1"], ["uuid", "p2"], ["uuid", "p3"]]]]]},
        {
            "headings": ["_uuid", "name", "interfaces"],
            "data": [
                [["uuid", "p1"], "br0", ["uuid", "i1"]],
                [["uuid", "p2"], "lacp0", ["set", [["uuid", "i2"], ["uuid", "i3"]]]],
                [["uuid", "p3"], "eno3", ["uuid", "i4"]],
            ],
        },
        {
            "headings": ["_uuid", "name", "type", "options"],
            "data": [
                [["uuid", "i1"], "br0", "internal", ["map", []]],
                [["uuid", "i2"], "eno8", "", ["map", []]],
                [["uuid", "i3"], "eno9", "system", ["map", []]],
                [["uuid", "i4"], "eno3", "internal", ["map", []]],
            ],
        },
    ]
    path = find(Answers(ssh("192.0.2.1", "192.0.2.11"), tables))
    assert path.interfaces == {"eno3", "br0", "lacp0", "eno8", "eno9"}


def test_a_pair_into_another_namespace_ends_there() -> None:
    link = topology_of(LINKS, {}).links["veth9"]
    assert (link.peer, link.parent) == ("", "")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("10.0.0.1/24", "10.0.0.1"), ("FD00::0:1", "fd00::1"), ("fe80::1%eth0", "fe80::1"), ("pve1", ""), ("", "")],
)
def test_usual_spelling(text: str, wanted: str) -> None:
    assert usual(text) == wanted


PATH = ManagementPath(frozenset({"vmbr0", "bond0", "eno1"}), "10.99.0.11 is on vmbr0")
KEY, OTHER = ("bond0",), ("bond9",)


def test_what_touches_the_path_needs_the_word_and_a_checkpoint() -> None:
    touches = {KEY: ["bond0", "eno1"], OTHER: ["bond9", "eno9"]}
    asked = guard.consents(touches, PATH)
    assert set(asked) == {KEY}
    (consent,) = asked[KEY]
    assert consent.word == "management_path"
    assert "bond0, eno1" in consent.loses and "10.99.0.11" in consent.loses
    (problem,) = guard.problems(touches, PATH, None)
    assert isinstance(problem, Missing), "in check mode an earlier task would have armed one"
    for part in ("bond0, eno1", "network_checkpoint", "action: arm", "management_path", "confirm"):
        assert part in problem
    assert guard.problems(touches, PATH, CHECKPOINT) == ()


@pytest.mark.parametrize("path", [PATH, ManagementPath()])
def test_what_does_not_touch_the_path_needs_nothing(path: ManagementPath) -> None:
    touches = {OTHER: ["bond9", "eno9"]}
    assert guard.consents(touches, path) == {}
    assert guard.problems(touches, path, None) == ()


STATE = {
    "state": "armed",
    "identifier": "1",
    "armed_at": "2026-03-01T01:00:00Z",
    "by": "root",
    "timeout": 45,
    "deadline": 1045.0,
    "boot": "boot-1/77",
}
STAT = f"1 (systemd) S {' '.join(str(number) for number in range(4, 22))} 77 0"


@pytest.mark.parametrize(
    ("change", "boot_id", "uptime", "left"),
    [
        ({}, "boot-1", 1000.0, 45.0),
        ({}, "boot-1", 1045.0, None),
        ({}, "boot-2", 1000.0, None),
        ({"boot": "boot-1/78"}, "boot-1", 1000.0, None),
        ({"state": "confirmed"}, "boot-1", 1000.0, None),
        ({"state": "rolling_back"}, "boot-1", 1000.0, None),
        ({"deadline": "?"}, "boot-1", 1000.0, None),
    ],
    ids=["armed", "over", "reset", "container restarted", "confirmed", "rolling back", "damaged"],
)
def test_whether_a_checkpoint_protects(change: dict[str, Any], boot_id: str, uptime: float, left: float | None) -> None:
    def host(argv: Sequence[str], *, stdin: str = "", timeout: float = 60.0) -> Completed:
        assert argv[0] == "cat"
        text = "\n".join([json.dumps({**STATE, **change}), boot_id, STAT, f"{uptime} 1.0"])
        return Completed(tuple(argv), 0, text + "\n", "")

    found = armed(host)
    assert (found.remaining if found else None) == left


def test_a_host_that_never_had_a_checkpoint() -> None:
    def host(argv: Sequence[str], *, stdin: str = "", timeout: float = 60.0) -> Completed:
        return Completed(tuple(argv), 1, f"boot-1\n{STAT}\n1.0 1.0\n", "cat: no such file")

    assert armed(host) is None and look(host) is None


WIREGUARD = [*LINKS, {"ifname": "wg0", "linkinfo": {"info_kind": "wireguard"}, "addr_info": [address("10.8.0.2")]}]


def test_a_tunnel_needs_what_carries_it() -> None:
    """A host reached over a VPN that ends on it: without its default route the VPN is gone, too."""
    said = {
        **ssh("10.8.0.1", "10.8.0.2"),
        "ip -j -d address show": json.dumps(WIREGUARD),
        "ip -j route get 10.8.0.1": json.dumps([{"dev": "wg0"}]),
        "ip -j route show default": json.dumps([{"dst": "default", "dev": "vmbr0"}]),
    }
    path = find(Answers(said))
    assert path.interfaces == {"wg0", "vmbr0", "bond0", "eno1", "eno2"}
    assert path.reason.endswith("is on wg0; wg0 is a tunnel through vmbr0 with the uplink bond0 (eno1, eno2)")


def test_a_tunnel_is_carried_by_the_way_to_its_other_end() -> None:
    raw = [*LINKS, {"ifname": "mgmt", "addr_info": [address("10.8.0.2")]}]
    topology = topology_of(
        raw,
        {
            "Bridge": [{"name": "br9", "ports": ["mp", "tp"]}],
            "Port": [
                {"_uuid": "mp", "name": "mgmt", "interfaces": "mi"},
                {"_uuid": "tp", "name": "vx0", "interfaces": "ti"},
            ],
            "Interface": [
                {"_uuid": "mi", "name": "mgmt", "type": "internal", "options": {}},
                {"_uuid": "ti", "name": "vx0", "type": "vxlan", "options": {"remote_ip": "192.0.2.9"}},
            ],
        },
    )
    assert topology.tunnels == {"vx0": "192.0.2.9"}


def test_an_address_that_is_on_no_way_out_is_reached_by_the_default_route() -> None:
    """As hosts have it that speak BGP with their switches."""
    links = [*LINKS, {"ifname": "dummy0", "linkinfo": {"info_kind": "dummy"}, "addr_info": [address("10.0.0.1", 32)]}]
    said = {
        "ip -j -d address show": json.dumps(links),
        "ip -j route show default": json.dumps([{"dst": "default", "nexthops": [{"dev": "eno3"}, {"dev": "bond0"}]}]),
    }
    path = find(Answers(said), address="10.0.0.1")
    assert path.interfaces == {"dummy0", "eno3", "vmbr0", "bond0", "eno1", "eno2"}
