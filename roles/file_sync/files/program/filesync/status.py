# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How a set is, on either side."""

from __future__ import annotations

import time
from typing import Any

from filesync import records
from filesync.push import delivery_to
from filesync.settings import Places, Settings

FINE, LAGS, WRONG, UNKNOWN = 0, 1, 2, 3


def status(places: Places, settings: Settings, now: float | None = None) -> dict[str, Any]:
    """role: writer, receiver, or none (the set was never written). lag_seconds: the age of the moment up to which
    everything has arrived here, or at the receiver that is furthest behind; None where nothing ever did."""
    now = time.time() if now is None else now
    state = records.state_of(places, settings.name)
    side = records.holder_of(records.side_path(places, settings.name))
    writer = side.get("what") == records.WRITER
    service = str(records.read(places.var / settings.name / "service.json").get("error", ""))
    receivers: list[dict[str, Any]] = []
    if writer:
        for peer in settings.peers:
            delivery = delivery_to(places, settings.name, peer)
            lag = _lag(now, delivery.delivered)
            receivers.append({"name": peer, "lag_seconds": lag, "last_error": delivery.error or None})
        lags = [receiver["lag_seconds"] for receiver in receivers]
        errors = [f"{receiver['name']}: {receiver['last_error']}" for receiver in receivers if receiver["last_error"]]
        lag = None if None in lags else max(lags, default=0.0)
        error = "; ".join([*([service] if service else []), *errors])
    else:
        lag = _lag(now, state.delivered)
        # Why it does not write any more is no fault of a side that receives well since.
        error = state.error or (
            service if state.files < state.held.generation or state.held.holder == settings.me else ""
        )
    role = "writer" if writer else "receiver" if state.held.generation else "none"
    return {
        "set": settings.name,
        "host": settings.me,
        "path": str(settings.path),
        "role": role,
        "generation": state.held.generation,
        "holder": state.held.holder or None,
        "files_generation": state.files,
        "lag_seconds": lag,
        "lag_limit": settings.lag_limit,
        "last_error": error or None,
        "receivers": receivers,
    }


def verdict(found: dict[str, Any]) -> int:
    """The exit code for monitoring: FINE, LAGS or WRONG."""
    if found["last_error"]:
        return WRONG
    lag = found["lag_seconds"]
    return LAGS if lag is None or lag > found["lag_limit"] else FINE


def _lag(now: float, delivered: float) -> float | None:
    return round(max(0.0, now - delivered), 1) if delivered else None
