# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""I/O for the snapshots of guests, wherever the guests are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing, placed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import CREATE, Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.backend import PveBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import NodeOffline, NotFound, PveError
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.precheck import UNSEEN
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.snapshot import CURRENT, SnapshotKind

_TYPES = ("qemu", "lxc")


class Places:
    """Where guests are: one GET /cluster/resources finds them all."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.rows: dict[int, Mapping[str, Any]] = {}

    def read(self) -> None:
        rows = self._client.get("/cluster/resources", type="vm") or ()
        self.rows = {int(row["vmid"]): row for row in rows if row.get("type") in _TYPES}

    def path(self, vmid: int) -> str:
        """A guest's path in the API."""
        row = self.rows[vmid]
        return f"/nodes/{row['node']}/{row['type']}/{vmid}"


class SnapshotBackend(PveBackend[SnapshotKind]):
    """Guests are looked up once a run, and once more where one has moved meanwhile."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._places = Places(client)

    def observe(
        self, kind: SnapshotKind, keys: Collection[Key] | None, options: Collection[str]
    ) -> Mapping[Key, Thing]:
        self._places.read()
        wanted = sorted(self._places.rows if keys is None else {int(key[0]) for key in keys} & set(self._places.rows))
        things: dict[Key, Thing] = {}
        for vmid, rows in self._lists(wanted, everything=keys is None).items():
            for row in rows or ():
                key = (vmid, str(row["name"]))
                if row["name"] != CURRENT and (keys is None or key in keys):
                    things[key] = kind.decode(row)
        return things

    def _lists(self, vmids: Sequence[int], *, everything: bool) -> dict[int, Any]:
        """GET …/snapshot of each guest. A guest that is gone has none; of all guests, those are left out whose node is
        off: they are told of elsewhere."""
        answers = self.client.get_many([f"{self._places.path(vmid)}/snapshot" for vmid in vmids])
        found: dict[int, Any] = {}
        for vmid, answer in zip(vmids, answers):
            if isinstance(answer, NotFound):
                answer = self._where_it_went(vmid)
            if isinstance(answer, NodeOffline) and everything:
                continue
            if isinstance(answer, PveError):
                raise answer
            found[vmid] = answer
        return found

    def _where_it_went(self, vmid: int) -> Any:
        before = self._places.path(vmid)
        self._places.read()
        if vmid not in self._places.rows or self._places.path(vmid) == before:
            return []
        return self.client.get(f"{self._places.path(vmid)}/snapshot")

    def precheck(self, kind: SnapshotKind, plan: Plan, declared: Declaration) -> Sequence[str]:
        problems = list(super().precheck(kind, plan, declared))
        new = [step for step in plan if step.action == CREATE]
        rows = self._places.rows
        there = sorted({int(step.key[0]) for step in new} & set(rows))
        paths = {vmid: f"{self._places.path(vmid)}/feature?feature=snapshot" for vmid in there}
        able = self.read(list(paths.values()))
        for step in new:
            vmid = int(step.key[0])
            where = kind.described(step.key)
            if vmid not in rows:
                problems.append(placed(where, Missing(f"vmid: guest {vmid} {UNSEEN}")))
                continue
            if step.inputs.get("vmstate") and rows[vmid]["type"] == "lxc":
                problems.append(f"{where}: vmstate: guest {vmid} is a container, which has no RAM to save")
            if not (able[paths[vmid]] or {}).get("hasFeature"):
                text = f"vmid: a volume of guest {vmid} is on a storage, or in a format, that takes no snapshots"
                problems.append(f"{where}: {text}")
        return problems

    def apply(self, kind: SnapshotKind, step: Step) -> Sequence[str]:
        return super().apply(kind, replace(step, facts={"place": self._places.path(int(step.key[0]))}))
