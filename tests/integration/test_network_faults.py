# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What breaks in a server room, done to a node with an LACP bond to a switch, both with a real Open vSwitch.

Each fault is told by ovs_bond (`unmet`) and by ovs_info (`health`) with the member, its partner and the likely cause,
and traffic goes on as far as the fault allows.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from lab.hosts import Hosts, Link, Switch, Traffic, wait_until, why_not
from lab.hosts.modules import Outcome, run_module

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"hosts in containers cannot run here: {why_not()}")

BOND = {
    "name": "bond0",
    "bridge": "vmbr0",
    "members": ["eno1", "eno2"],
    "lacp": "active",
    "lacp_time": "fast",
    "mode": "balance-tcp",
    "trunks": [10],
}
NOBODY = "00:00:00:00:00:00"
# Enough flows for every member to carry some.
ADDRESSES = [f"198.19.10.{number}" for number in range(1, 9)]


class Node:
    """The node under test and what it is wired to."""

    def __init__(self, hosts: Hosts) -> None:
        self.host, self.switch = hosts["node1"], Switch(hosts["switch"])
        self.links: dict[str, Link] = {}
        for number in (1, 2, 3):
            self.links[f"eno{number}"] = hosts.link("node1", f"eno{number}", "switch", f"p{number}")
        for address in ADDRESSES:
            self.switch.address(10, f"{address}/24")
        self.switch.bond("n1", ["p1", "p2", "p3"], vlans=[10, 20])

    def start_afresh(self) -> None:
        """Both ends as they were, by hand: what is tested is not what prepares the test."""
        for link in self.links.values():
            link.heal()
            link.plug()
        # In two steps: LACP then begins at once.
        self.host.run("ovs-vsctl", "--if-exists", "del-br", "vmbr0")
        self.switch.restore("n1")
        words = ["add-br", "vmbr0", "--", "set", "bridge", "vmbr0", "datapath_type=netdev"]
        words += ["--", "add-bond", "vmbr0", "bond0", "eno1", "eno2", "trunks=10", "lacp=active"]
        words += ["bond_mode=balance-tcp", "other_config:lacp-time=fast"]
        words += ["--", "add-port", "vmbr0", "mgmt", "tag=10", "--", "set", "interface", "mgmt", "type=internal"]
        self.host.run("ovs-vsctl", *words)
        self.host.run("ip", "address", "replace", "198.19.10.11/24", "dev", "mgmt")
        self.host.run("ip", "link", "set", "mgmt", "up")
        self.wait_attached(2)

    def lacp(self) -> str:
        return self.host.run("ovs-appctl", "lacp/show", "bond0").stdout

    def wait_attached(self, members: int) -> None:
        def attached() -> bool:
            text = self.lacp()
            enabled = text.count("may_enable: true")
            return text.count("member: ") == text.count(": current attached") == enabled == members

        wait_until(attached, f"LACP on {members} members", 60)

    def bond(self, *, verify_timeout: int = 0, check: bool = False, **changes: object) -> Outcome:
        arguments = {"config": [{**BOND, **changes}], "verify_timeout": verify_timeout}
        return run_module(self.host, "ovs_bond", arguments, check=check)

    def told(self) -> str:
        """What a nightly run of the same declaration and ovs_info say is wrong; both have to say it."""
        outcome = self.bond()
        assert (outcome.failed, outcome.changed) == (False, False), outcome.data
        info = run_module(self.host, "ovs_info", {})
        assert not info.failed, info.message
        health = info.data["health"]
        messages = [problem["message"] for problem in health]
        assert {problem["subject"] for problem in health} <= {"bond bond0"}
        assert sorted(messages) == sorted(outcome.data["unmet"])
        return outcome.unmet

    def traffic(self) -> Traffic:
        return Traffic(self.host.namespace, *ADDRESSES)


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    with Hosts("node1", "switch", ssh=True) as hosts:
        yield hosts


@pytest.fixture(scope="module")
def wired(hosts: Hosts) -> Node:
    return Node(hosts)


@pytest.fixture
def node(wired: Node) -> Node:
    wired.start_afresh()
    return wired


def test_nothing_is_wrong_at_first(node: Node) -> None:
    assert node.told() == ""


def test_a_member_without_a_carrier_is_told_and_traffic_goes_on(node: Node) -> None:
    with node.traffic() as traffic:
        time.sleep(0.5)
        node.links["eno2"].pull()
        time.sleep(2)
    # How many frames exactly is measured by bin/bench network, where nothing else runs.
    assert traffic.silence < 1, traffic.results
    told = node.told()
    assert re.search(r"bond0: member eno2 .*no carrier.*cable", told), told
    assert "eno1" not in told

    node.links["eno2"].plug()
    mended = node.bond(verify_timeout=20)
    assert (mended.changed, mended.unmet) == (False, "")


