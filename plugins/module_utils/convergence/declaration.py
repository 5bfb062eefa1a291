# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What the user asks for, checked and canonical."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key

PRESENT, ABSENT = "present", "absent"
IGNORE, RESET = "ignore", "reset"
ON_CREATE, ALWAYS = "on_create", "always"


@dataclass(frozen=True)
class Item:
    """One entry of `config`: `options` holds only what was given; None there means "given as empty", so not set."""

    key: Key
    options: Mapping[str, Any] = field(default_factory=dict)
    reset: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Declaration:
    items: tuple[Item, ...]
    state: str = PRESENT
    unlisted_options: str = IGNORE
    unlisted: str = IGNORE
    scope: Mapping[str, Any] = field(default_factory=dict)
    max_removals: int = 3
    update_secrets: str = ON_CREATE
    allow: frozenset[str] = frozenset()

    @property
    def keys(self) -> tuple[Key, ...]:
        return tuple(item.key for item in self.items)
