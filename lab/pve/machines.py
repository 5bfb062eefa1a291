# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A node that is in no cluster yet: it creates one, or joins one, as the recordings show.

What a member shares with the others (/etc/pve and who is online) is one object for all of them, so whichever is asked
gives the same answer.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web
from fakepve.model import PveError, TaskError

from lab.pve import state
from lab.pve.cluster import Cluster
from lab.pve.corosync import Corosync, Member
from lab.pve.dispatch import Plain
from lab.pve.membership import given_links, links_of
from lab.pve.state import NodeSpec
from lab.pve.tls import Authority

REFUSED = "Check if node may join a cluster failed!"
CREATED = (
    "Corosync Cluster Engine Authentication key generator.",
    "Gathering 2048 bits for key from /dev/urandom.",
    "Writing corosync key to /etc/corosync/authkey.",
    "Writing corosync config to /etc/pve/corosync.conf",
    "Restart corosync and cluster filesystem",
)
SHARED = (
    "nodes", "specs", "storages", "pools", "pool_info", "by_vmid", "ha_resources", "ha_rules", "backup_jobs", "groups",
    "tasks", "tasklog", "networks", "corosync", "apitokens", "acl", "cluster_name",
    "accounts", "custom_roles", "acl_rows", "realms", "maintained",
)  # fmt: skip


class Others(Protocol):
    """The machines there are, for one of them. `installed`: authority, certificate, key and fingerprint of each."""

    installed: dict[str, tuple[Authority, Path, Path, str]]

    def at(self, address: str) -> Machine | None:
        """The one that answers at an address, if one does."""

    def named(self, name: str) -> Machine | None:
        """The one of that name, if there is one."""


