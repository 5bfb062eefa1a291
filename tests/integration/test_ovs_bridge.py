# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The module ovs_bridge on a real ovsdb-server and ovs-vswitchd. What peers get wrong is here too."""

from __future__ import annotations

import re

import pytest
import yaml

from lab import veth
from lab.ovs import OvsLab
from tests.contract.discovery import loaded
from tests.contract.invocation import Result, run_module

pytestmark = pytest.mark.usefixtures("clean")


@pytest.fixture(scope="module")
def lab():
    with OvsLab() as lab:
        yield lab


@pytest.fixture
def clean(lab):
    yield
    for name in lab.vsctl("list-br").split():
        lab.vsctl("del-br", name)


class Bridges:
    """Runs the module and counts what it wrote."""

    def __init__(self, lab: OvsLab) -> None:
        self.lab = lab
        self.wrote = 0

    def __call__(self, *config, check=False, database=None, **params) -> Result:
        before = self.lab.writes
        arguments = {"config": list(config), "database": database or self.lab.database, "verify_timeout": 0, **params}
        result = run_module("ovs_bridge", arguments, check=check)
        self.wrote = self.lab.writes - before
        assert not result.crash, result.crash
        return result


@pytest.fixture
def bridges(lab):
    return Bridges(lab)


FULL = {
    "name": "hct-br0",
    "datapath_type": "dummy",
    "fail_mode": "secure",
    "rstp_enable": True,
    "mcast_snooping_enable": True,
    "protocols": ["OpenFlow13", "OpenFlow10"],
    "controller": ["ptcp:16653:127.0.0.1", "punix:/tmp/hct-controller"],
    "mtu_request": 9000,
    "other_config": {"mac-table-size": 4096, "rstp-priority": 28672, "disable-in-band": True},
    "external_ids": {"a key": 'a value, with = and "quotes" and ünïcode'},
}


def test_everything_is_written_in_one_transaction_and_found_as_written(lab, bridges):
    first = bridges(FULL)
    assert not first.failed, first.message
    assert (first.changed, bridges.wrote, first.data["unmet"]) == (True, 1, [])
    written = first.data["after"]["hct-br0"]
    assert written["other_config"] == {"disable-in-band": "true", "mac-table-size": "4096", "rstp-priority": "28672"}
    assert written["external_ids"] == FULL["external_ids"]
    assert lab.vsctl("get", "bridge", "hct-br0", "fail_mode").strip() == "secure"
    assert lab.vsctl("get", "interface", "hct-br0", "mtu").strip() == "9000"

    again = bridges(FULL)
    assert (again.changed, bridges.wrote, again.steps) == (False, 0, [])
    # What was found, as config with everything else reset, is no change either.
    assert not bridges(written, unlisted_options="reset").changed


def test_check_mode_says_the_same_and_writes_nothing(lab, bridges):
    predicted = bridges(FULL, check=True)
    assert not predicted.failed, predicted.message
    assert (predicted.changed, bridges.wrote, lab.vsctl("list-br")) == (True, 0, "")
    real = bridges(FULL)
    assert (predicted.planned, predicted.diff) == (real.planned, real.diff)
    assert not bridges(FULL, check=True).changed


def test_a_run_without_fail_mode_neither_fails_nor_changes(lab, bridges):
    bridges(FULL)
    result = bridges({"name": "hct-br0"})
    assert (result.failed, result.changed, bridges.wrote) == (False, False, 0)
    assert lab.vsctl("get", "bridge", "hct-br0", "fail_mode").strip() == "secure"


@pytest.mark.parametrize(
    ("drift", "option"),
    [
        (["set", "bridge", "hct-br0", "fail_mode=standalone"], "fail_mode"),
        (["set", "bridge", "hct-br0", "rstp_enable=false"], "rstp_enable"),
        (["set", "bridge", "hct-br0", "mcast_snooping_enable=false"], "mcast_snooping_enable"),
        (["set", "bridge", "hct-br0", "protocols=OpenFlow15"], "protocols"),
        (["del-controller", "hct-br0"], "controller"),
        (["set-controller", "hct-br0", "ptcp:16653:127.0.0.1", "ptcp:16654:127.0.0.1"], "controller"),
        (["clear", "interface", "hct-br0", "mtu_request"], "mtu_request"),
        (["set", "bridge", "hct-br0", "other_config:mac-table-size=17"], "other_config"),
        (["remove", "bridge", "hct-br0", "other_config", "rstp-priority"], "other_config"),
        (["clear", "bridge", "hct-br0", "external_ids"], "external_ids"),
        (["set", "bridge", "hct-br0", "datapath_type=netdev"], "datapath_type"),
    ],
)
def test_what_changed_behind_our_back_is_put_right_alone(lab, bridges, drift, option):
    bridges(FULL)
    lab.vsctl("set", "bridge", "hct-br0", "other_config:not-ours=1")
    lab.vsctl(*drift)
    result = bridges(FULL)
    assert not result.failed, result.message
    assert (result.planned, bridges.wrote) == ([f"update bridge hct-br0: {option}"], 1)
    assert not bridges(FULL).changed
    assert lab.vsctl("get", "bridge", "hct-br0", "other_config:not-ours").strip() == '"1"'


def test_a_controller_that_stays_keeps_its_connection(lab, bridges):
    bridges(FULL)
    target = "target=ptcp\\:16653\\:127.0.0.1"
    before = lab.vsctl("--bare", "--columns=_uuid", "find", "controller", target)
    bridges({"name": "hct-br0", "controller": ["ptcp:16653:127.0.0.1", "ptcp:16655:127.0.0.1"]})
    assert lab.vsctl("--bare", "--columns=_uuid", "find", "controller", target) == before != ""
    assert len(lab.vsctl("get-controller", "hct-br0").split()) == 2


