# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import consent
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import ConsentMissing, InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.cluster import CLUSTER
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.cluster_standing import (
    GUESTS,
    MEMBERS,
    STATUS,
    TOTEM,
    VERSION,
    Member,
    Standing,
    standing,
)
from tests.unit.pve.planning import sent

FINGERPRINT = ":".join(f"{number:02X}" for number in range(32))
PEER = {"hostname": "10.99.0.21", "fingerprint": FINGERPRINT.lower(), "password": "secret"}
FIRST = Member("n1", 1, 1, {0: "10.99.0.21"}, online=True)
PEER_STANDING = Standing("n1", "c1", True, {"n1": FIRST}, {0: 0}, 125, "9.1")
BARE = Standing("n2", release="9.1", addresses=frozenset({"10.99.0.22", "10.98.0.22"}))


def planned(item: dict[str, Any], here: Standing = BARE, **params: Any) -> Plan:
    declared = CLUSTER.declare({"config": [{"clustername": "c1", "node": "n2", **item}], **params})
    return CLUSTER.plan(CLUSTER.things(here), declared)


def step_of(item: dict[str, Any], here: Standing = BARE, **params: Any) -> Step:
    (step,) = planned(item, here, **params)
    return step


# --- what a node says of itself, as it was recorded


def test_a_node_alone() -> None:
    status = [{"online": 1, "level": "", "nodeid": 0, "ip": "10.99.0.21", "name": "n1", "type": "node", "local": 1}]
    found = standing({STATUS: status, MEMBERS: [], TOTEM: None})
    assert (found.node, found.cluster, found.quorate, found.members) == ("n1", "", False, {})


def test_a_cluster_with_a_node_that_never_arrived() -> None:
    status = [
        {"id": "cluster", "nodes": 2, "version": 4, "quorate": 1, "type": "cluster", "name": "c1"},
        {"type": "node", "name": "n1", "ip": "10.99.0.21", "local": 1, "nodeid": 1, "online": 1},
        {"type": "node", "name": "n9", "local": 0, "nodeid": 3, "online": 0},
    ]
    members = [
        {"node": "n9", "name": "n9", "quorum_votes": "1", "ring0_addr": "10.99.0.29", "nodeid": "3"},
        {"node": "n1", "name": "n1", "quorum_votes": "2", "ring0_addr": "10.99.0.21", "nodeid": "1"},
    ]
    totem = {"cluster_name": "c1", "interface": {"0": {"linknumber": "0"}}, "token_coefficient": "125"}
    found = standing({STATUS: status, MEMBERS: members, TOTEM: totem, VERSION: {"release": "9.1"}, GUESTS: []})
    assert found == Standing(
        "n1",
        "c1",
        True,
        {
            "n1": Member("n1", 1, 2, {0: "10.99.0.21"}, online=True),
            "n9": Member("n9", 3, 1, {0: "10.99.0.29"}, arrived=False),
        },
        {0: 0},
        125,
        "9.1",
    )


@pytest.mark.parametrize(
    ("rows", "known"),
    [
        ([{"iface": "vmbr0", "address": "10.99.0.22", "method": "static"}], {"10.99.0.22"}),
        ([{"iface": "vmbr0", "address6": "FD00::0001", "method": "manual"}], {"fd00::1"}),
        ([{"iface": "vmbr0", "method": "dhcp"}], None),
        ([{"iface": "vmbr0", "method": "manual", "method6": "auto"}], None),
    ],
)
def test_addresses_are_known_only_where_all_of_them_are_configured(rows: Any, known: set[str] | None) -> None:
    status = [{"type": "node", "name": "n2", "local": 1, "ip": ""}]
    found = standing({STATUS: status, "/nodes/n2/network": rows}).addresses
    assert found == (None if known is None else frozenset(known))


# --- what is asked of Proxmox VE


def test_the_first_node_creates() -> None:
    links = [{"link": 0, "address": "10.99.0.22", "priority": 20}, {"link": 1, "address": "10.98.0.22"}]
    plan = planned({"links": links, "token_coefficient": 300, "votes": 2})
    expected = {"link0": "10.99.0.22,priority=20", "link1": "10.98.0.22", "votes": 2, "token-coefficient": 300}
    assert sent(CLUSTER, plan) == [("POST", "/cluster/config", {"clustername": "c1", **expected})]


def test_another_one_joins() -> None:
    plan = planned({**PEER, "nodeid": 7, "links": [{"link": 0, "address": "10.99.0.22"}]})
    expected = {"hostname": "10.99.0.21", "fingerprint": FINGERPRINT, "password": "secret", "nodeid": 7}
    assert sent(CLUSTER, plan) == [("POST", "/cluster/config/join", {**expected, "link0": "10.99.0.22"})]
    assert "secret" not in repr(plan)


