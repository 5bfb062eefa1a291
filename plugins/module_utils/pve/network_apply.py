# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""One change of a node's network: stage it, look at it, change the bonds that run, put it in force, look again.

PVE API: /nodes/{node}/network. Until it is in force everything can be taken back, and is when something goes wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.converge import Clock
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError, listed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Step
from ansible_collections.hospital.continuity.plugins.module_utils.pve import tasks
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import (
    PveError,
    RejectedParameters,
    TaskFailed,
    Unreachable,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Request
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network import NetworkKind
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_requests import Staging, collection
from ansible_collections.hospital.continuity.plugins.module_utils.pve.network_bonds import (
    Change,
    changes_members,
    live_changes,
    still_needed,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.network_node import Node
from ansible_collections.hospital.continuity.plugins.module_utils.pve.network_states import Listing, lost, states_of

_COMPLAINT = re.compile(r"\b(?:warning|error)\s*:|^\s*(?:W|WARN|WARNING|ERROR)S?:", re.IGNORECASE)
_PAUSE = 1.0
# How often a node that answers again is asked whether it has begun.
_MOMENTS = 5


class CutOff(SubsystemError):
    """The node has not answered for too long."""

    affects_everything = True


def _is_silence(problem: SubsystemError) -> bool:
    """Whether nobody answered, or nobody between the cluster's nodes: nothing is known of what was asked then."""
    return isinstance(problem, Unreachable) or (isinstance(problem, PveError) and problem.status in range(595, 600))


def read_listing(client: Client, node: str) -> Listing:
    """PVE API: GET /nodes/{node}/network."""
    body = client.get_body(collection(node))
    rows = {str(row["iface"]): {**row, "node": node} for row in body.get("data") or ()}
    return Listing(rows, str(body.get("changes") or ""))


class Application:
    """steps: of one node, in the order they are staged.  listing: what is there, others' pending changes included if
    they are to be applied as well.  patience: seconds to wait for a node that does not answer any more."""

    def __init__(
        self,
        client: Client,
        kind: NetworkKind,
        node: Node,
        listing: Listing,
        steps: Sequence[Step],
        *,
        patience: float,
        clock: Clock,
    ) -> None:
        self._client, self._kind, self._node = client, kind, node
        self._listing, self._steps = listing, tuple(steps)
        self._patience, self._clock = patience, clock
        self._was = states_of(kind, node.name, listing)
        self._live: list[Change] = []

    def run(self) -> Sequence[str]:
        """Do it and wait for it. Returns what was complained about. Raises SubsystemError."""
        applying = False
        try:
            self._stage()
            said = self._change_live_bonds()
            applying = True
            upid = self._client.put(collection(self._node.name), {})
        except SubsystemError as problem:
            raise (
                self._after_silence(problem, applying) if _is_silence(problem) else self._taken_back(problem)
            ) from None
        return [*said, *self._in_force(str(upid))]

    # -- before it is in force --------------------------------------------------------------------------------------

    def _stage(self) -> None:
        staging = Staging(self._kind.option_rows, self._listing.rows)
        for step in self._steps:
            for request in staging.requests(step):
                self._write(request)
        missing = self._missing(read_listing(self._client, self._node.name))
        if missing:
            raise SubsystemError(f"Proxmox VE accepted the changes and staged something else: {listed(missing)}.")

    def _write(self, request: Request) -> None:
        send = {"POST": self._client.post, "PUT": self._client.put, "DELETE": self._client.delete}[request.method]
        try:
            send(request.path, request.parameters)
        except RejectedParameters as problem:
            raise problem.renamed(self._kind.option_of) from None

    def _missing(self, found: Listing) -> list[str]:
        node = self._node.name
        return lost(self._kind, node, self._was, self._steps, states_of(self._kind, node, found))

    def _change_live_bonds(self) -> Sequence[str]:
        """First the bonds that run, then their file: the other way round nothing would happen."""
        stepped = [step for step in self._steps if changes_members(step)]
        if not stepped or not self._node.has_switch:
            return ()
        found = self._node.switch.bonds()
        self._live = [change for step in stepped for change in live_changes(step, found)]
        return self._node.switch.change(self._live) if self._live else ()

    def _taken_back(self, problem: SubsystemError) -> SubsystemError:
        """The error that caused it, once everything is as it was before, with the truth about that."""
        told = [problem.message.rstrip()]
        if self._live:
            told.append(self._live_taken_back())
        told.append(self._staging_taken_back())
        result = SubsystemError(" ".join(told), hint=problem.hint)
        result.affects_everything = problem.affects_everything
        return result

    def _staging_taken_back(self) -> str:
        node = self._node.name
        if self._listing.changes:
            return (
                f"What somebody else had staged on {node} is still staged, perhaps with a part of what was asked for "
                "now. Nothing of it is in force."
            )
        try:
            self._client.delete(collection(node))
        except PveError as other:
            return (
                f"Nothing of it is in force, but what was staged on {node} could not be taken back ({other.message}): "
                "revert it in PVE's web interface."
            )
        return "What was staged is taken back, nothing of it is in force."

    def _live_taken_back(self) -> str:
        changes = [change.undone() for change in self._live]
        names = "; ".join(change.text for change in changes)
        self._live = []
        try:
            found = self._node.switch.bonds()
            left = [change for change in (still_needed(change, found) for change in changes) if change]
            if left:
                self._node.switch.change(left)
        except SubsystemError as other:
            return f"The members of running bonds could not be put back ({names}): {other.message}"
        return f"The members of running bonds are what they were ({names})."

    # -- once it is in force ----------------------------------------------------------------------------------------

    def _in_force(self, upid: str) -> Sequence[str]:
        seconds = self._client.connection.task_timeout
        try:
            tasks.wait(self._patient, upid, timeout=seconds, clock=self._clock.now, sleep=self._clock.sleep)
        except TaskFailed as problem:
            raise self._reload_failed(problem) from None
        complaints = [line for line in self._log(upid) if _COMPLAINT.search(line)]
        self._require(self._patient_listing())
        return complaints

    def _patient(self, path: str, /, **parameters: Any) -> Mapping[str, Any]:
        """GET, again and again while nobody answers: a reload may cut the connection to its own task."""
        heard = self._clock.now()
        while True:
            try:
                return self._client.get_body(path, **parameters)
            except PveError as problem:
                if not _is_silence(problem):
                    raise
                if self._clock.now() - heard >= self._patience:
                    raise self._cut_off(problem) from None
                self._clock.sleep(_PAUSE)

    def _patient_listing(self) -> Listing:
        self._patient(collection(self._node.name))
        return read_listing(self._client, self._node.name)

    def _cut_off(self, problem: PveError) -> CutOff:
        return CutOff(
            f"The changes of {self._node.name} were to be put in force, and for {self._patience:g} seconds nobody has "
            f"answered: {problem.message}",
            hint="If a network checkpoint is armed there, the node goes back to its old configuration by itself; "
            "otherwise go to its console.",
        )

    def _log(self, upid: str) -> list[str]:
        """The task's log: ifupdown2 complains there and ends well."""
        try:
            rows = self._client.get(f"{tasks.task_path(upid)}/log", limit=500)
        except PveError:
            return []
        return [str(row.get("t", "")).strip() for row in rows or ()]

    def _require(self, found: Listing) -> None:
        """What is there now has to be what was asked for. Raises SubsystemError."""
        missing = self._missing(found)
        if missing:
            raise self._gone_again(found, missing)

    def _gone_again(self, found: Listing, missing: Sequence[str]) -> SubsystemError:
        node = self._node.name
        now = states_of(self._kind, node, found)
        if all(now.get(str(step.key[1])) == self._was.get(str(step.key[1])) for step in self._steps):
            reason = self._node.rollback_reason()
            return SubsystemError(
                f"{node} has its old configuration again: the change was put in force and then rolled back"
                f"{f' ({reason})' if reason else ''}.",
                hint="A network checkpoint does that when it is not confirmed in time. Find out why, then try again.",
            )
        return SubsystemError(
            f"The changes of {node} were put in force, and what is there now differs: {listed(list(missing))}.",
            hint="Somebody else changes this network at the same time. Run again to see what is left.",
        )

    def _after_silence(self, problem: SubsystemError, applying: bool) -> SubsystemError:
        """A write was sent and its answer lost: what became of it is to be seen when the node answers again."""
        try:
            found = self._patient_listing()
            for _second in range(_MOMENTS if applying else 0):
                # The task that puts it in force may only just begin.
                if found.changes:
                    self._clock.sleep(_PAUSE)
                    found = self._patient_listing()
        except SubsystemError as cut_off:
            return cut_off
        missing = self._missing(found)
        if applying and not found.changes and not missing:
            return SubsystemError(
                f"{problem.message} The node answers again, and its new configuration is in force.",
                hint="Run again: what is not up is told then.",
            )
        if found.changes or states_of(self._kind, self._node.name, found) == self._was:
            return self._taken_back(problem)
        return self._gone_again(found, missing)

    def _reload_failed(self, problem: TaskFailed) -> SubsystemError:
        node = self._node.name
        found = self._patient_listing()
        if found.changes:
            return self._taken_back(problem)
        if self._missing(found):
            return self._gone_again(found, self._missing(found))
        return SubsystemError(
            f"{problem.message.rstrip()}\nThe new file of {node} is in force, but not everything in it is up.",
            hint=f"{problem.hint} `ifquery --check --all` on the node says what is not up.",
        )
