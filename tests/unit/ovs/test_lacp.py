# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Whether a bond works, from texts recorded from Open vSwitch 3.1 (tests/data/ovs) after each of these faults."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.ovs import lacp

TEXTS = Path(__file__).parents[2] / "data" / "ovs"
MEMBERS = ("eno1", "eno2")
NAMES = sorted(path.stem for path in TEXTS.glob("*.lacp"))
NOBODY = "eno{} is defaulted detached, without any partner: the switch's side has no LACP"


def recorded(name: str) -> tuple[str, str]:
    return (TEXTS / f"{name}.lacp").read_text(), (TEXTS / f"{name}.bond").read_text()


def as_before_2_16(text: str) -> str:
    """Open vSwitch said `slave` then."""
    return text.replace("member", "slave")


def told(name: str, *, old: bool = False, on: bool = True, **more: object) -> list[str]:
    texts = recorded(name)
    lacp_show, bond_show = map(as_before_2_16, texts) if old else texts
    found = lacp.problems("bond0", lacp_show, bond_show, lacp=on, members=MEMBERS, **more)  # type: ignore[arg-type]
    assert all(unmet.passing for unmet in found)
    return [unmet.text for unmet in found]


@pytest.mark.parametrize("old", [False, True], ids=["member", "slave"])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("good", []),
        # The switch has no LACP on either port.
        ("no-partner", [NOBODY.format(1), NOBODY.format(2)]),
        # The switch's second port is not in the group, or has no LACP. The bond is `negotiated` all the same.
        ("one-of-two", [NOBODY.format(2)]),
        # No partner at all, and both members are `attached` and in use.
        ("fallback", ["eno1 is defaulted attached, without any partner", "eno2 is defaulted attached"]),
        # The other end went down.
        ("carrier-lost", [r"eno2 is expired attached, its partner [0-9a-f:]{17} has fallen silent"]),
        # Frames are dropped in both directions, the carrier stays: 3 seconds later, and longer.
        ("silent", [r"eno2 is expired attached, its partner [0-9a-f:]{17} has fallen silent: the link is dead"]),
        ("silent-later", [NOBODY.format(2)]),
        # Cabled to two switches that are not one stack.
        (
            "two-switches",
            [
                r"member eno1 is current detached, its partner is [0-9a-f:]{17}",
                r"different partners \(eno1 sees [0-9a-f:]{17}, eno2 sees [0-9a-f:]{17}\): they are cabled to two",
            ],
        ),
        # Two ports of one switch that are in no group together.
        (
            "two-groups",
            [
                r"member eno1 is current detached",
                r"different groups of [0-9a-f:]{17} \(eno1 is in group \d+, eno2 is in group \d+\): put them into one",
            ],
        ),
        ("without-lacp", ["eno1 is without LACP: ovs-vswitchd has not taken it up", "eno2 is without LACP"]),
    ],
)
def test_what_is_wrong_is_told_with_the_member_and_the_likely_cause(name: str, expected: list[str], old: bool) -> None:
    texts = told(name, old=old)
    assert len(texts) == len(expected), texts
    for text, pattern in zip(texts, expected, strict=True):
        assert text.startswith("bond bond0: ")
        assert re.search(pattern, text), text


@pytest.mark.parametrize("name", ["one-of-two", "carrier-lost", "silent", "silent-later", "two-switches"])
def test_negotiated_lies(name: str) -> None:
    """All these call themselves negotiated."""
    lacp_show, bond_show = recorded(name)
    assert "status: active negotiated" in lacp_show
    assert "lacp_status: negotiated" in bond_show
    assert told(name)


def test_a_carrier_that_is_gone_is_the_cause_to_name() -> None:
    (text,) = told("carrier-lost", carriers={"eno1": True, "eno2": False})
    assert "member eno2 has no carrier: look at its cable" in text
    (text,) = told("carrier-lost", off=["eno2"])
    assert "member eno2 is switched off; ip link set eno2 up" in text


def test_a_fallback_is_told_as_what_it_is() -> None:
    assert all("used without LACP (lacp_fallback_ab)" in text for text in told("fallback", fallback=True))


def test_without_lacp_every_member_has_to_be_enabled() -> None:
    assert told("without-lacp", on=False) == []
    lacp_show, bond_show = recorded("without-lacp")
    broken = bond_show.replace("member eno2: enabled", "member eno2: disabled")
    (unmet,) = lacp.problems("bond0", lacp_show, broken, lacp=False)
    assert "member eno2 is disabled" in unmet.text


def test_a_bond_or_member_that_does_not_run_is_told() -> None:
    (unmet,) = lacp.problems("bond7", *recorded("good"), lacp=True)
    assert "bond bond7: ovs-vswitchd does not run it" in unmet.text
    (unmet,) = lacp.problems("bond0", *recorded("good"), lacp=True, members=["eno1", "eno2", "eno9"])
    assert "member eno9 takes no part" in unmet.text


def test_attached_and_yet_disabled_is_told() -> None:
    lacp_show, bond_show = recorded("good")
    broken = bond_show.replace("member eno2: enabled", "member eno2: disabled")
    (unmet,) = lacp.problems("bond0", lacp_show, broken, lacp=True)
    assert "member eno2 is disabled although nothing else is wrong" in unmet.text


def test_the_texts_are_read() -> None:
    members = lacp.read_lacp(recorded("good")[0])["bond0"]
    assert [(member.name, member.state) for member in members] == [
        ("eno1", "current attached"),
        ("eno2", "current attached"),
    ]
    assert len({(member.partner, member.group) for member in members}) == 1
    bond = lacp.read_bonds(recorded("good")[1])["bond0"]
    assert (bond.mode, bond.enabled) == ("balance-tcp", {"eno1": True, "eno2": True})
    # Several bonds in one text, of which only the other has LACP.
    assert sorted(lacp.read_bonds(recorded("without-lacp")[1])) == ["bond0", "bondb"]
    assert sorted(lacp.read_lacp(recorded("without-lacp")[0])) == ["bondb"]


LINES = sorted({line for name in NAMES for text in recorded(name) for line in text.splitlines()})


@given(st.lists(st.sampled_from(LINES) | st.text(max_size=30), max_size=30), st.booleans())
def test_no_text_makes_it_stumble_and_nothing_but_proof_is_good(lines: list[str], on: bool) -> None:
    text = "\n".join(lines)
    found = lacp.problems("bond0", text, text, lacp=on, members=MEMBERS)
    if not found:
        assert {"member eno1: enabled", "member eno2: enabled"} <= set(map(str.strip, lines))
        if on:
            assert {"member: eno1: current attached", "member: eno2: current attached"} <= set(map(str.strip, lines))
