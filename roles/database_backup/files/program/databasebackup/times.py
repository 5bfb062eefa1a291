# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Times as people write and read them. One without a zone is this host's."""

from __future__ import annotations

import math
from datetime import datetime, timezone

from databasebackup.history import LATEST
from databasebackup.settings import Refused


def second(text: str) -> float:
    """'2026-11-22 14:03:17', with Z or +01:00 where it is not this host's time, or 'latest'. Raises Refused."""
    if text.strip().lower() == "latest":
        return LATEST
    plain = text.strip()
    if plain.endswith(("Z", "z")):
        plain = f"{plain[:-1]}+00:00"
    try:
        return float(math.floor(datetime.fromisoformat(plain).timestamp()))
    except (ValueError, OverflowError, OSError):
        raise Refused(f"{text!r} is no time: write it as 2026-11-22 14:03:17, or latest.") from None


def told(moment: float) -> str:
    """In this host's time, with its zone."""
    if moment in (0, LATEST):
        return "never" if not moment else "latest"
    return datetime.fromtimestamp(moment, timezone.utc).astimezone().strftime("%Y-%m-%d %H:%M:%S%z")
