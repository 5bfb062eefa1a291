# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Where a node stands: which cluster it is in, with whom, and what it carries. Pure: from the API's answers.

PVE API: GET /cluster/status, /cluster/config/nodes, /cluster/config/totem, /version, /cluster/resources,
/nodes/{node}/network.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

STATUS = "/cluster/status"
MEMBERS = "/cluster/config/nodes"
TOTEM = "/cluster/config/totem"
VERSION = "/version"
GUESTS = "/cluster/resources?type=vm"

_RING = re.compile(r"^ring(?P<number>\d)_addr$")
# How an interface gets addresses that its configuration does not tell.
_DYNAMIC = ("dhcp", "auto")


@dataclass(frozen=True)
class Member:
    """A node as corosync.conf has it. `links`: its addresses by link number; `online`: corosync sees it; `arrived`: it
    has been there at least once."""

    name: str
    nodeid: int
    votes: int
    links: Mapping[int, str]
    online: bool = False
    arrived: bool = True


@dataclass(frozen=True)
class Standing:
    """`node`: whose API was asked.  cluster: the cluster's name, empty where it is in none.  quorate: whether corosync
    runs and has quorum.  priorities: those of the cluster's links.  guests: vmid to node.  addresses: those configured
    on the node, None where not all of them can be known."""

    node: str
    cluster: str = ""
    quorate: bool = False
    members: Mapping[str, Member] = field(default_factory=dict)
    priorities: Mapping[int, int] = field(default_factory=dict)
    token_coefficient: Optional[int] = None
    release: str = ""
    guests: Mapping[int, str] = field(default_factory=dict)
    addresses: Optional[frozenset[str]] = None

    def guests_of(self, node: str) -> list[int]:
        return sorted(vmid for vmid, where in self.guests.items() if where == node)


def network_of(node: str) -> str:
    return f"/nodes/{node}/network"


def standing(answers: Mapping[str, Any]) -> Standing:
    """What the answers, by path, say. Those that were not asked for are as if there were nothing."""
    status: Sequence[Mapping[str, Any]] = answers.get(STATUS) or ()
    seen = {str(row.get("name")): row for row in status if row.get("type") == "node"}
    local = next((row for row in seen.values() if row.get("local")), {})
    node = str(local.get("name") or "")
    whole = next((row for row in status if row.get("type") == "cluster"), {})
    totem: Mapping[str, Any] = answers.get(TOTEM) or {}
    interfaces: Mapping[str, Any] = totem.get("interface") or {}
    return Standing(
        node=node,
        cluster=str(totem.get("cluster_name") or whole.get("name") or ""),
        quorate=bool(int(whole.get("quorate") or 0)),
        members={str(row["name"]): _member(row, seen.get(str(row["name"]), {})) for row in answers.get(MEMBERS) or ()},
        priorities={int(number): int(row.get("knet_link_priority") or 0) for number, row in interfaces.items()},
        token_coefficient=int(totem["token_coefficient"]) if totem.get("token_coefficient") is not None else None,
        release=str((answers.get(VERSION) or {}).get("release") or ""),
        guests={int(row["vmid"]): str(row.get("node") or "") for row in answers.get(GUESTS) or () if row.get("vmid")},
        addresses=_addresses(answers.get(network_of(node)), str(local.get("ip") or "")),
    )


def _member(row: Mapping[str, Any], seen: Mapping[str, Any]) -> Member:
    links = {int(found["number"]): str(row[name]) for name, found in _rings(row)}
    # Until a node has been there, the cluster knows no address of it.
    return Member(
        name=str(row["name"]),
        nodeid=int(row["nodeid"]),
        votes=int(row.get("quorum_votes") or 0),
        links=links,
        online=bool(int(seen.get("online") or 0)),
        arrived=bool(seen.get("ip")) or not seen,
    )


def _rings(row: Mapping[str, Any]) -> list[tuple[str, re.Match[str]]]:
    return [(name, found) for name in sorted(row) for found in [_RING.match(name)] if found]


def _addresses(network: Optional[Sequence[Mapping[str, Any]]], own: str) -> Optional[frozenset[str]]:
    """None where an interface gets its address from elsewhere."""
    if network is None:
        return None
    found = {canonical_address(own)} if own else set()
    for row in network:
        if str(row.get("method")) in _DYNAMIC or str(row.get("method6")) in _DYNAMIC:
            return None
        for name in ("address", "address6"):
            if row.get(name):
                found.add(canonical_address(str(row[name])))
    return frozenset(found)


def canonical_address(text: str) -> str:
    """One way to write an IP address; what is none stays as it is."""
    try:
        return str(ipaddress.ip_address(text.partition("/")[0]))
    except ValueError:
        return text
