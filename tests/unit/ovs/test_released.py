# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Which interfaces are switched off and on when they leave a bond; that it helps is shown in tests/integration."""

from __future__ import annotations

import json

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.command import Completed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.ovs import released
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.host import Host

LINKS = [
    {"ifname": "eno1", "flags": ["UP", "LOWER_UP"]},
    {"ifname": "eno2", "flags": ["UP", "LOWER_UP"]},
    {"ifname": "eno3", "flags": []},
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
    ("names", "switched"),
    [
        (["eno1"], ["eno1"]),
        (["eno3"], []),  # switched off: it stays so
        (["eno9"], []),  # not there
        ([], []),
    ],
)
def test_only_what_is_up_is_switched_off_and_on(spoken, names, switched):
    run = runner(spoken)
    with released.let_go(run, Host(run), names) as warnings:
        assert spoken == [f"link set dev {name} down\n" for name in switched]
    assert spoken == [f"link set dev {name} {state}\n" for state in ("down", "up") for name in switched]
    assert not warnings


def test_what_does_not_work_is_a_warning(spoken):
    run = runner(spoken, status=2)
    with released.let_go(run, Host(run), ["eno1"]) as warnings:
        pass
    assert "eno1 left an LACP bond" in warnings[0]
    assert "Operation not permitted" in warnings[0]
    assert len(spoken) == 2, "it is switched on again whatever came of switching it off"


def test_a_transaction_that_fails_leaves_the_interface_on(spoken):
    run = runner(spoken)
    with pytest.raises(SubsystemError), released.let_go(run, Host(run), ["eno1"]):
        raise SubsystemError("refused")
    assert spoken[-1] == "link set dev eno1 up\n"
