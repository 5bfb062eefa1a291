# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""From what the API lists to what an inventory shows: nodes and guests, their names, variables, groups and addresses.

Pure: the inventory plugin makes the requests.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

GUEST_TYPES = ("qemu", "lxc")
NODE = "node"
# Variables that need a request for each guest.
FACTS = ("ansible_host", "pve_addresses", "pve_config", "pve_interfaces")

_DEVICE = re.compile(r"(?P<kind>net|ipconfig|scsi|virtio|ide|sata|efidisk|tpmstate|mp|unused|rootfs)(?P<number>\d*)")
_NAMELESS = re.compile(r"(?:VM|CT) ?(?P<vmid>\d+)")


@dataclass(frozen=True)
class Member:
    """A node (`vmid` 0) or a guest of a cluster, as GET /cluster/resources lists it. `online` is its node's state."""

    kind: str
    vmid: int
    name: str
    node: str
    status: str
    online: bool
    cluster: str = ""
    tags: tuple[str, ...] = ()
    pool: str = ""
    hastate: str = ""
    lock: str = ""
    template: bool = False
    cores: int = 0
    memory: int = 0
    disk: int = 0
    address: str = ""

    @property
    def is_node(self) -> bool:
        return self.kind == NODE

    @property
    def identity(self) -> str:
        """Which thing in the cluster this is, whatever it is called: `node/pve1`, `guest/100`."""
        return f"node/{self.node}" if self.is_node else f"guest/{self.vmid}"

    @property
    def path(self) -> str:
        """Where the API has it."""
        return f"/nodes/{self.node}" if self.is_node else f"/nodes/{self.node}/{self.kind}/{self.vmid}"


def cluster_name(status: Sequence[Mapping[str, Any]]) -> str:
    """The name in GET /cluster/status; a node that stands alone is its own cluster. Empty where nothing is known."""
    names = {str(entry.get("type")): str(entry.get("name") or "") for entry in status}
    return names.get("cluster") or names.get("node", "")


def members(
    resources: Iterable[Mapping[str, Any]], status: Sequence[Mapping[str, Any]], cluster: str = ""
) -> list[Member]:
    """Nodes by name, then guests by vmid, from GET /cluster/resources and GET /cluster/status (may be empty)."""
    listed = list(resources)
    cluster = cluster or cluster_name(status)
    addresses = {str(entry.get("name")): str(entry.get("ip") or "") for entry in status if entry.get("type") == NODE}
    online = {str(entry["node"]): entry.get("status") == "online" for entry in listed if entry.get("type") == NODE}
    found = [
        _member(entry, cluster, online, addresses)
        for entry in listed
        if entry.get("type") == NODE or entry.get("type") in GUEST_TYPES
    ]
    return sorted(found, key=lambda member: (not member.is_node, member.vmid, member.name))


def _member(entry: Mapping[str, Any], cluster: str, online: Mapping[str, bool], addresses: Mapping[str, str]) -> Member:
    kind, node = str(entry["type"]), str(entry.get("node") or "")
    vmid = int(entry.get("vmid") or 0)
    return Member(
        kind=kind,
        vmid=vmid,
        name=node if kind == NODE else _guest_name(vmid, str(entry.get("name") or "")),
        node=node,
        status=str(entry.get("status") or "unknown"),
        online=online.get(node, False),
        cluster=cluster,
        tags=tuple(sorted({tag for tag in re.split(r"[;,\s]+", str(entry.get("tags") or "")) if tag})),
        pool=str(entry.get("pool") or ""),
        hastate=str(entry.get("hastate") or ""),
        lock=str(entry.get("lock") or ""),
        template=str(entry.get("template") or 0) == "1",
        cores=int(entry.get("maxcpu") or 0),
        memory=int(entry.get("maxmem") or 0),
        disk=int(entry.get("maxdisk") or 0),
        address=addresses.get(node, "") if kind == NODE else "",
    )


