# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a user or token may do where. PVE API: GET /access/permissions."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def holds(permissions: Mapping[str, Mapping[str, int]], path: str, privileges: Collection[str]) -> bool:
    """Whether one of the privileges is held on `path`.

    `permissions` is the answer for all paths: privileges by path, with 1 where they also count below it and 0 where
    they do not. The path nearest to the asked one decides.
    """
    here = path
    while True:
        if here in permissions:
            held = permissions[here]
            return any(name in held and (here == path or bool(held[name])) for name in privileges)
        if here == "/":
            return False
        here = here.rpartition("/")[0] or "/"
