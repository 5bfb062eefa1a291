# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""QEMU guests on their way to another node, and what their storages can do."""

from __future__ import annotations

from typing import Any

from fakepve.model import PveError, TaskError

from lab.pve import qemu_values as q
from lab.pve.qemu_disks import QemuDisks
from lab.pve.volumes import CAN_CLONE, parse_size, split_volid


class QemuMigration(QemuDisks):
    """GET and POST migrate, GET feature."""

    def endpoints_qemu_migration(self) -> list[tuple[str, str, Any]]:
        one = "/nodes/{node}/qemu/{vmid}"
        return [
            ("GET", one + "/migrate", self._vm_migrate_check),
            ("POST", one + "/migrate", self._vm_migrate),
            ("GET", one + "/feature", self._vm_feature),
        ]

    async def _vm_migrate_check(self, v: dict[str, Any], user: str) -> Any:
        vm = self.find(v["node"], v["vmid"])
        others = [n for n in self.nodes if n != vm.node]
        disks = []
        for key, value in vm.config.items():
            volume, options = q.split_drive(str(value))
            storage = split_volid(volume)[0]
            if not (q.DRIVE.match(key) or q.UNUSED.match(key)) or storage is None or storage not in self.storages:
                continue
            if self.storages[storage].get("shared"):
                continue
            unused = bool(q.UNUSED.match(key))
            entry: dict[str, Any] = {
                "volid": volume,
                "shared": 0,
                "replicate": 1,
                "cdrom": 1 if q.is_cdrom(str(value)) else 0,
                "is_unused": 1 if unused else 0,
                "is_attached": 0 if unused else 1,
                "is_cloudinit": 1 if q.is_cloudinit(str(value)) else 0,
                "is_tpmstate": 1 if key == "tpmstate0" else 0,
                "is_vmstate": 0,
            }
            if not unused:
                entry["drivename"] = key
            if options.get("size"):
                entry["size"] = parse_size(options["size"])
            disks.append(entry)
        return {
            "running": 1 if vm.running else 0,
            "allowed_nodes": self.shuffled(others),
            "not_allowed_nodes": {n: {} for n in others},
            "local_disks": self.shuffled(disks),
            "local_resources": [],
            "mapped-resources": [],
            "mapped-resource-info": {},
            "has-dbus-vmstate": 1,
        }

    async def _vm_migrate(self, v: dict[str, Any], user: str) -> Any:
        vm = self.find(v["node"], v["vmid"])
        target = v["target"]
        if target == vm.node:
            raise q.bad(target="target is local node.")
        if target not in self.nodes:
            raise PveError(500, f"no such cluster node '{target}'")
        self.need_quorum()
        if vm.running and not v.get("online"):
            raise PveError(500, "can't migrate running VM without --online")
        managed = self.managed(vm) is not None

        async def body() -> str:
            if vm.lock:
                raise TaskError(f"VM is locked ({vm.lock})")
            if not self.online(target):
                raise TaskError("migration aborted")
            self.move(vm, target)
            return "migration finished successfully"

        return await self.task(vm.node, "hamigrate" if managed else "qmigrate", vm.vmid, user, body, vm=vm)

    async def _vm_feature(self, v: dict[str, Any], user: str) -> Any:
        vm = self.find(v["node"], v["vmid"])
        volumes = [
            q.split_drive(str(x))[0] for k, x in vm.config.items() if q.DRIVE.match(k) and not q.is_cdrom(str(x))
        ]
        kinds = [self.storages.get(str(split_volid(volume)[0]), {}).get("type") for volume in volumes]
        has = {
            "copy": True,
            "snapshot": all(k in CAN_CLONE or vol.endswith(".qcow2") for k, vol in zip(kinds, volumes, strict=True)),
            "clone": vm.template and all(k in CAN_CLONE for k in kinds),
        }.get(v["feature"], False)
        shared = all(self.storages.get(str(split_volid(volume)[0]), {}).get("shared") for volume in volumes)
        return {"hasFeature": 1 if has else 0, "nodes": list(self.nodes) if shared and volumes else [vm.node]}
