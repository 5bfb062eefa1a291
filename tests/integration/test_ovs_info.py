# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The module ovs_info on a real Open vSwitch that somebody built by hand, well and ill. LACP is in test_ovs_bond."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.ovs import OvsLab
from tests.contract.invocation import Result, run_module

PSK = "a key that nobody may see"


@pytest.fixture(scope="module")
def lab() -> Iterator[OvsLab]:
    with OvsLab(pretended_nics=True) as lab:
        add = lab.vsctl
        add("add-br", "vmbr0", "--", "set", "Bridge", "vmbr0", "datapath_type=dummy", "other_config:mac-table-size=9")
        add("add-bond", "vmbr0", "bond0", "eno1", "eno2", "--", "set", "Port", "bond0", "trunks=10,20")
        add("add-bond", "vmbr0", "bond1", "eno3", "eno4", "--", "set", "Interface", "eno3", "mtu_request=9000")
        add("add-port", "vmbr0", "mgmt", "tag=10", "--", "set", "Interface", "mgmt", "type=internal")
        yield lab


def told(lab: OvsLab, **options: Any) -> Result:
    before = lab.writes
    result = run_module("ovs_info", {"database": lab.database, "timeout": 2, **options}, verbosity=3)
    assert not result.crash, result.crash
    assert not result.failed, result.message
    assert (result.changed, lab.writes) == (False, before)
    return result


def test_everything_is_in_configs_own_form(lab: OvsLab) -> None:
    assert told(lab).data["config"] == {
        "bridge": [{"name": "vmbr0", "datapath_type": "dummy", "other_config": {"mac-table-size": "9"}}],
        "bond": [
            {"name": "bond0", "bridge": "vmbr0", "members": ["eno1", "eno2"], "trunks": [10, 20]},
            {"name": "bond1", "bridge": "vmbr0", "members": ["eno3", "eno4"]},
        ],
        "port": [{"name": "mgmt", "bridge": "vmbr0", "type": "internal", "tag": 10}],
    }


def test_what_was_built_by_hand_can_be_pasted(lab: OvsLab) -> None:
    for kind, config in told(lab).data["config"].items():
        arguments = {"config": config, "database": lab.database, "unlisted_options": "reset", "verify_timeout": 0}
        result = run_module(f"ovs_{kind}", arguments)
        assert not result.failed, result.message
        assert not result.changed, result.steps


def test_only_what_was_asked_for(lab: OvsLab) -> None:
    assert list(told(lab, kinds=["bond"]).data["config"]) == ["bond"]
    config = told(lab, names=["bond*", "mgmt"]).data["config"]
    assert [[item["name"] for item in config[kind]] for kind in config] == [[], ["bond0", "bond1"], ["mgmt"]]


def test_nothing_is_wrong_where_nothing_is(lab: OvsLab) -> None:
    assert told(lab).data["health"] == []


def test_what_is_wrong_is_told_in_words_and_without_secrets(lab: OvsLab) -> None:
    settings = ["type=vxlan", "options:remote_ip=192.0.2.1", f"options:psk={PSK.replace(' ', '_')}"]
    lab.vsctl("add-port", "vmbr0", "vx0", "--", "set", "Interface", "vx0", *settings)
    lab.vsctl("add-port", "vmbr0", "to-nobody", "--", "set", "Interface", "to-nobody", "type=patch", "options:peer=x")
    lab.vsctl("set", "Port", "bond0", "bond_mode=balance-tcp")
    lab.appctl("netdev-dummy/set-admin-state", "eno4", "down")
    # Open vSwitch finds these out in its own time.
    lab.vsctl(
        "wait-until", "Interface", "to-nobody", "error!=[]", "--", "wait-until", "Interface", "eno4", "admin_state=down"
    )
    result = told(lab, kinds=["bridge"])
    assert PSK.replace(" ", "_") not in result.everything
    health = {finding["subject"]: finding["message"] for finding in result.data["health"]}
    assert "the tunnel to 192.0.2.1 is not encrypted" in health["port vx0"]
    assert "to-nobody does not work: No usable peer 'x'" in health["port to-nobody"]
    assert "balance-tcp without LACP forwards nothing" in health["bond bond0"]
    assert "member eno4 is switched off" in health["bond bond1"]
    assert list(result.data["config"]) == ["bridge"], "health is of everything, whatever was asked for"


def test_a_switch_that_does_not_run_is_told_once(lab: OvsLab) -> None:
    lab.stop_switch()
    try:
        (finding,) = told(lab).data["health"]
    finally:
        lab.start_switch()
    assert finding["subject"] == "ovs-vswitchd"
    assert "ovs-vswitchd is not running" in finding["message"]


def test_a_database_that_is_not_there_is_one_sentence(lab: OvsLab) -> None:
    result = run_module("ovs_info", {"database": "unix:/nonexistent/db.sock"})
    assert result.failed and not result.crash
    assert "unix:/nonexistent/db.sock" in result.message