def test_a_link_that_died_silently_is_told_and_traffic_moves_within_seconds(node: Node) -> None:
    partner = re.search(r"partner sys_id: (\S+)", node.lacp())[1]
    with node.traffic() as traffic:
        time.sleep(0.5)
        node.links["eno1"].silence()
        wait_until(lambda: "eno1: expired" in node.lacp(), "the partner to be missed", 10)
        expired = node.bond()
        wait_until(lambda: "eno1: defaulted" in node.lacp(), "the partner to be given up", 10)
        time.sleep(2)
    # LACP's three seconds, and a busy machine.
    assert traffic.silence < 4.5, traffic.results
    # For three seconds more is known than later: whose word is missed. A busy machine may ask too late for that.
    silent = rf"bond0: member eno1 is expired.*{partner} has fallen silent.*dead"
    assert re.search(rf"{silent}|bond0: member eno1 is defaulted", expired.unmet), expired.data
    told = node.told()
    assert re.search(r"bond0: member eno1 is defaulted.*without any partner.*switch's side", told), told
    assert "member eno2" not in told
    assert node.links["eno1"].near.carrier(), "its carrier was to stay"
    assert f"partner sys_id: {partner}" in node.lacp(), "eno2 keeps its partner"


def test_members_at_two_switches_are_told_with_both_partners(node: Node) -> None:
    with node.traffic() as traffic:
        time.sleep(0.5)
        node.switch.two_partners("n1")
        time.sleep(4)
    told = node.told()
    assert "different partners" in told, told
    partners = re.findall(r"(eno\d) sees ([0-9a-f:]{17})", told)
    assert {member for member, _partner in partners} == {"eno1", "eno2"}
    assert len({partner for _member, partner in partners}) == 2, told
    assert "two switches" in told
    # Open vSwitch uses the members of one partner; flows of the other have to move.
    assert all(pings.lost < pings.sent for pings in traffic.results), traffic.results
    with node.traffic() as after:
        time.sleep(1)
    assert after.lost == 0, after.results


def test_a_switch_without_lacp_is_told_for_every_member(node: Node) -> None:
    node.switch.without_lacp("n1")
    wait_until(lambda: node.lacp().count("defaulted detached") == 2, "both members to lose their partner", 20)
    told = node.told()
    for member in ("eno1", "eno2"):
        assert re.search(rf"bond0: member {member} is defaulted.*without any partner.*no LACP", told), told


def test_a_switch_without_lacp_keeps_traffic_with_the_fallback(node: Node) -> None:
    fallback = node.bond(lacp_fallback_ab=True)
    assert fallback.changed and not fallback.failed, fallback.data
    with node.traffic() as traffic:
        time.sleep(0.5)
        node.switch.without_lacp("n1")
        wait_until(lambda: node.lacp().count(f"partner sys_id: {NOBODY}") == 2, "the partner to be given up", 20)
        time.sleep(3)
    assert all(pings.silence < 9 for pings in traffic.results), traffic.results
    with node.traffic() as after:
        time.sleep(1)
    assert after.lost == 0, after.results
    unmet = node.bond(lacp_fallback_ab=True).unmet
    for member in ("eno1", "eno2"):
        assert re.search(rf"bond0: member {member} .*without any partner.*no LACP.*lacp_fallback_ab", unmet), unmet


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_the_switch_daemon_restarted_is_the_same_bond_again(node: Node, how: str) -> None:
    words = {"restart": ["restart"], "kill": ["kill", "--signal=KILL"]}[how]
    node.host.run("systemctl", *words, "ovs-vswitchd")
    wait_until(lambda: node.host.run("ovs-appctl", "version", check=False).returncode == 0, "ovs-vswitchd", 20)
    outcome = node.bond(verify_timeout=20)
    assert (outcome.failed, outcome.changed, outcome.unmet) == (False, False, ""), outcome.data
    # An internal port's address is the system's, which gives it again when it makes the port anew.
    node.host.run("ip", "address", "replace", "198.19.10.11/24", "dev", "mgmt")
    node.host.run("ip", "link", "set", "mgmt", "up")
    with node.traffic() as after:
        time.sleep(1)
    assert after.lost == 0, after.results
    assert node.told() == ""


def test_members_mode_and_trunks_change_at_once_without_a_lost_packet(node: Node) -> None:
    changes = {"members": ["eno1", "eno2", "eno3"], "mode": "balance-slb", "trunks": [10, 20]}
    predicted = node.bond(check=True, **changes)
    with node.traffic() as traffic:
        time.sleep(0.5)
        outcome = node.bond(verify_timeout=20, **changes)
        time.sleep(1)
    assert traffic.lost == 0, traffic.results
    assert (outcome.changed, outcome.unmet) == (True, ""), outcome.data
    assert [step.partition(": ")[2] for step in outcome.data["steps"]] == [
        step.partition(": ")[2] for step in predicted.data["steps"]
    ]
    assert len(outcome.data["steps"]) == 1
    node.wait_attached(3)
    assert node.host.run("ovs-vsctl", "get", "port", "bond0", "trunks").stdout.strip() == "[10, 20]"
    again = node.bond(**changes)
    assert (again.changed, again.unmet) == (False, "")


def test_an_undeclared_member_of_a_bond_that_works_is_not_missed(node: Node) -> None:
    """A member that is taken out is missed by nobody: the rest carries on."""
    grown = node.bond(verify_timeout=20, members=["eno1", "eno2", "eno3"])
    assert (grown.changed, grown.unmet) == (True, "")
    outcome = node.bond(verify_timeout=20)
    assert (outcome.changed, outcome.unmet) == (True, ""), outcome.data
    wait_until(lambda: "p3: current" not in node.switch.host.run("ovs-appctl", "lacp/show", "n1").stdout, "p3", 10)
    with node.traffic() as after:
        time.sleep(1)
    assert after.lost == 0, after.results
