# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of ovs_port, on dummy datapaths with pretended NICs: no network interface of this host is touched."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Item, Option, Scenario, Secret

BRIDGE, OTHER, NAME = f"{PREFIX}br", f"{PREFIX}br2", f"{PREFIX}p"
BASE = {"name": NAME, "bridge": BRIDGE}
CUT = (f"cut_port:{NAME}",)
TUNNEL = {**BASE, "type": "vxlan", "remote_ip": "192.0.2.1"}


def setup(system: Any) -> None:
    """Two bridges."""
    system.make_bridge(BRIDGE, OTHER)


def with_a_port(system: Any) -> None:
    system.lab.vsctl("add-port", BRIDGE, NAME)


def on_the_management_path(system: Any) -> None:
    """The only interface that holds an address for sure; nothing happens to it, the NICs of the lab are pretended."""
    system.arm_checkpoint()


def raw(system: Any, item: Item) -> Any:
    return system.port(item["name"])


def examples(system: Any) -> None:
    system.make_bridge("vmbr0", "vmbr1")


CASE = Case(
    module="ovs_port",
    subsystem="ovs",
    base=BASE,
    setup=setup,
    examples=examples,
    info="port",
    options=(
        Option("bridge", BRIDGE, OTHER, allow=CUT),
        Option("bridge", BRIDGE, OTHER, base=TUNNEL, allow=CUT, label="tunnel"),
        Option("type", "internal", "system", allow=CUT),
        Option("mac", "02:00:00:00:00:01", "02:00:00:00:00:02", beside={"type": "internal"}),
        Option("vlan_mode", "native-untagged", "native-tagged", beside={"tag": 5}),
        Option("tag", 10, 0),
        Option("trunks", [30, 10, 20], [10, 40]),
        Option("cvlans", [1, 2], [3], beside={"vlan_mode": "dot1q-tunnel", "tag": 10}),
        Option("mtu_request", 9000, 1400),
        Option("peer", f"{PREFIX}q", f"{PREFIX}r", beside={"type": "patch"}, reset=False),
        Option("remote_ip", "192.0.2.1", "192.0.2.2", base=TUNNEL, reset=False),
        Option("local_ip", "192.0.2.3", "192.0.2.4", base=TUNNEL),
        Option("key", "100", "flow", base=TUNNEL),
        Option("dst_port", 4790, 4789, base=TUNNEL),
        Option("psk", "hct-pre-shared-1", "hct-pre-shared-2", base=TUNNEL),
        Option("remote_cert", "/etc/keys/a.pem", "/etc/keys/b.pem", base=TUNNEL),
        Option("remote_name", "annex-1", "annex-2", base=TUNNEL),
        Option("options", {"tos": "inherit", "csum": True}, {"tos": 7}, base=TUNNEL),
        Option("other_config", {"priority-tags": "always"}, {"priority-tags": "never"}),
        Option("external_ids", {"iface-id": "a b"}, {"iface-id": 'guests, and "more"'}),
    ),
    secrets=(Secret("psk", "hct Gehëimnis 'and \\ \"more\"'", base=TUNNEL),),
    raw=raw,
    several=[
        {**BASE, "name": f"{PREFIX}p0", "tag": 20, "external_ids": {"iface-id": "x"}},
        {**BASE, "name": f"{PREFIX}p1", "vlan_mode": "trunk", "trunks": [30, 40], "mtu_request": 9000},
        {**BASE, "name": f"{PREFIX}p2", "other_config": {"priority-tags": "always"}},
    ],
    changed=[
        {"name": f"{PREFIX}p0", "reset": ["tag"], "trunks": [20, 21]},
        {"name": f"{PREFIX}p1", "trunks": [30], "vlan_mode": "native-tagged", "tag": 5},
        {"name": f"{PREFIX}p2", "type": "internal", "other_config": {"priority-tags": ""}},
    ],
    allow=(f"cut_port:{PREFIX}p2",),
    removal=(f"cut_port:{PREFIX}p0", f"cut_port:{PREFIX}p1", f"cut_port:{PREFIX}p2"),
    consents=(
        Scenario(
            CUT[0], {"config": [{"name": NAME}], "state": "absent"}, BRIDGE, with_a_port, label="cut_port[removed]"
        ),
        Scenario(CUT[0], {"config": [{"name": NAME, "bridge": OTHER}]}, OTHER, with_a_port, label="cut_port[moved]"),
        Scenario(CUT[0], {"config": [{"name": NAME, "type": "internal"}]}, NAME, with_a_port, label="cut_port[type]"),
        Scenario(
            "management_path",
            {"config": [{"name": "lo", "bridge": BRIDGE}], "management_address": "127.0.0.1"},
            "lo",
            setup=on_the_management_path,
        ),
    ),
)