def test_reset_and_empty_values_take_away(lab, bridges):
    bridges(FULL)
    result = bridges(
        {
            "name": "hct-br0",
            "other_config": {"rstp-priority": ""},
            "external_ids": {"a key": None},
            "protocols": [],
            "reset": ["fail_mode", "rstp_enable", "controller", "mtu_request"],
        }
    )
    assert not result.failed, result.message
    assert bridges.wrote == 1
    assert result.data["after"]["hct-br0"] == {
        "name": "hct-br0",
        "datapath_type": "dummy",
        "mcast_snooping_enable": True,
        "other_config": {"disable-in-band": "true", "mac-table-size": "4096"},
    }


def test_a_bridge_with_ports_goes_only_with_consent(lab, bridges):
    bridges({"name": "hct-br0", "datapath_type": "dummy"})
    lab.vsctl("add-port", "hct-br0", "hct-p1", "--", "set", "interface", "hct-p1", "type=dummy")
    refused = bridges({"name": "hct-br0"}, state="absent")
    assert refused.failed and bridges.wrote == 0
    assert "cut_bridge:hct-br0" in refused.message and "hct-p1" in refused.message
    gone = bridges({"name": "hct-br0"}, state="absent", allow=["cut_bridge:hct-br0"])
    assert not gone.failed, gone.message
    assert (gone.changed, bridges.wrote, lab.vsctl("list-br")) == (True, 1, "")
    again = bridges({"name": "hct-br0"}, state="absent")
    assert (again.failed, again.changed, bridges.wrote) == (False, False, 0)


@pytest.mark.parametrize(
    ("item", "complaint"),
    [
        ({"name": "hct-0123456789-x"}, "15 characters, this one has 16"),
        ({"name": "hct-br0", "datapath_type": "netdevv"}, "datapath_type netdevv .*dummy, netdev"),
        ({"name": "hct-br0"}, "datapath_type system .*dummy, netdev"),
        ({"name": "hct br0", "datapath_type": "dummy"}, "is no name of a bridge"),
        ({"name": "hct-br0", "datapath_type": "dummy", "protocols": ["OpenFlow99"]}, "protocols"),
        ({"name": "hct-br0", "datapath_type": "dummy", "mtu_request": -1}, "mtu_request"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(lab, bridges, item, complaint):
    result = bridges({"name": "hct-fine", "datapath_type": "dummy"}, item)
    assert result.failed
    assert (bridges.wrote, lab.vsctl("list-br")) == (0, "")
    assert re.search(complaint, result.message), result.message


def test_a_database_that_is_not_there_is_one_sentence(lab, bridges):
    result = bridges({"name": "hct-br0"}, database="unix:/nonexistent/db.sock")
    assert result.failed
    assert "unix:/nonexistent/db.sock" in result.message and "openvswitch-switch" in result.message


def test_a_switch_that_does_not_run_is_told(lab, bridges):
    try:
        lab.stop_switch()
        result = bridges({"name": "hct-br0", "datapath_type": "dummy"}, timeout=1)
        assert not result.failed, result.message
        assert bridges.wrote == 1
        assert "ovs-vswitchd is not running" in " ".join(result.data["unmet"])
        # Also when there is nothing to do: a nightly check must not call this healthy.
        again = bridges({"name": "hct-br0", "datapath_type": "dummy"}, check=True)
        assert not again.changed
        assert "ovs-vswitchd is not running" in " ".join(again.data["unmet"])
    finally:
        lab.start_switch()
    assert bridges({"name": "hct-br0", "datapath_type": "dummy"}, verify_timeout=10).data["unmet"] == []


def test_a_bridge_without_a_datapath_is_told(lab, bridges):
    lab.vsctl("add-br", "hct-br0", "--", "set", "bridge", "hct-br0", "datapath_type=nonsense")
    result = bridges({"name": "hct-br0"})
    assert (result.failed, result.changed) == (False, False)
    assert "hct-br0: there is no datapath" in " ".join(result.data["unmet"])


@pytest.mark.parametrize("lost", [False, True])
def test_several_bridges_are_made_in_one_transaction_or_not_at_all(lab, bridges, lost):
    config = [{"name": f"hct-br{number}", "datapath_type": "dummy"} for number in range(3)]
    with lab.failing_write(1, lost=lost):
        broken = bridges(*config)
    assert broken.failed
    assert "3 of 3 steps failed" in broken.message
    assert all("the lab lets this write fail" in step for step in broken.steps)
    assert lab.vsctl("list-br").split() == ([item["name"] for item in config] if lost else [])
    mended = bridges(*config)
    assert (mended.failed, mended.changed, bridges.wrote) == (False, not lost, 0 if lost else 1)


def test_a_controller_nobody_answers_for_is_told(lab, bridges):
    result = bridges({"name": "hct-br0", "datapath_type": "dummy", "controller": ["tcp:127.0.0.1:1"]})
    assert result.data["unmet"] == ["bridge hct-br0: no connection to controller tcp:127.0.0.1:1."]


def test_the_examples_run_as_they_stand(lab, bridges):
    if not veth.available():
        pytest.skip("datapaths of type netdev need network interfaces, and this process may make none (no root)")
    for task in yaml.safe_load(loaded("ovs_bridge").EXAMPLES):
        arguments = {"database": lab.database, **task["hospital.continuity.ovs_bridge"]}
        result = run_module("ovs_bridge", arguments)
        assert not result.failed, (task["name"], result.message)
        assert result.changed and result.data["unmet"] == []
        assert not run_module("ovs_bridge", arguments).changed
    assert sorted(lab.vsctl("list-br").split()) == ["vmbr0", "vmbr2"]
