# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How many transactions are missing where nobody else can be asked."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.hospital.continuity.plugins.filter.mysql_positions import transactions_beyond

UUID = "99292e59-e66e-11f1-9609-02fc00000001"


def server(dialect: str, has: str, *received: str) -> dict[str, object]:
    return {"dialect": dialect, "has": has, "channels": [{"received": one} for one in received]}


@pytest.mark.parametrize(
    ("position", "here", "missing"),
    [
        ("0-1-120", server("MariaDB", "0-1-100"), 20),
        ("0-1-120", server("MariaDB", "0-1-100", "0-1-120"), 0),
        ("0-2-120", server("MariaDB", "0-1-100"), 20),
        ("0-1-120", server("MariaDB", "0-1-120,0-2-130"), 0),
        ("", server("MariaDB", "0-1-100"), 0),
        (f"{UUID}:1-120", server("MySQL", f"{UUID}:1-100"), 20),
        (f"{UUID}:1-120", server("MySQL", f"{UUID}:1-100", f"{UUID}:101-119"), 1),
        (f"{UUID}:1-120", server("MySQL", f"{UUID}:1-130"), 0),
    ],
)
def test_what_was_seen_and_is_not_here_is_counted(position: str, here: dict[str, object], missing: int) -> None:
    assert transactions_beyond(position, here) == missing


def test_what_is_no_position_is_named() -> None:
    with pytest.raises(AnsibleFilterError, match="transactions_beyond"):
        transactions_beyond("nonsense", server("MariaDB", "0-1-100"))
