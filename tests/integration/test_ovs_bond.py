# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The module ovs_bond on a real Open vSwitch with real network interfaces: LACP through veth pairs to a second bridge
that plays the switch. The same under ping, and with ovs-vswitchd restarted, is in the hosts' suite (molecule)."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from lab import veth
from lab.ovs import OvsLab
from tests.contract.invocation import Result, run_module

HOST, SWITCH, OTHER = "hct-host", "hct-switch", "hct-other"


@pytest.fixture(scope="module")
def wired() -> Iterator[tuple[OvsLab, list[str], list[str]]]:
    """An Open vSwitch, the host's ends of three cables, and the switch's."""
    if not veth.available():
        pytest.skip("LACP needs network interfaces, and this process may make none (no root)")
    with veth.cables(3) as ends, OvsLab() as lab:
        yield lab, [one for one, other in ends], [other for one, other in ends]


class Bonds:
    """Runs the modules and plays the switch."""

    def __init__(self, lab: OvsLab, nics: list[str], ports: list[str]) -> None:
        self.lab, self.nics, self.ports = lab, nics, ports
        self.wrote = 0

    def __call__(self, *config: dict[str, Any], check: bool = False, **params: Any) -> Result:
        before = self.lab.writes
        arguments = {"config": list(config), "database": self.lab.database, "verify_timeout": 10, **params}
        result = run_module("ovs_bond", arguments, check=check)
        self.wrote = self.lab.writes - before
        assert not result.crash, result.crash
        return result

    def bond(self, **options: Any) -> dict[str, Any]:
        base = {"name": "bond0", "bridge": HOST, "members": self.nics[:2], "lacp": "active", "lacp_time": "fast"}
        return {**base, "mode": "balance-tcp", **options}

    def made(self, **options: Any) -> Result:
        result = self(self.bond(**options))
        assert not result.failed, result.message
        return result

    def health(self) -> list[str]:
        result = run_module("ovs_info", {"database": self.lab.database})
        assert not result.failed, result.message
        return [finding["message"] for finding in result.data["health"]]

    def told(self, pattern: str) -> list[str]:
        """What a run says that changes nothing, as soon as the pattern is in it."""
        for _attempt in range(100):
            result = self({"name": "bond0"}, check=True)
            assert not result.failed, result.message
            assert not result.changed
            if pattern in " ".join(result.data["unmet"]):
                break
            time.sleep(0.1)
        unmet: list[str] = result.data["unmet"]
        assert pattern in " ".join(unmet)
        assert set(unmet) <= set(self.health())
        return unmet

    def switch(self, *ports: str, bridge: str = SWITCH, lacp: str = "active") -> None:
        """The switch's ports, in one group (where they are several)."""
        settings = [f"lacp={lacp}", "other_config:lacp-time=fast"]
        if len(ports) > 1:
            self.lab.vsctl("add-bond", bridge, "group", *ports, "--", "set", "Port", "group", *settings)
        else:
            self.lab.vsctl("add-port", bridge, ports[0], "--", "set", "Port", ports[0], *settings)

    def rows(self) -> dict[str, str]:
        """The uuid of the bond's row, and of those of its members."""
        found = {"bond0": self.lab.vsctl("get", "Port", "bond0", "_uuid").strip()}
        for nic in self.nics:
            name = self.lab.vsctl("--bare", "--columns=_uuid", "find", "Interface", f"name={nic}").strip()
            found.update({nic: name} if name else {})
        return found

    def column(self, name: str) -> str:
        return self.lab.vsctl("get", "Port", "bond0", name).strip()


@pytest.fixture
def bonds(wired: tuple[OvsLab, list[str], list[str]]) -> Iterator[Bonds]:
    lab, nics, ports = wired
    for bridge in (HOST, SWITCH, OTHER):
        lab.vsctl("add-br", bridge, "--", "set", "Bridge", bridge, "datapath_type=netdev")
    yield Bonds(lab, nics, ports)
    for bridge in (HOST, SWITCH, OTHER):
        lab.vsctl("del-br", bridge)
    for name in (*nics, *ports):
        veth.ip("link", "set", name, "up")
        veth.ip("link", "set", name, "mtu", "1500")


