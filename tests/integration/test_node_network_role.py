# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The playbook hospital.continuity.network on a node of Proxmox VE, as a person runs it, and what can go wrong then.

The node's API is simulated; its Open vSwitch, ifupdown2, systemd, SSH and the switch are real. Once its network is made
the node is managed through it: a bond, a bridge and a VLAN interface.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.hosts import Hosts, Switch, wait_until, why_not
from lab.pve import Lab
from tests.contract.playbook import program
from tests.integration.pve_node import ContainerNetwork, HighAvailability

ROOT = Path(__file__).resolve().parents[2]
CONTROL, NODE = "198.19.78.1", "198.19.78.11"
PORTALS = {"bond0": "198.19.20.1", "bond1": "198.19.200.1"}
NICS = ("eno1", "eno2", "eno3", "eno4", "eno5")
FRESH = "auto lo\niface lo inet loopback\n\n" + "".join(f"iface {nic} inet manual\n\n" for nic in NICS)
STATE = "/var/lib/hospital.continuity/network-checkpoint/state.json"
# Which of them the node has at the moment; a test that changes something changes to the other.
TRUNKS = [[10, 20], [10, 20, 30]]
# Without the VLAN through which the node is managed.
CUT = [20]
SECRET = "correct-horse-battery-staple"
INSTALLED = """for package in openvswitch-ipsec strongswan-starter strongswan-charon; do printf '
Package: %s
Status: install ok installed
Architecture: all
Version: 3.1.0-2
Maintainer: nobody <nobody@example.org>
Description: a stand-in
' $package >> /var/lib/dpkg/status; done
mkdir -p /var/lib/apt/periodic
touch /var/lib/apt/periodic/update-success-stamp /var/lib/apt/lists
"""
LACP = {"mode": "balance-tcp", "lacp": "active", "lacp_time": "fast"}


def described(trunks: list[int]) -> dict[str, Any]:
    return {
        "node_network_manager": "pve",
        "node_network_bridges": [{"name": "vmbr0", "comment": "LAN trunk"}, {"name": "vmbr1", "comment": "iSCSI LAN"}],
        "node_network_bonds": [
            {"name": "bond0", "bridge": "vmbr0", "members": ["eno1", "eno2"], "trunks": trunks, **LACP},
            {"name": "bond1", "bridge": "vmbr1", "members": ["eno3", "eno4"], **LACP},
        ],
        "node_network_vlans": [
            {"name": "mgmt", "bridge": "vmbr0", "tag": 10, "address": f"{NODE}/24"},
            {"name": "clinical", "bridge": "vmbr0", "tag": 20, "address": "198.19.20.11/24"},
            {"name": "iscsi", "bridge": "vmbr1", "address": "198.19.200.11/24"},
        ],
        "node_network_storage_paths": [{"portal": portal, "through": through} for through, portal in PORTALS.items()],
        "node_network_peers": [CONTROL],
        # A busy machine takes seconds until LACP has settled.
        "node_network_rollback_after": 30,
        "node_network_verify_timeout": 20,
        "node_network_reach_timeout": 60,
    }


@dataclass(frozen=True)
class Run:
    """A playbook that ended."""

    code: int
    text: str

    @property
    def changed(self) -> int:
        return int(self.text.rpartition("PLAY RECAP")[2].split("changed=")[1].split()[0])

    @property
    def failures(self) -> list[tuple[str, str]]:
        """(task, message) of each failure that nothing rescued or expected."""
        found, task = [], ""
        for line in self.text.splitlines():
            if line.startswith("TASK ["):
                task = line[len("TASK [") : line.rindex("]")].rpartition(" : ")[2]
            elif line.startswith(("fatal:", "failed:")):
                found.append((task, str(json.loads(line.partition("=> ")[2]).get("msg"))))
        return found

    def good(self) -> Run:
        assert self.code == 0, self.text
        return self

    @property
    def why(self) -> str:
        """The last word of a play that failed."""
        assert self.code != 0, self.text
        assert "Traceback" not in self.text
        return self.failures[-1][1]


