# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Forming a cluster when something is wrong, or breaks meanwhile. What can be known is refused before anything is
written; what was cut short is finished by the next run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.converge import converge
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.cluster import ClusterBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import Connection
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.cluster import CLUSTER
from tests.contract.bare_system import BareSystem
from tests.contract.invocation import Result
from tests.contract.system import refused, succeeded

NAME = "hct-cluster"


@pytest.fixture
def bare(system_of: Any) -> Iterator[BareSystem]:
    """Three nodes, the first of which has a cluster."""
    system: BareSystem = system_of("pve-bare")
    system.reset()
    system.create()
    yield system
    system.reset()


def join(system: BareSystem, name: str = "pve2", *, check: bool = False, **options: Any) -> Result:
    return system.run("pve_cluster", [system.member(name, **options)], check=check, **system.connection_to(name))


def is_refused(system: BareSystem, *parts: str, name: str = "pve2", **options: Any) -> None:
    """In check mode and for real, with nothing written anywhere, in words that hold all the parts."""
    before = system.inventory()
    for check in (True, False):
        with system.unwritten():
            result = refused(join(system, name, check=check, **options))
        for part in parts:
            assert part in result.message, result.message
    assert system.inventory() == before


def test_three_nodes_become_a_cluster(bare: BareSystem) -> None:
    for name in ("pve2", "pve3"):
        joined = succeeded(join(bare, name))
        assert joined.changed and not joined.data["unmet"]
        with bare.unwritten():
            assert not succeeded(join(bare, name)).changed
    corosync = bare.formation.machines["pve1"].corosync
    assert corosync is not None and sorted(corosync.members) == ["pve1", "pve2", "pve3"]


def test_what_a_node_is_called_by_whom_is_no_matter(bare: BareSystem) -> None:
    """Another member knows of it as well as the node itself."""
    bare.join("pve2")
    item = {"clustername": NAME, "node": "pve2"}
    with bare.unwritten():
        assert not succeeded(bare.run("pve_cluster", [item], **bare.connection_to("pve1"))).changed


# --- refused beforehand


def test_a_wrong_fingerprint(bare: BareSystem) -> None:
    is_refused(bare, "fingerprint", bare.formation["pve1"].address, fingerprint=":".join(["AA"] * 32))


def test_a_wrong_password_is_not_told(bare: BareSystem) -> None:
    is_refused(bare, "password", "root@pam", password="not-the-password")
    assert "not-the-password" not in join(bare, password="not-the-password").everything


def test_a_member_that_does_not_answer(bare: BareSystem) -> None:
    is_refused(bare, "hostname", "127.0.0.9", hostname="127.0.0.9")
    bare.formation.power("pve1", False)
    is_refused(bare, "hostname", bare.formation["pve1"].address)


def test_a_node_that_carries_guests(bare: BareSystem) -> None:
    bare.formation.call(lambda: bare.formation.machines["pve2"].seed_guests(2, 100, False, "qemu", "local", False))
    is_refused(bare, "pve2 carries guests (100, 101)")


def test_a_node_of_another_cluster(bare: BareSystem) -> None:
    item = {"clustername": "other", "node": "pve2"}
    succeeded(bare.run("pve_cluster", [item], **bare.connection_to("pve2")))
    is_refused(bare, "belongs to cluster other")


def test_a_member_of_another_cluster(bare: BareSystem) -> None:
    is_refused(bare, "hostname", f"in cluster {NAME}, not in wards", clustername="wards")


def test_an_address_that_is_not_on_the_node(bare: BareSystem) -> None:
    """Proxmox VE takes it when a cluster is created (recording 21c), and corosync never starts."""
    foreign = [{"link": 0, "address": "10.1.1.1"}]
    is_refused(bare, "links", "10.1.1.1", bare.formation["pve2"].address, links=foreign)
    item = {"clustername": "other", "node": "pve3", "links": foreign}
    with bare.unwritten():
        result = refused(bare.run("pve_cluster", [item], **bare.connection_to("pve3")))
    assert "10.1.1.1" in result.message


@pytest.mark.parametrize("address", ["bogus", "pve2.example.org", "10.1.1"])
def test_an_address_that_is_none(bare: BareSystem, address: str) -> None:
    """Proxmox VE takes it (recording 21b)."""
    is_refused(bare, "links", address, links=[{"link": 0, "address": address}])


