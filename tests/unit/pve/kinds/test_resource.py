# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.consent import missing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.parameters import Parameters, same
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.resource import RESOURCE
from ansible_collections.hospital.continuity.plugins.module_utils.pve.owners import owner_of
from ansible_collections.hospital.continuity.plugins.module_utils.pve.registry import KINDS
from tests.unit.pve.planning import sent

DIR = "/cluster/mapping/dir/d1"
SHOWN = {"map": ["node=pve1,path=/tmp"], "description": "old", "type": "dir", "digest": "d"}


def planned(*config: Mapping[str, Any], things: Mapping[str, Any] | None = None, **params: Any) -> Plan:
    declared = RESOURCE.declare({"config": config, **params})
    found = {(path,): RESOURCE.decode(raw) for path, raw in (things or {}).items()}
    plan: Plan = RESOURCE.plan(found, declared)
    return plan


# --- comparing without a table


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (1, True),
        ("0", False),
        (2003, "2003"),
        ("512", 512),
        (1.5, "1.50"),
        ("two\nlines\n", "two\nlines"),
        ("b,a", ["a", "b"]),
        ("a;b", ["b", "a"]),
        (["b", "a"], ["a", "b"]),
        (["a"], "a"),
        (["path=/tmp,node=pve1"], ["node=pve1,path=/tmp"]),
        ({"type": "insecure", "network": "10.0.0.0/8"}, {"network": "10.0.0.0/8", "type": "insecure"}),
        ("type=insecure,network=10.0.0.0/8", {"network": "10.0.0.0/8", "type": "insecure"}),
        ({"enabled": 1}, {"enabled": True}),
        ({"lower": "200"}, "lower=200"),
        ({"list": ["b", "a"]}, {"list": ["a", "b"]}),
        ("Ã¼", "ü"),
        (None, None),
        ("", None),
    ],
)
def test_one_value_however_it_is_written(found: Any, wanted: Any) -> None:
    assert compared(found, wanted)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (None, False),
        (0, None),
        ("a,b", "b,a"),
        ("a,b", ["a"]),
        ("a=1,b=2", {"a": 1}),
        ("plain", {"a": 1}),
        ("x", "y"),
        (1, 2),
    ],
)
def test_what_differs_differs(found: Any, wanted: Any) -> None:
    assert not compared(found, wanted)


def compared(found: Any, wanted: Any) -> bool:
    canonical = [(Parameters().canonical({"x": value}) or {}).get("x") for value in (found, wanted)]
    return same(*canonical)


plain = st.one_of(st.booleans(), st.integers(-(10**6), 10**6), st.text("abc ;=,ü", max_size=6))
values = st.one_of(plain, st.lists(plain, max_size=3), st.dictionaries(st.sampled_from("abc"), plain, max_size=3))


@given(st.dictionaries(st.sampled_from(["one", "two", "three"]), values), st.dictionaries(st.just("two"), values))
def test_after_a_plan_nothing_is_left_to_do(first: dict[str, Any], then: dict[str, Any]) -> None:
    things = {(DIR,): RESOURCE.decode(first)}
    declared = RESOURCE.declare({"config": [{"path": DIR, "options": then}]})
    plan = RESOURCE.plan(things, declared)
    for step in plan:
        before, after = (step.before or {}).get("options") or {}, (step.after or {}).get("options") or {}
        assert {name for name in {*before, *after} if before.get(name) != after.get(name)} <= set(then)
        things = {(DIR,): Thing(step.after or {})}
    assert not RESOURCE.plan(things, declared)


# --- requests


def test_created_in_the_list_above_or_where_it_is_said() -> None:
    item = {"path": DIR, "create_options": {"id": "d1"}, "options": {"map": ["node=pve1,path=/tmp"], "comment": None}}
    assert sent(RESOURCE, planned(item)) == [
        ("POST", "/cluster/mapping/dir", {"id": "d1", "map": ["node=pve1,path=/tmp"]})
    ]
    path = "/cluster/metrics/server/m1"
    item = {"path": path, "create_path": path, "options": {"disable": True}, "secrets": {"token": "hush"}}
    plan = planned(item)
    assert sent(RESOURCE, plan) == [("POST", path, {"disable": 1, "token": "hush"})]
    assert "hush" not in str(plan)


