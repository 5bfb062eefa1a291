# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of ovs_bridge, on dummy datapaths: no network interface of this host is touched."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Item, Option, Scenario

NAME = f"{PREFIX}br"
BASE = {"name": NAME, "datapath_type": "dummy"}


def with_a_port(system: Any) -> None:
    """A bridge with somebody on it."""
    port = f"{PREFIX}p0"
    system.lab.vsctl("add-br", NAME, "--", "set", "Bridge", NAME, "datapath_type=dummy")
    system.lab.vsctl("add-port", NAME, port, "--", "set", "Interface", port, "type=dummy")


def on_the_management_path(system: Any) -> None:
    """The only interface that holds an address for sure; a bridge of that name in the lab touches nothing."""
    system.arm_checkpoint()


def raw(system: Any, item: Item) -> Any:
    return system.bridge(item["name"])


def cut(label: str, **options: Any) -> Scenario:
    item = {"name": NAME, **options}
    return Scenario(f"cut_bridge:{NAME}", {"config": [item]}, NAME, setup=with_a_port, label=f"cut_bridge[{label}]")


CASE = Case(
    module="ovs_bridge",
    subsystem="ovs",
    base=BASE,
    options=(
        # Its default, system, takes a kernel module that is not needed here otherwise.
        Option("datapath_type", "dummy", "netdev", reset=False),
        Option("fail_mode", "secure", "standalone"),
        Option("stp_enable", True, False),
        Option("rstp_enable", True, False),
        Option("mcast_snooping_enable", True, False),
        Option("protocols", ["OpenFlow13"], ["OpenFlow15", "OpenFlow13"]),
        Option("controller", ["ptcp:16653:127.0.0.1"], ["ptcp:16654:127.0.0.1", "ptcp:16653:127.0.0.1"]),
        Option("mtu_request", 9000, 1400),
        Option("other_config", {"mac-table-size": 4096}, {"mac-table-size": 8192}),
        Option("external_ids", {"purpose": "iscsi"}, {"purpose": 'guests, and "more"'}),
    ),
    raw=raw,
    info="bridge",
    stated={"datapath_type": "dummy"},
    several=[
        {**BASE, "name": f"{PREFIX}br0", "rstp_enable": True, "other_config": {"rstp-priority": 28672}},
        {**BASE, "name": f"{PREFIX}br1", "fail_mode": "secure", "external_ids": {"purpose": "guests"}},
        {**BASE, "name": f"{PREFIX}br2", "mcast_snooping_enable": True, "controller": ["ptcp:16653:127.0.0.1"]},
    ],
    changed=[
        {"name": f"{PREFIX}br0", "other_config": {"rstp-priority": 4096, "mac-table-size": 4096}},
        {"name": f"{PREFIX}br1", "reset": ["fail_mode"]},
        {"name": f"{PREFIX}br2", "mcast_snooping_enable": False, "protocols": ["OpenFlow13"]},
    ],
    consents=(
        Scenario(
            f"cut_bridge:{NAME}",
            {"config": [{"name": NAME}], "state": "absent"},
            f"{PREFIX}p0",
            setup=with_a_port,
            label="cut_bridge[removed]",
        ),
        cut("datapath", datapath_type="netdev"),
        cut("secure", fail_mode="secure"),
        cut("stp", stp_enable=True),
        cut("rstp", rstp_enable=True),
        Scenario(
            "management_path",
            {"config": [{**BASE, "name": "lo"}], "management_address": "127.0.0.1"},
            "lo",
            setup=on_the_management_path,
        ),
    ),
)
