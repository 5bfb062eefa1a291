# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Parameters of the API of which no table is known: what they hold is told by how they are written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SEPARATORS = re.compile(r"[,; \n]+")
# Not settings: how a request is made.
STEERING = ("delete", "digest")


@dataclass(frozen=True)
class Parameters:
    """A mapping from PVE's own names to texts, numbers, booleans, lists of these, and mappings of these (property
    strings). An empty value stays, as the mark of a parameter that shall not be set."""

    def canonical(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError(f"{value!r} is not a mapping; write key: value")
        for name in value:
            if not re.fullmatch(r"[A-Za-z0-9_-]+", str(name)):
                raise ValueError(f"{name!r} is no name of a parameter")
            if name in STEERING:
                raise ValueError(f"{name} is no setting; what shall not be set gets an empty value")
        return {str(name): _canonical(str(name), value[name]) for name in sorted(value, key=str)} or None

    def wire(self, value: Any) -> Any:
        return {name: on_wire(each) for name, each in value.items()}


def _canonical(name: str, value: Any) -> Any:
    if value is None or value in ([], (), {}) or (isinstance(value, str) and not value.strip()):
        return ""
    if isinstance(value, Mapping):
        return {str(key): _plain(f"{name}.{key}", value[key]) for key in sorted(value, key=str)}
    if isinstance(value, (list, tuple)):
        return tuple(_scalar(name, each) for each in value)
    return _scalar(name, value)


def _plain(name: str, value: Any) -> Any:
    return tuple(_scalar(name, each) for each in value) if isinstance(value, (list, tuple)) else _scalar(name, value)


def _scalar(name: str, value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (int, float, str)):
        return value
    raise ValueError(f"{name}: {value!r} is neither a text nor a number")


def on_wire(value: Any) -> Any:
    """As PVE takes it: a list is its parameter repeated, a mapping a property string."""
    if isinstance(value, Mapping):
        return ",".join(f"{key}={_joined(each)}" for key, each in value.items())
    return list(value) if isinstance(value, tuple) else value


def _joined(value: Any) -> str:
    return ";".join(map(str, value)) if isinstance(value, tuple) else str(value)


def same(found: Any, wanted: Any) -> bool:
    """Whether what GET shows is what is wanted. It is read as what is wanted is written: of a list order means nothing,
    a mapping is a property string, and a number may be its digits."""
    if found is None or wanted == "":
        return found in (None, "") and wanted in (None, "")
    if isinstance(wanted, Mapping):
        pairs = _pairs(found)
        return pairs is not None and pairs == {str(key): _pieces(each) for key, each in wanted.items()}
    if isinstance(wanted, tuple):
        return _list(found) == sorted(_element(each) for each in wanted)
    if isinstance(found, Mapping):
        return _pairs(found) == _pairs(wanted)
    if isinstance(found, tuple):
        return _list(found) == _list(wanted)
    return _text(found) == _text(wanted) or (_number(found) is not None and _number(found) == _number(wanted))


def _pairs(value: Any) -> dict[str, Any] | None:
    """A property string by key; None for what is none."""
    if isinstance(value, Mapping):
        return {str(key): _pieces(each) for key, each in value.items()}
    parts = [part.partition("=") for part in str(value).split(",") if part.strip()]
    if not all(equals for _key, equals, _text_ in parts):
        return None
    return {key.strip(): _pieces(text) for key, _equals, text in parts}


def _pieces(value: Any) -> list[str]:
    """A value inside a property string, which may be a list."""
    whole = value if isinstance(value, (tuple, list)) else str(value).split(";")
    return sorted(_text(each) for each in whole)


def _list(value: Any) -> list[str]:
    whole = value if isinstance(value, (tuple, list)) else [each for each in _SEPARATORS.split(str(value)) if each]
    return sorted(_element(each) for each in whole)


def _element(value: Any) -> str:
    """A property string inside a list, whatever order it is in."""
    text = _text(value)
    return ",".join(sorted(text.split(","))) if "=" in text else text


def _text(value: Any) -> str:
    """Without what PVE adds or cuts at the end, and as it was written where PVE reads it back byte by byte."""
    text = str(value).replace("\r\n", "\n").rstrip()
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