class Node:
    """pve1, and the playbook run on it."""

    def __init__(self, hosts: Hosts, lab: Lab, folder: Path) -> None:
        self.host, self.switch, self.lab, self.folder = hosts["pve1"], hosts["switch"], lab, folder
        self.ha = HighAvailability(self.host, lab, "pve2")
        access = self.host.access
        assert access is not None
        self.address = self.host.ssh_address
        # Whoever runs playbooks has keys and known hosts in OpenSSH's own configuration; the modules use it too.
        config = folder / "ssh_config"
        config.write_text(
            f"IdentityFile {access.identity}\nUserKnownHostsFile {access.known_hosts}\nStrictHostKeyChecking yes\n"
        )
        wrapper = folder / "bin" / "ssh"
        wrapper.parent.mkdir()
        wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {config} "$@"\n')
        wrapper.chmod(0o755)
        self.now, self.next = TRUNKS
        self._control_path = str(access.directory / "cp")

    def renew(self) -> None:
        """The cluster as it is between two tests: everything there, one guest under high availability on pve1."""
        if self.checkpoint:
            self.now, self.next = sorted(TRUNKS, key=lambda trunks: trunks != self.trunks)
        network = self.lab.cluster.networks.get("pve1")
        self.lab.reset()
        if isinstance(network, ContainerNetwork):
            network.revert()
            self.lab.cluster.networks["pve1"] = network
        else:
            self.lab.cluster.networks["pve1"] = ContainerNetwork(self.host, FRESH, NICS)
        self.guests(100, 101)
        self.lab.call(lambda: self.lab.cluster.ha_resources.update({"vm:100": {"state": "started"}}))
        self.ha.forget()
        self.switch.run("systemctl", "start", "portal")

    def guests(self, *vmids: int) -> None:
        """100 and so on run: those with an even number on pve1, the others on pve2."""
        self.lab.add_guests(len(vmids), first_vmid=vmids[0], running=True)

    def play(self, *arguments: str, trunks: list[int] | None = None, **variables: Any) -> Run:
        with self.ha.at_work(), self.start(*arguments, trunks=trunks, **variables) as running:
            output, _nothing = running.communicate(timeout=240)
        return Run(running.returncode, output)

    def start(self, *arguments: str, trunks: list[int] | None = None, **variables: Any) -> subprocess.Popen[str]:
        self.lab.reset_counters()
        self.write_inventory(trunks, **variables)
        return subprocess.Popen(
            [program("ansible-playbook"), "hospital.continuity.network", "-i", "hosts.yml", *arguments],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            start_new_session=True,
        )

    def write_inventory(self, trunks: list[int] | None = None, **variables: Any) -> None:
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(self._inventory(trunks or self.now, variables)))

    def _inventory(self, trunks: list[int], variables: Mapping[str, Any]) -> dict[str, Any]:
        pve1 = {
            "ansible_host": self.address,
            "ansible_user": "root",
            "ansible_control_path_dir": self._control_path,
            # Without it a connection that is cut is waited for until tomorrow.
            "ansible_ssh_common_args": "-o ServerAliveInterval=3 -o ServerAliveCountMax=1",
            "ansible_python_interpreter": "/usr/bin/python3",
            "cluster_host": "hospital",
            **described(trunks),
            **variables,
        }
        hospital = {
            "pve_api_host": self.lab.host,
            "pve_api_port": self.lab.port,
            "pve_api_token_id": self.lab.token_id,
            "pve_api_token_secret": self.lab.token_secret,
            "pve_ca_path": self.lab.ca,
        }
        # After pve1, and never reached: nothing but the order of things keeps the playbook from it.
        pve2 = {"ansible_host": "127.0.0.1", "ansible_port": 1, "cluster_host": "hospital"}
        pve2 |= {"node_network_manager": "pve", "node_network_bridges": [{"name": "vmbr7"}]}
        nodes = {"pve1": pve1, "pve2": pve2}
        return {"all": {"children": {"clusters": {"hosts": {"hospital": hospital}}, "nodes": {"hosts": nodes}}}}

    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if "PVE_" not in name}
        path = [str(self.folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
        return {
            **clean,
            "PATH": os.pathsep.join(path),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_TIMEOUT": "3",
        }

    @property
    def checkpoint(self) -> dict[str, Any]:
        done = self.host.run("cat", STATE, check=False)
        return dict(json.loads(done.stdout)) if done.returncode == 0 else {}

    @property
    def trunks(self) -> list[int]:
        """Of the bond that runs."""
        return sorted(json.loads(self.host.run("ovs-vsctl", "get", "port", "bond0", "trunks").stdout))

    @property
    def attached(self) -> int:
        """How many members of bonds are attached to their partner."""
        return self.host.run("ovs-appctl", "lacp/show").stdout.count(": current attached")

    def answers(self) -> bool:
        done = subprocess.run(["ping", "-c", "1", "-W", "1", NODE], capture_output=True, check=False)
        return done.returncode == 0

    def as_before(self) -> None:
        """Its network is what it was before a change that failed, in Open vSwitch and in the file; guests come back."""
        assert self.trunks == self.now
        assert f"trunks={','.join(map(str, self.now))}" in self.lab.network("pve1").active.split()
        assert self.lab.network("pve1").pending is None
        assert self.answers()
        assert not self.ha.maintenance

    def untouched(self, run: Run, checkpoint: Mapping[str, Any]) -> None:
        assert self.lab.writes == []
        assert self.checkpoint == checkpoint, "something was armed"
        assert "vmbr7" not in run.text, "it went on to the next node"
        self.as_before()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, Run]]:
    """The node after the first run, and that run."""
    if reason := why_not():
        pytest.skip(reason)
    with Hosts("pve1", "switch", ssh=True) as hosts, Lab(nodes=["pve1", "pve2"]) as lab:
        # The fifth ends at a port where nobody speaks LACP.
        for number in (1, 2, 3, 4, 5):
            hosts.link("pve1", f"eno{number}", "switch", f"p{number}")
        hosts.plug_in("switch", "ctl0", f"{CONTROL}/24")
        switch = Switch(hosts["switch"])
        switch.bond("lan", ["p1", "p2"], vlans=[10, 20, 30])
        switch.bond("iscsi", ["p3", "p4"], tag=200)
        switch.access_port("ctl0", 10)
        switch.address(20, f"{PORTALS['bond0']}/24")
        switch.address(200, f"{PORTALS['bond1']}/24")
        unit = "[Service]\nExecStart=/usr/bin/python3 -m http.server 3260\n"
        hosts["switch"].write("/etc/systemd/system/portal.service", unit)
        node = Node(hosts, lab, tmp_path_factory.mktemp("control"))
        node.renew()
        first = node.play("--limit", "pve1")
        access = node.host.access
        assert access is not None
        access.know(node.host, NODE)
        node.address = NODE
        yield node, first


