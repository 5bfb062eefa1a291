# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Canonical forms of ZFS's values. `wire` gives what stands behind `property=` on the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import (
    TextByKey,
    as_bytes,
    size_text,
)

# A user property has a colon in its name, by which ZFS tells it from its own. Source: zfsprops(7).
_USER_PROPERTY = re.compile(r"^(?=[^:]*:)[a-z0-9:][a-z0-9:_.+-]{0,254}$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_UNSET = ("none", "0", "")


@dataclass(frozen=True)
class Word:
    """A word; YAML's `on` and `off`, which arrive as booleans, included. `aliases`: other words that mean the same;
    `pattern`: what it must look like."""

    aliases: Mapping[str, str] = field(default_factory=dict)
    pattern: str = r"[^\x00-\x1f\x7f]*"
    example: str = ""

    def __hash__(self) -> int:
        return hash((tuple(self.aliases.items()), self.pattern))

    def canonical(self, value: Any) -> Optional[str]:
        text = str(value).strip()
        text = {"true": "on", "yes": "on", "false": "off", "no": "off"}.get(text.lower(), text)
        text = self.aliases.get(text, text)
        if not re.match(f"^(?:{self.pattern})$", text):
            raise ValueError(f"{value!r} is not understood" + (f"; write {self.example}" if self.example else ""))
        return text or None

    def wire(self, value: Any) -> str:
        return str(value)


@dataclass(frozen=True)
class Bytes:
    """A number of bytes, from 10G or 10737418240.

    limit: `none` and 0 mean that there is no limit, so not set.  least, most: a power of two between them, beside 0
    where `zero` allows that.
    """

    limit: bool = False
    least: int = 0
    most: int = 0
    zero: bool = False

    def canonical(self, value: Any) -> Optional[int]:
        if self.limit and str(value).strip().lower() in _UNSET:
            return None
        if isinstance(value, bool):
            raise ValueError(f"{value!r} is not a size; write for example 32G or 512M")
        number = as_bytes(value)
        if self.limit and number == 0:
            return None
        power_of_two = number > 0 and number & (number - 1) == 0
        allowed = (power_of_two and self.least <= number <= self.most) or (self.zero and number == 0)
        if self.most and not allowed:
            raise ValueError(f"{value!r} is not a power of two from {size_text(self.least)} to {size_text(self.most)}")
        return number

    def wire(self, value: Any) -> str:
        return str(value)


@dataclass(frozen=True)
class Mountpoint:
    def canonical(self, value: Any) -> Optional[str]:
        text = str(value)
        if text in ("none", "legacy", ""):
            return text or None
        if not text.startswith("/") or _CONTROL.search(text):
            raise ValueError(f"{value!r} is neither an absolute path nor none nor legacy")
        return text.rstrip("/") or "/"

    def wire(self, value: Any) -> str:
        return str(value)


@dataclass(frozen=True)
class UserProperties(TextByKey):
    """User properties, as com.hospital:role: backup."""

    def canonical(self, value: Any) -> Any:
        result = super().canonical(value)
        for name, text in (result or {}).items():
            if not _USER_PROPERTY.match(name):
                raise ValueError(f"{name!r} is no name of a user property; write for example com.hospital:role")
            if _CONTROL.search(text) or len(text) > 8191:
                raise ValueError(f"{name} is longer than 8191 characters or has a control character in it")
        return result
