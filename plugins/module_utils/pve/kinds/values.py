# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Rows and forms that several kinds of Proxmox VE share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import (
    Boolean,
    Number,
    Properties,
    Unordered,
    as_boolean,
)

_SPANS = ("last", "hourly", "daily", "weekly", "monthly", "yearly")

# What backups to keep. There is no default to state: without the option a storage falls back on the node's
# vzdump.conf, a backup job on its storage.
KEEP = Properties(
    forms={"keep-all": Boolean(), **{f"keep-{span}": Number(zero_is_unset=True) for span in _SPANS}},
    defaults={"keep-all": False},
    keys=("keep-all", *(f"keep-{span}" for span in _SPANS)),
)


@dataclass(frozen=True)
class MountPoint:
    """Yes, no, or the directory that has to be a mount point."""

    def canonical(self, value: Any) -> Any:
        text = str(value).strip()
        if text.startswith("/"):
            return text.rstrip("/") or "/"
        try:
            return "yes" if as_boolean(text) else "no"
        except ValueError:
            raise ValueError(f"{value!r} is neither yes, no nor an absolute path") from None

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Trimmed:
    """One line of a configuration file, which loses the blanks around it."""

    def canonical(self, value: Any) -> Any:
        return str(value).strip() or None

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Named:
    """One of several names, some of which mean the same."""

    synonyms: Mapping[str, str] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.synonyms.items())))

    def canonical(self, value: Any) -> Any:
        return self.synonyms.get(str(value), str(value)) or None

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Repeated(Unordered):
    """A list that PVE wants as a repeated parameter; its elements may hold commas and blanks."""

    separators: str = "\n"

    def wire(self, value: Any) -> Any:
        return [self.element.wire(part) for part in value]


@dataclass(frozen=True)
class OneOf:
    """One of a few words."""

    words: tuple[str, ...]

    def canonical(self, value: Any) -> Any:
        text = str(value).strip()
        if text and text not in self.words:
            raise ValueError(f"{text!r} is none of {', '.join(self.words)}")
        return text or None

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Word:
    """A text inside a property string, which cannot hold what separates them."""

    def canonical(self, value: Any) -> Any:
        text = str(value).strip()
        if not text.isprintable() or "," in text:
            raise ValueError(f"{text!r} holds a comma or what cannot be printed")
        return text or None

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Line:
    """A text that PVE keeps in one line of a file, where blanks around it are lost."""

    def canonical(self, value: Any) -> Any:
        text = str(value).strip()
        if "\n" in text or not text.replace("\t", " ").isprintable():
            raise ValueError("PVE keeps one line of text only")
        return text or None

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Whole(Properties):
    """A property string with a key that PVE wants in it always; `filled` is what leaving that out means."""

    filled: Mapping[str, Any] = field(default_factory=dict)

    def __hash__(self) -> int:
        return super().__hash__()

    def canonical(self, value: Any) -> Any:
        pairs = {name: each for name, each in self.pairs(value).items() if each is not None}
        return super().canonical({**self.filled, **pairs}) if pairs else None


_CONFIG_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]+")
_STORAGE_ID = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]")


def check_new_id(option: str, value: Any, *, dots: bool = False) -> None:
    """Raises InvalidInput for a name that PVE gives to nothing new. What exists may have another (a job's own UUID)."""
    if not (_STORAGE_ID if dots else _CONFIG_ID).fullmatch(str(value)):
        raise InvalidInput(
            f"{option}: PVE takes no new name like {value!r}.",
            hint="Use two or more letters, digits, - and _" + (" and ." if dots else "") + ", beginning with a letter.",
        )


_NAME = re.compile(r"[A-Za-z0-9._-]+")


def check_name_of(option: str, value: Any) -> None:
    """Raises InvalidInput for what PVE takes as no name of a group or role."""
    if not _NAME.fullmatch(str(value)):
        raise InvalidInput(f"{option}: PVE takes no name like {value!r}.", hint="Use letters, digits, ., - and _.")


def boolean(name: str, **more: Any) -> Field:
    """An option that is on or off; PVE's forms want 1 and 0."""
    return Field(name, Boolean(), type="bool", **dashed(name, more))


def number(name: str, **more: Any) -> Field:
    return Field(name, Number(), type="int", **dashed(name, more))


def unordered(name: str, **more: Any) -> Field:
    """A list whose order PVE changes at will."""
    return Field(name, Unordered(), type="list", elements="str", **dashed(name, more))


def vmids(name: str, **more: Any) -> Field:
    """Numbers of guests, in any order."""
    return Field(name, Unordered(element=Number()), type="list", elements="int", **dashed(name, more))


def properties(name: str, form: Properties, **more: Any) -> Field:
    """A property string, given as a mapping or as PVE writes it (`keep-last=3,keep-weekly=4`)."""
    return Field(name, form, type="dict", **dashed(name, more))


def text(name: str, **more: Any) -> Field:
    return Field(name, **dashed(name, more))


def dashed(name: str, more: dict[str, Any]) -> dict[str, Any]:
    """`wire="-"` is short for the same name written with dashes."""
    if more.get("wire") == "-":
        return {**more, "wire": name.replace("_", "-")}
    return more