def test_lacp_proves_itself_before_the_run_ends(bonds: Bonds) -> None:
    bonds.switch(*bonds.ports[:2])
    first = bonds.made(trunks=[10, 20], mtu=9000)
    assert (first.changed, bonds.wrote, first.data["unmet"]) == (True, 1, [])
    assert bonds.health() == []
    again = bonds.made(trunks=[20, 10], mtu=9000)
    assert (again.changed, bonds.wrote, again.data["unmet"]) == (False, 0, [])


def test_everything_changes_at_once_in_place(bonds: Bonds) -> None:
    """Mode, members, trunks, tag in one transaction; the bond and the member that stays keep their rows."""
    bonds.switch(*bonds.ports)
    bonds.made()
    before = bonds.rows()
    item = {
        "name": "bond0",
        "members": bonds.nics[1:],
        "mode": "balance-slb",
        "trunks": [10, 20],
        "tag": 5,
        "vlan_mode": "native-untagged",
    }
    predicted = bonds(item, check=True)
    result = bonds(item)
    assert not result.failed, result.message
    assert (result.planned, result.diff) == (predicted.planned, predicted.diff)
    assert (bonds.wrote, result.data["unmet"]) == (1, [])
    after = bonds.rows()
    assert (after["bond0"], after[bonds.nics[1]]) == (before["bond0"], before[bonds.nics[1]])
    assert set(after) == {"bond0", *bonds.nics[1:]}
    assert (bonds.column("bond_mode"), bonds.column("trunks")) == ("balance-slb", "[10, 20]")


def test_the_switch_is_told_when_a_member_leaves(bonds: Bonds) -> None:
    """Else it goes on sending there for three seconds. The interface itself is left as it was, switched on, and those
    that stay in the bond stay in it on the other side as well."""
    bonds.switch(*bonds.ports[:2])
    bonds.made()
    left, stays = bonds.nics[1], bonds.nics[0]
    assert not bonds({"name": "bond0", "members": [stays, bonds.nics[2]]}, verify_timeout=0).failed
    group = bonds.lab.appctl("lacp/show", "group")
    assert f"{bonds.ports[0]}: current attached" in group, group
    assert f"{bonds.ports[1]}: current attached" not in group, group
    assert "UP" in subprocess.run(["ip", "-o", "link", "show", left], capture_output=True, text=True, check=True).stdout


def test_a_carrier_that_is_gone_is_told(bonds: Bonds) -> None:
    bonds.switch(*bonds.ports[:2])
    bonds.made()
    veth.ip("link", "set", bonds.ports[1], "down")
    (text,) = bonds.told("has no carrier")
    assert f"bond bond0: member {bonds.nics[1]} has no carrier: look at its cable" in text
    veth.ip("link", "set", bonds.nics[1], "down")
    (text,) = bonds.told("is switched off")
    assert f"ip link set {bonds.nics[1]} up" in text


def test_a_switch_without_lacp_is_told(bonds: Bonds) -> None:
    """LACP on one of two ports only: the bond calls itself negotiated, and stays so."""
    bonds.switch(bonds.ports[0])
    bonds.switch(bonds.ports[1], lacp="off")
    bonds(bonds.bond(), verify_timeout=0)
    (text,) = bonds.told("defaulted detached")
    assert f"member {bonds.nics[1]} is defaulted detached, without any partner: the switch's side has no LACP" in text
    assert "negotiated" in bonds.lab.appctl("lacp/show", "bond0")


def test_a_switch_that_speaks_no_lacp_at_all_is_told(bonds: Bonds) -> None:
    bonds.switch(*bonds.ports[:2], lacp="off")
    bonds(bonds.bond(lacp_fallback_ab=True), verify_timeout=0)
    texts = bonds.told("defaulted attached")
    assert len(texts) == 2
    assert all("used without LACP (lacp_fallback_ab)" in text for text in texts)


def test_members_on_different_partners_are_told(bonds: Bonds) -> None:
    bonds.switch(bonds.ports[0])
    bonds.switch(bonds.ports[1], bridge=OTHER)
    bonds(bonds.bond(), verify_timeout=0)
    texts = bonds.told("different partners")
    assert "cabled to two switches that are not one stack" in " ".join(texts)
    assert all(nic in " ".join(texts) for nic in bonds.nics[:2])


