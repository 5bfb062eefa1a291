# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The words of an `ovs_options` line that PVE keeps as options of their own: tag, lacp and bond_mode."""

from __future__ import annotations

from typing import Any

FOLDED = ("tag", "lacp", "bond_mode")
DEFAULT_MODE = "active-backup"
MODES = (DEFAULT_MODE, "balance-slb", "lacp-balance-slb", "lacp-balance-tcp")


def words_of(options: str) -> tuple[dict[str, str], list[str]]:
    """(the folded ones, the others in their order) of 'tag=5 other_config:x=y'."""
    folded: dict[str, str] = {}
    others: list[str] = []
    for word in options.split():
        name, sep, value = word.partition("=")
        if sep and name in FOLDED:
            folded[name] = value
        else:
            others.append(word)
    return folded, others


def unfold(entry: dict[str, Any]) -> None:
    """From the file's one line to PVE's options; what is folded is not shown in ovs_options."""
    folded, others = words_of(entry.get("ovs_options", ""))
    if entry["type"] != "OVSBond":
        # Only a bond's words mean a mode: elsewhere they stay where they were.
        others = [f"{name}={value}" for name, value in folded.items() if name != "tag"] + others
    if "tag" in folded:
        entry["ovs_tag"] = folded["tag"]
    if entry["type"] == "OVSBond":
        mode = folded.get("bond_mode", DEFAULT_MODE)
        with_lacp = mode == "balance-tcp" or (mode == "balance-slb" and folded.get("lacp") == "active")
        entry["bond_mode"] = f"lacp-{mode}" if with_lacp else mode
    entry.pop("ovs_options", None)
    if others:
        entry["ovs_options"] = " ".join(others)


def fold(entry: dict[str, Any]) -> str:
    """The file's line: tag, the others, then lacp and bond_mode."""
    folded, others = words_of(entry.get("ovs_options") or "")
    if entry.get("ovs_tag"):
        folded["tag"] = str(entry["ovs_tag"])
    if entry["type"] == "OVSBond":
        mode = str(entry.get("bond_mode") or DEFAULT_MODE)
        if mode.startswith("lacp-"):
            folded["lacp"] = "active"
        folded["bond_mode"] = mode.removeprefix("lacp-")
    first = [f"tag={folded['tag']}"] if "tag" in folded else []
    return " ".join(first + others + [f"{name}={folded[name]}" for name in ("lacp", "bond_mode") if name in folded])
