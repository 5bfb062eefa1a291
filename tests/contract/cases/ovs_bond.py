# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of ovs_bond, on dummy datapaths with pretended NICs: no network interface of this host is touched."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Item, Option, Scenario

BRIDGE, OTHER, NAME = f"{PREFIX}br", f"{PREFIX}br2", f"{PREFIX}bond"
NICS = [f"{PREFIX}e{number}" for number in range(8)]
BASE = {"name": NAME, "bridge": BRIDGE, "members": NICS[:2]}
LACP = {"lacp": "active"}


def setup(system: Any) -> None:
    """Two bridges."""
    system.make_bridge(BRIDGE, OTHER)


def with_a_bond(system: Any) -> None:
    system.lab.vsctl("add-bond", BRIDGE, NAME, *NICS[:2])


def on_the_management_path(system: Any) -> None:
    """The only interface that holds an address for sure; nothing happens to it, the NICs of the lab are pretended."""
    system.arm_checkpoint()


def raw(system: Any, item: Item) -> Any:
    return system.port(item["name"])


def examples(system: Any) -> None:
    system.make_bridge("vmbr0", "vmbr1")


CASE = Case(
    module="ovs_bond",
    subsystem="ovs",
    base=BASE,
    setup=setup,
    examples=examples,
    info="bond",
    # Among the several there is one that loses its LACP, or gets it.
    allow=("bond_flap",),
    options=(
        Option("bridge", BRIDGE, OTHER, allow=("bond_flap",)),
        Option("members", NICS[:2], NICS[1:4]),
        Option("mode", "balance-slb", "active-backup"),
        Option("mode", "balance-tcp", "balance-slb", beside=LACP, reset=False, label="balance-tcp"),
        Option("lacp", "active", "passive", allow=("bond_flap",)),
        Option("lacp_time", "fast", "slow", beside=LACP),
        Option("lacp_fallback_ab", True, False, beside=LACP),
        Option("lacp_system_id", "02:00:00:00:00:01", "02:00:00:00:00:02", beside=LACP),
        Option("lacp_system_priority", 100, 200, beside=LACP),
        Option("bond_updelay", 200, 100),
        Option("bond_downdelay", 200, 100),
        Option("rebalance_interval", 5000, 0),
        Option("detect_mode", "miimon", "carrier"),
        Option("miimon_interval", 100, 50),
        Option("vlan_mode", "native-untagged", "native-tagged", beside={"tag": 5, "trunks": []}),
        Option("tag", 10, 0),
        Option("trunks", [30, 10, 20], [10, 40]),
        Option("cvlans", [1, 2], [3], beside={"vlan_mode": "dot1q-tunnel", "tag": 10}),
        Option("mtu", 9000, 1400),
        Option("other_config", {"bond-hash-basis": 3}, {"bond-hash-basis": 4}),
        Option("external_ids", {"purpose": "iscsi"}, {"purpose": 'guests, and "more"'}),
    ),
    raw=raw,
    several=[
        {**BASE, "name": f"{PREFIX}b0", "mode": "balance-tcp", "lacp": "active", "lacp_time": "fast", "trunks": [3, 4]},
        {"name": f"{PREFIX}b1", "bridge": OTHER, "members": NICS[2:4], "tag": 40, "mtu": 9000},
        {
            "name": f"{PREFIX}b2",
            "bridge": OTHER,
            "members": NICS[4:7],
            "mode": "balance-slb",
            "other_config": {"bond-primary": NICS[4]},
            "external_ids": {"purpose": "guests"},
        },
    ],
    changed=[
        # A member goes from one bond to another.
        {"name": f"{PREFIX}b0", "members": [NICS[0], NICS[2]], "trunks": [3, 4, 5]},
        {"name": f"{PREFIX}b1", "members": [NICS[1], NICS[3]], "mode": "balance-slb"},
        {"name": f"{PREFIX}b2", "reset": ["mode"], "bond_updelay": 100},
    ],
    removal=(f"cut_port:{PREFIX}b0", f"cut_port:{PREFIX}b1", f"cut_port:{PREFIX}b2"),
    consents=(
        Scenario("bond_flap", {"config": [{"name": NAME, "bridge": OTHER}]}, OTHER, setup=with_a_bond),
        Scenario(
            f"cut_port:{NAME}",
            {"config": [{"name": NAME}], "state": "absent"},
            NICS[0],
            setup=with_a_bond,
            label="cut_port",
        ),
        Scenario(
            "management_path",
            {"config": [{**BASE, "members": ["lo", NICS[0]]}], "management_address": "127.0.0.1"},
            "lo",
            setup=on_the_management_path,
        ),
    ),
)