@pytest.fixture
def node(made: tuple[Node, Run]) -> Iterator[Node]:
    node, first = made
    assert first.code == 0, first.text
    node.renew()
    yield node
    with suppress(TimeoutError):
        wait_until(lambda: node.checkpoint["state"] not in ("armed", "rolling_back"), "the end of it", 60)


def test_a_new_node_gets_its_network(made: tuple[Node, Run]) -> None:
    node, first = made
    first.good()
    assert node.attached == 4
    assert node.trunks == node.now
    assert node.answers()
    assert node.checkpoint["state"] == "confirmed"
    assert node.ha.calls == ["enable pve1", "disable pve1"], "a guest under high availability runs there"


def test_a_second_run_changes_nothing(node: Node) -> None:
    run = node.play("--limit", "pve1").good()
    assert run.changed == 0, run.text
    assert node.lab.writes == []
    assert node.ha.calls == []


def test_check_mode_shows_the_bond_and_does_not_need_the_node(node: Node) -> None:
    node.host.run("systemctl", "stop", "ssh")
    try:
        arguments = ("--limit", "pve1", "--check", "--diff", "--skip-tags", "tunnels")
        run = node.play(*arguments, trunks=node.next, ansible_host="127.0.0.1", ansible_port=1).good()
    finally:
        node.host.run("systemctl", "start", "ssh")
    assert "update network pve1/bond0" in run.text
    for trunks in TRUNKS:
        assert f'"trunks": "{",".join(map(str, trunks))}"' in run.text, run.text
    assert node.lab.writes == []
    node.as_before()


