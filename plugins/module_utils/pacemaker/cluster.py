# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What runs where in a Pacemaker cluster, and what stands against having it elsewhere. Pure.

Read from two things: the cluster's information base (cibadmin --query) and the XML of crm_simulate, Pacemaker's own
scheduler, which tells where everything is, and where it would be.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

INFINITE = 1000000
_YES = ("true", "yes", "on", "1", "y")
# What is behind its writer is not made the writer: an attribute of a node, named for the resource.
BEHIND = "-behind"


@dataclass(frozen=True)
class Node:
    online: bool = False
    standby: bool = False
    maintenance: bool = False
    unclean: bool = False


@dataclass(frozen=True)
class Resource:
    """nodes: where it is started.  members: of a group, in their order."""

    nodes: tuple[str, ...] = ()
    managed: bool = True
    members: tuple[str, ...] = ()
    kind: str = "resource"


@dataclass(frozen=True)
class Placement:
    """Where everything is, or would be."""

    nodes: Mapping[str, Node] = field(default_factory=dict)
    resources: Mapping[str, Resource] = field(default_factory=dict)

    def where(self, name: str) -> tuple[str, ...]:
        found = self.resources.get(name)
        return found.nodes if found else ()


def placement(element: ET.Element) -> Placement:
    """From <cluster_status> or <revised_cluster_status> of crm_simulate."""
    nodes = {
        str(node.get("name")): Node(
            *(yes(node.get(name)) for name in ("online", "standby", "maintenance", "unclean")),
        )
        for node in element.findall("nodes/node")
    }
    resources: dict[str, Resource] = {}
    parent = element.find("resources")
    for child in () if parent is None else parent:
        _read(child, resources)
    return Placement(nodes, resources)


def _read(element: ET.Element, into: dict[str, Resource]) -> Resource:
    name = str(element.get("id"))
    if element.tag == "resource":
        started = element.get("role") not in ("Stopped", "Starting")
        nodes = tuple(str(node.get("name")) for node in element.findall("node")) if started else ()
        # An instance of a clone has its name's number behind it in some versions.
        into[name] = found = Resource(nodes, yes(element.get("managed", "true")))
        return found
    inner = [(str(child.get("id")), _read(child, into)) for child in element if child.get("id")]
    all_there = all(member.nodes for _name, member in inner)
    nodes = tuple(dict.fromkeys(node for _name, member in inner for node in member.nodes)) if all_there else ()
    managed = all(member.managed for _name, member in inner)
    into[name] = found = Resource(nodes, managed, tuple(child for child, _member in inner), element.tag)
    return found


def yes(text: Optional[str]) -> bool:
    return str(text).lower() in _YES


def score(text: Optional[str]) -> int:
    words = {"INFINITY": INFINITE, "+INFINITY": INFINITE, "-INFINITY": -INFINITE}
    if text in words:
        return words[str(text)]
    try:
        return int(str(text))
    except ValueError:
        return 0


# ------------------------------------------------------------------------------------ the cluster's information base


def quorate(cib: ET.Element) -> bool:
    return yes(cib.get("have-quorum"))


def primitives(cib: ET.Element, name: str) -> tuple[str, ...]:
    """The resource itself, or what is in the group."""
    for group in cib.findall("configuration/resources/group"):
        if group.get("id") == name:
            return tuple(str(child.get("id")) for child in group.findall("primitive"))
    return (name,)


def together(cib: ET.Element, name: str) -> tuple[str, ...]:
    """All primitives that can only be where this one is, or it where they are, with it first."""
    ties: list[tuple[str, ...]] = [
        tuple(str(child.get("id")) for child in group.findall("primitive"))
        for group in cib.findall("configuration/resources/group")
    ]
    for constraint in cib.findall("configuration/constraints/rsc_colocation"):
        if score(constraint.get("score", "INFINITY")) >= INFINITE:
            names = [constraint.get("rsc"), constraint.get("with-rsc")]
            names += [reference.get("id") for reference in constraint.iter("resource_ref")]
            ties.append(tuple(part for one in names if one for part in primitives(cib, one)))
    found = list(primitives(cib, name))
    grown = True
    while grown:
        grown = False
        for tie in ties:
            more = [one for one in tie if one not in found]
            if more and any(one in found for one in tie):
                found += more
                grown = True
    return tuple(found)