def test_a_link_that_the_cluster_has_not(bare: BareSystem) -> None:
    node = bare.formation["pve2"]
    is_refused(bare, "has no link 1", links=[{"link": 0, "address": node.address}, {"link": 1, "address": node.second}])


def test_the_address_of_another_member(bare: BareSystem) -> None:
    bare.formation.call(lambda: setattr(bare.formation.machines["pve2"], "address", bare.formation["pve1"].address))
    taken = bare.formation["pve1"].address
    is_refused(bare, "links", f"{taken} is pve1's address", links=[{"link": 0, "address": taken}])


def test_a_nodeid_that_is_taken(bare: BareSystem) -> None:
    is_refused(bare, "nodeid", "pve1", nodeid=1)


def test_another_release(bare: BareSystem) -> None:
    bare.formation.machines["pve2"].release_version = "9.0"
    is_refused(bare, "9.0", "9.1")


def test_another_nodes_api(bare: BareSystem) -> None:
    with bare.unwritten():
        result = refused(bare.run("pve_cluster", [bare.member("pve2")], **bare.connection_to("pve3")))
    assert "api_host" in result.message and "pve3" in result.message


def test_a_token_would_be_forgotten(bare: BareSystem) -> None:
    machine = bare.formation.machines["pve2"]
    secret = machine.add_token("root@pam!own")
    token = {"api_token_id": "root@pam!own", "api_token_secret": secret, "api_user": None, "api_password": None}
    with bare.unwritten():
        result = refused(bare.run("pve_cluster", [bare.member("pve2")], **{**bare.connection_to("pve2"), **token}))
    assert "api_token_id" in result.message and secret not in result.everything


def test_a_token_is_enough_to_create(bare: BareSystem) -> None:
    """For a moment nobody is let in, as in recording 21b: the file that tokens are in is away."""
    secret = bare.formation.machines["pve3"].add_token("root@pam!own")
    token = {"api_token_id": "root@pam!own", "api_token_secret": secret, "api_user": None, "api_password": None}
    item = {"clustername": "other", "node": "pve3"}
    bare.formation.machines["pve3"].outage = 5
    made = succeeded(bare.run("pve_cluster", [item], **{**bare.connection_to("pve3"), **token}))
    assert made.changed and not made.data["unmet"]


def test_a_peer_that_is_offline_would_not_learn_of_it(bare: BareSystem) -> None:
    bare.formation.enlist("pve3", "pve1")
    bare.formation.power("pve3", False)
    bare.formation.call(lambda: setattr(bare.formation.machines["pve1"].corosync.members["pve1"], "votes", 3))
    is_refused(bare, f"pve3 of cluster {NAME} is offline")
    bare.formation.power("pve3", True)
    assert succeeded(join(bare)).changed


def test_no_quorum(bare: BareSystem) -> None:
    bare.formation.enlist("pve3", "pve1", votes=3)
    bare.formation.power("pve3", False)
    is_refused(bare, "no quorum", "pve3")


def test_before_there_is_a_cluster_check_mode_only_warns(bare: BareSystem) -> None:
    """The task before it would have created it."""
    bare.reset()
    with bare.unwritten():
        predicted = succeeded(join(bare, check=True))
        assert "is in no cluster" in refused(join(bare)).message
    assert predicted.planned == [f"create cluster {NAME}/pve2"]
    assert "is in no cluster" in str(predicted.data["warnings"])


# --- removing


def removed(system: BareSystem, name: str, *, through: str, **arguments: Any) -> Result:
    item = {"clustername": NAME, "node": name}
    where = system.connection_to(through)
    return system.run("pve_cluster", [item], state="absent", allow=[f"remove_node:{name}"], **where, **arguments)


def test_a_node_that_is_on_is_not_removed(bare: BareSystem) -> None:
    bare.formation.enlist("pve2", "pve1")
    with bare.unwritten():
        assert "pve2 is online" in refused(removed(bare, "pve2", through="pve1")).message
        assert "cannot remove itself" in refused(removed(bare, "pve2", through="pve2")).message


def test_a_node_with_guests_is_not_removed(bare: BareSystem) -> None:
    for name in ("pve2", "pve3"):
        bare.formation.enlist(name, "pve1")
    bare.formation.call(lambda: bare.formation.machines["pve2"].seed_guests(3, 100, False, "qemu", "local", False))
    bare.formation.power("pve2", False)
    with bare.unwritten():
        result = refused(removed(bare, "pve2", through="pve1"))
    assert re.search(r"pve2 has guests \(\d+\)", result.message)


