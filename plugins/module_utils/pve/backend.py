# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The engine's I/O for Proxmox VE: reads in parallel, writes one step at a time, waits for tasks."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Generic, TypeVar

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import CREATE, Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import (
    NotPermitted,
    PveError,
    RejectedParameters,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import (
    PveKind,
    Request,
    RestKind,
    by_key,
    selected,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.permissions import holds

OLDEST_TESTED = 9
KindT = TypeVar("KindT", bound=PveKind)

# What PVE says to a POST of what is there already.
_TAKEN = re.compile(r"already (?:defined|exists)")


class PveBackend(Generic[KindT]):
    """What reading and writing any kind has in common. How things are found is the business of a class of its own: for
    tables below, for guests in guests.py."""

    def __init__(self, client: Client) -> None:
        self.client = client

    @property
    def parallel(self) -> int:
        return self.client.connection.parallel

    @property
    def writes(self) -> int:
        return self.client.writes

    def close(self) -> None:
        self.client.close()

    def resolve(self, kind: KindT, declared: Declaration) -> Declaration:
        paths = kind.resolve_paths(declared)
        return kind.resolve(declared, self.read(paths)) if paths else declared

    def precheck(self, kind: KindT, plan: Plan, declared: Declaration) -> Sequence[str]:
        untested = self.untested_release()
        if untested:
            return untested
        paths = kind.precheck_paths(plan, declared)
        return kind.problems(plan, declared, self.read(paths)) if paths else ()

    def verify(self, kind: KindT, things: Mapping[Key, Thing], declared: Declaration) -> Sequence[Unmet]:
        paths = kind.verify_paths(things, declared)
        return kind.unmet(things, declared, self.read(paths) if paths else {})

    def apply(self, kind: KindT, step: Step) -> Sequence[str]:
        warnings: list[str] = []
        for request in kind.requests(step):
            try:
                warnings.extend(self.write(request))
            except RejectedParameters as problem:
                raise problem.renamed(kind.option_of) from None
        return warnings

    def untested_release(self) -> Sequence[str]:
        """Why nothing is written to this release of Proxmox VE. Asked for only when there is something to write.
        PVE API: GET /version"""
        release = str((self.client.get("/version") or {}).get("release", ""))
        major = release.partition(".")[0]
        if not major.isdigit() or int(major) >= OLDEST_TESTED:
            return ()
        text = (
            f"this is Proxmox VE {release}, and nothing older than {OLDEST_TESTED} has been tested with this collection"
        )
        return (f"{text}: upgrade it first",)

    def read(self, paths: Sequence[str]) -> dict[str, Any]:
        """GETs side by side, by path. Raises the first error."""
        unique = list(dict.fromkeys(paths))
        answers = self.client.get_many(unique)
        for answer in answers:
            if isinstance(answer, PveError):
                raise answer
        return dict(zip(unique, answers))

    def write(self, request: Request) -> Sequence[str]:
        """One write, and its task to the end. Returns the task's warnings."""
        answer = self.send(request)
        if isinstance(answer, str) and answer.startswith("UPID:"):
            return self.client.wait(answer).warnings
        return ()

    def send(self, request: Request) -> Any:
        """`data` of the answer to one write."""
        send = {"POST": self.client.post, "PUT": self.client.put, "DELETE": self.client.delete}[request.method]
        return send(request.path, request.parameters)


class TableBackend(PveBackend[RestKind]):
    """I/O for every kind that is a table: a list, and where that does not tell everything, a look at each."""

    def observe(self, kind: RestKind, keys: Collection[Key] | None, options: Collection[str]) -> Mapping[Key, Thing]:
        told = self.client.get(kind.collection, **dict(kind.parameters))
        listing = by_key(kind, kind.rows_of(told, keys))
        if not listing:
            self.require_sight(kind, keys)
        wanted = selected(listing, keys)
        if kind.detail and not set(kind.detailed).isdisjoint(options):
            paths = {key: kind.path_of(kind.detail, key) for key in wanted}
            answers = self.read(list(paths.values()))
            listing = {key: {**listing[key], **_one(answers[paths[key]])} for key in wanted}
        return {key: kind.decode(listing[key]) for key in wanted}

    def apply(self, kind: RestKind, step: Step) -> Sequence[str]:
        try:
            return super().apply(kind, step)
        except PveError as problem:
            if step.action == CREATE and _TAKEN.search(problem.message):
                raise self._unseen(kind, step, problem) from None
            raise

    def require_sight(self, kind: RestKind, keys: Collection[Key] | None) -> None:
        """An empty list also comes from what we may not see. Raises NotPermitted where that is so."""
        if not kind.seen_with:
            return
        places = ["/" + kind.seen_at.split("/")[1]] if keys is None else [kind.place_of(key) for key in keys]
        permissions = self.client.get("/access/permissions")
        for place in places:
            if not holds(permissions, place, kind.seen_with):
                who, wanted = self.client.connection.identity, " or ".join(kind.seen_with)
                raise NotPermitted(
                    f"{who} sees no {kind.name} at all, which does not mean that there is none: "
                    f"it lacks {wanted} on {place}.",
                    privilege="|".join(kind.seen_with),
                    path=place,
                    hint=f"Give {who} the role PVEAuditor, or another one with that privilege, on {place}.",
                )

    def _unseen(self, kind: RestKind, step: Step, problem: PveError) -> PveError:
        if not kind.seen_with:
            return problem
        place, wanted, who = kind.place_of(step.key), " or ".join(kind.seen_with), self.client.connection.identity
        return NotPermitted(
            f"{kind.described(step.key)} exists, but not in what {who} sees. {problem.message}",
            privilege="|".join(kind.seen_with),
            path=place,
            hint=f"Give it {wanted} on {place}; or, if somebody created it this very moment, run again.",
            status=problem.status,
        )


def _one(answer: Any) -> Mapping[str, Any]:
    """A detail that some endpoints answer as a list of one."""
    one: Mapping[str, Any] = answer[0] if isinstance(answer, list) else answer
    return one
