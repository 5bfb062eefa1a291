# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Putting Open vSwitch's configuration back, on a real ovsdb-server: whatever was changed since, it is as it was."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.network import switch, switch_rows
from lab.ovs import OvsLab, available

COLUMNS = {
    "Bridge": "name datapath_type fail_mode other_config external_ids rstp_enable protocols",
    "Port": "name tag trunks lacp bond_mode vlan_mode other_config external_ids",
    "Interface": "name type mtu_request options mac other_config external_ids",
    "Mirror": "name select_all select_vlan",
    "Controller": "target max_backoff",
    "QoS": "type other_config",
    "Queue": "dscp other_config",
}
BASE = """
    -- add-br br0 -- set bridge br0 datapath_type=dummy other_config:a=1 external_ids:owner=us
    -- add-br br1 -- set bridge br1 datapath_type=dummy fail_mode=secure
    -- add-bond br0 bond0 eno1 eno2 lacp=active bond_mode=balance-tcp trunks=10,20 other_config:lacp-time=fast
    -- set interface eno1 type=dummy mtu_request=9000 -- set interface eno2 type=dummy mtu_request=9000
    -- add-port br0 mgmt tag=10 -- set interface mgmt type=internal external_ids:name=Verwaltung
    -- add-port br0 tap100i0 tag=20 -- set interface tap100i0 type=dummy
    -- add-port br1 fwln101o0 -- set interface fwln101o0 type=internal
    -- add-port br0 patch0 -- set interface patch0 type=patch options:peer=patch1
    -- add-port br1 patch1 -- set interface patch1 type=patch options:peer=patch0
    -- set-controller br1 ptcp:16654:127.0.0.1
    -- --id=@p get port bond0 -- --id=@m create mirror name=watch select_src_port=@p select_vlan=10
    -- add bridge br0 mirrors @m
    -- --id=@q create queue dscp=10 -- --id=@s create qos type=linux-htb queues=1=@q -- set port bond0 qos=@s
"""
CHANGES = [
    "del-br br0",
    "del-br br1",
    "del-port bond0",
    "del-port mgmt",
    "del-port br0 bond0 -- add-bond br0 bond0 eno2 eno3 bond_mode=active-backup",
    "del-port mgmt -- add-port br1 mgmt -- set interface mgmt type=internal",
    "del-br br0 -- add-br br0 -- set bridge br0 datapath_type=dummy -- add-port br0 eno1",
    "add-bond-iface bond0 eno9",
    "del-bond-iface bond0 eno1",
    "set port bond0 bond_mode=balance-slb lacp=off trunks=1,2,3 tag=7",
    "clear port bond0 trunks other_config",
    "set port mgmt tag=99",
    "set interface eno1 mtu_request=1500 options:x=y",
    'set interface mgmt mac="02:00:00:00:00:01"',
    "set bridge br0 fail_mode=secure other_config:a=2 other_config:b=3",
    "clear bridge br0 mirrors",
    "clear bridge br0 external_ids",
    "del-controller br1",
    "set-controller br0 ptcp:16655:127.0.0.1",
    "clear port bond0 qos",
    "clear port bond0 qos -- --all destroy qos",
    "add-br br2 -- set bridge br2 datapath_type=dummy -- add-port br2 eno7",
    "add-br br2 -- set bridge br2 datapath_type=dummy -- del-bond-iface bond0 eno1 -- add-port br2 eno1",
    "set interface patch0 options:peer=nobody",
]
# What guests do in between, and what must be as they left it.
GUESTS = [
    "add-port br1 tap200i0 tag=30 -- set interface tap200i0 type=dummy",
    "del-port tap100i0",
    "set port tap100i0 tag=21",
    "del-port tap100i0 -- add-port br0 tap100i0 tag=22",
]


@pytest.fixture(scope="module")
def lab() -> Iterator[OvsLab]:
    if not available():
        pytest.skip("openvswitch-switch is not installed")
    with OvsLab() as lab:
        yield lab


def did(lab: OvsLab, words: str) -> bool:
    """A change, which need not be possible after another."""
    with suppress(subprocess.CalledProcessError):
        lab.vsctl("--no-wait", "--", *words.split())
        return True
    return False


def emptied(lab: OvsLab) -> None:
    """What BASE makes, and nothing else."""
    for name in lab.vsctl("list-br").split():
        lab.vsctl("--no-wait", "del-br", name)
    lab.vsctl("--no-wait", "--", "--all", "destroy", "qos", "--", "--all", "destroy", "queue")
    lab.vsctl("--no-wait", *BASE.split())


