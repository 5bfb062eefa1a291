# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a change, a cable and a dead link cost: pings 10 ms apart from a node over an LACP bond to a switch.

Node and switch are containers with a real Open vSwitch each (userspace datapath), three cables between them. Eight
flows go to eight addresses, so that every member carries some; what is told is the flow that lost most, in all rounds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.hosts import Host, Hosts, Pings, Switch, Traffic, wait_until, why_not
from lab.hosts.modules import run_module

VLAN, MEMBERS = 10, ["eno1", "eno2", "eno3"]
ADDRESSES = [f"198.19.{VLAN}.{number}" for number in range(1, 9)]
ROUNDS = 3

SMALL = {"members": MEMBERS[:2], "mode": "balance-tcp", "trunks": [VLAN]}
LARGE = {"members": MEMBERS, "mode": "balance-slb", "trunks": [VLAN, 20]}


@dataclass(frozen=True)
class Worst:
    """The flow that lost most packets, and the longest time in seconds that any was without an answer."""

    lost: int
    silence: float


class Bench:
    def __init__(self, hosts: Hosts) -> None:
        self.hosts, self.node, self.switch = hosts, hosts["node1"], Switch(hosts["switch"])
        self.goals: list[tuple[bool, str]] = []

    def prepare(self) -> None:
        """Cables, the switch's end, and the node's end made by the modules."""
        ports = []
        for number, member in enumerate(MEMBERS, start=1):
            self.hosts.link("node1", member, "switch", f"p{number}")
            ports.append(f"p{number}")
        self.switch.bond("n1", ports, vlans=[VLAN, 20])
        for address in ADDRESSES:
            self.switch.address(VLAN, f"{address}/24")
        apply(self.node, "ovs_bridge", {"name": "vmbr0", "datapath_type": "netdev"})
        self.bond(SMALL)
        self.node.run(*f"ovs-vsctl add-port vmbr0 mgmt tag={VLAN} -- set interface mgmt type=internal".split())
        self.node.run("ip", "address", "add", f"198.19.{VLAN}.11/24", "dev", "mgmt")
        self.node.run("ip", "link", "set", "mgmt", "up")

    def bond(self, options: dict[str, object]) -> None:
        item = {"name": "bond0", "bridge": "vmbr0", "lacp": "active", "lacp_time": "fast", **options}
        apply(self.node, "ovs_bond", item)

    def bond_in_two_calls(self, options: dict[str, object]) -> None:
        """How it is done by hand, and by playbooks that delete and add."""
        self.node.run("ovs-vsctl", "del-port", "bond0")
        words = ["add-bond", "vmbr0", "bond0", *options["members"], "lacp=active", "other_config:lacp-time=fast"]
        trunks = ",".join(map(str, options["trunks"]))
        self.node.run("ovs-vsctl", *words, f"bond_mode={options['mode']}", f"trunks={trunks}")

    def settle(self) -> None:
        """Until both ends use every member again."""

        def attached() -> bool:
            text = self.node.run("ovs-appctl", "lacp/show", "bond0").stdout
            return text.count("member: ") == text.count(": current attached") == text.count("may_enable: true")

        wait_until(attached, "LACP on every member", 90)
        time.sleep(1)

    def measure(self, what: str, rounds: list[Callable[[], object]], after: float = 2.0) -> Worst:
        """Each round under pings; `after`: seconds to go on for, in which traffic has to come back."""
        results: list[Pings] = []
        for action in rounds:
            self.settle()
            with Traffic(self.node.namespace, *ADDRESSES) as traffic:
                time.sleep(0.5)
                action()
                time.sleep(after)
            results += traffic.results
        worst = Worst(max(pings.lost for pings in results), max(pings.silence for pings in results))
        sent = sum(pings.sent for pings in results)
        print(f"  {what:<72} {worst.lost:4d} lost, {worst.silence:5.2f} s ({sent} sent)", flush=True)
        return worst

    def goal(self, holds: bool, text: str) -> None:
        self.goals.append((holds, text))
        print(f"  {'holds' if holds else 'MISSED'}: {text}", flush=True)


def apply(node: Host, module: str, item: dict[str, object]) -> None:
    """Whether LACP has come up is waited for here, under pings, and not in the module."""
    outcome = run_module(node, module, {"config": [item], "verify_timeout": 0})
    if outcome.failed or not outcome.changed:
        raise SystemExit(f"{module} on {node.name}: {outcome.message or 'nothing changed'}")


def measure_changes(bench: Bench) -> None:
    print("packets lost while the bond is changed: a member more, another mode and VLAN, and back", flush=True)
    ours, fewer, by_hand = [], [], []
    for _round in range(ROUNDS):
        # Going back is measured on its own: a member that leaves costs what a lost carrier costs.
        ours.append(bench.measure("ours, one member more, another mode, one VLAN more", [lambda: bench.bond(LARGE)]))
        fewer.append(bench.measure("ours, the way back, one member fewer", [lambda: bench.bond(SMALL)], 5))
    for _round in range(ROUNDS):
        by_hand.append(bench.measure("del-port and add-bond in two calls", [lambda: bench.bond_in_two_calls(LARGE)], 5))
        bench.bond_in_two_calls(SMALL)
    lost, less = max(worst.lost for worst in ours), max(worst.lost for worst in fewer)
    two_calls = max(worst.lost for worst in by_hand)
    bench.goal(
        lost == 0,
        f"(a) members, mode and trunks changed at once lose {lost} packets (goal: 0; a member taken out {less}, "
        f"in two calls {two_calls})",
    )


def measure_faults(bench: Bench) -> None:
    print("packets lost when a member fails", flush=True)
    links = [bench.hosts.links["node1", member] for member in SMALL["members"]]
    lost = 0
    for link in links * ROUNDS:
        lost = max(lost, bench.measure(f"the carrier of {link.near.name} drops", [link.pull]).lost)
        link.plug()
    bench.goal(lost <= 1, f"(b) a carrier that drops loses {lost} packets (goal: 1)")
    silence = 0.0
    for link in links:
        silence = max(silence, bench.measure(f"{link.near.name} dies silently", [link.silence], 5).silence)
        link.heal()
    bench.goal(silence <= 3.1, f"(c) a link that dies silently costs {silence:.1f} s with fast LACP (goal: 3.1)")


def main() -> int:
    if reason := why_not():
        print(f"network: not measured: {reason}.")
        return 1
    with Hosts("node1", "switch", ssh=True) as hosts:
        bench = Bench(hosts)
        bench.prepare()
        measure_changes(bench)
        measure_faults(bench)
    missed = [text for holds, text in bench.goals if not holds]
    words = "; ".join(text for _holds, text in bench.goals)
    print(f"network: {'all goals hold' if not missed else f'{len(missed)} goals missed'}: {words}.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
