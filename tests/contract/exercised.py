# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Which options and consent words were really exercised in this run, for the summary at its end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

options: dict[str, set[str]] = defaultdict(set)
words: dict[str, set[str]] = defaultdict(set)
as_root: dict[str, set[str]] = defaultdict(set)
not_here: dict[str, dict[str, str]] = defaultdict(dict)


def option(module: str, name: str, *, root: bool = False) -> None:
    """An option was written, found changed and put right (or whatever its sort allows)."""
    options[module].add(name)
    if root:
        as_root[module].add(name)


def word(module: str, name: str) -> None:
    """A consent word was refused when missing, and honoured when given."""
    words[module].add(name.partition(":")[0])


def skipped(module: str, name: str, reason: str) -> None:
    """Something was not exercised on this system."""
    not_here[module][name] = reason


def collected() -> dict[str, Any]:
    """All of it in plain words, for another process."""
    seen = {"options": options, "words": words, "as_root": as_root}
    found: dict[str, Any] = {name: {key: sorted(value) for key, value in kept.items()} for name, kept in seen.items()}
    return {**found, "not_here": dict(not_here)}


def add(found: Mapping[str, Any]) -> None:
    """What another process exercised."""
    for kept, name in ((options, "options"), (words, "words"), (as_root, "as_root")):
        for module, names in found[name].items():
            kept[module].update(names)
    for module, reasons_why in found["not_here"].items():
        not_here[module].update(reasons_why)


def line(module: str, all_options: Iterable[str], all_words: Iterable[str]) -> str:
    """`pve_pool: options 3/3, words 0/0`."""
    known, consents = list(all_options), list(all_words)
    seen = sum(name in options[module] for name in known)
    given = sum(name in words[module] for name in consents)
    text = f"{module}: options {seen}/{len(known)}, words {given}/{len(consents)}"
    if as_root[module]:
        text += f" ({len(as_root[module])} of the options with root@pam's password)"
    return text


def reasons(module: str, unreached: Mapping[str, str]) -> dict[str, list[str]]:
    """What of a module was not exercised, by why."""
    result: dict[str, list[str]] = defaultdict(list)
    for name, reason in sorted({**unreached, **not_here[module]}.items()):
        if name not in options[module]:
            result[reason].append(name)
    return dict(result)
