# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A node's membership in a cluster. PVE API: /cluster/config, /cluster/config/join, /cluster/config/nodes.

A membership is made once and not changed: what corosync.conf says of a node and of links is create_only.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet, placed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import (
    ON_CREATE,
    Declaration,
    Item,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    DELETE,
    Consent,
    Step,
    Thing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import path
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Answers, PveKind, Request
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.cluster_checks import (
    against_forming,
    against_joining,
    against_links,
    against_removal,
    leftover,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.cluster_standing import (
    STATUS,
    Standing,
    standing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import number, text

CONFIG = "/cluster/config"
JOIN = "/cluster/config/join"

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_FINGERPRINT = re.compile(r"(?:[A-F0-9]{2}:){31}[A-F0-9]{2}")
_LONGEST_CLUSTER_NAME, _LONGEST_NODE_NAME, _LONGEST_PASSWORD = 15, 63, 128
_LINKS, _PRIORITIES, _NUMBERS = range(8), range(256), range(2**31)


@dataclass(frozen=True)
class Address:
    """An IP address. A name would be accepted, and corosync would not start where it cannot be looked up."""

    def canonical(self, value: Any) -> Any:
        try:
            return str(ipaddress.ip_address(str(value).strip()))
        except ValueError:
            raise ValueError(f"{value!r} is no IP address; write for example 10.10.10.1") from None

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Fingerprint:
    """Of a certificate, SHA-256."""

    def canonical(self, value: Any) -> Any:
        written = str(value).strip().upper()
        if not _FINGERPRINT.fullmatch(written):
            raise ValueError(f"{value!r} is no SHA-256 fingerprint; it has 32 pairs of digits, as in AB:CD:…:EF")
        return written

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class ClusterKind(PveKind):
    """Created where the item names no `hostname`, joined where it does."""

    def check(self, item: Item) -> None:
        clustername, node = (str(part) for part in item.key)
        _check_name("clustername", clustername, _LONGEST_CLUSTER_NAME)
        _check_name("node", node, _LONGEST_NODE_NAME)
        for name in ("nodeid", "votes", "token_coefficient"):
            _check_number(name, item.options.get(name), _NUMBERS)
        if item.options.get("nodeid") == 0:
            raise InvalidInput("nodeid: 0 is no node id.", hint="Give 1 or more.")
        _check_links(item.options.get("links") or {})
        hostname = item.options.get("hostname")
        if hostname is not None and not _is_host(str(hostname)):
            raise InvalidInput(
                f"hostname: {hostname!r} is neither a name nor an address.",
                hint="Name a member of the cluster as this node reaches it, without a port.",
            )
        if len(str(item.options.get("password") or "")) > _LONGEST_PASSWORD:
            raise InvalidInput(f"password: Proxmox VE takes no more than {_LONGEST_PASSWORD} characters.")

    def plan_present(self, item: Item, thing: Thing | None, declared: Declaration) -> Sequence[Step]:
        # The password opens the door once; there is nothing to write it to later.
        return super().plan_present(item, thing, replace(declared, update_secrets=ON_CREATE))

    def plan_create(self, item: Item) -> Step:
        joins = item.options.get("hostname") is not None
        for name in ("fingerprint", "password"):
            if joins and item.options.get(name) is None:
                raise InvalidInput(
                    f"cannot join {item.options['hostname']} without its {name}.",
                    hint="A member is never joined blindly: its certificate is known by its fingerprint.",
                )
            if not joins and item.options.get(name) is not None:
                raise InvalidInput(
                    f"{name} without hostname: nobody is joined with it.", hint="Name the member in hostname."
                )
        if not joins and item.options.get("votes") == 0:
            raise InvalidInput("votes: the first node of a cluster needs 1 or more.")
        step = super().plan_create(item)
        return replace(step, inputs={name: value for name, value in step.inputs.items() if name != "password"})

    def consents(self, step: Step) -> Sequence[Consent]:
        if step.action != DELETE:
            return ()
        clustername, node = step.key
        return (
            Consent(f"remove_node:{node}", f"{clustername} forgets {node}, which may never start again as it is now"),
        )

    def requests(self, step: Step) -> Sequence[Request]:
        clustername, node = step.key
        if step.action == DELETE:
            return (Request("DELETE", path("cluster", "config", "nodes", node)),)
        after = step.after or {}
        parameters: dict[str, Any] = {name: after[name] for name in ("nodeid", "votes") if after.get(name) is not None}
        for link, options in (after.get("links") or {}).items():
            priority = options.get("priority")
            parameters[f"link{link}"] = options["address"] + (f",priority={priority}" if priority is not None else "")
        if step.inputs.get("hostname") is None:
            if after.get("token_coefficient") is not None:
                parameters["token-coefficient"] = after["token_coefficient"]
            return (Request("POST", CONFIG, {"clustername": clustername, **parameters}),)
        peer = {name: step.inputs[name] for name in ("hostname", "fingerprint")}
        return (Request("POST", JOIN, {**peer, **parameters, "password": step.secrets["password"]}),)

    def things(self, here: Standing) -> dict[Key, Thing]:
        """The memberships that a node knows of."""
        found: dict[Key, Thing] = {}
        for member in here.members.values():
            links = {
                link: {"address": address, **_set("priority", here.priorities.get(link))}
                for link, address in member.links.items()
            }
            state = {
                "links": links or None,
                "nodeid": member.nodeid,
                "votes": member.votes,
                "token_coefficient": here.token_coefficient,
            }
            key = (here.cluster, member.name)
            found[key] = Thing({name: value for name, value in state.items() if value is not None})
        return found

    def obstacles(self, step: Step, here: Standing, peer: Standing | None) -> list[str]:
        """What would be refused, or never work, of one step. `peer`: the member that is to be joined."""
        clustername, node = (str(part) for part in step.key)
        if step.action == DELETE:
            found = against_removal(clustername, node, here)
        else:
            found = against_forming(clustername, node, here)
            if not found:
                found = against_links((step.after or {}).get("links") or {}, here)
                if peer is not None:
                    options = {**(step.after or {}), **step.inputs}
                    found += against_joining(clustername, node, options, here, peer)
        return [placed(self.described(step.key), problem) for problem in found]

    def replaced(self, step: Step, peer: Standing) -> Sequence[Consent]:
        """The consent to take the place of a node that was there; none for one that never arrived, which is what a
        join leaves that was cut short."""
        node = str(step.key[1])
        old = leftover(node, peer)
        if old is None or not old.arrived:
            return ()
        text_ = f"{peer.cluster} had a node {node}, which is off: this one takes its place"
        return (Consent(f"remove_node:{node}", text_),)

    def verify_paths(self, things: Mapping[Key, Thing], declared: Declaration) -> Sequence[str]:
        return (STATUS,)

    def unmet(self, things: Mapping[Key, Thing], declared: Declaration, answers: Answers) -> Sequence[Unmet]:
        status = answers.get(STATUS) or ()
        here = standing({STATUS: status})
        whole = any(row.get("type") == "cluster" for row in status)
        online = {str(row.get("name")) for row in status if row.get("type") == "node" and row.get("online")}
        found = []
        for clustername in sorted({str(key[0]) for key in things}):
            if not whole:
                found.append(
                    Unmet(
                        f"cluster {clustername}: corosync does not run at {here.node}; see there "
                        "journalctl --unit corosync.",
                        passing=True,
                    )
                )
            elif not here.quorate:
                found.append(Unmet(f"cluster {clustername} has no quorum.", passing=True))
        if whole:
            found += [Unmet(f"node {key[1]} is offline.", passing=True) for key in things if key[1] not in online]
        return found


def _set(name: str, value: Any) -> dict[str, Any]:
    """A priority of 0 is the same as none."""
    return {name: value} if value else {}


def _check_name(option: str, value: str, longest: int) -> None:
    if not _NAME.fullmatch(value) or len(value) > longest:
        raise InvalidInput(
            f"{option}: Proxmox VE takes no name like {value!r}.",
            hint=f"Use up to {longest} letters, digits and -, with a letter or digit at both ends.",
        )


def _check_number(option: str, value: Any, allowed: range) -> None:
    if value is not None and value not in allowed:
        raise InvalidInput(f"{option}: {value} is out of range.", hint=f"Give {allowed[0]} to {allowed[-1]}.")


def _check_links(links: Mapping[Any, Mapping[str, Any]]) -> None:
    seen: dict[str, Any] = {}
    for link, options in links.items():
        _check_number("links: link", link, _LINKS)
        _check_number(f"links: link {link}: priority", options.get("priority"), _PRIORITIES)
        address = options.get("address")
        if address is None:
            raise InvalidInput(f"links: link {link} has no address.", hint="Give the address of this node on it.")
        if address in seen:
            raise InvalidInput(
                f"links: {address} is the address of link {seen[address]} and of link {link}.",
                hint="Two links are two networks.",
            )
        seen[address] = link


def _is_host(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return bool(_HOST.fullmatch(value))
    return True


CLUSTER = ClusterKind(
    name="cluster",
    identity=("clustername", "node"),
    words=("remove_node",),
    fields=(
        text("clustername"),
        text("node"),
        Field(
            "links",
            type="list",
            elements="dict",
            key="link",
            create_only=True,
            fields=(
                number("link"),
                Field("address", Address()),
                number("priority", default=0, kept=True),
            ),
        ),
        number("nodeid", create_only=True),
        number("votes", create_only=True),
        number("token_coefficient", create_only=True),
        text("hostname", creating=True),
        Field("fingerprint", Fingerprint(), creating=True),
        text("password", write_only=True, creating=True),
    ),
)
