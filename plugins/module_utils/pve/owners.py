# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Which module a path of the API belongs to. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

from ansible_collections.hospital.continuity.plugins.module_utils.pve.registry import KINDS

# Of kinds that are no plain tables.
_ODD = {
    "pool": r"/pools(/.+)?",
    "network": r"/nodes/[^/]+/network(/[^/]+)?",
    "vm": r"/nodes/[^/]+/qemu(/\d+(/(config|pending))?)?",
    "container": r"/nodes/[^/]+/lxc(/\d+(/(config|pending))?)?",
    "snapshot": r"/nodes/[^/]+/(qemu|lxc)/\d+/snapshot(/.+)?",
}


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    found = [(re.compile(pattern), f"pve_{name}") for name, pattern in _ODD.items()]
    for name, entry in KINDS.items():
        for template in (getattr(entry.kind, "collection", ""), getattr(entry.kind, "item", "")):
            if template:
                pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
                found.append((re.compile(pattern), f"pve_{name}"))
    return found


def owner_of(path: str) -> str:
    """The module that describes what is at `path`; empty where there is none."""
    return next((module for pattern, module in _patterns() if pattern.fullmatch(path)), "")