def test_a_change_sends_what_differs_what_is_resent_and_the_digest() -> None:
    options = {"map": ["path=/tmp,node=pve1"], "description": "new"}
    item = {"path": f"{DIR}/", "options": options, "resent": ["map"]}
    plan = planned(item, things={DIR: SHOWN})
    assert [step.line for step in plan] == [f"update resource {DIR}: description"]
    assert sent(RESOURCE, plan) == [("PUT", DIR, {"map": ["path=/tmp,node=pve1"], "description": "new", "digest": "d"})]
    emptied = {"path": DIR, "options": {"description": ""}}
    assert sent(RESOURCE, planned(emptied, things={DIR: SHOWN})) == [
        ("PUT", DIR, {"delete": "description", "digest": "d"})
    ]
    assert not planned({"path": DIR, "options": {}}, things={DIR: SHOWN}, unlisted_options="reset")


def test_several_things_are_written_in_their_order_without_stale_digests() -> None:
    config = [{"path": f"/cluster/x/{name}", "options": {"a": 1}} for name in "pq"]
    plan = planned(*config, things={item["path"]: {"digest": "d"} for item in config})
    assert [step.needs for step in plan] == [(), (("/cluster/x/p",),)]
    assert all("digest" not in parameters for _method, _path, parameters in sent(RESOURCE, plan))


def test_deleting_names_the_path() -> None:
    plan = planned({"path": "/cluster/x/a%2Fb"}, things={"/cluster/x/a%2Fb": SHOWN}, state="absent")
    assert sent(RESOURCE, plan) == [("DELETE", "/cluster/x/a%2Fb", {})]
    assert [word for word, _text in missing(plan, [])] == ["delete_resource:/cluster/x/a%2Fb"]


def test_what_sounds_like_a_secret_is_not_shown() -> None:
    thing = RESOURCE.decode({"bind-password": "hush", "api-token": "hush", "key": "hush", "keyboard": "de"})
    assert RESOURCE.visible((DIR,), thing.state) == {"path": DIR, "options": {"keyboard": "de"}}


# --- bad input


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"path": "storage/local"}, "is no path of the API"),
        ({"path": "/"}, "is no path of the API"),
        ({"path": "/a//b"}, "holds an empty name"),
        ({"path": "/a/%2e%2e/b"}, "holds an empty name, or one of dots"),
        ({"path": "/a?b=c"}, "is no path of the API"),
        ({"path": "/storage/local"}, "described by the module pve_storage"),
        ({"path": "/nodes/pve1/qemu/100/config"}, "described by the module pve_vm"),
        ({"path": "/cluster/x/y", "create_path": "/pools"}, "create_path: /pools is described by the module pve_pool"),
        ({"path": DIR, "options": {"delete": "x"}}, "options: delete is no setting"),
        ({"path": DIR, "options": {"a": {"b": {"c": 1}}}}, "options: a.b: .*neither a text nor a number"),
        ({"path": DIR, "options": {"a b": 1}}, "options: 'a b' is no name of a parameter"),
        ({"path": DIR, "resent": ["map"]}, "resent: map is not in options"),
        ({"path": DIR, "options": {"a": 1}, "secrets": {"a": 2}}, "options and secrets both have a"),
    ],
)
def test_bad_input_is_named(item: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        planned(item)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_kind_of_ours_is_refused(name: str) -> None:
    kind = KINDS[name].kind
    templates = [getattr(kind, "collection", ""), getattr(kind, "item", "")]
    paths = [template.replace("{", "").replace("}", "") for template in templates if template]
    odd = {
        "network": "/nodes/pve1/network/vmbr0",
        "vm": "/nodes/pve1/qemu/100/config",
        "container": "/nodes/pve1/lxc/100",
        "snapshot": "/nodes/pve1/lxc/100/snapshot/s1/config",
    }
    paths += [odd[name]] if name in odd else []
    if name == "token":
        paths.remove("/access/users")  # they are listed with their users
    assert paths
    for path in paths:
        assert owner_of(path) == f"pve_{name}"


def test_what_has_no_module_is_nobodys() -> None:
    for path in ("/cluster/metrics/server/m1", "/nodes/pve1/qemu/100/firewall/options", "/nodes/pve1/dns"):
        assert owner_of(path) == ""