def behind(cib: ET.Element, node: str, names: Collection[str]) -> Sequence[str]:
    """The attributes of the node that say it is behind for one of these."""
    return [name for name in (f"{one}{BEHIND}" for one in names) if yes(_attributes(cib, node).get(name))]


def _attributes(cib: ET.Element, node: str) -> Mapping[str, str]:
    """Lasting and passing ones."""
    pairs: dict[str, str] = {}
    for path in ("configuration/nodes/node", "status/node_state"):
        for found in cib.findall(path):
            if found.get("uname") == node:
                pairs.update((str(pair.get("name")), str(pair.get("value"))) for pair in found.iter("nvpair"))
    return pairs


def failures(cib: ET.Element, node: str, names: Collection[str]) -> Mapping[str, str]:
    """By primitive, why it failed on that node, where a failure still counts."""
    found: dict[str, str] = {}
    for state in cib.findall("status/node_state"):
        if state.get("uname") != node:
            continue
        counted = {
            str(pair.get("name")).removeprefix("fail-count-").partition("#")[0]
            for pair in state.iter("nvpair")
            if str(pair.get("name")).startswith("fail-count-") and score(pair.get("value")) > 0
        }
        reasons = {
            str(resource.get("id")): operation.get("exit-reason") or f"{operation.get('operation')} failed"
            for resource in state.iter("lrm_resource")
            for operation in resource.iter("lrm_rsc_op")
            if str(operation.get("id")).endswith("_last_failure_0")
        }
        found.update((name, reasons.get(name, "it failed there")) for name in names if name in counted)
    return found


def bans(cib: ET.Element, node: str, names: Collection[str]) -> Sequence[str]:
    """The constraints that keep one of these from the node whatever else holds."""
    result = []
    for constraint in cib.findall("configuration/constraints/rsc_location"):
        if constraint.get("rsc") not in names:
            continue
        plain = constraint.get("node") == node and score(constraint.get("score")) <= -INFINITE
        ruled = any(
            score(rule.get("score")) <= -INFINITE
            and any(
                expression.get("attribute") == "#uname"
                and expression.get("operation") == "eq"
                and expression.get("value") == node
                for expression in rule.findall("expression")
            )
            for rule in constraint.findall("rule")
        )
        if plain or ruled:
            result.append(str(constraint.get("id")))
    return result


def preferring(name: str) -> str:
    """What crm_resource calls the constraint with which it moves a resource somewhere."""
    return f"cli-prefer-{name}"


def banning(name: str, node: str) -> str:
    """What it calls the one with which it moves a resource away."""
    return f"cli-ban-{name}-on-{node}"


def constraint_there(cib: ET.Element, identity: str) -> bool:
    return any(one.get("id") == identity for one in cib.findall("configuration/constraints/rsc_location"))


def with_constraint(cib: ET.Element, name: str, *, node: str = "", away_from: str = "") -> str:
    """The information base with the constraint that crm_resource would make."""
    changed = ET.fromstring(ET.tostring(cib))  # noqa: S314 - our own text
    constraints = changed.find("configuration/constraints")
    if constraints is None:
        configuration = changed.find("configuration")
        constraints = ET.Element("constraints")
        if configuration is not None:
            resources = configuration.find("resources")
            place = list(configuration).index(resources) + 1 if resources is not None else len(configuration)
            configuration.insert(place, constraints)
    identity = preferring(name) if node else banning(name, away_from)
    for old in [one for one in constraints if one.get("id") == identity]:
        constraints.remove(old)
    attributes = {"id": identity, "rsc": name, "node": node or away_from}
    ET.SubElement(constraints, "rsc_location", {**attributes, "score": "INFINITY" if node else "-INFINITY"})
    return ET.tostring(changed, encoding="unicode")