def test_without_quorum_nobody_is_removed(bare: BareSystem) -> None:
    bare.formation.enlist("pve2", "pve1")
    bare.formation.power("pve2", False)
    with bare.unwritten():
        assert "no quorum" in refused(removed(bare, "pve2", through="pve1")).message


# --- what breaks meanwhile


def test_a_join_that_was_cut_short_is_begun_again(bare: BareSystem) -> None:
    """The cluster has its entry, the node knows nothing: Proxmox VE would refuse it for ever."""
    bare.formation.enlist("pve3", "pve1")
    bare.formation.cut_next_join("pve2")
    broken = refused(_with(bare, "pve2", task_timeout=1))
    assert any(step.startswith("failed: ") for step in broken.steps)
    corosync = bare.formation.machines["pve1"].corosync
    assert corosync is not None and "pve2" in corosync.members, "the test is about what is left"
    bare.formation.power("pve2", True)
    again = succeeded(join(bare))
    assert again.changed and not again.data["unmet"]
    assert sorted(corosync.members) == ["pve1", "pve2", "pve3"]


def test_a_join_that_was_cut_short_may_have_taken_the_quorum(bare: BareSystem) -> None:
    """One of two votes: nothing can be written, and it is said what lets it go on."""
    bare.formation.cut_next_join("pve2")
    refused(_with(bare, "pve2", task_timeout=1))
    bare.formation.power("pve2", True)
    is_refused(bare, "pvecm expected 1 at pve1")
    bare.formation.expect_less("pve1")
    assert not succeeded(join(bare)).data["unmet"]


def _with(system: BareSystem, name: str, **arguments: Any) -> Result:
    return system.run("pve_cluster", [system.member(name)], **{**system.connection_to(name), **arguments})


def test_the_api_is_away_while_the_node_joins(bare: BareSystem) -> None:
    for machine in bare.formation.machines.values():
        machine.outage, machine.time_scale = 6, 0.05
    assert not succeeded(join(bare)).data["unmet"]


def test_its_new_certificate_is_known_by_what_the_member_says(bare: BareSystem, tmp_path: Path) -> None:
    """ca_path holds the node's own authority only, which signs nothing any more once it has joined."""
    ca = tmp_path / "own.pem"
    ca.write_bytes(bare.formation.machines["pve2"].authority.pem())
    assert not succeeded(_with(bare, "pve2", ca_path=str(ca))).data["unmet"]
    # Nobody vouches for it in the next task but the cluster's authority.
    assert "ca_path" in refused(_with(bare, "pve2", ca_path=str(ca))).message
    ca.write_bytes(bare.formation.machines["pve1"].authority.pem())
    assert not succeeded(_with(bare, "pve2", ca_path=str(ca))).changed


def test_two_runs_at_once(bare: BareSystem) -> None:
    """Whichever comes first makes it; the other one finds it made, or says why it could not wait. Neither breaks it."""
    for machine in bare.formation.machines.values():
        machine.time_scale = 0.05
    declared = CLUSTER.declare({"config": [bare.member("pve2")]})

    def run(_number: int) -> Any:
        backend = ClusterBackend(Client(Connection.from_options(bare.connection_to("pve2"))))
        try:
            return converge(CLUSTER, declared, backend)
        finally:
            backend.close()

    with ThreadPoolExecutor(2) as threads:
        outcomes = list(threads.map(run, (1, 2)))
    assert [outcome.failure for outcome in outcomes] == ["", ""]
    corosync = bare.formation.machines["pve1"].corosync
    assert corosync is not None and sorted(corosync.members) == ["pve1", "pve2"]
    assert bare.formation.machines["pve2"].corosync is corosync
    with bare.unwritten():
        assert not succeeded(join(bare)).changed


def test_a_run_waits_for_a_join_that_is_under_way(bare: BareSystem) -> None:
    """The program that began it was killed; the node goes on by itself."""
    for machine in bare.formation.machines.values():
        machine.time_scale = 0.2
    first = bare.formation["pve1"]
    client = Client(Connection.from_options(bare.connection_to("pve2")))
    known = {"hostname": first.address, "fingerprint": first.fingerprint, "password": first.password}
    client.post("/cluster/config/join", known)
    client.close()
    with bare.unwritten():
        result = succeeded(join(bare))
    assert not result.changed and not result.data["unmet"]
