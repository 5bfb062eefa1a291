# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The table of calls and privileges is complete, docs/access.md shows it, the shipped roles are the least that does."""

from __future__ import annotations

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import RestKind
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.shipped_roles import SHIPPED
from ansible_collections.hospital.continuity.plugins.module_utils.pve.registry import KINDS
from lab.pve.access_privileges import PRIVILEGES
from tests import access_table
from tests.pve_calls import ANY, CALLS, NODE

ROLES = access_table.roles()


def test_every_module_has_its_calls() -> None:
    assert [*sorted({*CALLS, *ANY, *NODE})] == access_table.modules()
    assert not {*CALLS} & {*ANY, *NODE}


@pytest.mark.parametrize("module", sorted(CALLS))
def test_every_call_exists(module: str) -> None:
    for call in CALLS[module]:
        assert access_table.endpoint(call)
        assert access_table.needs(call)


@pytest.mark.parametrize("name", [name for name, entry in KINDS.items() if isinstance(entry.kind, RestKind)])
def test_where_a_kind_is_listed_and_looked_at_is_in_the_table(name: str) -> None:
    kind = KINDS[name].kind
    read = {path.partition("?")[0] for path in (kind.collection, kind.detail) if path}
    for module in (f"pve_{name}", "pve_info"):
        assert {f"GET {path}" for path in read} <= set(CALLS[module]), module


@pytest.mark.parametrize("role", sorted(SHIPPED))
def test_a_shipped_role_is_enough_for_its_modules(role: str) -> None:
    held = set(SHIPPED[role])
    assert held <= set(PRIVILEGES)
    refused = [
        f"{module}: {call}" for module in ROLES[role] for call in CALLS[module] if not access_table.allowed(call, held)
    ]
    assert refused == []


@pytest.mark.parametrize(("role", "privilege"), [(role, name) for role in sorted(SHIPPED) for name in SHIPPED[role]])
def test_a_shipped_role_has_nothing_to_spare(role: str, privilege: str) -> None:
    held = set(SHIPPED[role]) - {privilege}
    assert any(not access_table.allowed(call, held) for module in ROLES[role] for call in CALLS[module])


def test_automation_decides_about_nobody() -> None:
    giving = {"Permissions.Modify", "User.Modify", "Group.Allocate", "Realm.Allocate", "Realm.AllocateUser"}
    assert not giving & set(SHIPPED["HospitalAutomation"])


def test_the_page_shows_the_tables() -> None:
    text = access_table.PAGE.read_text(encoding="utf-8")
    assert access_table.page(text) == text, "python -m tests.access_table"
    assert "| `pve_acl` | `PUT /access/acl` | `Permissions.Modify` on the entry's path |" in text
    assert "`args`" in text
