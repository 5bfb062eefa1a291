# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The recorded sessions of SCST 3.11, cut into exchanges."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data" / "scst"
ROOT = "/sys/kernel/scst_tgt"


@dataclass
class Exchange:
    """number: its place in its file, from 1. A write (`path`, `text`) or a command; what was answered."""

    file: str
    number: int
    command: str = ""
    path: str = ""
    text: str = ""
    error: str = ""  # EEXIST …; empty where the write was taken
    messages: list[str] = field(default_factory=list)
    output: str = ""
    # Entries of a tree printed by the recorder: (kind, path, rest of the line).
    entries: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"{self.file}#{self.number}"


_WRITE = re.compile(r"^\$ echo '(?P<text>.*)' > (?P<path>/sys/kernel/scst_tgt/\S+)$")


def session(name: str) -> list[Exchange]:
    """A file's exchanges in their order."""
    (path,) = DATA.glob(f"{name}*.txt")
    found: list[Exchange] = []
    lines = path.read_text().splitlines()
    index = 0

    def begin() -> Exchange:
        exchange = Exchange(name, len(found) + 1)
        found.append(exchange)
        return exchange

    while index < len(lines):
        line = lines[index]
        if match := _WRITE.match(line):
            exchange = begin()
            exchange.path, exchange.text = match["path"].removeprefix(f"{ROOT}/"), match["text"]
            index = _answer(exchange, lines, index + 1)
        elif line.startswith("$ "):
            exchange = begin()
            exchange.command = line[2:]
            index += 1
            began = index
            while index < len(lines) and not re.fullmatch(r"\[rc=\d+\]", lines[index]):
                index += 1
            exchange.output = "".join(f"{text}\n" for text in lines[began:index])
            index += 1
        elif _is_entry(line):
            exchange = begin()
            while index < len(lines) and _is_entry(lines[index]):
                exchange.entries.append(_entry(lines[index]))
                index += 1
        else:
            index += 1
    return found


def _answer(exchange: Exchange, lines: list[str], index: int) -> int:
    answer = re.match(r"  -> (?P<error>E[A-Z]+|ok)", lines[index])
    assert answer, lines[index]
    exchange.error = "" if answer["error"] == "ok" else answer["error"]
    index += 1
    while index < len(lines) and lines[index].startswith("  dmesg|"):
        exchange.messages.append(lines[index].removeprefix("  dmesg|").strip())
        index += 1
    return index


def _is_entry(line: str) -> bool:
    return bool(re.match(r"F 0o\d{3} \S|D \S+/$|L \S+ -> ", line))


def _entry(line: str) -> tuple[str, str, str]:
    kind, _blank, rest = line.partition(" ")
    if kind == "D":
        return kind, rest.rstrip("/"), ""
    if kind == "L":
        path, _arrow, target = rest.partition(" -> ")
        return kind, path, target
    mode, _blank, rest = rest.partition(" ")
    path, blank, value = rest.partition(" = ")
    if not blank:
        path, _blank, value = rest.partition(" (")
        return kind, path, f"{mode} ({value}"
    return kind, path, f"{mode} {ast.literal_eval(value)}"