def test_a_member_is_left_as_it_is() -> None:
    there = replace(PEER_STANDING, members={"n1": FIRST, "n2": Member("n2", 2, 1, {0: "10.99.0.22"}, online=True)})
    assert not planned(PEER, there)
    assert not planned({"links": [{"link": 0, "address": "10.99.0.22", "priority": 0}], "votes": 1}, there)
    for other in ({"votes": 2}, {"nodeid": 3}, {"links": [{"link": 0, "address": "10.99.0.23"}]}):
        with pytest.raises(InvalidInput, match=next(iter(other))):
            planned(other, there)


def test_removal_needs_its_word() -> None:
    there = replace(PEER_STANDING, members={"n1": FIRST, "n2": Member("n2", 2, 1, {0: "10.99.0.22"})})
    plan = planned({}, there, state="absent")
    assert sent(CLUSTER, plan) == [("DELETE", "/cluster/config/nodes/n2", {})]
    with pytest.raises(ConsentMissing, match="remove_node:n2"):
        consent.require(plan, ["remove_node:n3"])
    consent.require(plan, ["remove_node:n2"])


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"clustername": "bad name"}, "clustername"),
        ({"clustername": "toolongclustername"}, "clustername"),
        ({"node": "a_b"}, "node"),
        ({"links": [{"link": 8, "address": "10.0.0.1"}]}, "link"),
        ({"links": [{"link": 0}]}, "no address"),
        ({"links": [{"link": 0, "address": "bogus"}]}, "bogus"),
        ({"links": [{"link": 0, "address": "10.0.0.1"}, {"link": 1, "address": "10.0.0.1"}]}, "two networks"),
        ({"links": [{"link": 0, "address": "10.0.0.1", "priority": 256}]}, "priority"),
        ({"nodeid": 0}, "nodeid"),
        ({"votes": -1}, "votes"),
        ({"votes": 0}, "votes"),
        ({**PEER, "hostname": "pve1:8006"}, "hostname"),
        ({**PEER, "fingerprint": "AA:BB"}, "fingerprint"),
        ({**PEER, "password": None}, "password"),
        ({**PEER, "fingerprint": None}, "fingerprint"),
        ({"password": "secret"}, "hostname"),
    ],
)
def test_what_is_wrong_whatever_is_there(item: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        planned(item)


# --- what stands against it


def with_peer(**changes: Any) -> Standing:
    return replace(PEER_STANDING, **changes)


TWO_LINKS = with_peer(priorities={0: 0, 1: 9})
AWAY = Member("n3", 3, 1, {0: "10.99.0.23"})
LINK0 = {"link": 0, "address": "10.99.0.22"}


@pytest.mark.parametrize(
    ("item", "here", "peer", "said"),
    [
        ({}, BARE, PEER_STANDING, ""),
        ({"links": [LINK0]}, BARE, PEER_STANDING, ""),
        ({"links": [LINK0]}, replace(BARE, addresses=None), PEER_STANDING, ""),
        ({}, replace(BARE, node="n3"), PEER_STANDING, "api_host must name n2"),
        ({}, replace(BARE, cluster="other"), PEER_STANDING, "belongs to cluster other"),
        ({}, replace(BARE, guests={100: "n2"}), PEER_STANDING, "carries guests (100)"),
        ({}, replace(BARE, release="8.4"), PEER_STANDING, "8.4"),
        ({}, BARE, with_peer(cluster="other"), "in cluster other"),
        ({}, BARE, with_peer(cluster=""), "in no cluster"),
        ({}, BARE, with_peer(quorate=False), "no quorum"),
        ({}, BARE, with_peer(members={"n1": FIRST, "n3": AWAY}), "n3 of cluster c1 is offline"),
        ({}, BARE, with_peer(members={"n1": FIRST, "n2": replace(AWAY, name="n2", online=True)}), "another node n2"),
        ({}, BARE, with_peer(members={"n1": FIRST, "n2": replace(AWAY, name="n2")}), ""),
        ({}, BARE, with_peer(members={"n2": replace(AWAY, name="n2")}, guests={7: "n2"}), "guests of it (7)"),
        ({"nodeid": 1}, BARE, PEER_STANDING, "nodeid: 1 is n1's"),
        ({"token_coefficient": 300}, BARE, PEER_STANDING, "token_coefficient: it is 125"),
        ({}, BARE, TWO_LINKS, "links 0, 1"),
        ({"links": [LINK0]}, BARE, TWO_LINKS, "has a link 1"),
        ({"links": [{**LINK0, "priority": 3}]}, BARE, PEER_STANDING, "priority is 0"),
        ({"links": [LINK0, {"link": 1, "address": "10.98.0.22"}]}, BARE, PEER_STANDING, "has no link 1"),
        ({"links": [LINK0, {"link": 1, "address": "10.98.0.22"}]}, BARE, TWO_LINKS, ""),
        ({"links": [{"link": 0, "address": "10.99.0.29"}]}, BARE, PEER_STANDING, "10.99.0.29 is no address of n2"),
    ],
)
def test_what_is_refused_of_a_join(item: dict[str, Any], here: Standing, peer: Standing, said: str) -> None:
    found = CLUSTER.obstacles(step_of({**PEER, **item}), here, peer)
    if not said:
        assert found == []
        return
    assert any(said in text for text in found), found
    assert all(isinstance(text, Missing) for text in found) == (said == "in no cluster")


def test_a_name_that_was_taken_needs_consent_and_one_that_never_came_does_not() -> None:
    step = step_of(PEER)
    old = replace(AWAY, name="n2")
    assert [word.word for word in CLUSTER.replaced(step, with_peer(members={"n2": old}))] == ["remove_node:n2"]
    assert not CLUSTER.replaced(step, with_peer(members={"n2": replace(old, arrived=False)}))
    assert not CLUSTER.replaced(step, PEER_STANDING)


@pytest.mark.parametrize(
    ("here", "said"),
    [
        (with_peer(members={"n1": FIRST, "n2": replace(AWAY, name="n2")}), ""),
        (with_peer(node="n2", members={"n2": replace(AWAY, name="n2")}), "cannot remove itself"),
        (with_peer(members={"n1": FIRST, "n2": replace(AWAY, name="n2", online=True)}), "is online"),
        (with_peer(members={"n1": FIRST, "n2": replace(AWAY, name="n2")}, guests={5: "n2", 6: "n1"}), "guests (5)"),
        (with_peer(members={"n1": FIRST, "n2": replace(AWAY, name="n2")}, quorate=False), "no quorum"),
    ],
)
def test_what_is_refused_of_a_removal(here: Standing, said: str) -> None:
    found = CLUSTER.obstacles(step_of({}, here, state="absent"), here, None)
    assert [said in text for text in found] == ([True] if said else [])


# --- the law


names = st.sampled_from(["n1", "n2", "n3"])
numbers = st.integers(0, 7)


@st.composite
def clusters(draw: st.DrawFn) -> Standing:
    count = draw(st.integers(1, 3))
    priorities = {link: draw(st.integers(0, 255)) for link in sorted(draw(st.sets(numbers, min_size=1, max_size=3)))}
    members = {
        f"n{index}": Member(
            f"n{index}", index, draw(st.integers(0, 3)), {link: f"10.{link}.0.{index}" for link in priorities}, True
        )
        for index in range(1, count + 1)
    }
    return Standing("n1", "c1", True, members, priorities, draw(st.integers(0, 1000)), "9.1")


@given(clusters())
def test_what_is_there_plans_nothing(here: Standing) -> None:
    config = [CLUSTER.visible(key, thing.state) for key, thing in CLUSTER.things(here).items()]
    for more in ({}, {"unlisted_options": "reset"}, {"update_secrets": "always"}):
        assert not CLUSTER.plan(CLUSTER.things(here), CLUSTER.declare({"config": config, **more}))


@given(clusters(), st.data())
def test_what_was_joined_as_planned_plans_nothing_again(here: Standing, data: st.DataObject) -> None:
    """With a pure model of joining: what is left out, the cluster chooses."""
    links = [{"link": link, "address": f"10.{link}.0.9"} for link in here.priorities]
    chosen = {"nodeid": data.draw(st.integers(10, 99)), "votes": data.draw(st.integers(0, 5)), "links": links}
    item = {name: value for name, value in chosen.items() if data.draw(st.booleans())}
    declared = CLUSTER.declare({"config": [{"clustername": "c1", "node": "n9", **PEER, **item}]})
    (step,) = CLUSTER.plan(CLUSTER.things(here), declared)
    (request,) = CLUSTER.requests(step)
    given_links = {link: str(request.parameters.get(f"link{link}", f"10.{link}.0.9")) for link in here.priorities}
    joined = Member("n9", request.parameters.get("nodeid", 9), request.parameters.get("votes", 1), given_links, True)
    after = replace(here, members={**here.members, "n9": joined})
    assert not CLUSTER.plan(CLUSTER.things(after), declared)