def test_a_node_without_guests_under_high_availability_needs_no_maintenance(node: Node) -> None:
    node.lab.call(node.lab.cluster.ha_resources.clear)
    node.play("--limit", "pve1", trunks=node.next).good()
    assert node.trunks == node.next
    assert node.ha.calls == []


def test_maintenance_that_somebody_else_began_stays(node: Node) -> None:
    node.host.run("ha-manager", "crm-command", "node-maintenance", "enable", "pve1")
    node.lab.move_guest(100, "pve2")
    node.play("--limit", "pve1", trunks=node.next, node_network_maintenance="always").good()
    assert node.trunks == node.next
    assert node.ha.maintenance
    assert node.ha.calls == ["enable pve1"]


def test_without_quorum_it_is_refused(node: Node) -> None:
    before = node.checkpoint
    node.lab.lose_quorum()
    run = node.play(trunks=node.next)
    assert "Nothing was changed" in run.why and "no quorum" in run.why
    assert len(run.failures) == 1
    assert node.ha.calls == []
    node.untouched(run, before)


def test_with_another_node_missing_it_is_refused(node: Node) -> None:
    before = node.checkpoint
    node.lab.node_offline("pve2")
    run = node.play(trunks=node.next)
    assert "Nothing was changed" in run.why and "pve2" in run.why
    assert len(run.failures) == 1
    assert node.ha.calls == []
    node.untouched(run, before)


def test_with_the_other_storage_path_dead_it_is_refused(node: Node) -> None:
    before = node.checkpoint
    node.switch.run("systemctl", "stop", "portal")
    run = node.play(trunks=node.next)
    assert f"does not answer at {PORTALS['bond1']} through bond1" in run.text
    assert "bond0, is to be changed" in run.text
    assert run.code != 0
    assert node.ha.calls == []
    node.untouched(run, before)


def test_guests_that_would_lose_all_their_storage_are_named(node: Node) -> None:
    before = node.checkpoint
    node.guests(110, 111)
    paths = [{"portal": PORTALS["bond0"], "through": "bond0"}]
    run = node.play(trunks=node.next, node_network_storage_paths=paths)
    assert "vm110 (110)" in run.why and "vm111" not in run.why and "vm100" not in run.why
    assert len(run.failures) == 1
    assert node.ha.calls == [], "others had to move for nothing"
    node.untouched(run, before)


def test_guests_that_do_not_move_away_stop_it(node: Node) -> None:
    before = node.checkpoint
    node.ha.obeys = False
    run = node.play(trunks=node.next, node_network_maintenance_timeout=5)
    assert "vm100 (100)" in run.why and "5 s" in run.why
    assert run.failures[-1][0] == "Say why"
    assert node.ha.calls == ["enable pve1", "disable pve1"]
    node.untouched(run, before)


def test_peers_that_do_not_answer_mean_going_back(node: Node) -> None:
    run = node.play(trunks=node.next, node_network_peers=[CONTROL, "198.19.78.99"])
    assert "198.19.78.99" in run.why and "old configuration" in run.why
    assert run.failures[-1][0] == "Say why"
    assert node.checkpoint["state"] == "rolled_back"
    assert "vmbr7" not in run.text
    node.as_before()


