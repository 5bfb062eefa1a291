# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_network, on network cards that nothing uses. What needs the node itself beside its API (a bond that
runs, a checkpoint that is not armed) is in tests/integration/test_pve_network.py."""

from __future__ import annotations

from typing import Any

from tests.contract.case import Case, Item, Option, Scenario
from tests.contract.pve_api import comparable

# Names that an interface may have; no test uses another one. PVE takes no dash in them.
BRIDGE, BOND, SWITCH, OTHER_SWITCH, OVS_BOND, PORT, VLAN = (
    "vmbr970", "bond970", "vmbr971", "vmbr972", "hct_lan", "hct_port", "hct_vlan",
)  # fmt: skip
FOREIGN = "vmbr979"


def nic(number: int) -> Any:
    return lambda system: system.nics[number]


def node(system: Any) -> str:
    return str(system.network_node)


def item(name: str, kind: str, **options: Any) -> Item:
    return {"node": node, "iface": name, "type": kind, **options}


LINUX_BRIDGE = item(BRIDGE, "bridge", autostart=True)
LINUX_BOND = item(BOND, "bond", autostart=True, slaves=[nic(0)])
OVS_PORTED = item(PORT, "OVSIntPort", ovs_bridge=SWITCH)
BONDED = item(OVS_BOND, "OVSBond", ovs_bridge=SWITCH, ovs_bonds=[nic(0)])


def raw(system: Any, item: Item) -> Any:
    shown = system.api.get(f"/nodes/{item['node']}/network/{item['iface']}")
    return comparable({name: value for name, value in shown.items() if name not in ("priority", "active")})


def staged(system: Any, name: str, **options: Any) -> None:
    system.api.post(f"/nodes/{node(system)}/network", iface=name, **options)


def applied(system: Any) -> None:
    system.api.put(f"/nodes/{node(system)}/network")


def switches(system: Any) -> None:
    """Two Open vSwitch bridges that are in the file and not up: what is up is changed on the node itself."""
    for name in (SWITCH, OTHER_SWITCH):
        staged(system, name, type="OVSBridge")
    applied(system)


def bridge(system: Any) -> None:
    staged(system, BRIDGE, type="bridge", autostart=1, bridge_ports=nic(0)(system))
    applied(system)


def bond(system: Any) -> None:
    staged(system, BOND, type="bond", autostart=1, slaves=nic(0)(system), bond_mode="active-backup")
    applied(system)


def port(system: Any) -> None:
    switches(system)
    staged(system, PORT, type="OVSIntPort", ovs_bridge=SWITCH, cidr="10.97.0.1/24")
    applied(system)


def somebody_else(system: Any) -> None:
    staged(system, FOREIGN, type="bridge", comments="by somebody else")


def no_gateway(system: Any) -> None:
    """The node's own way out is given up, so that another one can be set."""
    path = f"/nodes/{node(system)}/network"
    system.api.put(f"{path}/vmbr0", type="bridge", cidr=system.api.get(f"{path}/vmbr0")["cidr"], delete="gateway")
    applied(system)


ONE_GATEWAY = "a real node's default gateway is in use"
OPTIONS = (
    Option("type", "bridge", "OVSBridge", base=LINUX_BRIDGE),
    Option("type", "OVSPort", "eth", base={"node": node, "iface": nic(0), "ovs_bridge": SWITCH}, label="card",
           setup=switches, allow=(lambda s: f"cut_port:{nic(0)(s)}",),
           planned=lambda s: [f"update network {node(s)}/{nic(0)(s)}: type, ovs_bridge"]),
    Option("autostart", True, False),
    Option("cidr", "10.97.0.1/24", "10.97.0.2/24"),
    Option("cidr6", "FD00:97::0:1/64", "fd00:97::2/64"),
    Option("gateway", "10.97.0.254", "10.97.0.253", beside={"cidr": "10.97.0.1/24"}, setup=no_gateway,
           lab_only=ONE_GATEWAY),
    Option("gateway6", "fd00:97::fe", "fd00:97::fd", beside={"cidr6": "fd00:97::1/64"}, lab_only=ONE_GATEWAY),
    Option("mtu", 1400, 9000),
    Option("comments", "First line", "First line\nSecond, with umlaut: ü"),
    Option("bridge_ports", [nic(0)], [nic(0), nic(1)],
           allow=(lambda s: f"cut_port:{nic(0)(s)}", lambda s: f"cut_port:{nic(1)(s)}")),
    Option("bridge_vlan_aware", True, False),
    Option("bridge_vids", ["10", "20-29"], ["10"], beside={"bridge_vlan_aware": True}),
    Option("slaves", [nic(0)], [nic(0), nic(1)], base=LINUX_BOND),
    Option("bond_mode", "802.3ad", "active-backup", base=LINUX_BOND, allow=("bond_flap",)),
    Option("bond_mode", "lacp-balance-tcp", "balance-slb", base=BONDED, setup=switches, allow=("bond_flap",),
           label="OVS"),
    Option("bond_xmit_hash_policy", "layer3+4", "layer2", base=LINUX_BOND, beside={"bond_mode": "802.3ad"}),
    Option("bond_primary", nic(0), nic(1), base=LINUX_BOND,
           beside={"slaves": [nic(0), nic(1)], "bond_mode": "active-backup"}),
    Option("vlan_id", 41, 42, base=item(VLAN, "vlan", vlan_raw_device=nic(0)), mode="fixed"),
    Option("vlan_raw_device", nic(0), nic(1), base=item(VLAN, "vlan", vlan_id=41), mode="fixed"),
    Option("ovs_bridge", SWITCH, OTHER_SWITCH, base=OVS_PORTED, setup=switches, allow=(f"cut_port:{PORT}",)),
    Option("ovs_bridge", SWITCH, OTHER_SWITCH, base={**BONDED, "ovs_options": {"trunks": [10]}}, setup=switches,
           allow=("bond_flap",), label="bond"),
    Option("ovs_bonds", [nic(0)], [nic(0), nic(1)], base=item(OVS_BOND, "OVSBond", ovs_bridge=SWITCH), setup=switches),
    Option("ovs_tag", 5, 7, base=OVS_PORTED, setup=switches),
    Option("ovs_options", {"trunks": [20, 10], "vlan_mode": "native-untagged"}, {"trunks": "10,30"}, base=BONDED,
           setup=switches),
)  # fmt: skip


