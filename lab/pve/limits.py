# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A cluster like the recorded one: slow where a real one is slow, and short of what its hosts were short of.

Three nodes in containers with one local directory each, without the programs that make cloud-init drives and the
firmware for keys in EFI disks; servers of storages are out of reach, containers have no init to start.

What pvestatd reports (name, status, usage, whether it is a template) is as old as its last round; that of a destroyed
guest stays until the next round, also for another guest under the same vmid. Whether a guest is there, on which node,
its lock and its tags are known almost at once.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass
from typing import Any

from fakepve.model import PveError

from lab.pve import qemu_values as q
from lab.pve import state
from lab.pve.cluster import Cluster
from lab.pve.guests import Ct, Guest, Vm
from lab.pve.tasks import Body

TEMPLATE = "vztmpl/debian-12-mini_12.0_amd64.tar.gz"
CONTENT = "images,rootdir,iso,vztmpl,backup,snippets"
# What the listing gets from pvestatd; everything else in it is read from the configuration.
REPORTED = (
    "name", "status", "template", "cpu", "maxcpu", "mem", "maxmem", "memhost", "disk", "maxdisk", "uptime", "netin",
    "netout", "diskread", "diskwrite",
)  # fmt: skip
NO_GENISO = (
    "command 'set -o pipefail && genisoimage -quiet -iso-level 3 -J -R -V cidata /run/pve/cloudinit/{vmid}/ | qemu-img"
    " dd -n -f raw -O {format} 'isize=0' 'osize=4194304' 'of={path}'' failed: exit code 1"
)
NO_KEYS = (
    "command 'virt-fw-vars --input /usr/share/pve-edk2-firmware//OVMF_VARS_4M.ms.fd --print --verbose' failed: open3:"
    " exec of virt-fw-vars failed: No such file or directory at /usr/share/perl5/PVE/Tools.pm line 435."
)
NO_FIRMWARE = "EFI base image '/usr/share/pve-edk2-firmware//OVMF_CODE.fd' not found"
NO_INIT = "startup for container '{vmid}' failed"


@dataclass(frozen=True)
class Pace:
    """Real seconds: a task, a round of pvestatd and one of the HA manager, until all nodes know who is there."""

    task: float = 0.3
    statistics: float = 3.0
    manager: float = 1.5
    membership: float = 0.1