def test_a_member_that_is_silently_dead_is_told(bonds: Bonds) -> None:
    if not shutil.which("nft"):
        pytest.skip("nftables is not installed: nothing else drops every frame here")
    bonds.switch(*bonds.ports[:2])
    bonds.made()
    dead = (bonds.nics[1], bonds.ports[1])
    chains = [
        f"add chain netdev hctdrop {name} {{ type filter hook egress device {name} priority -500; policy drop; }}"
        for name in dead
    ]
    rules = "\n".join(["add table netdev hctdrop", *chains])
    done = subprocess.run(["nft", "-f", "-"], input=rules, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"frames cannot be dropped here: {done.stderr.strip()}")
    try:
        (text,) = bonds.told("has fallen silent")
        assert f"member {bonds.nics[1]} is expired attached" in text
        assert "the link is dead although there is a carrier" in text
    finally:
        subprocess.run(["nft", "delete", "table", "netdev", "hctdrop"], check=True)


def test_a_member_goes_from_one_bond_to_another_in_one_transaction(bonds: Bonds) -> None:
    first = {"name": "bond0", "bridge": HOST, "members": bonds.nics}
    second = {"name": "bond1", "bridge": HOST, "members": bonds.ports[:2]}
    assert not bonds(first, second).failed
    swapped = (
        {"name": "bond0", "members": [bonds.nics[0], bonds.ports[1]]},
        {"name": "bond1", "members": [bonds.ports[0], *bonds.nics[1:]]},
    )
    for config in (swapped, swapped[::-1]):
        result = bonds(*config)
        assert not result.failed, result.message
        assert result.data["unmet"] == []
    assert bonds.wrote == 0, "the second run had nothing to do"
    assert not bonds(first, second).failed
    assert bonds.wrote == 1


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"lacp": "off"}, "balance-tcp without LACP"),
        ({"members": ["{nic0}", "{port0}"]}, "belongs to the port {port0} of hct-switch already"),
        ({"members": ["{nic0}", "hct-none"]}, "member hct-none: there is no such network interface on this host"),
        ({"members": ["{nic0}", "hct-switch"]}, "it belongs to the bridge hct-switch already"),
        ({"mtu": 65535 + 1}, "mtu: 65536 is not between"),
        ({"vlan_mode": "access"}, "needs a tag"),
        ({"bridge": "hct-none"}, "there is no bridge hct-none"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    bonds: Bonds, change: dict[str, Any], complaint: str
) -> None:
    names = {"nic0": bonds.nics[0], "port0": bonds.ports[0]}
    bonds.switch(bonds.ports[0])
    fine = {"name": "hct-fine", "bridge": HOST, "members": bonds.ports[1:]}
    given = {
        option: [one.format(**names) for one in value] if option == "members" else value
        for option, value in change.items()
    }
    for existing in (False, True):
        if existing:
            bonds(bonds.bond(), verify_timeout=0)
        result = bonds(fine, bonds.bond(**given), allow=["bond_flap"])
        assert result.failed
        assert bonds.wrote == 0
        assert complaint.format(**names) in result.message, result.message


def test_a_bridge_that_an_earlier_task_makes_is_a_warning_in_check_mode(bonds: Bonds) -> None:
    result = bonds(bonds.bond(bridge="hct-later"), check=True)
    assert not result.failed, result.message
    assert "there is no bridge hct-later" in str(result.data["warnings"])
    assert bonds(bonds.bond(bridge="hct-later")).failed


def test_a_bond_that_is_down_needs_no_consent_to_go(bonds: Bonds) -> None:
    bonds.switch(*bonds.ports[:2])
    bonds.made()
    refused = bonds({"name": "bond0"}, state="absent")
    assert refused.failed and "cut_port:bond0" in refused.message
    for port in bonds.ports:
        veth.ip("link", "set", port, "down")
    bonds.told("has no carrier")
    gone = bonds({"name": "bond0"}, state="absent")
    assert not gone.failed, gone.message
    assert bonds.wrote == 1
