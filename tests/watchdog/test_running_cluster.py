# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A watchdog for a cluster that runs already: refused, and then without an interruption of what it runs."""

from __future__ import annotations

from tests.watchdog.cluster import NODES, WATCHDOG, Cluster

WATCHDOGS = False
SOFTDOG = {**WATCHDOG, "ha_cluster_watchdog_module": "softdog"}
CONSENT = {"ha_cluster_allow": ["restart_cluster"]}


def words(said: str) -> str:
    return " ".join(said.split())


def test_a_watchdog_that_is_not_there_changes_nothing(cluster: Cluster) -> None:
    said = words(cluster.role(WATCHDOG, fails=True).output)
    assert "a has no watchdog /dev/watchdog" in said
    assert said.count("changed=0 ") == 3


def test_a_cluster_that_runs_is_not_started_anew_unasked(cluster: Cluster) -> None:
    cluster.role()
    holder = cluster.holder()
    since = cluster.on(holder, "systemctl", "show", "--property=ActiveEnterTimestamp", "pacemaker", "corosync")
    said = words(cluster.role(SOFTDOG, fails=True).output)
    assert "ha_cluster_watchdog: the cluster runs on a already" in said
    assert "restart_cluster" in said
    assert said.count("changed=0 ") == 3
    assert cluster.on(holder, "systemctl", "show", "--property=ActiveEnterTimestamp", "pacemaker", "corosync") == since


def test_with_consent_what_it_runs_stays_where_it_is(cluster: Cluster) -> None:
    cluster.settle()
    holder = cluster.holder()
    boots = {name: cluster.boot(name) for name in NODES}
    before = lines(cluster, holder)
    cluster.role(SOFTDOG, CONSENT)
    assert cluster.has(holder)
    assert not [line for line in lines(cluster, holder)[len(before) :] if not line.endswith(" 1")]
    assert {name: cluster.boot(name) for name in NODES} == boots
    for name in NODES:
        assert cluster.on(name, "systemctl", "is-active", "sbd").strip() == "active"
    assert "maintenance" not in cluster.on(holder, "cibadmin", "--query")
    again = cluster.role(SOFTDOG)
    assert again.output.count("changed=0 ") == 3, again.output


def test_another_timeout_is_a_restart_as_well(cluster: Cluster) -> None:
    longer = {**SOFTDOG, "ha_cluster_watchdog_timeout": 20}
    said = words(cluster.role(longer, fails=True).output)
    assert "restart_cluster" in said
    assert said.count("changed=0 ") == 3
    holder = cluster.holder()
    before = lines(cluster, holder)
    cluster.role(longer, CONSENT)
    assert cluster.has(holder)
    assert not [line for line in lines(cluster, holder)[len(before) :] if not line.endswith(" 1")]
    configured = cluster.on(holder, "cibadmin", "--query")
    assert 'name="stonith-watchdog-timeout" value="46s"' in configured
    assert "maintenance" not in configured


def lines(cluster: Cluster, name: str) -> list[str]:
    return cluster.machines[name].ssh("cat", "/var/lib/holding").stdout.splitlines()
