# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Whether a node can be emptied, and what is said where it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.cluster import (
    LXC,
    Cluster,
    Guest,
    Node,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.evacuation import (
    STOPPED,
    Evacuation,
    Votes,
    evacuation,
    promised,
    says,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.moving import (
    Ground,
    Preconditions,
    Terms,
)

GIB = 1024**3


def guest(vmid: int, node: str, gib: int = 8, **more: object) -> Guest:
    return replace(Guest(vmid, node=node, name=f"g{vmid}", status="running", memory=gib * GIB), **more)  # type: ignore[arg-type]


def emptied(
    *guests: Guest,
    node: str = "pve1",
    nodes: Mapping[str, int] | None = None,
    known: Mapping[int, Preconditions] | None = None,
    votes: Votes | None = None,
    allow: tuple[str, ...] = (),
    reserved: int = 4,
) -> Evacuation:
    """nodes: GiB by node."""
    sizes = nodes or {"pve1": 64, "pve2": 64, "pve3": 64, "pve4": 32}
    every = {name: Node(name, memory=size * GIB, total=size * GIB) for name, size in sizes.items()}
    cluster = Cluster(every, {one.vmid: one for one in guests})
    ground = Ground(promised(cluster, {}, reserved * GIB), known or {})
    counted = votes or Votes(dict.fromkeys(sizes, 1))
    return evacuation(node, ground, Terms(), counted, allow, alone=len(sizes) == 1)


def test_the_largest_find_their_places_first() -> None:
    sizes = {"pve1": 64, "pve2": 24, "pve3": 20, "pve4": 8}
    found = emptied(guest(100, "pve1", 4), guest(101, "pve1", 16), guest(102, "pve1", 16), nodes=sizes)
    assert not found.refused
    assert {way.guest.vmid: way.target for way in found.ways} == {101: "pve2", 102: "pve3", 100: "pve2"}


def test_memory_counts_as_promised_not_as_used() -> None:
    """pve2 has much that is unused, and promised to what runs there."""
    sizes = {"pve1": 64, "pve2": 64}
    votes = Votes({"pve1": 1, "pve2": 1}, device=1)
    fits = emptied(guest(100, "pve1", 20), guest(200, "pve2", 40), nodes=sizes, votes=votes)
    assert not fits.refused
    crowded = emptied(guest(100, "pve1", 21), guest(200, "pve2", 40), nodes=sizes, votes=votes)
    assert "pve2 has 20.0 GiB of memory left, and it may use 21.0 GiB" in crowded.refused[0]
    off = emptied(guest(100, "pve1", 21), guest(200, "pve2", 40, status="stopped"), nodes=sizes, votes=votes)
    assert not off.refused


def test_a_guest_that_does_not_run_stays_and_is_nobodys_business() -> None:
    bound = {100: Preconditions(bound=("hostpci0",))}
    found = emptied(guest(100, "pve1", status="stopped"), known=bound)
    assert not found.refused and not found.ways


def test_what_cannot_move_is_named_and_may_be_shut_down_by_name_only() -> None:
    bound = {100: Preconditions(bound=("hostpci0",))}
    refused = emptied(guest(100, "pve1"), known=bound)
    assert "guest 100 (g100) cannot leave pve1" in refused.refused[0] and "hostpci0" in refused.refused[0]
    assert refused.missing == ("stop_guest:100",)
    assert emptied(guest(100, "pve1"), known=bound, allow=("stop_guest:101",)).refused
    allowed = emptied(guest(100, "pve1"), known=bound, allow=("stop_guest:100",))
    assert not allowed.refused and [way.how for way in allowed.ways] == [STOPPED]
    assert "is shut down, and started again afterwards" in says(allowed)[0]


def test_a_guest_that_can_move_is_moved_whatever_else_it_may() -> None:
    (way,) = emptied(guest(100, "pve1"), allow=("stop_guest:100",)).ways
    assert way.how == "online" and way.target


@pytest.mark.parametrize("change", [{"ha": True}, {"lock": "backup"}])
def test_no_consent_switches_off_what_the_ha_manager_has_or_a_backup(change: dict[str, object]) -> None:
    bound = {100: Preconditions(bound=("hostpci0",))}
    found = emptied(guest(100, "pve1", **change), known=bound, allow=("stop_guest:100",))
    assert found.refused and not found.missing


def test_a_container_is_asked_for() -> None:
    found = emptied(guest(152, "pve1", kind=LXC))
    assert found.missing == ("restart_guest:152",) and "needs restart_guest:152" in found.refused[0]
    for allow in ("restart_guest", "restart_guest:152"):
        assert not emptied(guest(152, "pve1", kind=LXC), allow=(allow,)).refused


def test_a_node_without_which_there_is_no_quorum() -> None:
    pair = {"pve1": 64, "pve2": 64}
    assert emptied(nodes=pair).refused == ("without pve1 the cluster has no quorum",)
    assert not emptied(nodes=pair, votes=Votes({"pve1": 1, "pve2": 1}, device=1)).refused


def test_a_single_node_has_no_quorum_to_lose_and_nowhere_to_go() -> None:
    found = emptied(guest(100, "pve1"), nodes={"pve1": 64})
    assert "there is no other node" in found.refused[0] and len(found.refused) == 1
    assert not emptied(guest(100, "pve1"), nodes={"pve1": 64}, allow=("stop_guest:100",)).refused


def test_another_loss_meanwhile_is_told_and_stops_nobody() -> None:
    three = emptied(nodes={"pve1": 64, "pve2": 64, "pve3": 64})
    assert not three.refused and "takes the quorum" in three.warnings[0]
    # Five nodes: pve2's guest would need 30 GiB, and nobody has them while pve1 is away.
    sizes = {"pve1": 64, "pve2": 34, "pve3": 32, "pve4": 32, "pve5": 32}
    tight = emptied(guest(100, "pve2", 30, ha=True), nodes=sizes)
    assert not tight.refused
    assert tight.warnings == ("while pve1 is away, the loss of pve2 as well leaves no room for guest 100 (g100)",)
    assert not emptied(guest(100, "pve2", 28, ha=True), nodes=sizes).warnings
