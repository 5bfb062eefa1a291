# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""From the API's lists to hosts, names, groups and addresses."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.pve import resources

NODES: list[dict[str, Any]] = [
    {"type": "node", "node": "pve1", "id": "node/pve1", "status": "online", "maxcpu": 16, "hastate": "online"},
    {"type": "node", "node": "pve2", "id": "node/pve2", "status": "offline"},
]
STATUS: list[dict[str, Any]] = [
    {"type": "cluster", "name": "cordoba", "quorate": 1},
    {"type": "node", "name": "pve1", "ip": "10.99.0.11", "online": 1},
    {"type": "node", "name": "pve2", "ip": "10.99.0.12", "online": 0},
]


def guest(vmid: int, name: str | None = "web", node: str = "pve1", kind: str = "qemu", **more: Any) -> dict[str, Any]:
    entry = {"type": kind, "vmid": vmid, "node": node, "id": f"{kind}/{vmid}", "status": "running", **more}
    return entry if name is None else {**entry, "name": name}


GUESTS = st.lists(
    st.builds(
        guest,
        vmid=st.integers(100, 130),
        name=st.sampled_from(["web", "pve1", "db", "vm-100", "ct-101", "VM 102", "CT103", None]),
        kind=st.sampled_from(["qemu", "lxc"]),
    ),
    unique_by=lambda entry: entry["vmid"],
    max_size=15,
)


@given(GUESTS, st.randoms(use_true_random=False))
def test_every_guest_has_a_host_of_its_own_whatever_the_order(
    guests: list[dict[str, Any]], shuffle: random.Random
) -> None:
    names = resources.host_names(resources.members([*NODES, *guests], STATUS))
    assert len(set(names.values())) == len(names) == len(guests) + len(NODES)
    assert names["node/pve1"] == "pve1"
    assert not any(set(name) & set(" :,") or not name for name in names.values())
    shuffled = [*NODES, *guests]
    shuffle.shuffle(shuffled)
    assert resources.host_names(resources.members(shuffled, STATUS)) == names


def test_names_of_twins_and_of_the_nameless() -> None:
    listed = resources.members(
        [
            *NODES,
            guest(107),
            guest(101),
            guest(102, None),
            guest(103, None, kind="lxc"),
            guest(104, "VM 104"),
            guest(105, "vm-102"),
            guest(106, "pve1"),
        ],
        STATUS,
    )
    assert resources.host_names(listed) == {
        "node/pve1": "pve1",
        "node/pve2": "pve2",
        "guest/101": "web",
        "guest/107": "web_107",
        "guest/102": "vm-102_102",
        "guest/103": "ct-103",
        "guest/104": "vm-104",
        "guest/105": "vm-102",
        "guest/106": "pve1_106",
    }


def test_a_guest_knows_its_nodes_state_and_stays() -> None:
    listed = resources.members([*NODES, guest(100), guest(101, "db", node="pve2")], STATUS)
    online, offline = (member for member in listed if not member.is_node)
    assert resources.variables(online)["pve_node_status"] == "online"
    assert resources.variables(offline)["pve_node_status"] == "offline"
    assert "p_on_offline_node" in resources.groups(offline, prefix="p_", local_prefix="p_")
    assert "p_on_offline_node" not in resources.groups(online, prefix="p_", local_prefix="p_")


def test_groups_of_a_guest_and_of_a_node() -> None:
    entry = guest(100, tags="b;a b,c", pool="icu", hastate="started", template=1)
    listed = resources.members([NODES[0], entry], STATUS)
    node, vm = listed
    assert set(resources.groups(vm, prefix="pve_", local_prefix="pve_x_")) == {
        "pve_guests",
        "pve_qemu",
        "pve_status_running",
        "pve_cluster_cordoba",
        "pve_x_node_pve1",
        "pve_x_pool_icu",
        "pve_tag_a",
        "pve_tag_b",
        "pve_tag_c",
        "pve_ha_started",
        "pve_templates",
    }
    assert set(resources.groups(node, prefix="", local_prefix="")) == {"nodes", "status_online", "cluster_cordoba"}
    assert resources.variables(node)["ansible_host"] == "10.99.0.11"
    assert resources.variables(node)["pve_type"] == "node"


def test_a_node_that_stands_alone_is_its_own_cluster() -> None:
    assert resources.cluster_name([{"type": "node", "name": "test1", "ip": "10.0.0.1"}]) == "test1"
    assert resources.cluster_name(STATUS) == "cordoba"
    assert resources.cluster_name([]) == ""
    assert {member.cluster for member in resources.members(NODES, STATUS, "mine")} == {"mine"}


@pytest.mark.parametrize(
    ("agent", "enabled"),
    [("1", True), ("enabled=1", True), ("1,fstrim_cloned_disks=1", True), ("type=isa,enabled=1", True)]
    + [(value, False) for value in ("0", "", None, "enabled=0", "0,freeze-fs-on-backup=1", "enabled=0,fstrim=1")],
)
def test_whether_there_is_an_agent_to_ask(agent: str | None, enabled: bool) -> None:
    assert resources.has_agent({"agent": agent}) is enabled


