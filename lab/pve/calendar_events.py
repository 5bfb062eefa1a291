# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Calendar events, as far as a client needs them: what PVE accepts as a schedule."""

from __future__ import annotations

import re

KEYWORDS = ("minutely", "hourly", "daily", "weekly", "monthly", "yearly", "annually", "quarterly", "semiannually",
            "semi-annually")  # fmt: skip
DAY = r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*"
DAYS = re.compile(rf"^{DAY}(?:\.\.{DAY})?(?:,{DAY}(?:\.\.{DAY})?)*$", re.I)
NUMBERS = r"(?:\*|\d+(?:\.\.\d+)?)(?:/\d+)?"
LIST = rf"{NUMBERS}(?:,{NUMBERS})*"
DATE = re.compile(rf"^(?:{LIST}-)?{LIST}-{LIST}$")
TIME = re.compile(rf"^{LIST}(?::{LIST}){{0,2}}$")


def problem(text: str) -> str | None:
    """PVE's complaint about a calendar event, or None."""
    wrong = f"invalid calendar event '{text}' - unable to parse calendar event: unable to parse '{text}'\n"
    if text.lower() in KEYWORDS:
        return None
    words = text.split()
    if not words:
        return wrong
    order = [("days" if DAYS.match(w) else "date" if DATE.match(w) else "time" if TIME.match(w) else "") for w in words]
    known = ["days", "date", "time"]
    if "" in order or len(set(order)) != len(order) or order != sorted(order, key=known.index):
        return wrong
    return None
