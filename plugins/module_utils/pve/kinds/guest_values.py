# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Canonical forms that only the configuration of guests needs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import (
    Number,
    Ordered,
    Properties,
    Text,
    Unordered,
)

HOTPLUG_DEFAULT = ("disk", "network", "usb")
_LEGACY_BOOT = re.compile(r"^[acdn]{1,4}$")


@dataclass(frozen=True)
class Boot:
    """The devices a VM boots from, in order: `order=scsi0;net0` or a list. The old letters (`legacy=cdn`) stay as they
    are. PVE writes a blank where nothing is bootable."""

    def canonical(self, value: Any) -> Any:
        text = ";".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        text = text.strip()
        if _LEGACY_BOOT.match(text):
            return (f"legacy={text}",)
        if text.startswith("legacy="):
            return (text,)
        return Ordered().canonical(text[len("order=") :] if text.startswith("order=") else text)

    def wire(self, value: Any) -> Any:
        return value[0] if value[0].startswith("legacy=") else "order=" + ";".join(value)


@dataclass(frozen=True)
class Hotplug:
    """What may be plugged into a running VM; 1 is PVE's default, 0 is nothing."""

    def canonical(self, value: Any) -> Any:
        parts = Unordered().canonical(value)
        return HOTPLUG_DEFAULT if parts == ("1",) else parts

    def wire(self, value: Any) -> Any:
        return ",".join(value)


@dataclass(frozen=True)
class SshKeys:
    """Public keys, one a line; PVE holds them percent-encoded inside the value."""

    def canonical(self, value: Any) -> Any:
        text = str(value)
        if "%20" in text and " " not in text.strip():
            text = unquote(text)
        lines = [line.strip() for line in text.splitlines()]
        return "\n".join(line for line in lines if line) or None

    def wire(self, value: Any) -> Any:
        return quote(value, safe="")


@dataclass(frozen=True)
class Encoded:
    """Text that PVE holds percent-encoded (serial numbers and models of disks)."""

    def canonical(self, value: Any) -> Any:
        return unquote(str(value)) or None

    def wire(self, value: Any) -> Any:
        return quote(value, safe="")


@dataclass(frozen=True)
class Ranged(Number):
    """A number with limits, so that a typing error is known before the first write."""

    least: float | None = None
    most: float | None = None

    def canonical(self, value: Any) -> Any:
        number = super().canonical(value)
        if number is None:
            return None
        if (self.least is not None and number < self.least) or (self.most is not None and number > self.most):
            limits = f"from {self.least} to {self.most}" if self.most is not None else f"{self.least} or more"
            raise ValueError(f"{value!r} must be {limits}")
        return number


@dataclass(frozen=True)
class Memory(Ranged):
    """MiB; PVE also writes `current=2048`."""

    least: float | None = 16

    def canonical(self, value: Any) -> Any:
        text = str(value).strip()
        return super().canonical(text[len("current=") :] if text.startswith("current=") else value)


@dataclass(frozen=True)
class ContainerCpuUnits(Ranged):
    """PVE keeps 2, the least weight, for less."""

    def canonical(self, value: Any) -> Any:
        number = super().canonical(value)
        return None if number is None else max(number, 2)


@dataclass(frozen=True)
class Device(Properties):
    """A property string whose being there is what matters: its defaults are filled in instead of left out, so that a
    device with nothing but defaults is not the same as no device."""

    def canonical(self, value: Any) -> Any:
        bare = Properties(self.default_key, self.forms, self.aliases)
        given = bare.canonical(value)
        if given is None:
            return None
        filled = {key: self.forms.get(key, Text()).canonical(text) for key, text in self.defaults.items()}
        filled.update(given)
        return {key: filled[key] for key in sorted(filled)}

    __hash__ = Properties.__hash__
