# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Save Open vSwitch's configuration with a checkpoint, and put it back in one transaction."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any, Callable, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.network import switch_rows
from ansible_collections.hospital.continuity.plugins.module_utils.network.switch_client import (
    SwitchClient,
    SwitchRefused,
    SwitchUnreachable,
)
from ansible_collections.hospital.continuity.plugins.module_utils.network.topology import INTERNAL

# How often a change by somebody else in between is survived, and how long ovs-vswitchd may take to act.
_ATTEMPTS = 10
_SWITCH_SECONDS = 5.0


def saved(address: str) -> dict[str, Any]:
    """The configuration, as JSON has it. Raises SwitchUnreachable or SwitchRefused."""
    with _connected(address, 0.0) as client:
        schema = client.schema()
        found = switch_rows.rows(schema, client.transact(switch_rows.selections(schema)))
        return {"address": address, "rows": switch_rows.reachable(schema, found)}


def internal(before: Optional[Mapping[str, Any]]) -> set[str]:
    """The internal ports that are no bridge's own: what carries the host's addresses."""
    if before is None:
        return set()
    rows = before["rows"]
    bridges = {row["name"] for row in rows.get("Bridge", {}).values()}
    return {row["name"] for row in rows.get("Interface", {}).values() if row["type"] == INTERNAL} - bridges


def put_back(before: Mapping[str, Any], *, exists: Callable[[str], bool], patience: float, attended: bool) -> list[str]:
    """Make the configuration what it was. `patience`: seconds to wait for the database; `attended`: whether an
    ovs-vswitchd acts on it, which is then waited for. Returns what there is to say."""
    with _connected(before["address"], patience) as client:
        schema = client.schema()
        for attempt in range(_ATTEMPTS):
            results = client.transact([*switch_rows.selections(schema), _COUNTERS])
            now = switch_rows.rows(schema, results)
            plan = switch_rows.restoration(schema, before["rows"], now, exists)
            if not plan.operations:
                return list(plan.notes)
            count = results[-1]["rows"][0]["next_cfg"]
            try:
                client.transact([_unchanged_since(count), *plan.operations, _NEXT])
            except SwitchRefused as problem:
                # A guest that was started in between: look again.
                if problem.error != "timed out" or attempt == _ATTEMPTS - 1:
                    raise
                continue
            return [*plan.notes, *(_unattended(client, count + 1) if attended else [])]
    return []


_COUNTERS: dict[str, Any] = {"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["next_cfg", "cur_cfg"]}
_NEXT: dict[str, Any] = {
    "op": "mutate",
    "table": "Open_vSwitch",
    "where": [],
    "mutations": [["next_cfg", "+=", 1]],
}


def _unchanged_since(count: int) -> dict[str, Any]:
    return {
        "op": "wait",
        "timeout": 0,
        "table": "Open_vSwitch",
        "where": [],
        "columns": ["next_cfg"],
        "until": "==",
        "rows": [{"next_cfg": count}],
    }


def _unattended(client: SwitchClient, count: int) -> list[str]:
    """Wait until ovs-vswitchd has acted."""
    deadline = time.monotonic() + _SWITCH_SECONDS
    while time.monotonic() < deadline:
        if client.transact([_COUNTERS])[0]["rows"][0]["cur_cfg"] >= count:
            return []
        time.sleep(0.05)
    return ["ovs-vswitchd has not taken up what is in the database: does it run?"]


@contextlib.contextmanager
def _connected(address: str, patience: float) -> Iterator[SwitchClient]:
    deadline = time.monotonic() + patience
    while True:
        try:
            client = SwitchClient(address)
            break
        except SwitchUnreachable:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.2)
    try:
        yield client
    finally:
        client.close()
