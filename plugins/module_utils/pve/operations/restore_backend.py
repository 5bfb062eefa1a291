# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Restoring guests: finding the backup that can be read, restoring it beside, then in the guest's place."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import NodeOffline, PveError, TaskFailed
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.archives import Archive
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.backend import (
    GuestOperations,
    task_failed,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.cluster import RUNNING, Cluster, Guest
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.restore import (
    FINISH,
    REPLACE,
    RESTORE,
    START,
    Beside,
    RestoreOperation,
    Situation,
    beside,
    choose,
    disconnected,
    place,
    target_of,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.saved import (
    ORIGIN,
    STAND_IN,
    TAG,
    UNFINISHED,
    Mark,
    Saved,
    mark_of,
    marked,
    nics_of,
    saved_of,
    unmarked,
    unplugged,
)

# Seconds for a guest to stop or start after its task, which only asks the HA manager where that looks after it.
_POWER = 120.0


class RestoreBackend(GuestOperations):
    def __init__(self, client: Client, params: Mapping[str, Any]) -> None:
        super().__init__(client, params)
        self._begun: Situation | None = None
        self._restored = False

    # -- reading ----------------------------------------------------------------------------------------------------

    def observe(
        self, operation: RestoreOperation, order: Order, keys: Collection[Key] | None = None
    ) -> Mapping[Key, Thing]:
        self.order = order
        vmid = int(order.options["vmid"])
        cluster = self.as_they_are(self.cluster(), (vmid, target_of(order)))
        source, target = cluster.guests.get(vmid), cluster.guests.get(target_of(order))
        config = self._config(target) if target else {}
        stands = self._stand_in(cluster, vmid) if not beside(order) else None
        situation = Situation(
            cluster=cluster,
            source=source,
            target=target,
            config=config,
            mark=mark_of(config),
            beside=stands,
            now=time.time(),
            restored=self._restored,
        )
        if keys is not None and self._begun is not None:
            # What was chosen stays chosen.
            begun = self._begun
            situation = replace(
                situation,
                archives=begun.archives,
                missed=begun.missed,
                archive=begun.archive,
                newer=begun.newer,
                node=begun.node,
                saved=begun.saved,
            )
        else:
            situation = self._with_backup(situation, order)
            self._begun = situation
        return operation.things(situation, order)

    def _with_backup(self, situation: Situation, order: Order) -> Situation:
        """The backup that is taken, and what is in it. One whose holder turns out to be off is passed over.
        PVE API: GET /nodes/{node}/vzdump/extractconfig"""
        storages = order.options.get("backup_storage") or ()
        archives, missed = self.archives(situation.cluster, storages, int(order.options["vmid"]))
        away: set[str] = set()
        in_place = situation.target.node if situation.target is not None and not beside(order) else ""
        at = in_place or str(order.options.get("node") or "")
        begun = situation.beside.mark if situation.beside else situation.mark
        if begun is not None and begun.sort == ORIGIN:
            begun = None  # that one is finished
        archive: Archive | None = None
        node, saved = in_place, Saved()
        while True:
            left = [replace(one, nodes=tuple(name for name in one.nodes if name not in away)) for one in archives]
            archive = choose(left, order, situation.now, begun if not order.options.get("backup") else None, at)
            if archive is None:
                break
            node = in_place or place(archive, order, situation.cluster, situation.source)
            try:
                saved = saved_of(archive.kind, self.client.get(_inside(node, archive)))
                break
            except NodeOffline:
                away.add(node)
        missed = (
            *missed,
            *(f"node {name} is offline" for name in sorted(away) if f"node {name} is offline" not in missed),
        )
        newer = choose(left, order, situation.now, None, "") if in_place and not order.options.get("backup") else None
        if newer is not None and archive is not None and newer.time <= archive.time:
            newer = None
        situation = replace(
            situation, archives=archives, missed=missed, archive=archive, newer=newer, node=node, saved=saved
        )
        if situation.beside is not None:
            situation = replace(
                situation, beside=replace(situation.beside, whole=self._whole(situation.beside.guest, saved))
            )
        elif situation.target is not None and not beside(order) and begun is None:
            situation = replace(situation, free=int(order.options.get("beside") or self.client.get("/cluster/nextid")))
        return situation

    def _config(self, guest: Guest) -> Mapping[str, Any]:
        """A guest's configuration; nothing where its node is off."""
        try:
            config: Mapping[str, Any] = self.client.get(f"{guest.path}/config") or {}
        except NodeOffline:
            return {}
        return config

    def _stand_in(self, cluster: Cluster, vmid: int) -> Beside | None:
        """What a run before this restored beside the guest."""
        return next(self._stand_ins(cluster, vmid), None)

    def _stand_ins(self, cluster: Cluster, vmid: int) -> Iterator[Beside]:
        for _number, guest in sorted(cluster.guests.items()):
            if TAG not in guest.tags and guest.lock != "create":
                continue
            mark = mark_of(self._config(guest))
            if mark is not None and mark.sort == STAND_IN and mark.vmid == vmid:
                yield Beside(guest, mark)

    def _whole(self, guest: Guest, saved: Saved) -> bool:
        config = self._config(guest)
        return not config.get("lock") and all(disk.slot in config for disk in saved.disks)

    def verify(self, operation: RestoreOperation, things: Mapping[Key, Thing], order: Order) -> Sequence[Unmet]:
        if not operation.unmet(things, order):
            return ()
        return operation.unmet(self.observe(operation, order, list(things)), order)

    # -- writing ----------------------------------------------------------------------------------------------------

    def apply(self, operation: RestoreOperation, step: Step) -> Sequence[str]:
        situation: Situation = step.facts["situation"]
        vmid = int(step.key[0])
        if step.action == RESTORE:
            return self._restore(operation, situation, vmid)
        if step.action == REPLACE:
            return self._replace(operation, situation, vmid)
        if step.action == FINISH:
            return self._finish(situation, vmid)
        if step.action == START:
            return self._power(self._guest(situation, vmid), "start", RUNNING)
        return self._tidy(situation, vmid)

    @staticmethod
    def _guest(situation: Situation, vmid: int) -> Guest:
        return Guest(vmid, situation.saved.kind, situation.node)

    def _restore(self, operation: RestoreOperation, situation: Situation, vmid: int) -> Sequence[str]:
        """As a guest that is not there yet. PVE API: POST /nodes/{node}/qemu|lxc"""
        archive = situation.archive
        if archive is None:
            raise PveError("There is no backup to restore.")
        cut = beside(self.order) and disconnected(self.order)
        mark = Mark(UNFINISHED if cut else ORIGIN, int(self.order.options["vmid"]), archive.volid)
        number = vmid
        if not beside(self.order):
            mark = replace(mark, sort=UNFINISHED)
            if situation.target is not None:
                number = situation.free
                mark = replace(mark, sort=STAND_IN, ran=situation.target.running)
        parameters = operation.parameters(situation, self.order, vmid=number, mark=mark, over=False)
        guest = self._guest(situation, number)
        try:
            done = self.write("POST", f"/nodes/{situation.node}/{guest.kind}", parameters, operation)
        except TaskFailed as problem:
            raise self._failed(guest, archive, problem, mark) from None
        self._require_whole(guest, situation.saved)
        self._restored = number == vmid
        warnings = list(done.warnings) if done else []
        if cut:
            warnings += self._finish(situation, vmid)
        elif mark.sort == UNFINISHED and situation.beside is None:
            self._describe(guest)
        return [*warnings, *(f"not looked at for backups: {text}" for text in situation.missed)]

    def _replace(self, operation: RestoreOperation, situation: Situation, vmid: int) -> Sequence[str]:
        """Write over the guest, now that what is beside it is whole."""
        archive, target = situation.archive, situation.target
        if archive is None or target is None:
            raise PveError("There is no backup to restore.")
        number = situation.beside.guest.vmid if situation.beside else situation.free
        spare = self._guest(situation, number)
        self._require_whole(spare, situation.saved)
        self._require_alone(situation, spare, target)
        warnings = list(self._power(target, "stop", "stopped"))
        mark = Mark(UNFINISHED, vmid, archive.volid)
        parameters = operation.parameters(situation, self.order, vmid=vmid, mark=mark, over=True)
        try:
            done = self.write("POST", f"/nodes/{situation.node}/{target.kind}", parameters, operation)
        except TaskFailed as problem:
            raise PveError(
                f"Guest {vmid} could not be written over: {problem.exitstatus.strip().rstrip('.')}. It may have lost "
                f"its disks; guest {number} beside it has everything that is in the backup, and is not started.",
                hint=f"Mend the cause (task {problem.upid}) and run again.",
            ) from None
        self._require_whole(target, situation.saved)
        self._restored = True
        return [*warnings, *(done.warnings if done else ())]

    def _require_alone(self, situation: Situation, spare: Guest, target: Guest) -> None:
        """Of two runs at once the one with the lower number beside the guest goes on. The other one, or one that comes
        when the guest is no longer what it was, takes its own away again: nobody agreed to lose what is there now."""
        others = self._stand_ins(self.cluster(), target.vmid)
        lower = min((other.guest.vmid for other in others), default=spare.vmid)
        if lower < spare.vmid:
            said = f"another run restores it and has guest {lower} beside it"
        elif self._config(target).get("digest") != situation.config.get("digest"):
            said = "it was changed while its backup was restored beside it"
        else:
            return
        kept = situation.beside is not None  # made by another run, which may be at work with it
        if not kept:
            self.write("DELETE", spare.path, {})
        raise PveError(
            f"Guest {target.vmid} was left alone: {said}. What was restored beside it, guest {spare.vmid}, "
            f"{'stays' if kept else 'was removed'}.",
            hint="Look at the guest, and run again if it shall still be replaced.",
        )

    def _finish(self, situation: Situation, vmid: int) -> list[str]:
        """Pull the cables, and say that it is finished, in one request.
        PVE API: PUT /nodes/{node}/qemu|lxc/{vmid}/config"""
        guest = self._guest(situation, vmid)
        config = self._config(guest)
        mark = mark_of(config)
        if mark is None:
            raise PveError(f"Guest {vmid} is not what was restored.", hint="Somebody changed it meanwhile. Look at it.")
        cut = {slot: unplugged(value) for slot, value in nics_of(config).items()}
        described = marked(str(config.get("description") or ""), replace(mark, sort=ORIGIN))
        self.write("PUT", f"{guest.path}/config", {**cut, "description": described})
        return []

    def _tidy(self, situation: Situation, vmid: int) -> Sequence[str]:
        """What is beside it goes, and then the mark in its description."""
        guest = self._guest(situation, vmid)
        number = situation.beside.guest.vmid if situation.beside else situation.free
        if number:
            spare = self._guest(situation, number) if situation.beside is None else situation.beside.guest
            self._require_whole(guest, situation.saved)
            mark = mark_of(self._config(spare))
            if mark is None or mark.sort != STAND_IN or mark.vmid != vmid:
                raise PveError(f"Guest {number} is not what was restored beside guest {vmid}, and stays.")
            self.write("DELETE", spare.path, {})
        self._describe(guest)
        return ()

    def _describe(self, guest: Guest) -> None:
        """The description as it is in the backup: without the mark."""
        text = unmarked(str(self._config(guest).get("description") or ""))
        self.write("PUT", f"{guest.path}/config", {"description": text} if text else {"delete": "description"})

    def _require_whole(self, guest: Guest, saved: Saved) -> None:
        if not self._whole(guest, saved):
            wanted = ", ".join(disk.slot for disk in saved.disks) or "none"
            raise PveError(
                f"Guest {guest.vmid} was restored, but is not whole: it should have the disks {wanted}, and no lock.",
                hint="Look at the log of its task.",
            )

    def _power(self, guest: Guest, verb: str, wanted: str) -> Sequence[str]:
        """PVE API: POST /nodes/{node}/qemu|lxc/{vmid}/status/start, stop"""
        path = f"{guest.path}/status/current"
        if (self.client.get(path) or {}).get("status") == wanted:
            return ()
        done = self.write("POST", f"{guest.path}/status/{verb}", {})
        if not self.client.until(path, lambda now: (now or {}).get("status") == wanted, timeout=_POWER):
            raise PveError(f"Guest {guest.vmid} is not {wanted} {_POWER:g} s after it was told to {verb}.")
        return done.warnings if done else ()

    def _failed(self, guest: Guest, archive: Archive, problem: TaskFailed, mark: Mark) -> PveError:
        """Say why, and see to it that nothing is left of it."""
        left = self._left_behind(guest, mark)
        return task_failed(f"{archive.volid} was not restored as guest {guest.vmid}", problem, (), left)

    def _left_behind(self, guest: Guest, mark: Mark) -> str:
        """PVE removes what it made when a restore fails. Where it does not, and it is ours, it is removed here."""
        try:
            if guest.vmid not in self.cluster().guests:
                return "Nothing of it is left."
            if mark_of(self._config(guest)) != mark:
                return f"A guest {guest.vmid} is there; look at it."
            self.write("DELETE", guest.path, {})
        except PveError as problem:
            return f"What is left of guest {guest.vmid} could not be removed: {problem.message}"
        return "What was left of it was removed."


def _inside(node: str, archive: Archive) -> str:
    return f"/nodes/{quote(node, safe='')}/vzdump/extractconfig?volume={quote(archive.volid, safe='')}"