def held(lab: OvsLab) -> dict[str, Any]:
    """Everything, by name and with what belongs to what."""
    bridges = lab.vsctl("list-br").split()
    return {
        **{table: _rows(lab, table, names) for table, names in COLUMNS.items()},
        "ports": {name: sorted(lab.vsctl("list-ports", name).split()) for name in bridges},
        "members": {name: sorted(lab.vsctl("list-ifaces", name).split()) for name in bridges},
        "controllers": {name: lab.vsctl("get-controller", name).split() for name in bridges},
        "mirrors": {name: lab.vsctl("get", "bridge", name, "mirrors").count("-") for name in bridges},
    }


def _rows(lab: OvsLab, table: str, names: str) -> list[str]:
    text = lab.vsctl("--format=json", f"--columns={names.replace(' ', ',')}", "list", table)
    return sorted(
        repr([sorted(switch_rows.canonical(value), key=repr) for value in row]) for row in json.loads(text)["data"]
    )


def put_back(lab: OvsLab, before: dict[str, Any], *present: str) -> list[str]:
    return switch.put_back(before, exists=lambda name: name in present, patience=0, attended=True)


@settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(changes=st.lists(st.sampled_from(CHANGES), min_size=1, max_size=5, unique=True))
def test_whatever_was_changed_is_as_it_was(lab: OvsLab, changes: list[str]) -> None:
    emptied(lab)
    was = held(lab)
    before = json.loads(json.dumps(switch.saved(lab.database)))
    done = [change for change in changes if did(lab, change)]
    assert done
    assert put_back(lab, before, "tap100i0", "fwln101o0") == []
    assert held(lab) == was
    counter = lab.vsctl("--no-wait", "get", "Open_vSwitch", ".", "next_cfg")
    assert put_back(lab, before, "tap100i0", "fwln101o0") == []
    assert lab.vsctl("--no-wait", "get", "Open_vSwitch", ".", "next_cfg") == counter, "it was written again"


@settings(max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(guest=st.sampled_from(GUESTS), change=st.sampled_from([one for one in CHANGES if "del-br" not in one]))
def test_guests_are_left_as_they_are(lab: OvsLab, guest: str, change: str) -> None:
    emptied(lab)
    before = switch.saved(lab.database)
    assert did(lab, guest)
    wanted = held(lab)
    did(lab, change)
    put_back(lab, before)
    now = held(lab)
    for name in ("Bridge", "Port", "Interface", "ports", "members", "controllers", "mirrors"):
        assert now[name] == wanted[name], f"{guest}, {change}"


def test_guests_of_a_bridge_that_was_deleted_come_back_with_it(lab: OvsLab) -> None:
    emptied(lab)
    before, was = switch.saved(lab.database), held(lab)
    lab.vsctl("--no-wait", "del-br", "br0", "--", "del-br", "br1")
    put_back(lab, before, "tap100i0")
    assert held(lab) == was


def test_a_guest_on_a_bridge_that_goes_is_told(lab: OvsLab) -> None:
    emptied(lab)
    before = switch.saved(lab.database)
    assert did(lab, "add-br br9 -- set bridge br9 datapath_type=dummy -- add-port br9 tap300i0")
    (note,) = put_back(lab, before)
    assert "tap300i0" in note and "br9" in note
    assert "br9" not in lab.vsctl("list-br")


def test_a_bond_made_anew_is_changed_in_place(lab: OvsLab) -> None:
    """Its row keeps its identity, so that nothing flaps that need not."""
    emptied(lab)
    before = switch.saved(lab.database)
    words = "del-port bond0 -- add-bond br0 bond0 eno1 eno2 lacp=active bond_mode=balance-tcp trunks=30"
    lab.vsctl("--no-wait", *words.split())
    anew = lab.vsctl("get", "port", "bond0", "_uuid")
    put_back(lab, before)
    assert lab.vsctl("get", "port", "bond0", "_uuid") == anew
    assert json.loads(lab.vsctl("get", "port", "bond0", "trunks")) == [10, 20]


def test_no_switch_daemon_is_told(lab: OvsLab) -> None:
    emptied(lab)
    before = switch.saved(lab.database)
    lab.vsctl("del-port", "mgmt")
    lab.stop_switch()
    try:
        (note,) = put_back(lab, before)
        assert "ovs-vswitchd" in note
        assert "mgmt" in lab.vsctl("--no-wait", "list-ports", "br0")
    finally:
        lab.start_switch()
