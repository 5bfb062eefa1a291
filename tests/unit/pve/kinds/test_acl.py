# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The recorded entries of the ACL: what was sent, entry by entry, is what we would send, and once it is listed there is
nothing left to do."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.acl import ACL_ENTRY
from tests.unit.pve.planning import plan, sent
from tests.unit.pve.recorded import Row, rows

ADDED = [row for row in rows({"access/acl": None}) if row.accepted and row.raw.get("list_added")]
CASES = [(row, entry) for row in ADDED for entry in row.raw["list_added"]]
IDS = [f"{entry['path']}-{entry['ugid']}-{entry['roleid']}-{row.number}" for row, entry in CASES]


def item_of(row: Row, entry: dict[str, Any]) -> dict[str, Any]:
    """The entry as a person writes it, with the path as it was sent."""
    return {
        "path": row.sent["path"],
        "ugid": entry["ugid"],
        "roleid": entry["roleid"],
        "propagate": row.sent.get("propagate", "1"),
    }


def test_there_are_entries_of_every_sort() -> None:
    assert {entry["type"] for _row, entry in CASES} == {"user", "group", "token"}


@pytest.mark.parametrize(("row", "entry"), CASES, ids=IDS)
def test_a_recorded_entry(row: Row, entry: dict[str, Any]) -> None:
    item = item_of(row, entry)
    ((method, path, parameters),) = sent(ACL_ENTRY, plan(ACL_ENTRY, [item]))
    assert (method, path) == ("PUT", "/access/acl")
    sort = f"{entry['type']}s"
    assert parameters == {
        "path": entry["path"], "roles": entry["roleid"], sort: entry["ugid"], "propagate": entry["propagate"],
    }  # fmt: skip
    assert entry["ugid"] in str(row.sent[sort]).split(",")
    assert entry["roleid"] in str(row.sent["roles"]).split(",")
    assert not list(plan(ACL_ENTRY, [item], entry))
    other = plan(ACL_ENTRY, [{**item, "propagate": not entry["propagate"]}], entry)
    assert [step.line for step in other] == [f"update acl {entry['path']}/{entry['ugid']}/{entry['roleid']}: propagate"]