def test_devices_are_taken_apart_and_the_rest_is_left() -> None:
    parsed = resources.parsed_config(
        {
            "net0": "virtio=BC:24:11:00:03:50,bridge=vmbr0,tag=5",
            "net1": "e1000,bridge=vmbr1",
            "scsi0": "local:350/vm-350-disk-0.raw,size=1G",
            "ide2": "none,media=cdrom",
            "ipconfig0": "ip=10.99.0.150/24,gw=10.99.0.1",
            "rootfs": "local:360/vm-360-disk-0.raw,size=1G",
            "scsihw": "virtio-scsi-single",
            "memory": "128",
            "cores": 2,
            "description": "a=b,c=d",
        }
    )
    assert parsed == {
        "net0": {"model": "virtio", "macaddr": "BC:24:11:00:03:50", "bridge": "vmbr0", "tag": "5"},
        "net1": {"model": "e1000", "bridge": "vmbr1"},
        "scsi0": {"volume": "local:350/vm-350-disk-0.raw", "size": "1G"},
        "ide2": {"volume": "none", "media": "cdrom"},
        "ipconfig0": {"ip": "10.99.0.150/24", "gw": "10.99.0.1"},
        "rootfs": {"volume": "local:360/vm-360-disk-0.raw", "size": "1G"},
        "scsihw": "virtio-scsi-single",
        "memory": "128",
        "cores": 2,
        "description": "a=b,c=d",
    }


AGENT = {
    "result": [
        {
            "name": "lo",
            "hardware-address": "00:00:00:00:00:00",
            "ip-addresses": [{"ip-address": "127.0.0.1", "prefix": 8}],
        },
        {
            "name": "docker0",
            "hardware-address": "02:42:00:00:00:01",
            "ip-addresses": [{"ip-address": "172.17.0.1", "prefix": 16}],
        },
        {
            "name": "eth1",
            "hardware-address": "bc:24:11:00:00:02",
            "ip-addresses": [{"ip-address": "10.2.0.1", "prefix": 24}],
        },
        {
            "name": "eth0",
            "hardware-address": "bc:24:11:00:00:01",
            "ip-addresses": [
                {"ip-address": "fe80::1", "prefix": 64},
                {"ip-address": "2001:db8::1", "prefix": 64},
                {"ip-address": "10.1.0.1", "prefix": 24},
            ],
        },
        {"name": "down0", "hardware-address": "bc:24:11:00:00:03"},
    ]
}


def test_the_address_to_use_is_that_of_the_first_card() -> None:
    config = {
        "net0": "virtio=BC:24:11:00:00:01,bridge=vmbr0",
        "net1": "virtio=BC:24:11:00:00:02,bridge=vmbr1",
        "digest": "x",
    }
    facts = resources.fact_variables(config, AGENT)
    assert facts["pve_addresses"] == ["10.1.0.1", "10.2.0.1", "172.17.0.1", "2001:db8::1"]
    assert facts["ansible_host"] == "10.1.0.1"
    assert [card["name"] for card in facts["pve_interfaces"]] == ["docker0", "eth1", "eth0", "down0"]
    assert "digest" not in facts["pve_config"]


def test_a_container_and_what_is_configured() -> None:
    config = {"net0": "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:03:60,ip=10.99.0.160/24,ip6=auto"}
    live = [
        {"name": "lo", "inet": "127.0.0.1/8", "inet6": "::1/128", "hwaddr": "00:00:00:00:00:00"},
        {"name": "eth0", "inet": "10.99.0.161/24", "inet6": "fe80::1/64", "hwaddr": "bc:24:11:00:03:60"},
    ]
    assert resources.fact_variables(config, live)["pve_addresses"] == ["10.99.0.161"]
    # Stopped, or its answer is null: what it will have.
    assert resources.fact_variables(config, None)["ansible_host"] == "10.99.0.160"
    cloud = {"net0": "virtio=BC:24:11:00:03:50,bridge=vmbr0", "ipconfig0": "ip=10.99.0.150/24,gw=10.99.0.1"}
    assert resources.fact_variables(cloud, None)["pve_interfaces"] == [
        {"name": "net0", "macaddr": "BC:24:11:00:03:50", "addresses": ["10.99.0.150/24"]}
    ]
    dhcp = {"net0": "name=eth0,bridge=vmbr0,ip=dhcp"}
    assert "ansible_host" not in resources.fact_variables(dhcp, None)
    assert resources.fact_variables(None, None) == {}


KEYS = st.sampled_from(["result", "name", "inet", "hwaddr", "ip-addresses", "ip-address", "prefix"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(answer=JSON, net=st.text(max_size=40))
def test_what_a_guest_says_about_itself_breaks_nothing(answer: Any, net: str) -> None:
    """The agent runs in the guest: its answers are anybody's."""
    facts = resources.fact_variables({"net0": net, "ipconfig0": net, "name": "x"}, answer)
    assert isinstance(facts["pve_addresses"], list)