class Machine(Cluster):
    """One installation of Proxmox VE, with its own API, certificate and passwords."""

    def __init__(
        self,
        named: str,
        address: str,
        second: str,
        host: str,
        port: int,
        password: str,
        others: Others,
        directory: Path,
    ) -> None:
        self.address, self.second, self.others, self.directory = address, second, others, directory
        self.mine = hardware(named, interfaces(address, second))
        # How many requests it does not answer after it has joined, and how long until a new cluster's corosync runs.
        self.outage, self.settling = 0, 0.0
        # Its power fails when the next join has been asked for and nothing of it is done here yet.
        self.dies_joining = False
        self.has_power = True
        super().__init__([self.mine], host, port, password)

    def populate(self) -> None:
        super().populate()
        self.local, self.corosync = self.mine.name, None
        self.storages = {"local": self.storages["local"]}
        self.deaf, self.forming = 0, asyncio.Lock()
        # The certificate it was installed with is the same again when the lab is reset: tests remember fingerprints.
        installed = self.others.installed
        if self.mine.name not in installed:
            authority = Authority()
            installed[self.mine.name] = authority, *authority.issue(self._certificates("installed"), self.host)
        self.authority, *self.files, self.fingerprint = installed[self.mine.name]

    def certify(self, authority: Authority) -> None:
        """A new certificate, with which pveproxy starts again."""
        self.authority = authority
        *self.files, self.fingerprint = authority.issue(self._certificates("joined"), self.host)
        self.tls.load_cert_chain(*self.files)

    def _certificates(self, name: str) -> Path:
        place = self.directory / self.mine.name / name
        place.mkdir(parents=True, exist_ok=True)
        return place

    async def start(self, certfile: str = "", keyfile: str = "") -> None:
        """Like fakepve's, with a context that is kept: the certificate changes while it serves."""
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.tls.load_cert_chain(*self.files)
        self.runner = web.AppRunner(self._build_app())
        await self.runner.setup()
        await web.TCPSite(self.runner, self.host, self.port, ssl_context=self.tls).start()
        if not self.port:
            self.port = self.runner.addresses[0][1]

    # ------------------------------------------------------------- what holds

    @property
    def quorate(self) -> bool:
        """By the votes of the members that are online."""
        if self.corosync is None:
            return True
        if not self.corosync.up:
            return False
        members = self.corosync.members.values()
        have = sum(member.votes for member in members if self.online(member.name))
        return 2 * have > (self.corosync.expected or sum(member.votes for member in members))

    @quorate.setter
    def quorate(self, value: bool) -> None:
        """Votes decide."""

    def online(self, name: str) -> bool:
        machine = self.others.named(name)
        if machine is None or name == self.local:
            return super().online(name)
        # One that was installed anew knows nothing of the cluster that still lists it.
        return super().online(name) and machine.has_power and machine.corosync is self.corosync

    def address_of(self, node: str) -> str:
        machine = self.others.named(node)
        arrived = self.nodes.get(node, {}).get("arrived", True)
        return machine.address if machine is not None and arrived else ""

    def fingerprint_of(self, node: str) -> str | None:
        machine = self.others.named(node)
        return machine.fingerprint if machine is not None and self.nodes.get(node, {}).get("arrived", True) else None

    def addresses(self) -> set[str]:
        """Of its interfaces, as they are configured."""
        entries = self.network_of(self.local).read().entries.values()
        return {str(entry["address"]) for entry in entries if entry.get("address")}

    def links(self) -> list[int]:
        """The links of its cluster."""
        return list(self.corosync.links) if self.corosync else []

    def addresses_by_link(self, number: int) -> str:
        return self.second if number else self.address

    # ---------------------------------------------------------------- serving

    def identify(self, request: web.Request) -> str:
        if not self.has_power:
            raise Plain(0, "")
        if self.deaf > 0:
            # /etc/pve is away, then pveproxy.
            self.deaf -= 1
            raise Plain(401, "permission denied - invalid PVE ticket") if self.deaf % 2 else Plain(0, "")
        user: str = super().identify(request)
        return user

    def check_node(self, node: str) -> None:
        known = node in self.nodes or self.others.named(node) is not None
        if known and node != self.local and not (node in self.nodes and self.online(node)):
            raise Plain(595, "Connection timed out")
        super().check_node(node)

    async def _node_list(self, v: dict[str, Any], user: str) -> Any:
        entries = await super()._node_list(v, user)
        for entry in entries:
            if not self.nodes[entry["node"]].get("arrived", True):
                for name in set(entry) - {"node", "id", "type", "status", "ssl_fingerprint"}:
                    del entry[name]
            elif self.corosync and not self.corosync.up and self._found(self.corosync):
                # The cluster's file system has only just started again.
                entry["status"] = "unknown"
                for name in set(entry) - {"node", "id", "type", "status", "ssl_fingerprint"}:
                    del entry[name]
        return entries

    def _node_resource(self, name: str, user: str) -> dict[str, Any]:
        entry = super()._node_resource(name, user)
        if not self.ha_active:
            entry.pop("hastate", None)
        return entry

    def _found(self, corosync: Corosync) -> bool:
        """Whether the addresses that corosync shall use here are here."""
        member = corosync.members.get(self.local)
        return member is not None and set(member.links.values()) <= self.addresses()

    # ---------------------------------------------------------------- forming

    def endpoints_machines(self) -> list[tuple[str, str, Any]]:
        config = "/cluster/config"
        return [("POST", config, self._create_cluster), ("POST", config + "/join", self._join_cluster)]

    async def _create_cluster(self, v: dict[str, Any], user: str) -> Any:
        if self.corosync is not None:
            raise PveError(500, "cluster config '/etc/pve/corosync.conf' already exists")
        lines: list[str] = []

        async def body() -> None:
            lines.extend(CREATED)
            await self.pause(2)
            given = given_links(v) or {0: (self.address, None)}
            member = Member(
                self.local,
                int(v.get("nodeid") or 1),
                {number: address for number, (address, _priority) in given.items()},
                int(v.get("votes") or 1),
            )
            self.corosync = Corosync(
                v["clustername"],
                {self.local: member},
                {number: priority for number, (_address, priority) in given.items()},
                token_coefficient=int(v.get("token-coefficient") or 125),
                up=False,
            )
            self.cluster_name = v["clustername"]
            if self._found(self.corosync):
                self._settle(self.corosync)
            self.deaf = self.outage

        return await self.task(self.local, "clustercreate", v["clustername"], user, body, log=lines)

    def _settle(self, corosync: Corosync) -> None:
        if not self.settling:
            corosync.up = True
            return
        asyncio.get_running_loop().call_later(self.settling, setattr, corosync, "up", True)

    async def _join_cluster(self, v: dict[str, Any], user: str) -> Any:
        lines: list[str] = []

        async def body() -> None:
            async with self.forming:
                await self._join(v, lines)

        return await self.task(self.local, "clusterjoin", "", user, body, log=lines)

    async def _join(self, v: Mapping[str, Any], lines: list[str]) -> None:
        """What `pvecm add` does, with what it says. Raises TaskError."""
        problems = self._against_joining(links_of(dict(v)))
        if problems:
            lines += ["detected the following error(s):", *(f"* {text}" for text in problems)]
            raise TaskError(REFUSED)
        lines.append(f"Establishing API connection with host '{v['hostname']}'")
        await self.pause(1)
        peer = self.others.at(v["hostname"])
        if peer is None or not peer.has_power:
            raise TaskError(f"500 Can't connect to {v['hostname']}:8006 (No route to host)")
        if peer.fingerprint != str(v["fingerprint"]).upper():
            raise TaskError(f"fingerprint '{peer.fingerprint}' not verified, abort!")
        if v["password"] != peer.password:
            await self.pause(3)
            raise TaskError("401 authentication failure")
        lines += ["Login succeeded.", "check cluster join API version"]
        links = links_of(dict(v))
        if not links:
            lines.append(f"No cluster network links passed explicitly, fallback to local node IP '{self.address}'")
        lines.append("Request addition of this node")
        try:
            peer.add_member(self.local, links, self.address, v.get("nodeid"), v.get("votes"))
        except PveError as problem:
            lines.append(f"An error occurred on the cluster node: {problem.message}")
            raise TaskError("Cluster join aborted!") from None
        await self.pause(1)
        if self.dies_joining:
            self.dies_joining = self.has_power = False
            raise TaskError("unexpected status")
        lines += ["Join request OK, finishing setup locally", "stopping pve-cluster service"]
        self.deaf = 1000
        await self.pause(3)
        lines.append("backup old database to '/var/lib/pve-cluster/backup/config-1795309449.sql.gz'")
        self.become_member(peer)
        lines += ["waiting for quorum...OK", "(re)generate node files", "generate new node certificate"]
        lines += [
            "merge authorized SSH keys",
            "generated new node certificate, restart pveproxy and pvedaemon services",
            f"successfully added node '{self.local}' to cluster.",
        ]
        self.deaf = self.outage

    def _against_joining(self, links: dict[int, str]) -> list[str]:
        problems = []
        if self.corosync is not None:
            problems += [
                "authentication key '/etc/corosync/authkey' already exists",
                "cluster config '/etc/pve/corosync.conf' already exists",
            ]
        if self.by_vmid and self.corosync is None:
            problems.append("this host already contains virtual guests")
        if self.corosync is not None:
            problems.append("corosync is already running, is this node already in a cluster?!")
        here = self.addresses()
        for number, address in links.items():
            if address not in here and self.corosync is None:
                problems.append(f"link{number}: cannot use IP '{address}', not found on local node!\n")
        return problems

    def become_member(self, peer: Machine) -> None:
        """The cluster's /etc/pve takes the place of its own: users, tokens, storages, and the key of tickets."""
        peer.nodes[self.local] = {"online": True}
        peer.specs.append(self.mine)
        peer.networks[self.local] = self.network_of(self.local)
        peer.tasks.update(self.tasks)
        peer.tasklog.extend(self.tasklog)
        for name in SHARED:
            setattr(self, name, getattr(peer, name))
        self.tickets = {}
        self.certify(peer.authority)

    def spec(self, name: str) -> NodeSpec:
        machine = self.others.named(name)
        return machine.mine if machine is not None else state.NodeSpec(name)


def hardware(named: str, network: str) -> NodeSpec:
    """'pve1' is as small as the recorded machines; 'pve1:16:64' has 16 cores and 64 GiB."""
    if ":" in named:
        return replace(state.named(named), interfaces=network)
    return NodeSpec(named, 2, 25276502016, 270553174016, interfaces=network, physical=False)


def interfaces(address: str, second: str) -> str:
    """Two networks: one for people and guests, one for corosync."""
    return (
        "auto lo\niface lo inet loopback\n\niface eno1 inet manual\n\niface eno2 inet manual\n\n"
        f"auto vmbr0\niface vmbr0 inet static\n\taddress {address}/24\n\tbridge-ports eno1\n"
        "\tbridge-stp off\n\tbridge-fd 0\n\n"
        f"auto vmbr1\niface vmbr1 inet static\n\taddress {second}/24\n\tbridge-ports eno2\n"
        "\tbridge-stp off\n\tbridge-fd 0\n\nsource /etc/network/interfaces.d/*\n"
    )
