# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Canonical forms of a channel's options. The servers check next to nothing: MySQL leaves a channel half changed when a
value does not fit into its tables, and MariaDB writes a line break into a file of lines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

DEFAULT_CHANNEL = "default"
_CHANNEL = re.compile(r"^[a-z0-9_][a-z0-9_.-]{0,63}$")
_HOST = re.compile(r"^[a-z0-9_:][a-z0-9_.:-]{0,254}$")
_RESERVED = ("group_replication_applier", "group_replication_recovery")


def _plain(value: Any) -> str:
    text = str(value)
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise ValueError("it holds a control character, which no channel can have")
    if any(0xD800 <= ord(letter) <= 0xDFFF or ord(letter) > 0xFFFF for letter in text):
        # Their tables and files of replication are in utf8mb3, and keep a question mark.
        raise ValueError("it holds a character that the servers cannot keep there")
    return text


@dataclass(frozen=True)
class ChannelName:
    """Servers do not tell upper case from lower."""

    def canonical(self, value: Any) -> Any:
        text = _plain(value).lower()
        if not text:
            return None
        if not _CHANNEL.match(text):
            raise ValueError(f"{value!r} is no name for a channel; use up to 64 letters, digits and _ . -")
        if text in _RESERVED:
            raise ValueError(f"{value!r} belongs to group replication")
        return text

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class HostName:
    """A name or an address."""

    def canonical(self, value: Any) -> Any:
        text = _plain(value).strip().lower()
        if not text:
            return None
        if not _HOST.match(text):
            raise ValueError(f"{value!r} is neither the name nor the address of a host")
        return text

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Plain:
    """Text without control characters. `longest`: in characters."""

    longest: int = 511

    def canonical(self, value: Any) -> Any:
        text = _plain(value)
        if len(text) > self.longest:
            raise ValueError(f"it has {len(text)} characters, and at most {self.longest} are possible")
        return text or None

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class FilePath:
    """An absolute path."""

    def canonical(self, value: Any) -> Any:
        text = _plain(value)
        if text and (not text.startswith("/") or len(text) > 511):
            raise ValueError(f"{value!r} is no absolute path")
        return text or None

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Within:
    """A whole number between two."""

    least: int
    most: int

    def canonical(self, value: Any) -> Any:
        try:
            number = int(str(value))
        except ValueError:
            raise ValueError(f"{value!r} is no whole number") from None
        if isinstance(value, bool) or not self.least <= number <= self.most:
            raise ValueError(f"{value} is not between {self.least} and {self.most}")
        return number

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Period:
    """Seconds with milliseconds, up to MySQL's and MariaDB's most."""

    def canonical(self, value: Any) -> Any:
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ValueError(f"{value!r} is no number of seconds") from None
        if isinstance(value, bool) or not 0 <= number <= 4294967 or 0 < number < 0.001:
            raise ValueError(f"{value} is not between 0.001 and 4294967 seconds, nor 0")
        number = round(number, 3)
        return int(number) if number.is_integer() else number

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Pattern:
    """One element of a filter. `dotted`: of the form database.table."""

    dotted: bool = False

    def canonical(self, value: Any) -> Any:
        text = _plain(value)
        if not text:
            return None
        if len(text) > 129 or any(letter in text for letter in "`'\""):
            raise ValueError(f"{value!r} is no name for a filter; names with quotes cannot be filtered")
        if self.dotted:
            database, dot, table = text.partition(".")
            if not (database and dot and table):
                raise ValueError(f"{value!r} is not of the form database.table")
        return text

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Words:
    """A command: each word as it is, with whatever is in it."""

    def canonical(self, value: Any) -> Any:
        words = tuple(str(word) for word in value)
        if any("\0" in word for word in words):
            raise ValueError("no command holds a null character")
        return words or None

    def wire(self, value: Any) -> Any:
        return list(value)
