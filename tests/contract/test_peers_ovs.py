# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What other people's modules for Open vSwitch get wrong, each as a test that ours pass.

Three of their defects take more than one switch or host, and are tried elsewhere:
- ifupdown2 cannot change the members of an existing bond, and its check verifies nothing: that the live change goes
  first and the file follows is in tests/integration/test_pve_network.py and, with a real ifupdown2, in tests/machine;
- LACP that calls itself negotiated with a member `defaulted`, or without any partner: also with real cables, in
  tests/integration/test_ovs_bond.py, and from recorded texts in tests/unit/ovs/test_lacp.py;
- a rollback that waits until the controller has reached the host again: tests/integration/test_lockout.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract import discovery
from tests.contract.case import PREFIX
from tests.contract.system import succeeded

BRIDGE, BOND, PORT = f"{PREFIX}br", f"{PREFIX}bond", f"{PREFIX}p0"
NICS = [f"{PREFIX}e{number}" for number in range(4)]


@pytest.fixture
def ovs(system_of: Callable[[str], Any]) -> Iterator[Any]:
    """An Open vSwitch with one bridge."""
    system = system_of("ovs")
    system.reset()
    system.make_bridge(BRIDGE)
    yield system
    system.reset()


def column(system: Any, table: str, record: str, name: str) -> str:
    return str(system.lab.vsctl("get", table, record, name).strip())


@pytest.mark.parametrize(
    ("wanted", "check"),
    [
        ({"mode": "balance-tcp", "lacp": "active"}, {"bond_mode": "balance-tcp", "lacp": "active"}),
        ({"mode": "balance-slb"}, {"bond_mode": "balance-slb"}),
        ({"lacp": "active", "lacp_time": "fast"}, {"lacp": "active", "other_config:lacp-time": "fast"}),
        ({"trunks": [10, 20]}, {"trunks": "[10, 20]"}),
    ],
)
def test_an_existing_bond_asked_for_something_else_is_changed(
    ovs: Any, wanted: dict[str, Any], check: dict[str, str]
) -> None:
    """Elsewhere: `changed: false`, and the bond stays as it was."""
    ovs.lab.vsctl("add-bond", BRIDGE, BOND, *NICS[:2])
    # Where LACP begins, nothing passes until both sides agree; that takes a word, and is no reason not to do it.
    allow = ["bond_flap"] if "lacp" in wanted else []
    assert succeeded(ovs.run("ovs_bond", [{"name": BOND, **wanted}], allow=allow)).changed
    assert {name: column(ovs, "Port", BOND, name) for name in check} == check


def test_an_existing_bond_asked_for_other_members_gets_them(ovs: Any) -> None:
    """Elsewhere: `changed: false`."""
    ovs.lab.vsctl("add-bond", BRIDGE, BOND, *NICS[:2])
    row = column(ovs, "Port", BOND, "_uuid")
    assert succeeded(ovs.run("ovs_bond", [{"name": BOND, "members": NICS[1:]}])).changed
    members = sorted(ovs.lab.vsctl("list-ifaces", BRIDGE).split())
    assert members == NICS[1:]
    assert column(ovs, "Port", BOND, "_uuid") == row, "in place, so that nothing is dropped"


@pytest.mark.parametrize(
    ("module", "item"),
    [
        ("ovs_bridge", {"name": BRIDGE, "other_config": {"mac-table-size": 4096, "disable-in-band": True}}),
        ("ovs_bond", {"name": BOND, "bridge": BRIDGE, "members": NICS[:2], "other_config": {"bond-hash-basis": 7}}),
        ("ovs_port", {"name": PORT, "bridge": BRIDGE, "other_config": {"qinq-ethtype": 802}, "external_ids": {"n": 1}}),
    ],
)
def test_a_number_in_other_config_is_changed_once(ovs: Any, module: str, item: dict[str, Any]) -> None:
    """Elsewhere: changed at every run, because 4096 is not "4096"."""
    assert succeeded(ovs.run(module, [item])).changed
    with ovs.unwritten():
        assert not succeeded(ovs.run(module, [item])).changed


def test_leaving_out_the_tag_of_a_tagged_port_is_no_failure(ovs: Any) -> None:
    """Elsewhere: it fails. Here the tag stays, and goes when that is asked for."""
    succeeded(ovs.run("ovs_port", [{"name": PORT, "bridge": BRIDGE, "tag": 20}]))
    with ovs.unwritten():
        assert not succeeded(ovs.run("ovs_port", [{"name": PORT, "bridge": BRIDGE}])).changed
    assert column(ovs, "Port", PORT, "tag") == "20"
    assert succeeded(ovs.run("ovs_port", [{"name": PORT, "reset": ["tag"]}])).changed
    assert column(ovs, "Port", PORT, "tag") == "[]"


def test_leaving_out_the_fail_mode_of_a_bridge_is_no_failure(ovs: Any) -> None:
    """Elsewhere: a second run without it fails."""
    succeeded(ovs.run("ovs_bridge", [{"name": BRIDGE, "fail_mode": "secure"}]))
    with ovs.unwritten():
        assert not succeeded(ovs.run("ovs_bridge", [{"name": BRIDGE}])).changed
    assert column(ovs, "Bridge", BRIDGE, "fail_mode") == "secure"


@pytest.mark.parametrize("module", [name for name in discovery.modules() if name.startswith("ovs_")])
def test_check_mode_works_everywhere(ovs: Any, module: str) -> None:
    """Elsewhere: the module that writes the database crashes in it."""
    case = discovery.case_of(module)
    ovs.prepare(case)
    arguments = {"config": [ovs.item(case)]} if discovery.describes_a_state(module) else {}
    with ovs.unwritten():
        result = succeeded(ovs.run(module, check=True, **arguments))
    assert not result.data.get("skipped")
    if arguments:
        assert result.changed
        assert result.diff["after"] != result.diff["before"]


def test_a_bond_without_any_partner_is_not_called_healthy(ovs: Any) -> None:
    """Elsewhere: with the fallback, everything looks well, and no switch has ever answered."""
    item = {"name": BOND, "bridge": BRIDGE, "members": NICS[:2], "lacp": "active", "lacp_time": "fast"}
    succeeded(ovs.run("ovs_bond", [{**item, "lacp_fallback_ab": True}]))
    for _attempt in range(80):
        result = succeeded(ovs.run("ovs_bond", [{"name": BOND}]))
        if "defaulted" in " ".join(result.data["unmet"]):
            break
        time.sleep(0.1)
    told = [text for text in result.data["unmet"] if "without any partner" in text]
    assert len(told) == 2
    assert all(any(nic in text for text in told) for nic in NICS[:2])
    health = succeeded(ovs.run("ovs_info")).data["health"]
    assert [row["message"] for row in health if row["subject"] == f"bond {BOND}"] == told


def test_a_bond_keeps_its_members_that_stay(ovs: Any) -> None:
    """Elsewhere, a change deletes the bond and adds it in another call, and every member drops out."""
    ovs.lab.vsctl("add-bond", BRIDGE, BOND, *NICS[:2])
    before = column(ovs, "Interface", NICS[1], "_uuid")
    with_more = {"name": BOND, "members": NICS[1:], "mode": "balance-slb", "trunks": [10]}
    writes = ovs.writes()
    assert succeeded(ovs.run("ovs_bond", [with_more])).changed
    assert ovs.writes() == writes + 1
    assert column(ovs, "Interface", NICS[1], "_uuid") == before
