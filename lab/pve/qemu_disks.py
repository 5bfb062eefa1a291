# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Disks of QEMU guests that grow, move to another storage or to another guest."""

from __future__ import annotations

from typing import Any

from fakepve.model import PveError, TaskError

from lab.pve import qemu_values as q
from lab.pve.guests import Vm
from lab.pve.qemu_clones import QemuClones
from lab.pve.volumes import FILE_TYPES, format_size, parse_size, split_volid


class QemuDisks(QemuClones):
    """PUT resize and POST move_disk."""

    def endpoints_qemu_disks(self) -> list[tuple[str, str, Any]]:
        one = "/nodes/{node}/qemu/{vmid}"
        return [
            ("PUT", one + "/resize", self._vm_resize),
            ("POST", one + "/move_disk", self._vm_move_disk),
        ]

    async def _vm_resize(self, v: dict[str, Any], user: str) -> Any:
        vm = self.find(v["node"], v["vmid"])
        disk, asked = v["disk"], str(v["size"])
        if v.get("digest") and v["digest"] != vm.digest():
            raise PveError(500, "checksum mismatch (file change by other user?)")
        if vm.lock and not v.get("skiplock"):
            raise PveError(500, f"VM is locked ({vm.lock})")
        self.need_quorum()

        async def body() -> None:
            if disk not in vm.config:
                raise TaskError(f"disk '{disk}' does not exist")
            value = str(vm.config[disk])
            if q.is_cdrom(value):
                raise TaskError("you can't resize a cdrom")
            volume, options = q.split_drive(value)
            entry = self.volume(volume)
            current = int(entry["size"]) if entry else parse_size(options.get("size", "0")) or 0
            wanted = q.grown(current, asked)
            if wanted < current:
                raise TaskError("shrinking disks is not supported")
            if entry:
                store = self.storages[str(split_volid(volume)[0])]
                store["used"] = store.get("used", 0) + wanted - current
                entry["size"] = wanted
            options["size"] = format_size(wanted)
            vm.config[disk] = q.join_drive(volume, options)

        return await self.task(vm.node, "resize", vm.vmid, user, body, vm=vm)

    async def _vm_move_disk(self, v: dict[str, Any], user: str) -> Any:
        vm = self.find(v["node"], v["vmid"])
        disk = v["disk"]
        if v.get("target-vmid"):
            return await self._reassign(vm, v, user)
        if disk not in vm.config:
            raise PveError(500, f"disk '{disk}' does not exist")
        storage = v.get("storage")
        if not storage:
            raise q.bad(storage="property is missing and it is not optional")
        volume, options = q.split_drive(str(vm.config[disk]))
        source = split_volid(volume)[0]
        self.storage_for(storage, vm.node)
        entry = self.volume(volume)
        if entry is None:
            raise PveError(500, f"volume '{volume}' does not exist")
        if source == storage and v.get("format") in (None, entry["format"]):
            raise PveError(500, "you can't move to the same storage with same format")

        async def body() -> None:
            fmt = v.get("format") or entry["format"]
            if self.storages[storage]["type"] not in FILE_TYPES:
                fmt = None
            volid = self.allocate(storage, vm.vmid, int(entry["size"]), fmt, vm.node)
            vm.config[disk] = q.join_drive(volid, options)
            if v.get("delete"):
                self.free(volume)
            else:
                self._make_unused(vm, volume)
            for key in [k for k in vm.config if q.UNUSED.match(k)]:
                if vm.config[key] == volid:
                    del vm.config[key]

        return await self.task(vm.node, "qmmove", vm.vmid, user, body, vm=vm)

    async def _reassign(self, vm: Vm, v: dict[str, Any], user: str) -> Any:
        """Give a disk to another guest."""
        target = self.find(vm.node, v["target-vmid"])
        disk, slot = v["disk"], v.get("target-disk") or v["disk"]
        if disk not in vm.config:
            raise PveError(500, f"disk '{disk}' does not exist")
        if slot in target.config:
            raise PveError(500, f"Target disk key '{slot}' is already in use for VM '{target.vmid}'")

        async def body() -> None:
            volume, options = q.split_drive(str(vm.config[disk]))
            storage = str(split_volid(volume)[0])
            entry = self.volume(volume) or {"size": 0, "format": "raw"}
            fmt = entry.get("format") if self.storages[storage]["type"] in FILE_TYPES else None
            volid = self.allocate(storage, target.vmid, int(entry["size"]), fmt, target.node)
            self.free(volume)
            vm.config.pop(disk)
            self._leave_boot(vm, disk)
            target.config[slot] = q.join_drive(volid, options)

        return await self.task(vm.node, "qmmove", f"{vm.vmid}-{disk}>{target.vmid}-{slot}", user, body, vm=vm)
