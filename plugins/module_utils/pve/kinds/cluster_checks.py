# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What stands against creating a cluster, joining one or removing a node: known before the first write, while Proxmox
VE itself says most of it only in a task that has failed, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.cluster_standing import Member, Standing

Links = Mapping[int, Mapping[str, Any]]


def against_forming(cluster: str, node: str, here: Standing) -> list[str]:
    """What is wrong with the node itself, whether it creates a cluster or joins one."""
    if here.node != node:
        problem = f"node: the API that was asked is {here.node}'s, and a node is put into a cluster through its own"
        return [f"{problem}: api_host must name {node}"]
    if here.cluster:
        return [f"{node} belongs to cluster {here.cluster} and is not taken out of it: install it anew first"]
    return []


def against_links(links: Links, here: Standing) -> list[str]:
    """Addresses that are not the node's. Proxmox VE creates a cluster with them all the same, which never starts."""
    if here.addresses is None:
        return []
    return [
        f"links: link {number}: {link['address']} is no address of {here.node}, which has "
        f"{', '.join(sorted(here.addresses)) or 'none'}"
        for number, link in sorted(links.items())
        if link["address"] not in here.addresses
    ]


def against_joining(cluster: str, node: str, options: Mapping[str, Any], here: Standing, peer: Standing) -> list[str]:
    """What keeps the node from joining the cluster that `peer` is in."""
    if not peer.cluster:
        # A task before this one may be about to create it.
        return [Missing(f"hostname: {peer.node} is in no cluster: create {cluster} there first")]
    if peer.cluster != cluster:
        return [f"hostname: {peer.node} is in cluster {peer.cluster}, not in {cluster}"]
    found = []
    if here.guests:
        carried = ", ".join(str(vmid) for vmid in sorted(here.guests))
        found.append(
            f"{node} carries guests ({carried}), and a node that joins loses its configuration, theirs too: "
            "move them elsewhere or back them up first"
        )
    if here.release != peer.release:
        found.append(
            f"{node} is Proxmox VE {here.release or '?'}, the cluster {peer.release or '?'}: bring both to the same one"
        )
    if not peer.quorate:
        found.append(_without_quorum(cluster, node, peer))
    away = sorted(member.name for member in peer.members.values() if not member.online and member.name != node)
    if away:
        found.append(
            f"{', '.join(away)} of cluster {cluster} {'is' if len(away) == 1 else 'are'} offline and would not learn "
            f"of {node}: bring them back, or remove them, first"
        )
    found += _against_name(cluster, node, options, peer)
    found += _against_cluster_links(cluster, node, options.get("links") or {}, peer)
    wanted = options.get("token_coefficient")
    if wanted is not None and wanted != peer.token_coefficient:
        found.append(f"token_coefficient: it is {peer.token_coefficient} in cluster {cluster}, for all its nodes")
    return found


def _without_quorum(cluster: str, node: str, peer: Standing) -> str:
    old = leftover(node, peer)
    present = sum(member.votes for member in peer.members.values() if member.online)
    if old is not None and not old.arrived and present > 0:
        return (
            f"cluster {cluster} has no quorum, because it waits for {node}, whose join was cut short: "
            f"run pvecm expected {present} at {peer.node}, which lets it go on without {node}, then this again"
        )
    return f"cluster {cluster} has no quorum: bring its nodes back first"


def leftover(node: str, peer: Standing) -> Member | None:
    """The entry that the cluster has already for a node that is not a member."""
    return peer.members.get(node)


def _against_name(cluster: str, node: str, options: Mapping[str, Any], peer: Standing) -> list[str]:
    found = []
    old = leftover(node, peer)
    if old is not None and old.online:
        found.append(f"node: cluster {cluster} has another node {node}, which is online: give this one another name")
    elif old is not None and peer.guests_of(node):
        guests = ", ".join(map(str, peer.guests_of(node)))
        found.append(
            f"node: cluster {cluster} had a node {node}, and still has guests of it ({guests}): move their "
            "configuration to another node first"
        )
    nodeid = options.get("nodeid")
    for member in peer.members.values():
        if nodeid is not None and member.nodeid == nodeid and member.name != node:
            found.append(f"nodeid: {nodeid} is {member.name}'s in cluster {cluster}")
    return found


def _against_cluster_links(cluster: str, node: str, links: Links, peer: Standing) -> list[str]:
    found = []
    if len(peer.priorities) > 1 and not links:
        needed = ", ".join(map(str, sorted(peer.priorities)))
        found.append(f"links: cluster {cluster} has links {needed}, and {node} needs an address for each")
    for number, link in sorted(links.items()):
        if number not in peer.priorities:
            found.append(f"links: cluster {cluster} has no link {number}")
        elif link.get("priority") is not None and link["priority"] != peer.priorities[number]:
            found.append(
                f"links: link {number}: priority is {peer.priorities[number]} in cluster {cluster}, for all its nodes"
            )
        for member in peer.members.values():
            if member.name != node and link["address"] in member.links.values():
                found.append(f"links: link {number}: {link['address']} is {member.name}'s address")
    if links:
        found += [
            f"links: cluster {cluster} has a link {number}, and {node} needs an address for it"
            for number in sorted(peer.priorities)
            if number not in links
        ]
    return found


def against_removal(cluster: str, node: str, here: Standing) -> list[str]:
    """What keeps a member from being removed."""
    if node == here.node:
        return [f"node: {node} cannot remove itself: ask another node of the cluster (api_host)"]
    found = []
    member = here.members.get(node)
    if member is not None and member.online:
        found.append(
            f"{node} is online: switch it off first, and never on again as it is, because it would still take itself "
            f"for a member of {cluster}"
        )
    guests = here.guests_of(node)
    if guests:
        found.append(
            f"{node} has guests ({', '.join(map(str, guests))}): move their configuration to another node first, "
            "or destroy them"
        )
    if not here.quorate:
        found.append(f"cluster {cluster} has no quorum: bring its other nodes back first")
    return found