SEVERAL = [
    item("bond970.30", "vlan", autostart=True, cidr="10.97.30.1/24"),
    item(PORT, "OVSIntPort", ovs_bridge=SWITCH, ovs_tag=20, cidr="10.97.20.1/24", comments="images"),
    item(OVS_BOND, "OVSBond", ovs_bridge=SWITCH, ovs_bonds=[nic(1)], bond_mode="balance-slb", ovs_tag=9,
         ovs_options={"trunks": [10, 20]}),
    item(BRIDGE, "bridge", autostart=True, bridge_ports=[nic(2)], cidr="10.97.1.1/24"),
    item(SWITCH, "OVSBridge", comments="wards"),
    item(BOND, "bond", autostart=True, slaves=[nic(0)], bond_mode="active-backup"),
]  # fmt: skip
CHANGED = [
    {"node": node, "iface": "bond970.30", "mtu": 9000},
    {"node": node, "iface": PORT, "cidr": "10.97.20.2/24", "reset": ["ovs_tag"]},
    {
        "node": node,
        "iface": OVS_BOND,
        "bond_mode": "lacp-balance-tcp",
        "ovs_options": {"other_config:lacp-time": "fast"},
    },
    {"node": node, "iface": BRIDGE, "bridge_vlan_aware": True, "cidr6": "fd00:97::1/64"},
    {"node": node, "iface": SWITCH, "comments": "wards and machines", "mtu": 9000},
    {"node": node, "iface": BOND, "mtu": 9000, "slaves": [nic(0)]},
]

CASE = Case(
    module="pve_network",
    subsystem="pve",
    base=LINUX_BRIDGE,
    options=OPTIONS,
    raw=raw,
    several=SEVERAL,
    changed=CHANGED,
    allow=("bond_flap", lambda s: f"cut_port:{nic(2)(s)}"),
    removal=(
        f"cut_bridge:{BRIDGE}",
        f"cut_bridge:{SWITCH}",
        f"cut_port:{BOND}",
        "cut_port:bond970.30",
        f"cut_port:{OVS_BOND}",
        f"cut_port:{PORT}",
    ),
    consents=(
        Scenario(
            f"cut_bridge:{BRIDGE}", {"config": [{"node": node, "iface": BRIDGE}], "state": "absent"}, BRIDGE, bridge
        ),
        Scenario(f"cut_port:{PORT}", {"config": [{"node": node, "iface": PORT}], "state": "absent"}, PORT, port),
        Scenario("bond_flap", {"config": [{"node": node, "iface": BOND, "bond_mode": "802.3ad"}]}, BOND, bond),
        Scenario(
            lambda s: f"apply_pending:{node(s)}",
            {"config": [LINUX_BRIDGE]},
            FOREIGN,
            somebody_else,
            label="apply_pending",
        ),
        Scenario(
            lambda s: f"discard_pending:{node(s)}",
            {"config": [LINUX_BRIDGE]},
            FOREIGN,
            somebody_else,
            label="discard_pending",
        ),
        Scenario(
            "management_path",
            {"config": [{"node": node, "iface": "vmbr0", "mtu": 1400}]},
            "vmbr0",
            lambda s: s.arm_checkpoint(),
            lab_only="nobody changes a real node's own path for a test",
        ),
    ),
    info="network",
)
