# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Canonical forms: one value, however the user or the system happens to write it.

A form has two directions. `canonical(value)` takes what a user wrote or what the system returned and gives the one
value both are compared by; it is idempotent and raises ValueError with a text for people. `wire(value)` writes a
canonical value the way the system reads it. "Not set" is None in every form; an empty text or list is "not set" too,
because every subsystem here drops such options.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_TRUE = frozenset({"1", "yes", "on", "true", "y"})
_FALSE = frozenset({"0", "no", "off", "false", "n"})
_UNITS = ("", "K", "M", "G", "T", "P", "E")
_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([KMGTPE]?)(?:i?B)?\s*$", re.IGNORECASE)
_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w|)\s*$", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def as_boolean(value: Any) -> bool:
    """0/1, yes/no, on/off, true/false, as text, number or boolean."""
    text = str(value).strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"{value!r} is neither yes nor no")


def as_bytes(value: Any, *, unit: str = "") -> int:
    """A size in bytes from 10G, 512M, "10 GiB" (powers of 1024); a bare number counts in `unit`."""
    match = _SIZE.match(str(value))
    if match is None:
        raise ValueError(f"{value!r} is not a size; write for example 32G or 512M")
    number, suffix = match.group(1), match.group(2).upper() or unit
    scale = int(1024 ** _UNITS.index(suffix))
    return int(number) * scale if "." not in number else round(float(number) * scale)


def size_text(number: int) -> str:
    """The shortest exact way to write a number of bytes: 34359738368 is 32G."""
    for power in range(len(_UNITS) - 1, 0, -1):
        if number and number % 1024**power == 0:
            return f"{number // 1024**power}{_UNITS[power]}"
    return str(number)


def as_seconds(value: Any) -> float:
    """A duration in seconds from 500ms, 90, 90s, 15m, 24h, 7d, 2w."""
    match = _DURATION.match(str(value))
    if match is None:
        raise ValueError(f"{value!r} is not a duration; write for example 15m, 24h or 7d")
    return float(match.group(1)) * _SECONDS[match.group(2).lower()]


@dataclass(frozen=True)
class Text:
    """Text as it stands. `fold_case`: the system keeps it in lower case."""

    fold_case: bool = False

    def canonical(self, value: Any) -> Any:
        text = str(value)
        return (text.lower() if self.fold_case else text) or None

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Lines:
    """Free text to which systems add or cut trailing white space (descriptions, comments)."""

    def canonical(self, value: Any) -> Any:
        return str(value).replace("\r\n", "\n").rstrip() or None

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Boolean:
    true: Any = 1
    false: Any = 0

    def canonical(self, value: Any) -> Any:
        return as_boolean(value)

    def wire(self, value: Any) -> Any:
        return self.true if value else self.false