def test_a_bond_that_finds_no_partner_means_going_back(node: Node) -> None:
    bonds = described(node.now)["node_network_bonds"]
    bonds[0]["members"] = ["eno1", "eno2", "eno5"]
    run = node.play(node_network_bonds=bonds, node_network_verify_timeout=4)
    assert "bond bond0" in run.why and "eno5" in run.why and "old configuration" in run.why
    assert run.failures[-1][0] == "Say why"
    assert node.checkpoint["state"] == "rolled_back"
    assert "eno5" not in node.host.run("ovs-vsctl", "list-ports", "vmbr0").stdout
    assert node.attached == 4
    assert node.ha.calls == ["enable pve1", "disable pve1"]
    node.as_before()


def test_a_change_that_cuts_the_node_off_is_taken_back(node: Node) -> None:
    variables = {"node_network_rollback_after": 12, "node_network_verify_timeout": 8}
    with node.ha.at_work(), node.start(trunks=CUT, **variables) as running:
        wait_until(lambda: node.trunks == CUT and not node.answers(), "being cut off", 60)
        wait_until(node.answers, "the node coming back", 40)
        output, _nothing = running.communicate(timeout=120)
    run = Run(running.returncode, output)
    assert run.failures[-1][0] == "Say why", output
    assert "pve1" in run.why and "old configuration" in run.why
    assert node.ha.calls == ["enable pve1", "disable pve1"], "guests come back"
    assert "vmbr7" not in run.text
    node.as_before()


def test_a_second_run_while_one_is_armed_leaves_it_alone(node: Node) -> None:
    armed = _checkpoint(node, action="arm", timeout=90)
    run = node.play(trunks=node.next)
    assert "armed at" in run.why
    assert run.failures[-1][0] == "Say why"
    assert node.checkpoint["state"] == "armed"
    assert node.checkpoint["identifier"] == armed["identifier"]
    assert node.lab.writes == []
    _checkpoint(node, action="roll_back")
    node.as_before()


def test_a_play_that_is_killed_leaves_a_node_that_goes_back(node: Node) -> None:
    with (
        node.ha.at_work(),
        node.start(trunks=CUT, node_network_rollback_after=12, node_network_verify_timeout=8) as run,
    ):
        wait_until(lambda: node.trunks == CUT, "the change", 60)
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate(timeout=10)
    wait_until(lambda: node.checkpoint["state"] == "rolled_back" and node.answers(), "the node coming back", 40)
    assert node.trunks == node.now
    # Nobody was left to end its maintenance: the next run finds it there, and leaves it.
    assert node.ha.maintenance
    node.play("--limit", "pve1", trunks=node.next).good()
    assert node.trunks == node.next
    assert node.checkpoint["state"] == "confirmed"


def test_a_tunnels_key_is_never_shown(node: Node) -> None:
    """Nor in a failure, and with all that -vvv tells."""
    tunnel = {"name": "trials", "bridge": "vmbr0", "type": "gre", "remote_ip": "192.0.2.19", "psk": SECRET}
    # As if it were installed: the node has no package source.
    node.host.run("sh", "-c", INSTALLED)
    tunnels = [tunnel, {**tunnel, "name": "wrong", "nonsense": True}]
    for given, outcome in (([tunnel], 0), (tunnels, 2), ({"trials": tunnel}, 2)):
        run = node.play("--limit", "pve1", "--check", "--diff", "-vvv", node_network_tunnels=given)
        assert run.code == outcome, run.text
        assert SECRET not in run.text
        assert outcome or "create port trials" in run.text


def _checkpoint(node: Node, **options: Any) -> dict[str, Any]:
    """By somebody else, on the node."""
    node.write_inventory()
    words = ["ansible", "pve1", "-i", "hosts.yml", "-m", "hospital.continuity.network_checkpoint"]
    done = subprocess.run(
        [program(words[0]), *words[1:], "-a", json.dumps(options)],
        env=node.environment(),
        cwd=node.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return node.checkpoint