class LikeRecorded(Cluster):
    """The cluster with these limits and this pace."""

    pace = Pace()
    # vmid -> what pvestatd reported of it last; sid -> when its resource changed; storage -> when it was made.
    reported: dict[int, dict[str, Any]]
    next_round: float
    asked: dict[str, float]
    made: dict[str, float]
    arrived: dict[int, float]
    left: dict[int, tuple[float, dict[str, Any]]]
    rebooting: set[int]

    def populate(self) -> None:
        super().populate()
        self.time_scale = 1.0
        self.reported, self.next_round, self.asked, self.made = {}, 0.0, {}, {}
        self.arrived, self.left, self.rebooting = {}, {}, set()
        local = {**state.storages()["local"], "content": CONTENT, "prune-backups": "keep-all=1", "volumes": {}}
        local["volumes"][TEMPLATE] = {"content": "vztmpl", "format": "tgz", "size": 61440, "ctime": 1767225600}
        self.storages = {"local": local}

    # ------------------------------------------------------------------ tasks

    async def task(
        self,
        node: str,
        ttype: str,
        tid: Any,
        user: str,
        body: Body,
        vm: Any = None,
        lock: bool = True,
        log: tuple[str, ...] | list[str] = (),
        undo: Any = None,
    ) -> str:
        async def slow() -> Any:
            await asyncio.sleep(self.pace.task)
            return await body()

        return await super().task(node, ttype, tid, user, slow, vm=vm, lock=lock, log=log, undo=undo)

    def awaken(self, guest: Guest) -> None:
        """A reboot's task ends when the guest is down; the node starts it after that."""
        if guest.vmid not in self.rebooting:
            return super().awaken(guest)
        self.rebooting.discard(guest.vmid)
        self.mark_stopped(guest)

        async def later() -> None:
            await asyncio.sleep(self.pace.task)
            Cluster.awaken(self, guest)

        return self._by_itself(later())

    def _by_itself(self, work: Coroutine[Any, Any, None]) -> None:
        job = asyncio.ensure_future(work)
        self.jobs.add(job)
        job.add_done_callback(self.jobs.discard)

    async def _rebooted(self, guest: Guest, reboot: Awaitable[str]) -> str:
        self.rebooting.add(guest.vmid)
        return await reboot

    async def _qemu_reboot(self, vm: Vm, v: dict[str, Any], user: str) -> Any:
        return await self._rebooted(vm, super()._qemu_reboot(vm, v, user))

    async def _lxc_reboot(self, ct: Ct, v: dict[str, Any], user: str) -> Any:
        return await self._rebooted(ct, super()._lxc_reboot(ct, v, user))

    # ------------------------------------------------------- what is listed

    def enter(self, guest: Guest) -> None:
        super().enter(guest)
        # There is no operating system in it to listen.
        guest.acpi = False
        self.arrived[guest.vmid] = time.monotonic()
        self.left.pop(guest.vmid, None)

    def leave(self, guest: Guest) -> None:
        entry = {"id": guest.guest, "type": guest.kind, "node": guest.node, "vmid": guest.vmid}
        self.left[guest.vmid] = time.monotonic(), entry
        super().leave(guest)

    def resource(self, guest: Guest, user: str) -> dict[str, Any]:
        entry = super().resource(guest, user)
        known = {name: value for name, value in entry.items() if name not in REPORTED}
        return {**known, "status": "unknown", **self.reported.get(guest.vmid, {})}

    async def _cluster_resources(self, v: dict[str, Any], user: str) -> Any:
        now = time.monotonic()
        if now >= self.next_round:
            rows = {vmid: Cluster.resource(self, guest, user) for vmid, guest in self.by_vmid.items()}
            self.reported = {vmid: {n: row[n] for n in REPORTED if n in row} for vmid, row in rows.items()}
            self.next_round = now + self.pace.statistics
        young = {vmid for vmid, when in self.arrived.items() if now - when < self.pace.membership}
        rows = [row for row in await super()._cluster_resources(v, user) if row.get("vmid") not in young]
        if v.get("type") in (None, "vm"):
            late = [entry for when, entry in self.left.values() if now - when < self.pace.membership]
            rows += [{**entry, "status": "unknown", **self.reported.get(entry["vmid"], {})} for entry in late]
        return rows

    def storage_resource(self, node: str, name: str) -> dict[str, Any]:
        entry = super().storage_resource(node, name)
        made = self.made.setdefault(name, time.monotonic() if name != "local" else 0.0)
        if time.monotonic() - made < self.pace.statistics:
            entry["status"] = "unknown"
        return entry

    # ------------------------------------------------------------ the HA manager

    async def ha_act(self, guest: Guest) -> None:
        sid = self.sid_of_guest(guest)
        self.asked[sid] = time.monotonic()

        async def later() -> None:
            await asyncio.sleep(self.pace.manager)
            if self.guest(guest.vmid) is guest:
                await Cluster.ha_act(self, guest)

        self._by_itself(later())

    def _queued(self, sid: str) -> bool:
        return time.monotonic() - self.asked.get(sid, 0.0) < self.pace.manager

    def ha_state_of(self, guest: Guest) -> str | None:
        settled = super().ha_state_of(guest)
        return "queued" if settled and self._queued(self.sid_of_guest(guest)) else settled

    async def _ha_current(self, v: dict[str, Any], user: str) -> Any:
        rows = await super()._ha_current(v, user)
        for row in rows:
            if row["type"] == "service" and self._queued(row["sid"]):
                row.update(state="queued", crm_state="queued", status=f"{row['sid']} ({row['node']}, queued)")
        return rows

    # ------------------------------------------------------ what the hosts lack

    def realise(self, vm: Vm, key: str, value: str) -> str:
        if key == "efidisk0" and re.search(r":\d", value):
            if "efitype=4m" not in value:
                raise PveError(500, NO_FIRMWARE)
            if "pre-enrolled-keys=1" in value:
                raise PveError(500, NO_KEYS)
        made = super().realise(vm, key, value)
        # A new guest gets the drive and fails to start; one that is there gets it filled at once.
        if value.split(",")[0].endswith(":cloudinit") and vm.config.get("lock") != "create":
            raise PveError(500, self._no_cloudinit(vm, made))
        return made

    @staticmethod
    def _no_cloudinit(vm: Vm, value: str) -> str:
        volume = q.split_drive(value)[0].partition(":")[2]
        return NO_GENISO.format(vmid=vm.vmid, format=volume.rpartition(".")[2], path=f"/var/lib/vz/images/{volume}")

    async def start_guest(self, guest: Guest, user: str) -> str:
        guest.start_error = None
        self.rebooting.discard(guest.vmid)
        if isinstance(guest, Ct):
            guest.start_error = NO_INIT.format(vmid=guest.vmid)
        else:
            drives = [str(value) for key, value in guest.config.items() if q.DRIVE.match(key)]
            cloudinit = next((value for value in drives if q.is_cloudinit(value)), "")
            if cloudinit:
                guest.start_error = self._no_cloudinit(guest, cloudinit)
        return await super().start_guest(guest, user)
