# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How backups and logs are, for monitoring and for people."""

from __future__ import annotations

import shutil
from typing import Any, Optional

from databasebackup import backups, logs, records
from databasebackup.restore import names
from databasebackup.settings import Places, Refused, Settings
from databasebackup.ship import STATE
from databasebackup.times import told

FINE, LATE, WRONG, UNKNOWN = 0, 1, 2, 3
RUN = "run.json"


def status(settings: Settings, places: Places) -> dict[str, Any]:
    """age_seconds: of the newest verified backup; lag_seconds: of the logs. None where there is none."""
    now = backups.now()
    found = backups.listed(settings)
    good = [one for one in found if one.verified]
    last = records.read(places.var / RUN)
    unverified = [one.name for one in found if one.verified is None]
    damaged = [one.name for one in found if one.verified is False]
    return {
        "host": settings.name,
        "dialect": settings.dialect,
        "backups": {
            "count": len(found),
            "newest_verified": good[-1].name if good else None,
            "age_seconds": round(now - good[-1].taken) if good else None,
            "age_limit": settings.max_age,
            "verification_seconds": good[-1].verification.get("seconds") if good else None,
            "tables": good[-1].verification.get("tables") if good else None,
            "rows": good[-1].verification.get("rows") if good else None,
            "position": good[-1].manifest["position"] if good else None,
            "oldest_verified": good[0].name if good else None,
            "unverified": unverified,
            "damaged": damaged,
            "last_run": told(float(last["at"])) if last else None,
            "last_error": last.get("error"),
        },
        "logs": _logs(settings, places, now),
        "restores": names(settings),
        "free_bytes": shutil.disk_usage(settings.directory).free if settings.directory.exists() else None,
    }


def _logs(settings: Settings, places: Places, now: float) -> Optional[dict[str, Any]]:
    """None where this host takes none."""
    if not places.ship_login.exists():
        return None
    state = records.read(places.var / STATE)
    until = float(state.get("until") or 0)
    return {
        "server": state.get("server"),
        "log": state.get("log"),
        "until": told(until) if until else None,
        "lag_seconds": round(max(0.0, now - until), 1) if until else None,
        "lag_limit": settings.max_log_lag,
        "missing_bytes": state.get("missing_bytes"),
        "sessions": len(logs.sessions(settings)),
        "last_error": state.get("error"),
    }


def verdict(found: dict[str, Any]) -> int:
    """The exit code: FINE, LATE or WRONG."""
    those, shipped = found["backups"], found["logs"]
    if those["last_error"] or those["damaged"] or (shipped is not None and shipped["last_error"]):
        return WRONG
    ages = [(those["age_seconds"], those["age_limit"])] if found["takes"] else []
    if shipped is not None:
        ages.append((shipped["lag_seconds"], shipped["lag_limit"]))
    return LATE if any(age is None or age > limit for age, limit in ages) else FINE


def report(settings: Settings, places: Places) -> dict[str, Any]:
    try:
        return {**status(settings, places), "takes": places.dump_login.exists()}
    except OSError as problem:
        raise Refused(f"The backups cannot be looked at: {problem}") from None
