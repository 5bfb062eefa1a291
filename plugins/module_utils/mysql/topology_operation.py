# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The operation behind the module mysql_topology: its options, its plan, what it returns. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput, listed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Operation, Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Consent, Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.channel_values import Plain, Within
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.errors import LASTING
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.server import Server
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.succession import (
    Member,
    Succession,
    decide,
    follows,
    stopped_on_promotion,
)

# The order of a switchover: nobody is promoted before the one that writes has stopped and its successor has it all.
DEMOTE, CATCH_UP, PROMOTE, ATTACH, SET_ASIDE = "demote", "catch_up", "promote", "attach", "set_aside"
RESEED, BEHIND = "reseed_replica", "promote_behind"


@dataclass(frozen=True)
class Progress:
    """What this run did. seconds: from when the old writer did not write any more until the new one did."""

    seconds: float = 0.0


def members_of(observed: Mapping[Key, Thing]) -> list[Member]:
    return [thing.facts["member"] for thing in observed.values()]


def state_of(members: Sequence[Member], name: str) -> dict[str, Any]:
    """A server as it is compared and shown."""
    server = next(member.server for member in members if member.name == name)
    return {"writable": server.writable, "follows": follows(members, name)}


@dataclass(frozen=True)
class TopologyOperation(Operation):
    def decided(self, observed: Mapping[Key, Thing], order: Order) -> Succession:
        return decide(
            members_of(observed),
            str(order.options["writer"]),
            max_lag=int(order.options["drain_timeout"]),
            user=str(order.options.get("source_user") or ""),
        )

    def plan(self, observed: Mapping[Key, Thing], order: Order) -> Plan:
        decided = self.decided(observed, order)
        if decided.problems:
            raise InvalidInput(
                f"{listed(decided.problems).rstrip('.')}.",
                hint="Nothing was changed. mysql_topology_info tells how each server stands.",
            )
        members, steps = members_of(observed), _Steps(observed)
        if decided.old != decided.new:
            self._promotion(decided, members, steps)
        for name, source in sorted(decided.attached.items()):
            state = steps.now(name)
            behind = name == decided.old != decided.new
            if behind or state["follows"] != (decided.new,) or source.others:
                steps.add(
                    ATTACH, name, {"follows": (decided.new,)}, (f"to {decided.new}",), source=source, new=decided.new
                )
        for name, why in sorted(decided.aside.items()):
            word = f"{RESEED}:{name}"
            running = stopped_on_promotion(members, name)
            if running or word not in order.allow:
                loses = (
                    f"{why}. It is left out, read-only and following nobody, until mysql_seed has filled it from "
                    f"{decided.new} on its own host, which destroys what only it has"
                )
                consent = (Consent(word, loses),)
                steps.add(SET_ASIDE, name, {"follows": ()}, consent=consent, channels=running)
        return Plan(tuple(steps.steps))

    @staticmethod
    def _promotion(decided: Succession, members: Sequence[Member], steps: _Steps) -> None:
        old, new = decided.old, decided.new
        if old:
            steps.add(DEMOTE, old, {"writable": False})
        sources = decided.sources
        goal = f"all of {' and '.join(sources)}" if sources else "all that it received"
        steps.add(CATCH_UP, new, {}, (goal,), old=old, sources=sources)
        count, text = decided.behind
        consent: tuple[Consent, ...] = ()
        if count:
            lost = f"it lacks {count} transaction{'s' if count > 1 else ''} that were received ({text})"
            consent = (Consent(f"{BEHIND}:{new}", f"{lost}, and they are lost"),)
        running = stopped_on_promotion(members, new)
        steps.add(
            PROMOTE, new, {"writable": True, "follows": ()}, consent=consent, old=old, sources=sources, channels=running
        )

    # -- what success does not promise ------------------------------------------------------------------------------

    def unmet(self, observed: Mapping[Key, Thing], order: Order) -> Sequence[Unmet]:
        members = members_of(observed)
        decided = self.decided(observed, order)
        result = [Unmet(f"{text.rstrip('.')}.") for text in decided.problems]
        for member in members:
            server = member.server
            if not server.reachable:
                result.append(
                    Unmet(
                        f"{server.name} could not be asked: {server.error.rstrip('.')}. Nothing here keeps it from "
                        "writing if it runs; when it is back, read-only, run this again."
                    )
                )
            elif server.name in decided.aside:
                result.append(Unmet(_to_be_seeded(server.name, decided)))
            elif server.name != decided.new:
                result += _health(server)
        if not any(member.server.writable for member in members):
            result.append(Unmet("No server is writable."))
        return result

    def values(self, observed: Mapping[Key, Thing], order: Order) -> Mapping[str, Any]:
        members = members_of(observed)
        decided = self.decided(observed, order)
        writers = [member.name for member in members if member.server.writable]
        done: Progress = next(iter(observed.values())).facts["progress"]
        return {
            "writer": writers[0] if len(writers) == 1 else "",
            "seconds": round(done.seconds, 3),
            "reseed": dict(sorted(decided.aside.items())),
        }


def _to_be_seeded(name: str, decided: Succession) -> str:
    return (
        f"{name} follows nobody: {decided.aside[name]}. On its own host, run mysql_seed with if=diverged, the donor "
        f"{decided.new} and allow {RESEED}:{name}, and this again."
    )


def _health(server: Server) -> Sequence[Unmet]:
    result = []
    for channel in server.channels:
        where = f"{server.name}, channel {channel.name or 'default'}"
        if channel.sql.error or not channel.sql.running:
            result.append(Unmet(f"{where} applies nothing: {channel.sql.error or 'it was stopped'}."))
        elif channel.io.connecting or not channel.io.running:
            why = f": {channel.io.error.rstrip('.')}" if channel.io.error else ""
            passing = channel.io.running and channel.io.number not in LASTING
            result.append(Unmet(f"{where} receives nothing{why}.", passing=passing))
    return result


class _Steps:
    """Steps, and what each server would be after them."""

    def __init__(self, observed: Mapping[Key, Thing]) -> None:
        self.steps: list[Step] = []
        self._states = {str(key[0]): dict(thing.state) for key, thing in observed.items()}

    def now(self, name: str) -> Mapping[str, Any]:
        return self._states[name]

    def add(
        self,
        action: str,
        name: str,
        changes: Mapping[str, Any],
        options: tuple[str, ...] = (),
        *,
        consent: tuple[Consent, ...] = (),
        **facts: Any,
    ) -> None:
        before = self._states[name]
        after = self._states[name] = {**before, **changes}
        self.steps.append(Step(action, "server", (name,), before, after, options, consent=consent, facts=facts))


TOPOLOGY = TopologyOperation(
    name="topology",
    words=(RESEED, BEHIND),
    fields=(
        Field("writer", Plain(), required=True),
        Field("drain_timeout", Within(0, 86400), type="int", default=30),
        Field("grace", Within(1, 3600), type="int", default=1),
        Field("source_user", Plain(longest=128)),
        Field("source_password", Plain(longest=128), write_only=True),
    ),
)