def _guest_name(vmid: int, name: str) -> str:
    """The guest's name, or an empty string for what PVE shows in place of one (`VM 100`, `CT100`).

    PVE takes DNS names only; what else an old configuration may hold is made a name that Ansible takes.
    """
    placeholder = _NAMELESS.fullmatch(name)
    if placeholder and int(placeholder["vmid"]) == vmid:
        return ""
    return re.sub(r"[^\w.-]+", "-", name)


def host_names(listed: Sequence[Member]) -> dict[str, str]:
    """A host name for each identity, the same in whatever order the API listed them.

    A node has its own name; of guests with one name, the lowest vmid keeps it and the others add theirs
    (`web`, `web_107`); a guest without a name is `vm-100` or `ct-100`.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    ordered = sorted(listed, key=lambda member: (not member.is_node, not member.name, member.vmid, member.name))
    for member in ordered:
        prefix = "ct" if member.kind == "lxc" else "vm"
        name = member.name or f"{prefix}-{member.vmid}"
        while name in taken:
            name = f"{name}_{member.vmid}"
        taken.add(name)
        names[member.identity] = name
    return names


def variables(member: Member) -> dict[str, Any]:
    """What is known of a node or guest without asking for its configuration."""
    found: dict[str, Any] = {
        "pve_cluster": member.cluster,
        "pve_type": member.kind,
        "pve_name": member.name,
        "pve_node": member.node,
        "pve_node_status": "online" if member.online else "offline",
        "pve_status": member.status,
        "pve_hastate": member.hastate,
        "pve_maxcpu": member.cores,
        "pve_maxmem": member.memory,
        "pve_maxdisk": member.disk,
        "pve_vmid": member.vmid or None,
        "pve_tags": list(member.tags),
        "pve_pool": member.pool,
        "pve_lock": member.lock,
        "pve_template": member.template,
    }
    if member.address:
        found["ansible_host"] = member.address
    return found


def groups(member: Member, *, prefix: str, local_prefix: str) -> list[str]:
    """The groups a node or guest belongs to, unsanitised. Node and pool names mean something in their cluster only and
    have the prefix `local_prefix`."""
    found = [f"{prefix}nodes" if member.is_node else f"{prefix}guests", f"{prefix}status_{member.status}"]
    if member.cluster:
        found.append(f"{prefix}cluster_{member.cluster}")
    if member.is_node:
        return found
    found += [f"{prefix}{member.kind}", f"{local_prefix}node_{member.node}"]
    found += [f"{prefix}tag_{tag}" for tag in member.tags]
    if member.pool:
        found.append(f"{local_prefix}pool_{member.pool}")
    if member.hastate:
        found.append(f"{prefix}ha_{member.hastate}")
    if member.template:
        found.append(f"{prefix}templates")
    if not member.online:
        found.append(f"{prefix}on_offline_node")
    return found


# --- with facts


def parsed_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """A guest's configuration with its network cards, disks and cloud-init addresses as mappings.

    `virtio=BC:24:11:00:00:01,bridge=vmbr0` becomes `{model: virtio, macaddr: BC:24:11:00:00:01, bridge: vmbr0}`, and
    `local:100/vm-100-disk-0.raw,size=1G` becomes `{volume: local:100/vm-100-disk-0.raw, size: 1G}`.
    """
    parsed: dict[str, Any] = {}
    for key, value in config.items():
        device = _DEVICE.fullmatch(key)
        parsed[key] = _properties(device["kind"], value) if device and isinstance(value, str) else value
    return parsed


def _properties(kind: str, text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for position, part in enumerate(text.split(",")):
        name, separator, value = part.partition("=")
        if not separator:
            found["model" if kind == "net" else "volume"] = name
        elif kind == "net" and position == 0 and re.fullmatch(r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}", value):
            found.update(model=name, macaddr=value)
        else:
            found[name] = value
    return found


def has_agent(config: Mapping[str, Any]) -> bool:
    """Whether the configuration of a QEMU guest switches its agent on (`1`, `enabled=1,fstrim_cloned_disks=1`)."""
    parts = str(config.get("agent") or "").split(",")
    return parts[0] == "1" or "enabled=1" in parts


def interfaces(answer: Any) -> list[dict[str, Any]]:
    """A guest's network interfaces, loopback aside, from its agent's answer or from GET lxc/{vmid}/interfaces.

    Each is `{name, macaddr, addresses}`, the addresses in CIDR notation.
    """
    if isinstance(answer, Mapping):
        answer = answer.get("result")
    found = []
    # The agent runs in the guest, so its answer may be anything.
    for entry in answer if isinstance(answer, list) else []:
        if not isinstance(entry, Mapping) or entry.get("name") == "lo":
            continue
        listed = entry.get("ip-addresses")
        if isinstance(listed, list):
            pairs = [(each.get("ip-address"), each.get("prefix")) for each in listed if isinstance(each, Mapping)]
            addresses = [f"{address}/{prefix}" for address, prefix in pairs if address and prefix is not None]
        else:
            texts = [str(entry[key]) for key in ("inet", "inet6") if entry.get(key)]
            addresses = [address for text in texts for address in text.split()]
        mac = entry.get("hardware-address") or entry.get("hwaddr") or ""
        found.append({"name": str(entry.get("name", "")), "macaddr": str(mac).upper(), "addresses": addresses})
    return found


def configured_interfaces(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The interfaces with fixed addresses in a configuration: a container's, or those that cloud-init sets."""
    found = []
    for key in sorted(config, key=_by_number):
        device = _DEVICE.fullmatch(key)
        options = config[key]
        if not device or device["kind"] not in {"net", "ipconfig"} or not isinstance(options, Mapping):
            continue
        addresses = [str(options[name]) for name in ("ip", "ip6") if "/" in str(options.get(name, ""))]
        if addresses:
            card = config.get(f"net{device['number']}")
            mac = (card.get("macaddr") or card.get("hwaddr") or "") if isinstance(card, Mapping) else ""
            name = str(options.get("name") or f"net{device['number']}")
            found.append({"name": name, "macaddr": str(mac).upper(), "addresses": addresses})
    return found


