# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""/cluster/config and /cluster/status: who is a member, as corosync.conf says and as corosync sees it."""

from __future__ import annotations

from typing import Any

from fakepve.model import PveError

from lab.pve.corosync import Corosync, Member
from lab.pve.nodes import NO_QUORUM
from lab.pve.small_tables import SmallTables

FILE_LOCK = "file-corosync_conf"
JOIN_API = 1
INDEX = ("nodes", "totem", "join", "qdevice", "apiversion")
NOT_CLUSTERED = "node is not in a cluster, no join info available!"
NO_LINKS = "no links and no fallback ip (new_node_ip) given, cannot join cluster"
KEY = "corosync authkey of the lab"


class Membership(SmallTables):
    """What a member answers. `local` is the node whose API this is, `corosync` None where it is in no cluster."""

    corosync: Corosync | None
    local: str
    # Somebody else holds the lock of corosync.conf.
    corosync_locked: bool

    def endpoints_membership(self) -> list[tuple[str, str, Any]]:
        config = "/cluster/config"
        return [
            ("GET", "/cluster/status", self._state_of_cluster),
            ("GET", config, self._config_index),
            ("GET", config + "/nodes", self._corosync_nodes),
            ("GET", config + "/totem", self._totem),
            ("GET", config + "/qdevice", self._qdevice),
            ("GET", config + "/apiversion", self._join_version),
            ("GET", config + "/join", self._join_information),
            ("POST", config + "/nodes/{node}", self._member_added),
            ("DELETE", config + "/nodes/{node}", self._member_removed),
        ]

    def ready_cluster(self, name: str) -> Corosync:
        """The configuration of a lab that is a cluster from the start."""
        corosync = Corosync(name, version=3)
        for number, node in enumerate(self.nodes, 1):
            corosync.members[node] = Member(node, number, {0: f"10.99.0.{10 + number}"})
        return corosync

    # ------------------------------------------------------------------ hooks

    def address_of(self, node: str) -> str:
        """The address by which the members know a node; none for one that never was there."""
        member = self.corosync.members.get(node) if self.corosync else None
        return next(iter(member.links.values()), "") if member else ""

    # ---------------------------------------------------------------- reading

    async def _state_of_cluster(self, v: dict[str, Any], user: str) -> Any:
        corosync = self.corosync
        if corosync is None or not corosync.up:
            return [self._as_seen(self.local, 0)]
        whole = {
            "type": "cluster",
            "id": "cluster",
            "name": self.cluster_name,
            "nodes": len(corosync.members),
            "quorate": 1 if self.quorate else 0,
            "version": corosync.version,
        }
        seen = [self._as_seen(member.name, member.nodeid) for member in corosync.members.values()]
        return [whole, *self.shuffled(seen)]

    def _as_seen(self, node: str, nodeid: int) -> dict[str, Any]:
        address = self.address_of(node)
        return {
            "type": "node",
            "id": "node/" + node,
            "name": node,
            "nodeid": nodeid,
            "level": "",
            "local": 1 if node == self.local else 0,
            "online": 1 if self.online(node) else 0,
            **({"ip": address} if address else {}),
        }

    async def _config_index(self, v: dict[str, Any], user: str) -> Any:
        return [{"name": name} for name in INDEX]

    async def _corosync_nodes(self, v: dict[str, Any], user: str) -> Any:
        members = self.corosync.members.values() if self.corosync else ()
        return self.shuffled([{"node": member.name, **member.entry()} for member in members])

    async def _totem(self, v: dict[str, Any], user: str) -> Any:
        return self.corosync.totem() if self.corosync else None

    async def _qdevice(self, v: dict[str, Any], user: str) -> Any:
        return self.corosync.qdevice if self.corosync else {}

    async def _join_version(self, v: dict[str, Any], user: str) -> Any:
        return str(JOIN_API)

    async def _join_information(self, v: dict[str, Any], user: str) -> Any:
        if self.corosync is None:
            raise PveError(424, NOT_CLUSTERED)
        node = v.get("node") or self.local
        if node not in self.corosync.members:
            raise PveError(500, f"unknown node '{node}'")
        nodelist = [
            {**member.entry(), "pve_addr": self.address_of(member.name), "pve_fp": self.fingerprint_of(member.name)}
            for member in self.corosync.members.values()
        ]
        return {
            "preferred_node": node,
            "config_digest": self.corosync.digest(),
            "totem": self.corosync.totem(),
            "nodelist": self.shuffled(nodelist),
        }

    # ---------------------------------------------------------------- writing

    def _member_lock(self) -> Corosync:
        if self.corosync_locked:
            raise PveError(500, f"cfs-lock '{FILE_LOCK}' error: got lock request timeout")
        if self.corosync is None:
            raise PveError(500, "cluster config '/etc/pve/corosync.conf' does not exist")
        if not self.quorate:
            raise PveError(500, NO_QUORUM)
        return self.corosync

    async def _member_added(self, v: dict[str, Any], user: str) -> Any:
        links = links_of(v)
        corosync = self.add_member(v["node"], links, v.get("new_node_ip"), v.get("nodeid"), v.get("votes"))
        return {"corosync_conf": corosync.file(), "corosync_authkey": KEY, "warnings": []}

    def add_member(
        self, node: str, links: dict[int, str], fallback: str | None, nodeid: int | None, votes: int | None
    ) -> Corosync:
        """An entry for a node, which does not yet know of it. Raises PveError as Proxmox VE refuses."""
        corosync = self._member_lock()
        if node in corosync.members:
            raise PveError(500, f"can't add existing node '{node}'")
        links = links or ({0: str(fallback)} if fallback else {})
        if not links:
            raise PveError(500, NO_LINKS)
        for number in links:
            if number not in corosync.links:
                raise PveError(500, f"corosync: link {number} specified for new node doesn't exist in cluster config")
        given = 1 if votes is None else int(votes)
        corosync.add(Member(node, int(nodeid or corosync.free_id()), dict(links), given))
        self.nodes.setdefault(node, {"online": False, "arrived": False})
        return corosync

    async def _member_removed(self, v: dict[str, Any], user: str) -> Any:
        node = v["node"]
        if node == self.local:
            raise PveError(500, "Cannot delete myself from cluster!")
        corosync = self._member_lock()
        if node not in corosync.members:
            raise PveError(500, f"Node/IP: {node} is not a known host of the cluster.")
        corosync.remove(node)
        self.nodes.pop(node, None)


def links_of(values: dict[str, Any]) -> dict[int, str]:
    """The addresses of link0 and so on."""
    return {number: address for number, (address, _priority) in given_links(values).items()}


def given_links(values: dict[str, Any]) -> dict[int, tuple[str, int | None]]:
    """(address, priority) by number, of `link0=10.0.0.1,priority=5`."""
    found: dict[int, tuple[str, int | None]] = {}
    for number in range(8):
        text = values.get(f"link{number}")
        if not text:
            continue
        parts = dict(part.split("=", 1) if "=" in part else ("address", part) for part in str(text).split(","))
        found[number] = parts["address"], int(parts["priority"]) if "priority" in parts else None
    return found
