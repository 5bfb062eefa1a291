# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What an upgrade has to decide: what apt would do, which kernel would start, what the distribution's checklist says,
what is wrong with the cluster, and which node is next. Pure: from what programs and the API say."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

# Inst pve-manager [9.1.1] (9.1.4 Proxmox:9.x/stable [amd64])
_INST = re.compile(r"^Inst (?P<name>\S+)(?: \[(?P<old>[^\]]+)\])? \((?P<new>\S+)")
_REMV = re.compile(r"^(?:Remv|Purg) (?P<name>\S+)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_RELEASE = "pve-manager"
_KERNEL = re.compile(r"^\d+\.\d+\.\d+-\S+$")
# With one of these the cluster is not well enough to do without a node. The rest (a guest in no backup job) can wait.
DOUBTFUL = ("no_quorum", "offline", "unread", "error", "fence", "recovery", "not_active", "failing")


@dataclass(frozen=True)
class Package:
    name: str
    old: str
    new: str


@dataclass(frozen=True)
class Pending:
    """What apt would do. major: (from, to) where Proxmox VE itself would be another major release."""

    packages: tuple[Package, ...] = ()
    removed: tuple[str, ...] = ()
    major: Optional[tuple[int, int]] = None


def pending(text: str) -> Pending:
    """Of `apt-get --simulate dist-upgrade`."""
    packages, removed, major = [], [], None
    for line in text.splitlines():
        if found := _INST.match(line):
            one = Package(found["name"], found["old"] or "", found["new"])
            packages.append(one)
            if one.name == _RELEASE and one.old and _major(one.old) != _major(one.new):
                major = (_major(one.old), _major(one.new))
        elif found := _REMV.match(line):
            removed.append(found["name"])
    return Pending(tuple(packages), tuple(removed), major)


def _major(version: str) -> int:
    digits = re.match(r"(?:\d+:)?(\d+)", version)
    return int(digits[1]) if digits else 0


def kernel_to_start(text: str) -> str:
    """Of `proxmox-boot-tool kernel list`: the pinned one, else the newest. Empty where it names none."""
    section, kernels, pinned = "", [], ""
    for line in text.splitlines():
        word = line.strip()
        if word.endswith(":"):
            section = word.lower()
        elif _KERNEL.match(word):
            if section.startswith(("pinned", "kernel pinned")):
                # The one pinned for the next start alone comes last.
                pinned = word
            kernels.append(word)
    return pinned or max(kernels, key=_version, default="")


def _version(kernel: str) -> tuple[tuple[int, int, str], ...]:
    """Numbers as numbers: 6.17.10 is newer than 6.17.9."""
    parts = re.split(r"[.+-]", kernel)
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts)


def checklist(text: str) -> dict[str, list[str]]:
    """Of pve8to9 and its like: a line for each check. Empty lists where all is well; `failures` where it says nothing
    that can be understood, because that is no consent."""
    lines = [_COLOUR.sub("", line).strip() for line in text.splitlines()]
    found = {
        "failures": [line[5:].strip() for line in lines if line.startswith("FAIL:")],
        "warnings": [line[5:].strip() for line in lines if line.startswith("WARN:")],
    }
    if not any(line.startswith(("PASS:", "FAIL:", "WARN:")) for line in lines):
        found["failures"].append("it says nothing that can be understood")
    return found


def doubts(health: Iterable[Mapping[str, Any]], tolerated: Collection[str] = ()) -> list[str]:
    """What is wrong enough to touch nothing, of what the info modules call health. tolerated: subjects, as `storage
    old`, that somebody knows of."""
    return [
        str(row.get("message") or row.get("subject"))
        for row in health
        if row.get("state") in DOUBTFUL and row.get("subject") not in tolerated
    ]


def order(nodes: Iterable[Mapping[str, Any]], evacuations: Iterable[Mapping[str, Any]] = ()) -> list[str]:
    """The hosts whose turn comes, of those that have something to do. What an earlier run has begun is finished first;
    then the node that carries least, so that a bad package is met where it hurts least."""
    memory = {str(one.get("node")): int(one.get("memory") or 0) for one in evacuations}
    due = [row for row in nodes if row.get("work")]
    return [
        str(row["host"])
        for row in sorted(due, key=lambda row: (not row.get("begun"), memory.get(str(row.get("node")), 0), row["host"]))
    ]