def _by_number(key: str) -> tuple[str, int]:
    device = _DEVICE.fullmatch(key)
    return (device["kind"], int(device["number"] or 0)) if device else (key, 0)


def fact_variables(config: Mapping[str, Any] | None, answer: Any) -> dict[str, Any]:
    """The variables that a guest's configuration and its agent's (or container's) interfaces add; none without them."""
    if config is None:
        return {}
    parsed = parsed_config({key: value for key, value in config.items() if key != "digest"})
    cards = interfaces(answer) or configured_interfaces(parsed)
    addresses = _reachable(cards, _card_order(parsed))
    found: dict[str, Any] = {"pve_config": parsed, "pve_interfaces": cards, "pve_addresses": addresses}
    if addresses:
        found["ansible_host"] = addresses[0]
    return found


def _card_order(config: Mapping[str, Any]) -> list[str]:
    """The MACs of net0, net1 … in this order."""
    keys = sorted((key for key in config if re.fullmatch(r"net\d+", key)), key=_by_number)
    cards = [config[key] for key in keys if isinstance(config[key], Mapping)]
    return [str(card.get("macaddr") or card.get("hwaddr") or "").upper() for card in cards]


def _reachable(cards: Iterable[Mapping[str, Any]], order: Collection[str]) -> list[str]:
    """Addresses that others can use: IPv4 first, those of net0 before net1 before what only the guest knows of."""
    places = {mac: place for place, mac in enumerate(order)}
    found = []
    for card in cards:
        for text in card["addresses"]:
            try:
                address = ipaddress.ip_interface(text).ip
            except ValueError:
                continue
            if not (address.is_loopback or address.is_link_local or address.is_unspecified):
                found.append((address.version, places.get(card["macaddr"], len(places)), str(address)))
    return list(dict.fromkeys(address for _version, _place, address in sorted(found, key=lambda each: each[:2])))
