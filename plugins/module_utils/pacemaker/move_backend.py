# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Moving a resource by Pacemaker's own programs, and taking the constraint away that did it."""

from __future__ import annotations

import math
import time
import xml.etree.ElementTree as ET
from collections.abc import Collection, Mapping, Sequence
from typing import Optional

from ansible_collections.hospital.continuity.plugins.module_utils.command import CommandFailed, Completed, Runner, run
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pacemaker.backend import said
from ansible_collections.hospital.continuity.plugins.module_utils.pacemaker.cluster import (
    Placement,
    failures,
    placement,
    preferring,
    together,
    with_constraint,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pacemaker.element import parsed
from ansible_collections.hospital.continuity.plugins.module_utils.pacemaker.move import (
    CLEAR,
    MOVE,
    MoveOperation,
    Situation,
    arrival,
)

_PAUSE = 0.1
# How much longer than what is waited for the constraint lasts, should nobody be left to take it away.
_SPARE = 60


class MoveBackend:
    parallel = 1

    def __init__(self, timeout: float = 60.0, runner: Runner = run) -> None:
        self.writes = 0
        self._timeout, self._run = timeout, runner
        self._seconds = 0.0

    def close(self) -> None:
        """There is no connection to give back."""

    # -- reading ----------------------------------------------------------------------------------------------------

    def observe(
        self, operation: MoveOperation, order: Order, keys: Optional[Collection[Key]] = None
    ) -> Mapping[Key, Thing]:
        situation = self._situation()
        name = str(order.options["resource"])
        return {(name,): Thing({"nodes": situation.now.where(name)}, {"situation": situation})}

    def precheck(self, operation: MoveOperation, plan: Plan, order: Order) -> Sequence[str]:
        """What Pacemaker's scheduler would make of it."""
        problems = []
        for step in plan:
            if step.action == MOVE:
                situation: Situation = step.facts["situation"]
                target, source = _way(order)
                wanted = with_constraint(situation.cib, str(step.key[0]), node=target, away_from=source)
                _now, then = self._scheduled(wanted)
                names = together(situation.cib, str(step.key[0]))
                why = arrival(situation.now, then, str(step.key[0]), names, target, source)
                if why:
                    problems.append(f"{step.key[0]} would not arrive: {why}")
        return problems

    def verify(self, operation: MoveOperation, things: Mapping[Key, Thing], order: Order) -> Sequence[Unmet]:
        """What runs with it was waited for as well. Whether it ran before, is another's to say."""
        ((_key, thing),) = things.items()
        situation: Situation = thing.facts["situation"]
        stopped = [
            name
            for name in together(situation.cib, str(order.options["resource"]))
            if name in situation.now.resources and not situation.now.where(name)
        ]
        return [Unmet(f"{name} runs nowhere.") for name in stopped]

    def _situation(self) -> Situation:
        text = self._cib()
        now, _then = self._scheduled(text)
        return Situation(parsed(text), now, self._seconds)

    def _cib(self) -> str:
        done = self._program("cibadmin", "--query")
        if done.status != 0:
            raise CommandFailed(
                f"The cluster cannot be asked: {said(done)}.",
                hint="Is Pacemaker running on this host? Look at systemctl status pacemaker.",
                completed=done,
            )
        return done.output

    def _scheduled(self, cib: str) -> tuple[Placement, Placement]:
        """Where everything is, and where it would be when all that is to be done was done."""
        done = self._program("crm_simulate", "--xml-pipe", "--simulate", "--output-as=xml", stdin=cib)
        try:
            answer = parsed(done.output)
        except ET.ParseError:
            raise CommandFailed(f"Pacemaker's scheduler does not answer: {said(done)}.", completed=done) from None
        now, then = answer.find("cluster_status"), answer.find("revised_cluster_status")
        if now is None:
            raise CommandFailed(f"Pacemaker's scheduler does not answer: {said(done)}.", completed=done)
        return placement(now), placement(now if then is None else then)

    # -- steps ------------------------------------------------------------------------------------------------------

    def apply(self, operation: MoveOperation, step: Step) -> Sequence[str]:
        name = str(step.key[0])
        if step.action == CLEAR:
            self._clear(name, str(step.facts["node"]))
            self._await_rest()
            return ()
        target, source = str(step.facts["target"]), str(step.facts["source"])
        situation: Situation = step.facts["situation"]
        names = together(situation.cib, name)
        began = time.monotonic()
        self._constrain(name, target, source)
        try:
            problem = self._await(situation, name, names, target, source)
        finally:
            self._clear(name, target or source)
        self._await_rest()
        self._seconds = time.monotonic() - began
        if not problem:
            problem = self._went_back(situation, name, names, target, source)
        if problem:
            raise CommandFailed(f"{name} did not arrive: {problem.rstrip('.')}.", hint=self._where(name))
        return ()

    def _constrain(self, name: str, target: str, source: str) -> None:
        words = ["--move", "--resource", name, "--node", target] if target else []
        words = words or ["--ban", "--resource", name, "--node", source]
        # It ends by itself, in case nobody is left to take it away.
        done = self._write("crm_resource", *words, f"--lifetime=PT{math.ceil(self._timeout) + _SPARE}S")
        if done.status != 0:
            self._clear(name, target or source)
            raise CommandFailed(f"Pacemaker does not move {name}: {said(done)}.", completed=done)

    def _clear(self, name: str, node: str) -> None:
        done = self._write("crm_resource", "--clear", "--resource", name, "--node", node)
        if done.status != 0:
            raise CommandFailed(
                f"The constraint that moved {name} cannot be taken away: {said(done)}.",
                hint=f"It ends by itself; crm_resource --clear --resource {name} takes it away at once.",
                completed=done,
            )

    def _await(self, before: Situation, name: str, names: Sequence[str], target: str, source: str) -> str:
        """Until it and all that ran with it have arrived. Why not, where they have not."""
        deadline = time.monotonic() + self._timeout
        old = {node: failures(before.cib, node, names) for node in before.now.nodes}
        while True:
            found = self._situation()
            left = arrival(before.now, found.now, name, names, target, source)
            if not left:
                return ""
            for node in found.now.nodes:
                new = {one: why for one, why in failures(found.cib, node, names).items() if one not in old[node]}
                if new:
                    return "; ".join(f"{one} failed on {node} ({why.rstrip('.')})" for one, why in new.items())
            if time.monotonic() > deadline:
                return f"it was not there after {self._timeout:g} s (timeout)"
            time.sleep(_PAUSE)

    def _await_rest(self) -> None:
        """Until the cluster has nothing more to do."""
        self._program("crm_resource", "--wait", f"--timeout={math.ceil(self._timeout)}s", more=_SPARE)

    def _went_back(self, before: Situation, name: str, names: Sequence[str], target: str, source: str) -> str:
        why = arrival(before.now, self._situation().now, name, names, target, source)
        if not why:
            return ""
        return f"it went back when the constraint was gone ({preferring(name)}): resource-stickiness does not hold it"

    def _where(self, name: str) -> str:
        try:
            nodes = self._situation().now.where(name)
        except SubsystemError:
            return "The cluster does not answer any more."
        return f"It is on {', '.join(nodes)} now." if nodes else "It runs nowhere now."

    # -- programs ---------------------------------------------------------------------------------------------------

    def _write(self, *argv: str) -> Completed:
        self.writes += 1
        return self._program(*argv)

    def _program(self, *argv: str, stdin: str = "", more: float = 0.0) -> Completed:
        return self._run(argv, stdin=stdin, timeout=max(self._timeout, 20.0) + more)


def _way(order: Order) -> tuple[str, str]:
    return str(order.options.get("node") or ""), str(order.options.get("away_from") or "")
