# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_cluster: a node that joins, and the first one, which creates. What is refused, and what happens when
something breaks meanwhile: tests/contract/test_cluster_formation.py."""

from __future__ import annotations

from typing import Any

from tests.contract.case import Case, Option, Scenario, Secret

NAME = "hct-cluster"
UNKNOWN = "AB:" * 31 + "CD"


def created(system: Any) -> None:
    """pve1 has a cluster with two links."""
    if hasattr(system, "create"):
        links = [(0, system.formation["pve1"].address, 0), (1, system.formation["pve1"].second, 7)]
        listed = [{"link": link, "address": at, "priority": value} for link, at, value in links]
        # With more votes than another node it stays quorate without that one.
        system.create(links=listed, votes=3)


def gone(system: Any) -> None:
    """pve3 was a member and is off; pve2, which is a member, is asked."""
    created(system)
    for name in ("pve2", "pve3"):
        system.join(name, links=links(name)(system))
    system.formation.power("pve3", False)


def replaced(system: Any) -> None:
    """pve2 was a member, is off and was installed anew."""
    created(system)
    system.join("pve2", links=links("pve2")(system))
    system.formation.reinstall("pve2")


def links(name: str, *, second: str = "", **more: Any) -> Any:
    def value(system: Any) -> list[dict[str, Any]]:
        node = system.formation[name]
        return [{"link": 0, "address": node.address}, {"link": 1, "address": second or node.second, **more}]

    return value


def of_first(what: str, otherwise: str) -> Any:
    """Of pve1; where there is no such machine, because the suite asks a cluster that is ready, something like it."""
    return lambda system: str(getattr(system.formation["pve1"], what)) if hasattr(system, "formation") else otherwise


PEER = {
    "hostname": of_first("address", "192.0.2.1"),
    "fingerprint": of_first("fingerprint", UNKNOWN),
    "password": of_first("password", "hct-password"),
}
JOINING = {
    "clustername": NAME,
    "node": "pve2",
    "links": lambda system: links("pve2")(system) if hasattr(system, "formation") else [],
    **PEER,
}
CREATING = {"clustername": NAME, "node": "pve1"}


def at_first(system: Any) -> None:
    system.asked = "pve1"


CASE = Case(
    module="pve_cluster",
    subsystem="pve-bare",
    setup=created,
    base=JOINING,
    options=(
        Option("links.address", links("pve2"), links("pve2", second="192.0.2.9")),
        Option("links.priority", links("pve2", priority=7), links("pve2", priority=9)),
        Option("nodeid", 7, 8),
        Option("votes", 2, 3),
        Option("token_coefficient", 125, 300),
        Option("hostname", PEER["hostname"], "192.0.2.1"),
        Option("fingerprint", PEER["fingerprint"], UNKNOWN),
    ),
    secrets=(Secret("password", "lab-password"),),
    several=[{**JOINING, "nodeid": 4, "votes": 1}],
    removal=("remove_node:pve2",),
    consents=(
        Scenario(
            "remove_node:pve3",
            {
                "config": [{"clustername": NAME, "node": "pve3"}],
                "state": "absent",
                "api_host": lambda system: [system.formation["pve2"].host],
            },
            "pve3",
            setup=gone,
        ),
        Scenario("remove_node:pve2", {"config": [JOINING]}, "pve2", setup=replaced, label="remove_node:replaced"),
    ),
    examples=at_first,
)

FIRST = Case(
    module="pve_cluster",
    variant="first",
    subsystem="pve-bare",
    setup=at_first,
    base=CREATING,
    options=(
        Option(
            "links.priority",
            lambda system: [{"link": 0, "address": system.formation["pve1"].address, "priority": 5}],
            lambda system: [{"link": 0, "address": system.formation["pve1"].address, "priority": 6}],
        ),
        Option("nodeid", 3, 4),
        Option("votes", 2, 3),
        Option("token_coefficient", 300, 400),
    ),
    several=[{**CREATING, "token_coefficient": 200}],
    removal=("remove_node:pve1",),
)
VARIANTS = (FIRST,)
