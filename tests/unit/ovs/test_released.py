# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Which interfaces are switched off and on when they leave a bond; that it helps is shown in tests/integration."""

from __future__ import annotations

import json

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.command import Completed
from ansible_collections.hospital.continuity.plugins.module_utils.ovs import released
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.host import Host

LINKS = [
    {"ifname": "eno1", "flags": ["UP", "LOWER_UP"]},
    {"ifname": "eno2", "flags": ["UP", "LOWER_UP"]},
    {"ifname": "eno3", "flags": []},
    {"ifname": "eno4", "flags": ["UP"], "master": "bond9"},
]


@pytest.fixture
def spoken(monkeypatch):
    monkeypatch.setattr(released, "PAUSE", 0)
    return []


def runner(spoken, status=0):
    def run(argv, *, stdin="", timeout=60.0):
        if "show" in argv:
            return Completed(tuple(argv), 0, json.dumps(LINKS), "")
        spoken.append(stdin)
        return Completed(tuple(argv), status, "", "" if status == 0 else "RTNETLINK answers: Operation not permitted")

    return run


@pytest.mark.parametrize(
    ("names", "taken", "switched"),
    [
        (["eno1"], [], ["eno1"]),
        (["eno1", "eno2"], ["eno2"], ["eno1"]),
        (["eno2"], ["eno2"], []),
        (["eno3"], [], []),  # switched off: it stays so
        (["eno4"], [], []),  # somebody else's by now
        (["eno9"], [], []),  # not there
    ],
)
def test_only_what_is_up_and_nobodys(spoken, names, taken, switched):
    run = runner(spoken)
    assert not released.let_go(run, Host(run), names, taken)
    assert spoken == [f"link set dev {name} {state}\n" for state in ("down", "up") for name in switched]


def test_what_does_not_work_is_a_warning(spoken):
    run = runner(spoken, status=2)
    (warning,) = released.let_go(run, Host(run), ["eno1"], [])
    assert "eno1 left an LACP bond" in warning
    assert "Operation not permitted" in warning
    assert len(spoken) == 2, "it is switched on again whatever came of switching it off"