@dataclass(frozen=True)
class Number:
    """Whole numbers stay whole; systems return both as text at times. `zero_is_unset`: 0 means none, no limit."""

    zero_is_unset: bool = False

    def canonical(self, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError(f"{value!r} is not a number")
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ValueError(f"{value!r} is not a number") from None
        if not math.isfinite(number):
            raise ValueError(f"{value!r} is not a number")
        if self.zero_is_unset and number == 0:
            return None
        if isinstance(value, float):
            return int(value) if value.is_integer() else value
        try:
            return int(value)
        except (TypeError, ValueError):
            return int(number) if number.is_integer() else number

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Size:
    """Bytes. `unit` is what a bare number counts in, `text` whether the system wants 32G instead of bytes."""

    unit: str = ""
    text: bool = True

    def canonical(self, value: Any) -> Any:
        return as_bytes(value, unit="" if isinstance(value, int) else self.unit)

    def wire(self, value: Any) -> Any:
        return size_text(value) if self.text else value

    def shown(self, value: Any) -> Any:
        """As a person writes it; a bare number would count in `unit` when it is read again."""
        return size_text(value) if isinstance(value, int) else value


@dataclass(frozen=True)
class Duration:
    """Seconds, from 15m or 24h."""

    def canonical(self, value: Any) -> Any:
        return Number().canonical(as_seconds(value))

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Mac:
    def canonical(self, value: Any) -> Any:
        text = str(value).strip().upper().replace("-", ":")
        if not re.match(r"^([0-9A-F]{2}:){5}[0-9A-F]{2}$", text):
            raise ValueError(f"{value!r} is not a MAC address; write for example BC:24:11:00:00:01")
        return text

    def wire(self, value: Any) -> Any:
        return value


def _parts(value: Any, separators: str) -> list[str]:
    """The parts of a list or of a joined text. An element that holds separators is several: so the system reads it."""
    whole = value if isinstance(value, (list, tuple, set, frozenset)) else (value,)
    return [
        part.strip() for text in whole for part in re.split(f"[{re.escape(separators)}]+", str(text)) if part.strip()
    ]


@dataclass(frozen=True)
class Unordered:
    """A list in which order and repetition mean nothing (content, nodes, tags, members)."""

    separators: str = ",; \n"
    joined_by: str = ","
    element: Any = Text()

    def canonical(self, value: Any) -> Any:
        parts = {self.element.canonical(part) for part in _parts(value, self.separators)} - {None}
        return tuple(sorted(parts)) or None

    def wire(self, value: Any) -> Any:
        return self.joined_by.join(str(self.element.wire(part)) for part in value)


@dataclass(frozen=True)
class Ordered:
    """A list in which order means something (rules, boot order)."""

    separators: str = ",; \n"
    joined_by: str = ","
    element: Any = Text()

    def canonical(self, value: Any) -> Any:
        parts = [self.element.canonical(part) for part in _parts(value, self.separators)]
        return tuple(part for part in parts if part is not None) or None

    def wire(self, value: Any) -> Any:
        return self.joined_by.join(str(self.element.wire(part)) for part in value)


@dataclass(frozen=True)
class Properties:
    """A property string: `virtio=BC:24:…,bridge=vmbr0,tag=5`; also given as a mapping, in any order.

    `default_key` is the key whose name may be left out; `forms` says how single values compare, `aliases` which keys
    are other names; `defaults` what a missing key means, so that stating a default is not a change; `keys` all that
    there are, where others are typing errors.
    """

    default_key: str = ""
    forms: Mapping[str, Any] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    keys: tuple[str, ...] = ()

    def __hash__(self) -> int:
        return hash((self.default_key, tuple(self.forms), tuple(self.aliases)))

    def pairs(self, value: Any) -> dict[str, Any]:
        """The keys as they are written, before any of them is interpreted."""
        if isinstance(value, Mapping):
            return dict(value)
        result: dict[str, Any] = {}
        for part in str(value).split(","):
            if not part.strip():
                continue
            key, equals, text = part.strip().partition("=")
            if not equals:
                if not self.default_key:
                    raise ValueError(f"{part!r} is not of the form key=value")
                key, text = self.default_key, part.strip()
            if key in result:
                raise ValueError(f"{key} is given twice in {value!r}")
            result[key] = text
        return result

    def canonical(self, value: Any) -> Any:
        result: dict[str, Any] = {}
        for key, raw in self.pairs(value).items():
            name = self.aliases.get(key, key)
            if raw is None:
                continue
            if self.keys and name not in self.keys:
                raise ValueError(f"{name} is none of {', '.join(self.keys)}")
            form = self.forms.get(name, Text())
            try:
                canonical = form.canonical(raw)
            except ValueError as problem:
                raise ValueError(f"{name}: {problem}") from None
            default = self.defaults.get(name)
            if canonical is not None and (default is None or canonical != form.canonical(default)):
                result[name] = canonical
        return {key: result[key] for key in sorted(result)} or None

    def wire(self, value: Any) -> Any:
        ordered = sorted(value, key=lambda key: (key != self.default_key, key))
        return ",".join(f"{key}={self.forms.get(key, Text()).wire(value[key])}" for key in ordered)


@dataclass(frozen=True)
class TextByKey:
    """Texts by key (OVS's other_config, ZFS's user properties). A number is its digits, a boolean `true` or `false`; an
    empty text stays, as the mark of a key to be taken out (see Field.merged)."""

    def canonical(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError(f"{value!r} is not a mapping; write key: value")
        return {str(key): self._text(value[key]) for key in sorted(value, key=str)} or None

    @staticmethod
    def _text(value: Any) -> str:
        if isinstance(value, (Mapping, list, tuple)):
            raise ValueError(f"{value!r} is not a text")
        if isinstance(value, bool):
            return str(value).lower()
        return "" if value is None else str(value)

    def wire(self, value: Any) -> Any:
        return value


def plain(value: Any) -> Any:
    """A canonical value as JSON carries it: tuples become lists, mappings stay mappings."""
    if isinstance(value, Mapping):
        return {str(key): plain(value[key]) for key in value}
    if isinstance(value, (tuple, list, set, frozenset)):
        return [plain(part) for part in value]
    return value


Key = tuple[Any, ...]
