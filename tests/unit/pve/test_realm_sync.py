# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What copying a realm's directory comes to: what is said, and where nothing is, what the realm says."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.pve.realm_sync_operation import REALM_SYNC

NOW = 1_800_000_000.0


def planned(params: dict[str, Any], **facts: Any) -> Plan:
    order = REALM_SYNC.order({"realm": "ward", **params})
    thing = Thing({"users": (), "groups": ()}, {"type": "ldap", "last": None, "now": NOW, **facts})
    return REALM_SYNC.plan({("ward",): thing}, order)


def parameters(params: dict[str, Any], **facts: Any) -> dict[str, Any]:
    (step,) = planned(params, **facts)
    return dict(REALM_SYNC.request(step).parameters)


def words(params: dict[str, Any], **facts: Any) -> list[str]:
    (step,) = planned(params, **facts)
    return [consent.word for consent in REALM_SYNC.consents(step)]


def test_what_is_said_counts_before_what_the_realm_says() -> None:
    defaults = {"scope": "users", "remove-vanished": ("entry",), "enable-new": False}
    assert parameters({}, defaults=defaults) == {"scope": "users", "remove-vanished": "entry", "enable-new": 0}
    said = {"scope": "both", "remove_vanished": [], "enable_new": True}
    assert parameters(said, defaults=defaults) == {"scope": "both", "remove-vanished": "none", "enable-new": 1}


@pytest.mark.parametrize(
    ("params", "defaults", "asked"),
    [
        ({}, {}, False),
        ({"remove_vanished": ["acl"]}, {}, True),
        ({}, {"remove-vanished": ("acl", "entry")}, True),
        ({}, {"remove-vanished": ("none",)}, False),
        ({"remove_vanished": []}, {"remove-vanished": ("acl",)}, False),
        ({}, {"purge": True}, True),
        ({}, {"full": True}, True),
    ],
)
def test_removing_needs_the_word_whoever_said_so(params: dict[str, Any], defaults: dict[str, Any], asked: bool) -> None:
    assert words({"scope": "both", **params}, defaults=defaults) == (["remove_vanished:ward"] if asked else [])


@pytest.mark.parametrize(("last", "rests"), [(None, False), (NOW - 3601, False), (NOW - 3599, True)])
def test_what_is_recent_enough_is_not_copied_again(last: float | None, rests: bool) -> None:
    assert (not planned({"scope": "users", "newer_than": "1h"}, last=last)) == rests


def test_what_cannot_be_copied_is_refused() -> None:
    with pytest.raises(InvalidInput, match="scope"):
        planned({})
    with pytest.raises(InvalidInput, match="openid"):
        planned({"scope": "users"}, type="openid")
    with pytest.raises(InvalidInput, match="remove_vanished"):
        planned({"remove_vanished": ["everything"]})
