# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What mysql_topology_info returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.login import login_from
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.server import Server, observe, shown
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.topology import Topology, judge

# Seconds for one question to a server of a set: the others' state is worth knowing without the one that hangs.
PATIENCE = 60.0


def clients(params: Sequence[Mapping[str, Any]]) -> dict[str, Client]:
    """A client for each server of a module's option, by name. Raises InvalidInput."""
    if not params:
        raise InvalidInput("servers: there are none.", hint="List the servers of the set.")
    found: dict[str, Client] = {}
    for given in params:
        name = str(given.get("name") or "")
        if not name.strip() or any(ord(letter) < 32 for letter in name):
            raise InvalidInput(f"servers: {name!r} is no name.", hint="Give each server a name.")
        if name in found:
            raise InvalidInput(f"servers: {name} is listed twice.", hint="Give each server a name of its own.")
        try:
            found[name] = Client(login_from(given), patience=PATIENCE)
        except InvalidInput as problem:
            raise InvalidInput(f"servers: {name}: {problem.message}", hint=problem.hint) from None
    return found


def gather(found: Mapping[str, Client], *, max_lag: Optional[int] = None) -> Topology:
    """Ask all servers at once and judge what they say."""
    with ThreadPoolExecutor(max_workers=len(found)) as pool:
        servers = list(pool.map(lambda name: observe(name, found[name]), found))
    return judge([_as_writer(server, found[server.name]) for server in servers], max_lag=max_lag)


def _as_writer(server: Server, client: Client) -> Server:
    """What the writer has is asked last: what a replica was seen to have, it had before."""
    if not server.writable:
        return server
    again = observe(server.name, client)
    return again if again.reachable else replace(server, error=again.error, alive=again.alive)


def result(topology: Topology) -> dict[str, Any]:
    """As a module returns it."""
    return {
        "writer": topology.writer,
        "writers": list(topology.writers),
        "verdict": topology.verdict,
        "problems": [{"level": level, "message": text} for level, text in topology.problems],
        "errant": dict(topology.errant),
        "candidates": [
            {"name": one.name, "rank": one.rank, "missing": one.missing, "reasons": list(one.reasons)}
            for one in topology.candidates
        ],
        "servers": [_server(server, topology) for server in topology.servers],
    }


def _server(server: Server, topology: Topology) -> dict[str, Any]:
    return {
        "name": server.name,
        "reachable": server.reachable,
        "error": server.error,
        "dialect": server.dialect,
        "version": server.version,
        "id": server.id,
        "read_only": server.read_only if server.reachable else None,
        "super_read_only": server.super_read_only if server.reachable else None,
        "has": server.has,
        "purged": server.purged,
        "follows": list(topology.follows.get(server.name, ())),
        "channels": [shown(channel) for channel in server.channels],
    }
