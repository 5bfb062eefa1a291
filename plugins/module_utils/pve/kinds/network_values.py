# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Forms of values in a node's network configuration."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import as_boolean

_SPAN = re.compile(r"(\d+)(?:-(\d+))?")
_WORD = re.compile(r"[A-Za-z_][\w.-]*(?::[\w.-]+)?=\S+")
_KEY = re.compile(r"[A-Za-z_][\w.-]*(?::[\w.-]+)?")
# What PVE takes out of ovs_options, and where it is then.
ELSEWHERE = {"tag": "ovs_tag", "lacp": "bond_mode", "bond_mode": "bond_mode"}


@dataclass(frozen=True)
class Interface:
    """An address with its network, `10.0.0.1/24`. IPv6 is written in its shortest form."""

    version: int

    def canonical(self, value: Any) -> Any:
        text = str(value).strip()
        if not text:
            return None
        try:
            address = ipaddress.ip_interface(text)
        except ValueError:
            address = None
        if address is None or address.version != self.version or "/" not in text or not text.split("/")[1].isdigit():
            example = "10.0.0.1/24" if self.version == 4 else "fd00::1/64"
            raise ValueError(f"{value!r} is not an IPv{self.version} address with its network, like {example}")
        return str(address.with_prefixlen)

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Address:
    """An address alone."""

    version: int

    def canonical(self, value: Any) -> Any:
        text = str(value).strip()
        if not text:
            return None
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            address = None
        if address is None or address.version != self.version:
            raise ValueError(f"{value!r} is not an IPv{self.version} address")
        return str(address)

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Whole:
    """A whole number within limits; PVE returns it as text."""

    least: int
    most: int

    def canonical(self, value: Any) -> Any:
        text = str(value).strip()
        if isinstance(value, bool) or not text.isascii() or not text.isdigit():
            raise ValueError(f"{value!r} is not a number from {self.least} to {self.most}")
        number = int(text)
        if not self.least <= number <= self.most:
            raise ValueError(f"{number} is not from {self.least} to {self.most}")
        return number

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class VlanIds:
    """VLANs as a set: `10`, `20-29`. Ranges that touch are one."""

    def canonical(self, value: Any) -> Any:
        whole = value if isinstance(value, (list, tuple)) else (value,)
        words = [word for text in whole for word in re.split(r"[\s,;]+", str(text)) if word]
        spans = sorted(self._span(word) for word in words)
        merged: list[tuple[int, int]] = []
        for first, last in spans:
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = merged[-1][0], max(last, merged[-1][1])
            else:
                merged.append((first, last))
        return tuple(str(first) if first == last else f"{first}-{last}" for first, last in merged) or None

    @staticmethod
    def _span(word: str) -> tuple[int, int]:
        found = _SPAN.fullmatch(word) if word.isascii() else None
        if found is None or len(word) > 9:
            raise ValueError(f"{word!r} is not a VLAN or a range of them, like 10 or 20-29")
        first = int(found[1])
        last = int(found[2] or first)
        if not 1 <= first <= last <= 4094:
            raise ValueError(f"{word!r} is not within 1 to 4094")
        return first, last

    def wire(self, value: Any) -> Any:
        return " ".join(value)


@dataclass(frozen=True)
class OvsOptions:
    """The words of `ovs_options` by their keys: `{vlan_mode: trunk, trunks: "10,20", "other_config:lacp-time": fast}`.

    Their order means nothing. A text that is not made of such words stays as it is, under an empty key: it can be shown
    and kept, not merged. An empty value is the mark of a key to be taken out (see Field.merged).
    """

    def canonical(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(key): self._value(str(key), value[key]) for key in sorted(value, key=str)} or None
        words = str(value).split()
        if any(not _WORD.fullmatch(word) for word in words):
            return {"": " ".join(words)}
        pairs = dict(word.split("=", 1) for word in words)
        return {key: self._text(key, pairs[key]) for key in sorted(pairs)} or None

    def _value(self, key: str, value: Any) -> str:
        if key and not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no key; write for example vlan_mode or other_config:lacp-time")
        if isinstance(value, Mapping):
            raise ValueError(f"{key}: {value!r} is not a value")
        if isinstance(value, (list, tuple)):
            value = ",".join(str(part).strip() for part in value)
        text = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value).strip()
        if key and re.search(r"\s", text):
            raise ValueError(f"{key}: {text!r} has blanks in it, and blanks separate the options")
        if not text.isprintable():
            raise ValueError(f"{key}: {text!r} holds what cannot be written")
        return self._text(key, text)

    @staticmethod
    def _text(key: str, text: str) -> str:
        """`trunks` is a set of VLANs, with brackets or without."""
        numbers = text.strip("[]").split(",")
        if key == "trunks" and all(number.isascii() and number.isdigit() for number in numbers):
            return ",".join(str(number) for number in sorted({int(number) for number in numbers}))
        return text

    def wire(self, value: Any) -> Any:
        return " ".join(f"{key}={text}" if key else text for key, text in value.items())


@dataclass(frozen=True)
class Switch:
    """On or off."""

    def canonical(self, value: Any) -> Any:
        return as_boolean(value)

    def wire(self, value: Any) -> Any:
        return 1 if value else 0
