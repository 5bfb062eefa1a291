# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""pve_network where a node is more than its API: other people's staged changes, reloads that fail or cut the
connection, bonds that run (on a real Open vSwitch), the checkpoint that guards the path to the node."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.command import Completed, run
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.converge import Clock, Outcome, converge
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import (
    ConsentMissing,
    InvalidInput,
)
from ansible_collections.hospital.continuity.plugins.module_utils.network import checkpoint
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import (
    Connection,
    options_from_environment,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import NotPermitted
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network import NETWORK
from ansible_collections.hospital.continuity.plugins.module_utils.pve.network import NetworkBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.network_node import Node
from lab.ovs import OvsLab, available
from lab.pve import Lab

NODE = "pve1"
APPLY = f"/nodes/{NODE}/network$"


class Cluster:
    """Runs the module's kind against the lab. `node` is what of the node is reachable past the API."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.node: Callable[[str], Node] = Node
        self.clock = Clock(now=self._now, sleep=self._sleep)
        self.patience = 60.0
        self.token = (lab.token_id, lab.token_secret)
        self.meanwhile: list[Callable[[], None]] = []
        self._seconds = 0.0

    def _now(self) -> float:
        return self._seconds

    def _sleep(self, seconds: float) -> None:
        self._seconds += seconds
        if self.meanwhile:
            self.meanwhile.pop(0)()

    def client(self) -> Client:
        token_id, secret = self.token
        options = {**options_from_environment(self.lab.environment()), "api_token_id": token_id}
        connection = Connection.from_options({**options, "api_token_secret": secret})
        return Client(connection, clock=self._now, sleep=lambda _seconds: None)

    def run(self, *config: Mapping[str, Any], check: bool = False, **params: Any) -> Outcome:
        with self.client() as client:
            backend = NetworkBackend(client, node=self.node, patience=self.patience, clock=self.clock)
            items = [{"node": NODE, **item} for item in config]
            declared = NETWORK.declare({"config": items, **params})
            self.lab.reset_counters()
            return converge(NETWORK, declared, backend, check=check, clock=self.clock, verify_timeout=0)

    def done(self, *config: Mapping[str, Any], **params: Any) -> Outcome:
        outcome = self.run(*config, **params)
        assert outcome.failure == ""
        return outcome

    def failed(self, *config: Mapping[str, Any], **params: Any) -> str:
        outcome = self.run(*config, **params)
        assert outcome.failure
        return outcome.failure

    @property
    def network(self) -> Any:
        return self.lab.network(NODE)

    @property
    def written(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.lab.writes]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(nodes=[NODE, "pve2"]) as lab:
        yield lab


@pytest.fixture
def cluster(lab: Lab) -> Cluster:
    lab.reset()
    return Cluster(lab)


BRIDGE = {"iface": "vmbr1", "type": "bridge", "autostart": True, "bridge_ports": ["eno2"], "cidr": "10.50.0.1/24"}
SWITCH = {"iface": "vmbr2", "type": "OVSBridge", "autostart": True}
BOND = {"iface": "bond0", "type": "OVSBond", "ovs_bridge": "vmbr2", "ovs_bonds": ["eno2", "eno3"]}
PORT = {"iface": "iscsi", "type": "OVSIntPort", "ovs_bridge": "vmbr2", "ovs_tag": 50, "cidr": "10.60.0.1/24"}


# --- what somebody else has staged


def test_with_something_to_do_others_changes_stop_the_run_and_are_shown(cluster: Cluster) -> None:
    cluster.network.stage("vmbr9", type="bridge", comments="half done")
    for check in (True, False):
        with pytest.raises(ConsentMissing) as refused:
            cluster.run(BRIDGE, check=check)
        assert cluster.written == []
    for part in (f"apply_pending:{NODE}", f"discard_pending:{NODE}", "+iface vmbr9", "half done"):
        assert part in str(refused.value)
    assert "vmbr9" in cluster.network.parsed_pending.entries


def test_with_nothing_to_do_others_changes_are_told(cluster: Cluster) -> None:
    cluster.done(BRIDGE)
    cluster.network.stage("vmbr9", type="bridge")
    outcome = cluster.done(BRIDGE)
    assert not outcome.changed
    (unmet,) = outcome.unmet
    assert f"apply_pending:{NODE}" in unmet and "+iface vmbr9" in unmet
    assert cluster.written == []


def test_others_changes_are_applied_with_ours_when_that_is_said(cluster: Cluster) -> None:
    cluster.network.stage("vmbr9", type="bridge", comments="theirs")
    cluster.done(BRIDGE, allow=[f"apply_pending:{NODE}"])
    assert {"vmbr1", "vmbr9"} <= set(cluster.network.parsed.entries)
    assert not cluster.done(BRIDGE).changed


@pytest.mark.parametrize(("word", "there"), [("apply_pending", True), ("discard_pending", False)])
def test_others_changes_alone_can_be_ended(cluster: Cluster, word: str, there: bool) -> None:
    cluster.done(BRIDGE)
    cluster.network.stage("vmbr9", type="bridge")
    consents = [f"{word}:{NODE}"]
    predicted = cluster.done(BRIDGE, allow=consents, check=True)
    assert cluster.written == []
    outcome = cluster.done(BRIDGE, allow=consents)
    assert outcome.changed
    assert [step.line for step in outcome.plan] == [step.line for step in predicted.plan]
    assert cluster.network.pending is None
    assert ("vmbr9" in cluster.network.parsed.entries) is there
    assert not cluster.done(BRIDGE, allow=consents).changed


def test_dropping_others_changes_looks_anew_at_what_is_left_to_do(cluster: Cluster) -> None:
    """Somebody has staged a part of what is asked for: with the rest of it dropped, that part is to be done as well."""
    cluster.done(BRIDGE)
    cluster.network.stage("vmbr1", type="bridge", cidr="10.50.0.2/24", comments="theirs")
    cluster.done({**BRIDGE, "cidr": "10.50.0.2/24", "mtu": 1400}, allow=[f"discard_pending:{NODE}"])
    entry = cluster.network.parsed.entries["vmbr1"]
    assert (entry["cidr"], entry["mtu"]) == ("10.50.0.2/24", "1400")
    assert "comments" not in entry


def test_what_comes_to_light_when_others_changes_are_dropped_is_guarded_as_well(cluster: Cluster) -> None:
    """With what is staged there is nothing to do; without it the path to the node would be changed."""
    cluster.network.stage("vmbr0", type="bridge", cidr="10.99.0.11/24", gateway="10.99.0.1", mtu="1400")
    before = cluster.network.active
    message = cluster.failed({"iface": "vmbr0", "mtu": 1400}, allow=[f"discard_pending:{NODE}"])
    assert "management_path" in message
    assert cluster.network.active == before


def test_what_is_staged_between_looking_and_writing_stops_the_run(cluster: Cluster) -> None:
    original = NetworkBackend.consents

    def consents(self: Any, *args: Any) -> Any:
        found = original(self, *args)
        cluster.network.stage("vmbr9", type="bridge")
        return found

    with mock.patch.object(NetworkBackend, "consents", consents):
        message = cluster.failed(BRIDGE)
    assert "Meanwhile somebody has staged changes" in message and "vmbr9" in message
    assert cluster.written == []
    assert "vmbr9" in cluster.network.parsed_pending.entries, "what is theirs is left alone"


def test_a_failure_beside_others_changes_leaves_those_staged(cluster: Cluster) -> None:
    cluster.network.stage("vmbr9", type="bridge")
    cluster.lab.fail_requests("PUT", APPLY)
    message = cluster.failed(BRIDGE, allow=[f"apply_pending:{NODE}"])
    assert "still staged" in message
    assert "vmbr9" in cluster.network.parsed_pending.entries
    assert "vmbr1" not in cluster.network.parsed.entries


# --- all or nothing


def test_a_refusal_in_the_middle_takes_everything_back(cluster: Cluster) -> None:
    before = cluster.network.active
    cluster.lab.fail_requests("POST", APPLY, reason="no", after=1)
    outcome = cluster.run(SWITCH, BOND, PORT)
    assert "What was staged is taken back" in outcome.failure
    assert {result.outcome for result in outcome.results} == {"failed"}
    assert cluster.network.pending is None
    assert cluster.network.active == before
    assert f"PUT /nodes/{NODE}/network" not in cluster.written
    cluster.done(SWITCH, BOND, PORT)


ORPHAN = """\
auto lo
iface lo inet loopback

auto vmbr0
iface vmbr0 inet static
    address 10.99.0.11/24
    gateway 10.99.0.1
    bridge-ports eno1
    bridge-stp off
    bridge-fd 0

auto vmbr2
iface vmbr2 inet manual
    ovs_type OVSBridge

auto iscsi
iface iscsi inet manual
    ovs_type OVSIntPort
    ovs_bridge vmbr2
"""


def test_a_change_that_pve_accepts_and_discards_is_found_before_it_is_applied(cluster: Cluster) -> None:
    """The bridge does not list the port: PVE answers 200 to every PUT of it and forgets all of it."""
    cluster.network.boot_with(ORPHAN)
    message = cluster.failed({"iface": "iscsi", "ovs_tag": 50})
    assert "staged something else" in message and f"{NODE}/iscsi: type" in message
    assert cluster.network.active == ORPHAN
    assert cluster.network.pending is None
    assert f"PUT /nodes/{NODE}/network" not in cluster.written


def test_a_bridge_update_leaves_its_members_alone(cluster: Cluster) -> None:
    cluster.done(SWITCH, BOND, PORT)
    before = cluster.network.parsed.entries
    cluster.done({"iface": "vmbr2", "comments": "wards", "mtu": 9000})
    after = cluster.network.parsed.entries
    assert after["vmbr2"]["ovs_ports"] == before["vmbr2"]["ovs_ports"] == "bond0 iscsi"
    assert {name: after[name] for name in ("bond0", "iscsi")} == {name: before[name] for name in ("bond0", "iscsi")}


def test_the_order_is_pves_whatever_the_order_of_config(cluster: Cluster) -> None:
    cluster.done(PORT, BOND, SWITCH)
    paths = [f"{request.method} {request.params.get('iface', '')}" for request in cluster.lab.writes]
    assert paths == ["POST vmbr2", "POST bond0", "POST iscsi", "PUT "]


def test_killed_between_staging_and_applying_the_next_run_says_what_is_there(cluster: Cluster) -> None:
    def killed(_self: Client, path: str, _parameters: Any = None) -> Any:
        raise KeyboardInterrupt(path)

    with mock.patch.object(Client, "put", killed), pytest.raises(KeyboardInterrupt):
        cluster.run(BRIDGE)
    assert "vmbr1" in cluster.network.parsed_pending.entries
    outcome = cluster.done(BRIDGE)
    assert not outcome.changed
    assert any("staged and not applied" in text and "vmbr1" in text for text in outcome.unmet)
    cluster.done(BRIDGE, allow=[f"apply_pending:{NODE}"])
    assert cluster.network.live["vmbr1"]["cidr"] == "10.50.0.1/24"
    assert not cluster.done(BRIDGE).unmet


# --- the reload


def test_a_reload_that_fails_is_told_as_it_is(cluster: Cluster) -> None:
    said = "command 'ifreload -a' failed: exit code 1"
    cluster.lab.fail_tasks("srvreload", said, log=["error: vmbr1: bridge port eno2 does not exist"])
    message = cluster.failed(BRIDGE)
    for part in (said, "bridge port eno2 does not exist", "The new file of pve1 is in force", "ifquery"):
        assert part in message
    outcome = cluster.done(BRIDGE)
    assert not outcome.changed
    assert outcome.unmet == ("vmbr1 on pve1 is not up",)


def test_what_ifupdown2_complains_about_is_a_warning(cluster: Cluster) -> None:
    cluster.done(SWITCH, BOND)
    cluster.network.set_live_members("bond0", "eno2", "eno4")
    outcome = cluster.done({"iface": "vmbr2", "comments": "wards"})
    assert any("interface not recognized" in text for text in outcome.warnings)


def test_an_interrupted_connection_is_waited_out(cluster: Cluster) -> None:
    cluster.lab.fail_requests("GET", "/tasks/", status=0, times=6)
    cluster.done(BRIDGE)
    assert cluster.network.live["vmbr1"]


def test_a_node_that_stays_away_is_told_as_such(cluster: Cluster) -> None:
    cluster.lab.fail_requests("GET", "/tasks/", status=0, times=10_000)
    message = cluster.failed(BRIDGE)
    for part in ("for 60 seconds nobody has answered", "checkpoint", "console"):
        assert part in message


def test_an_answer_that_is_lost_is_looked_up(cluster: Cluster) -> None:
    original = Client.put

    def lost(self: Client, path: str, parameters: Any = None) -> Any:
        answer = original(self, path, parameters)
        cluster.lab.fail_requests("PUT", APPLY, status=0)
        return answer if not path.endswith("/network") else original(self, path, parameters)

    with mock.patch.object(Client, "put", lost):
        message = cluster.failed(BRIDGE)
    assert "its new configuration is in force" in message
    assert not cluster.done(BRIDGE).changed


@pytest.mark.parametrize("status", [595, 596])
def test_a_node_behind_another_one_that_is_cut_off_for_a_while_is_waited_for(cluster: Cluster, status: int) -> None:
    cluster.lab.fail_requests("GET", "/tasks/", status=status, times=6)
    cluster.done(BRIDGE)


def test_after_a_rollback_there_is_one_clear_message(cluster: Cluster) -> None:
    before = cluster.network.active
    cluster.lab.fail_requests("GET", "/tasks/", status=0, times=6)
    cluster.meanwhile.append(lambda: cluster.network.boot_with(before))
    message = cluster.failed(BRIDGE)
    assert "pve1 has its old configuration again: the change was put in force and then rolled back" in message
    assert "vmbr1" not in cluster.network.parsed.entries
    cluster.done(BRIDGE)


# --- bonds that run


@pytest.fixture(scope="module")
def switch() -> Iterator[OvsLab]:
    if not available():
        pytest.skip("openvswitch-switch is not installed: bonds that run are proven on a real Open vSwitch only")
    with OvsLab(pretended_nics=True) as switch:
        yield switch


class LiveNode:
    """The lab's node whose Open vSwitch is a real one: what ovs-vsctl changes, the lab's reload finds changed."""

    def __init__(self, cluster: Cluster, switch: OvsLab) -> None:
        self.cluster, self.switch = cluster, switch
        self.events: list[str] = []
        for name in switch.vsctl("list-br").split():
            switch.vsctl("del-br", name)
        cluster.done(SWITCH, {**BOND, "bond_mode": "balance-slb"})
        switch.vsctl("add-br", "vmbr2", "--", "set", "Bridge", "vmbr2", "datapath_type=dummy")
        switch.vsctl(
            "add-bond", "vmbr2", "bond0", "eno2", "eno3", "--", "set", "Port", "bond0", "bond_mode=balance-slb"
        )
        cluster.node = self.node

    def node(self, name: str) -> Node:
        return Node(name, self, self.switch.database)

    def __call__(self, argv: Sequence[str], *, stdin: str = "", timeout: float = 60.0) -> Completed:
        if argv[0] == "ip":
            return Completed(tuple(argv), 0, "[]", "")
        done = run(argv, stdin=stdin, timeout=timeout)
        if "add-bond-iface" in argv or "del-bond-iface" in argv:
            self.events.append(f"live: {' '.join(self.members)}; writes so far: {len(self.cluster.lab.writes)}")
            self.cluster.network.set_live_members("bond0", *self.members)
        return done

    @property
    def members(self) -> list[str]:
        return sorted(self.switch.vsctl("list-ifaces", "vmbr2").split())


@pytest.fixture
def live(cluster: Cluster, switch: OvsLab) -> LiveNode:
    return LiveNode(cluster, switch)


def test_members_of_a_bond_that_runs_change_there_first_in_one_transaction(live: LiveNode) -> None:
    cluster, before = live.cluster, len(live.switch.transactions())
    outcome = cluster.done({"iface": "bond0", "ovs_bonds": ["eno3", "eno4"]})
    assert live.members == ["eno3", "eno4"]
    assert cluster.network.parsed.entries["bond0"]["ovs_bonds"] == "eno3 eno4"
    assert cluster.network.live["bond0"]["ovs_bonds"].split() == ["eno3", "eno4"]
    assert len(live.switch.transactions()) == before + 1
    assert live.events == ["live: eno3 eno4; writes so far: 1"], "after it was staged, before it was applied"
    assert not any("interface not recognized" in text for text in outcome.warnings)
    assert not outcome.unmet
    assert not cluster.done({"iface": "bond0", "ovs_bonds": ["eno3", "eno4"]}).changed


def test_if_the_file_fails_the_running_bond_is_put_back(live: LiveNode) -> None:
    live.cluster.lab.fail_requests("PUT", APPLY, reason="no")
    message = live.cluster.failed({"iface": "bond0", "ovs_bonds": ["eno3", "eno4"]})
    assert "members of running bonds are what they were" in message
    assert live.members == ["eno2", "eno3"]
    assert live.cluster.network.pending is None
    assert live.cluster.network.parsed.entries["bond0"]["ovs_bonds"] == "eno2 eno3"


def test_if_the_running_bond_refuses_nothing_is_applied(live: LiveNode) -> None:
    live.switch.vsctl("add-port", "vmbr2", "eno4", "--", "set", "Interface", "eno4", "type=dummy")
    message = live.cluster.failed({"iface": "bond0", "ovs_bonds": ["eno3", "eno4"]})
    assert "eno4" in message and "taken back" in message
    assert live.members == ["eno2", "eno3", "eno4"], "as it was, with the port somebody made of eno4"
    assert live.cluster.network.pending is None
    assert f"PUT /nodes/{NODE}/network" not in live.cluster.written


def test_a_bond_that_runs_otherwise_than_its_file_is_told(live: LiveNode) -> None:
    live.switch.vsctl("add-bond-iface", "bond0", "eno4")
    outcome = live.cluster.done({**BOND, "bond_mode": "balance-slb"})
    assert not outcome.changed
    (unmet,) = outcome.unmet
    assert unmet.startswith("bond0 on pve1: the file says eno2, eno3, Open vSwitch has eno2, eno3, eno4")


def test_lacp_that_has_not_come_about_is_told(live: LiveNode) -> None:
    live.switch.vsctl("set", "Port", "bond0", "bond_mode=balance-tcp", "lacp=active")
    outcome = live.cluster.done({"iface": "bond0", "bond_mode": "lacp-balance-tcp"}, allow=["bond_flap"])
    assert any("bond bond0: member eno2 is" in text for text in outcome.unmet), outcome.unmet


def test_without_a_way_to_the_node_a_bond_that_runs_keeps_its_members(cluster: Cluster) -> None:
    cluster.done(SWITCH, BOND)
    for check in (True, False):
        with pytest.raises(InvalidInput, match=r"ovs_bonds.*node_host.*ssh://root@pve1"):
            cluster.run({"iface": "bond0", "ovs_bonds": ["eno3", "eno4"]}, check=check)
        assert cluster.written == []
    cluster.done({"iface": "bond0", "bond_mode": "balance-slb"})


# --- the path through which the node is managed


class Guarded:
    """A node of which a program can be run, whose checkpoint's state file is a test's own."""

    def __init__(self, directory: Path) -> None:
        self.state = directory / checkpoint.STATE

    def node(self, name: str) -> Node:
        return Node(name, self)

    def __call__(self, argv: Sequence[str], *, stdin: str = "", timeout: float = 60.0) -> Completed:
        real = f"{checkpoint.DIRECTORY}/{checkpoint.STATE}"
        return run([str(self.state) if word == real else word for word in argv], stdin=stdin, timeout=timeout)

    def arm(self) -> None:
        uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
        boot = checkpoint.boot_of(
            Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"),
            Path("/proc/1/stat").read_text(encoding="ascii"),
        )
        armed = checkpoint.Checkpoint("armed", "1", "2026-01-01T00:00:00+00:00", "a test", 60, uptime + 60, boot)
        self.state.write_text(json.dumps(checkpoint.encoded(armed)) + "\n", encoding="utf-8")


@pytest.fixture
def guarded(cluster: Cluster, tmp_path: Path) -> Guarded:
    guarded = Guarded(tmp_path)
    cluster.node = guarded.node
    return guarded


@pytest.mark.parametrize(
    "change", [{"iface": "vmbr0", "mtu": 1400}, {"iface": "eno1", "mtu": 9000}], ids=["bridge", "card"]
)
def test_the_path_to_the_node_needs_a_checkpoint_and_a_word(
    cluster: Cluster, guarded: Guarded, change: dict[str, Any]
) -> None:
    with pytest.raises(
        InvalidInput, match=r"10\.99\.0\.11 is on vmbr0.*no network checkpoint is armed.*network_checkpoint"
    ):
        cluster.run(change, allow=["management_path"])
    guarded.arm()
    with pytest.raises(ConsentMissing, match="management_path"):
        cluster.run(change)
    assert cluster.written == []
    cluster.done(change, allow=["management_path"])
    assert not cluster.done(change).changed


def test_others_changes_of_the_path_are_guarded_as_ours_are(cluster: Cluster, guarded: Guarded) -> None:
    cluster.network.stage("vmbr0", type="bridge", cidr="10.99.0.11/24", gateway="10.99.0.1", mtu="1400")
    allow = [f"apply_pending:{NODE}", "management_path"]
    for config in (BRIDGE, {"iface": "vmbr0", "mtu": 1400}):
        with pytest.raises(InvalidInput, match=r"vmbr0.*no network checkpoint is armed"):
            cluster.run(config, allow=allow)
    guarded.arm()
    with pytest.raises(ConsentMissing, match="management_path"):
        cluster.run(BRIDGE, allow=allow[:1])
    assert cluster.written == []
    cluster.done(BRIDGE, allow=allow)
    assert cluster.network.parsed.entries["vmbr0"]["mtu"] == "1400"


def test_what_is_not_on_the_path_needs_neither(cluster: Cluster, guarded: Guarded) -> None:
    cluster.done(BRIDGE, {"iface": "vmbr0", "comments": "the way in"})
    cluster.done({"iface": "vmbr0.30", "type": "vlan", "cidr": "10.30.0.1/24"})


def test_without_a_way_to_the_node_its_path_is_left_alone(cluster: Cluster) -> None:
    with pytest.raises(InvalidInput, match=r"node_host.*management_path"):
        cluster.run({"iface": "vmbr0", "mtu": 1400}, allow=["management_path"])
    warned = cluster.done({"iface": "vmbr0", "mtu": 1400}, allow=["management_path"], check=True)
    assert "node_host" in warned.warnings[0]
    assert cluster.written == []


# --- what can be known beforehand


def test_one_node_at_a_time(cluster: Cluster) -> None:
    for check in (True, False):
        with pytest.raises(InvalidInput, match=r"pve1 and pve2.*one node at a time"):
            cluster.run(BRIDGE, {**BRIDGE, "node": "pve2"}, check=check)
    assert cluster.written == []
    cluster.done(BRIDGE)
    cluster.done(BRIDGE, {**BRIDGE, "node": "pve2"})


def test_a_token_that_does_not_see_bridges_is_not_told_that_there_are_none(cluster: Cluster) -> None:
    cluster.token = cluster.lab.limited_token({"/": ["Sys.Audit", "Sys.Modify"]})
    for state in ("present", "absent"):
        with pytest.raises(NotPermitted, match=r"sees no vmbr1 on pve1.*SDN\.Audit"):
            cluster.run({"iface": "vmbr1", "type": "bridge"}, state=state)


BY_DHCP = """\
auto lo
iface lo inet loopback

auto vmbr1
iface vmbr1 inet dhcp
    bridge-ports eno2
    bridge-stp off
    bridge-fd 0
    post-up ip route add 10.70.0.0/16 dev vmbr1

auto eno1
iface eno1 inet static
    address 10.99.0.11/24
"""


def test_what_the_api_would_lose_is_refused(cluster: Cluster) -> None:
    cluster.network.boot_with(BY_DHCP)
    with pytest.raises(InvalidInput, match=r"gets its address by dhcp.*cidr"):
        cluster.run({"iface": "vmbr1", "mtu": 1400})
    again = {"iface": "vmbr1", "type": "OVSBridge", "cidr": "10.50.0.1/24"}
    with pytest.raises(InvalidInput, match=r"post-up ip route add 10\.70\.0\.0/16 dev vmbr1"):
        cluster.run(again, allow=["cut_bridge:vmbr1"])
    assert cluster.written == []


def test_lines_of_its_own_survive_a_change(cluster: Cluster) -> None:
    cluster.network.boot_with(BY_DHCP)
    cluster.done({"iface": "vmbr1", "cidr": "10.50.0.1/24"})
    assert "post-up ip route add 10.70.0.0/16 dev vmbr1" in cluster.network.active


def test_a_bridge_takes_its_open_vswitch_ports_with_it(cluster: Cluster) -> None:
    cluster.done(SWITCH, BOND, PORT, {"iface": "eno4", "type": "OVSPort", "ovs_bridge": "vmbr2"})
    with pytest.raises(ConsentMissing, match=r"cut_bridge:vmbr2") as refused:
        cluster.run({"iface": "vmbr2"}, state="absent")
    for member in ("bond0", "iscsi", "eno4"):
        assert member in str(refused.value)
    cluster.done({"iface": "vmbr2"}, state="absent", allow=["cut_bridge:vmbr2"])
    left = cluster.network.parsed.entries
    types = {name: entry["type"] for name, entry in left.items() if name not in ("lo", "vmbr0")}
    assert types == dict.fromkeys(("eno1", "eno2", "eno3", "eno4"), "eth")
