# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A QDevice: the vote of a machine outside the cluster, over corosync-qnetd. Pure.

The API only shows it. It is set up with pvecm qdevice setup and remove, and seen in corosync.conf and pvecm status.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import Kind
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    Consent,
    Plan,
    Step,
    Thing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve_node.corosync_conf import Section

_VOTER = re.compile(r"^0x(?P<nodeid>[0-9a-fA-F]+)\s+(?P<votes>\d+)\s+(?P<rest>\S.*)$")
_QUORATE = re.compile(r"^Quorate:\s*(?P<word>\w+)", re.MULTILINE)
_FLAGS = re.compile(r"^[A-Z]+(?:,[A-Z]+)+$")
# What corosync-quorumtool says of a node's tie to the QDevice: not alive, no vote, not registered.
_WRONG = {"NA": "cannot reach it", "NV": "gets no vote from it", "NR": "has not registered with it"}


@dataclass(frozen=True)
class Voter:
    """A row of pvecm status: a node, or (nodeid 0) the QDevice. flags: a node's tie to the QDevice."""

    nodeid: int
    votes: int
    name: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Votes:
    quorate: bool
    voters: tuple[Voter, ...]

    @property
    def nodes(self) -> int:
        return sum(voter.nodeid != 0 for voter in self.voters)


@dataclass(frozen=True)
class Configured:
    """Of corosync.conf. host: the QDevice's, empty where there is none.  nodes: how many are members."""

    host: str
    nodes: int


def votes_of(text: str) -> Votes:
    """What `pvecm status` says."""
    quorate = _QUORATE.search(text)
    voters = []
    for line in text.partition("Membership information")[2].splitlines():
        if found := _VOTER.match(line.strip()):
            words = found["rest"].split()
            flags = tuple(words[0].split(",")) if _FLAGS.match(words[0]) else ()
            name = words[1] if flags and len(words) > 1 else words[0]
            voters.append(Voter(int(found["nodeid"], 16), int(found["votes"]), name, flags))
    return Votes(bool(quorate) and quorate["word"] == "Yes", tuple(voters)) if quorate else Votes(False, tuple(voters))


def configured(conf: Section) -> Configured:
    device = conf.first("quorum").first("device")
    return Configured(device.first("net").values.get("host", ""), len(conf.first("nodelist").named("node")))


@dataclass(frozen=True)
class QdeviceKind(Kind):
    """One at most, known by the address of its host."""

    def check(self, item: Item) -> None:
        try:
            ipaddress.ip_address(str(item.key[0]))
        except ValueError:
            raise InvalidInput(
                f"host: {item.key[0]!r} is no IP address.", hint="Give the address of the machine with corosync-qnetd."
            ) from None
        network = item.options.get("network")
        try:
            ipaddress.ip_network(str(network or "::/0"), strict=False)
        except ValueError:
            raise InvalidInput(
                f"network: {network!r} is no network.", hint="Write for example 10.10.10.0/24."
            ) from None

    def things(self, found: Configured) -> dict[Key, Thing]:
        return {(found.host,): Thing({})} if found.host else {}

    def argv(self, step: Step) -> Sequence[str]:
        if step.action != CREATE:
            return ("pvecm", "qdevice", "remove")
        network = step.inputs.get("network")
        return ("pvecm", "qdevice", "setup", str(step.key[0]), *(("--network", str(network)) if network else ()))

    def consents(self, step: Step) -> Sequence[Consent]:
        if step.action == CREATE:
            return ()
        host = step.key[0]
        return (
            Consent(f"remove_qdevice:{host}", "the cluster loses that vote, and two nodes cannot tell who is cut off"),
        )

    def problems(self, plan: Plan, found: Configured, votes: Votes) -> list[str]:
        problems = []
        adding = [str(step.key[0]) for step in plan if step.action == CREATE]
        if len(adding) > 1:
            problems.append(f"a cluster has one QDevice, and not {len(adding)}: list one host")
        elif adding and found.host:
            problems.append(f"host: the cluster has a QDevice at {found.host} already: remove that one first")
        if adding and found.nodes % 2:
            problems.append(
                f"the cluster has {found.nodes} nodes, an odd number: there the QDevice has as many votes as all of "
                "them but one, and without it a single failure ends the cluster. Proxmox VE does not set one up either"
            )
        if not votes.quorate:
            problems.append("the cluster has no quorum: bring its nodes back first")
        if votes.nodes < found.nodes:
            problems.append(
                f"{found.nodes - votes.nodes} of {found.nodes} nodes are offline, and pvecm sets each of them up: "
                "bring them back first"
            )
        return problems

    def unmet(self, votes: Votes) -> Sequence[Unmet]:
        found = []
        for voter in votes.voters:
            wrong = [text for flag, text in _WRONG.items() if flag in voter.flags]
            if wrong:
                found.append(Unmet(f"QDevice: {voter.name} {' and '.join(wrong)}.", passing=True))
        if not any(voter.nodeid == 0 for voter in votes.voters):
            found.append(Unmet("QDevice: it has no vote yet.", passing=True))
        return found


QDEVICE = QdeviceKind(
    name="qdevice",
    identity=("host",),
    words=("remove_qdevice",),
    fields=(Field("host"), Field("network", creating=True)),
)
