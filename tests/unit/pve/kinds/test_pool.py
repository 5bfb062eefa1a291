# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
from __future__ import annotations

from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.pool import GUESTS, POOL, POOLS, STORAGES
from tests.unit.pve.planning import plan, problems, sent


def pool(poolid: str, *members: int | str, **more: Any) -> dict[str, Any]:
    """A pool as GET shows it; numbers are guests, names storages."""
    shown = [
        {"type": "qemu", "vmid": member, "id": f"qemu/{member}"}
        if isinstance(member, int)
        else {"type": "storage", "storage": member, "id": f"storage/pve1/{member}"}
        for member in members
    ]
    return {"poolid": poolid, "members": shown, **more}


ANSWERS = {
    POOLS: [{"poolid": "wards"}, {"poolid": "wards/icu"}],
    GUESTS: [{"type": "qemu", "vmid": 100}, {"type": "lxc", "vmid": 101, "pool": "wards/icu"}],
    STORAGES: [{"storage": "local", "content": "iso"}],
}


def test_a_new_pool_gets_its_members_in_a_call_of_their_own() -> None:
    planned = plan(POOL, [{"poolid": "wards/icu", "comment": "x", "vms": [101, 100], "storage": ["local"]}])
    assert sent(POOL, planned) == [
        ("POST", "/pools", {"poolid": "wards/icu", "comment": "x"}),
        ("PUT", "/pools", {"poolid": "wards/icu", "vms": "100,101", "storage": "local"}),
    ]


def test_only_missing_members_are_added_and_only_surplus_ones_removed() -> None:
    planned = plan(POOL, [{"poolid": "wards", "vms": [101, 102], "storage": []}], pool("wards", 100, 101, "local"))
    assert sent(POOL, planned) == [
        ("PUT", "/pools", {"poolid": "wards", "vms": "100", "storage": "local", "delete": 1}),
        ("PUT", "/pools", {"poolid": "wards", "vms": "102"}),
    ]


def test_members_that_are_not_mentioned_stay_even_in_a_reset() -> None:
    there = pool("wards", 100, "local", comment="x")
    planned = plan(POOL, [{"poolid": "wards"}], there, unlisted_options="reset")
    assert sent(POOL, planned) == [("PUT", "/pools", {"poolid": "wards", "comment": ""})]


def test_blanks_at_the_end_of_a_comment_are_no_change() -> None:
    assert not plan(POOL, [{"poolid": "wards", "comment": "x  "}], pool("wards", comment="x"))


def test_parents_come_first_when_created_and_last_when_removed() -> None:
    steps = {step.key: step for step in plan(POOL, [{"poolid": "a/b/c"}, {"poolid": "a"}, {"poolid": "a/b"}])}
    assert steps[("a/b/c",)].needs == (("a",), ("a/b",))
    assert steps[("a/b",)].needs == (("a",),)
    config = [{"poolid": "a"}, {"poolid": "a/b"}]
    steps = {step.key: step for step in plan(POOL, config, pool("a"), pool("a/b"), state="absent")}
    assert steps[("a",)].needs == (("a/b",),)
    assert steps[("a/b",)].needs == ()


def test_guests_that_change_places_are_moved_and_removed_nowhere() -> None:
    config = [{"poolid": "a", "vms": [101]}, {"poolid": "b", "vms": [100]}]
    planned = plan(POOL, config, pool("a", 100), pool("b", 101))
    assert sent(POOL, planned) == [
        ("PUT", "/pools", {"poolid": "a", "vms": "101", "allow-move": 1}),
        ("PUT", "/pools", {"poolid": "b", "vms": "100", "allow-move": 1}),
    ]


def test_unknown_members_are_refused_by_name() -> None:
    config = [{"poolid": "wards", "vms": [100, 999], "storage": ["nowhere"]}]
    assert problems(POOL, config, pool("wards"), answers=ANSWERS) == [
        "pool wards: vms: guest 999 does not exist, or the token does not see it",
        "pool wards: storage: storage nowhere does not exist, or the token does not see it",
    ]


def test_a_guest_of_another_pool_needs_allow_move() -> None:
    config: list[dict[str, Any]] = [{"poolid": "wards", "vms": [101]}]
    (problem,) = problems(POOL, config, pool("wards"), answers=ANSWERS)
    assert problem == "pool wards: vms: guest 101 is in pool wards/icu: allow_move: true takes it over"
    config[0]["allow_move"] = True
    assert problems(POOL, config, pool("wards"), answers=ANSWERS) == []
    assert sent(POOL, plan(POOL, config, pool("wards"))) == [
        ("PUT", "/pools", {"poolid": "wards", "vms": "101", "allow-move": 1})
    ]


def test_a_pool_with_unlisted_members_or_children_is_not_removed() -> None:
    found = problems(
        POOL, [{"poolid": "wards", "vms": [100]}], pool("wards", 100, 101, "local"), answers=ANSWERS, state="absent"
    )
    assert found == [
        "pool wards: the pools below it stay (wards/icu): list them, too",
        "pool wards: vms: still holds 101: list what may be taken out with the pool",
        "pool wards: storage: still holds local: list what may be taken out with the pool",
    ]


def test_listed_members_are_taken_out_before_the_pool_goes() -> None:
    planned = plan(POOL, [{"poolid": "wards", "vms": [100]}], pool("wards", 100), state="absent")
    assert sent(POOL, planned) == [
        ("PUT", "/pools", {"poolid": "wards", "vms": "100", "delete": 1}),
        ("DELETE", "/pools", {"poolid": "wards"}),
    ]


def test_a_pool_below_nothing_is_refused() -> None:
    (problem,) = problems(POOL, [{"poolid": "lab/blood"}], answers=ANSWERS)
    assert problem == "pool lab/blood: the pool above it, lab, does not exist: list it, too"
    assert problems(POOL, [{"poolid": "lab/blood"}, {"poolid": "lab"}], answers=ANSWERS) == []
