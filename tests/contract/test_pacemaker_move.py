# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""pacemaker_move on Pacemaker's own scheduler: what goes along, what stays behind (nothing), what is refused, why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.system import refused, succeeded

OpenSystem = Callable[[str], Any]
MODULE = "pacemaker_move"
EVERYTHING = ["address", "haproxy", "nginx", "writer"]


@pytest.fixture
def cluster(system_of: OpenSystem) -> Any:
    system = system_of("pacemaker-cluster")
    system.reset()
    return system


def fail_count(system: Any, name: str, node: str) -> None:
    """A start of it failed on that node."""
    system.then(f"--op-inject={name}_start_0@{node}=1")


def behind(system: Any) -> None:
    pair = '<nvpair id="behind" name="writer-behind" value="1"/>'
    attributes = f'<instance_attributes id="of-b">{pair}</instance_attributes>'
    system.somebody("cibadmin", "--modify", "--xml-text", f'<node id="2" uname="b">{attributes}</node>')


def standby(system: Any) -> None:
    pair = '<nvpair id="standby" name="standby" value="on"/>'
    attributes = f'<instance_attributes id="of-b">{pair}</instance_attributes>'
    system.somebody("cibadmin", "--modify", "--xml-text", f'<node id="2" uname="b">{attributes}</node>')


def banned(system: Any) -> None:
    ban = '<rsc_location id="not-there" rsc="nginx" node="b" score="-INFINITY"/>'
    system.somebody("cibadmin", "--create", "--scope", "constraints", "--xml-text", ban)


def unmanaged(system: Any) -> None:
    meta = '<meta_attributes id="m"><nvpair id="m-m" name="is-managed" value="false"/></meta_attributes>'
    system.somebody("cibadmin", "--modify", "--xml-text", f'<primitive id="writer">{meta}</primitive>')


def preferred(system: Any) -> None:
    """So much that it does not stay elsewhere."""
    place = '<rsc_location id="writer-at-a" rsc="writer" node="a" score="1000"/>'
    system.somebody("cibadmin", "--modify", "--xml-text", place)


def test_what_can_only_be_where_it_is_goes_along_and_no_constraint_is_left(cluster: Any) -> None:
    before = cluster.constraints()
    result = succeeded(cluster.run(MODULE, resource="writer", node="b"))
    assert result.data["nodes"] == ["b"] and sorted(result.data["together"]) == ["address", "haproxy", "nginx"]
    assert result.data["seconds"] > 0 and result.data["unmet"] == []
    assert result.data["after"] == {"writer": {"nodes": ["b"]}}
    assert cluster.constraints() == before
    for name in ("address", "nginx", "haproxy", "web"):
        assert succeeded(cluster.run(MODULE, resource=name, node="b")).changed is False
    assert succeeded(cluster.run(MODULE, resource="alone", node="a")).changed is False, "it had nothing to do with it"


@pytest.mark.parametrize("way", [{"node": "b"}, {"away_from": "a"}], ids=["to", "away"])
@pytest.mark.parametrize(
    ("setup", "said"),
    [
        (behind, "b is marked as behind (writer-behind)"),
        (standby, "b is in standby"),
        (lambda system: fail_count(system, "address", "b"), "address failed on b"),
        (banned, "the constraint not-there keeps it from b"),
        (unmanaged, "the cluster leaves writer alone"),
        (lambda system: system.lose_quorum(), "no quorum"),
        (lambda system: system.then("--node-down=b"), "b is offline"),
    ],
    ids=["behind", "standby", "failed", "banned", "unmanaged", "quorum", "offline"],
)
def test_what_could_not_arrive_is_refused_before_anything(
    cluster: Any, setup: Callable[[Any], None], said: str, way: dict[str, str]
) -> None:
    setup(cluster)
    for check in (True, False):
        with cluster.unwritten():
            result = refused(cluster.run(MODULE, resource="writer", check=check, **way))
        assert said in result.message and "Nothing was changed" in result.message, result.message


def test_where_the_scheduler_would_not_have_it_it_is_not_tried(cluster: Any) -> None:
    """A reason that this module does not know."""
    rule = (
        '<rsc_location id="odd" rsc="writer"><rule id="odd-rule" score="-INFINITY">'
        '<expression id="odd-expression" attribute="color" operation="not_defined"/></rule></rsc_location>'
    )
    cluster.console("cibadmin", "--create", "--scope", "constraints", "--xml-text", rule)
    with cluster.unwritten():
        result = refused(cluster.run(MODULE, resource="writer", node="b"))
    assert "writer would not arrive: Pacemaker would have writer nowhere" in result.message


def test_what_goes_back_by_itself_is_no_success(cluster: Any) -> None:
    preferred(cluster)
    result = refused(cluster.run(MODULE, resource="writer", node="b"))
    assert "went back" in result.message and "It is on a now" in result.message
    assert not [name for name in cluster.constraints() if name.startswith("cli-")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"resource": "nothing", "node": "b"}, "there is no nothing. There are: address, alone"),
        ({"resource": "writer", "node": "z"}, "There is no node z. There are: a, b"),
        ({"resource": "everywhere", "node": "b"}, "everywhere is a clone"),
        ({"resource": "writer"}, "either node or away_from"),
        ({"resource": "writer", "node": "b", "away_from": "a"}, "either node or away_from"),
        ({"resource": "writer", "node": "b", "timeout": 0}, "timeout: 0 s"),
    ],
)
def test_nonsense_is_named(cluster: Any, arguments: dict[str, Any], said: str) -> None:
    with cluster.unwritten():
        assert said in refused(cluster.run(MODULE, **arguments)).message
