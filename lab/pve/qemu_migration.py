# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""QEMU guests on their way to another node, and what their storages can do."""

from __future__ import annotations

import re
import time
from typing import Any

from fakepve.model import PveError, TaskError

from lab.pve import qemu_values as q
from lab.pve.guests import Vm
from lab.pve.qemu_disks import QemuDisks
from lab.pve.tasks import Failed
from lab.pve.volumes import CAN_CLONE, parse_size, split_volid

BOUND = re.compile(r"^(?:hostpci|usb|serial|parallel)\d+$")


def destination(pairs: str, source: str) -> str:
    """Where a volume of `source` goes by `targetstorage`: `a:b,c:d`, or one storage for all; else to the same name."""
    for pair in filter(None, pairs.split(",")):
        old, colon, new = pair.partition(":")
        if not colon:
            return source if old == "1" else old
        if old == source:
            return new
    return source


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
        missing = {n: self._missing_on(vm, n) for n in others}
        return {
            "running": 1 if vm.running else 0,
            "allowed_nodes": self.shuffled([n for n in others if vm.running or not missing[n]]),
            "not_allowed_nodes": {n: {"unavailable_storages": names} if names else {} for n, names in missing.items()},
            "local_disks": self.shuffled(disks),
            "local_resources": self.bound_to_node(vm),
            "mapped-resources": [],
            "mapped-resource-info": {},
            "has-dbus-vmstate": 1,
        }

    def _missing_on(self, vm: Vm, node: str) -> list[str]:
        """The storages of its disks that the node does not have."""
        drives = [q.split_drive(str(value))[0] for key, value in vm.config.items() if q.DRIVE.match(key)]
        names = {split_volid(volume)[0] for volume in drives}
        return sorted(n for n in names if n is not None and n in self.storages and not self._storage_enabled(n, node))

    @staticmethod
    def bound_to_node(vm: Vm) -> list[str]:
        """Devices of the node that are handed through to it."""
        return sorted(
            key
            for key, value in vm.config.items()
            if BOUND.match(key) and "mapping=" not in str(value) and not str(value).startswith(("spice", "socket"))
        )

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
            stamp = time.strftime("%Y-%m-%d %H:%M:%S")
            if bound := self.bound_to_node(vm):
                text = f"can't migrate VM which uses local devices: {', '.join(bound)}"
                raise Failed("migration aborted", [f"{stamp} ERROR: migration aborted (duration 00:00:00): {text}"])
            vm.lock = "migrate"
            try:
                await self.pause(self.migration_secs)
                self._carry_disks(vm, target, v)
            except PveError as error:
                line = f"{stamp} ERROR: migration aborted (duration 00:00:01): {error.message}"
                raise Failed("migration aborted", [line]) from None
            finally:
                vm.lock = None
            self.move(vm, target)
            return f"{stamp} migration finished successfully (duration 00:00:01)"

        return await self.task(vm.node, "hamigrate" if managed else "qmigrate", vm.vmid, user, body, vm=vm)

    def _carry_disks(self, vm: Vm, target: str, v: dict[str, Any]) -> None:
        """Local disks go along, to the storage that was asked for; all of them or none."""
        made: dict[str, tuple[str, str]] = {}
        try:
            for key, value in sorted(vm.config.items()):
                volume, options = q.split_drive(str(value)) if q.DRIVE.match(key) else ("", {})
                source = split_volid(volume)[0]
                if source is None or source not in self.storages or self.storages[source].get("shared"):
                    continue
                if q.is_cdrom(str(value)) and not q.is_cloudinit(str(value)):
                    raise PveError(500, f"can't migrate local cdrom '{volume}'")
                if vm.running and not v.get("with-local-disks"):
                    raise PveError(
                        500,
                        f"can't migrate local disk '{volume}': can't live migrate attached local disks without"
                        " with-local-disks option",
                    )
                place = destination(str(v.get("targetstorage") or ""), source)
                self.storage_for(place, target)
                entry = self.volume(volume)
                if entry is not None and place != source:
                    made[key] = volume, self.allocate(place, vm.vmid, int(entry["size"]), None, target)
                    made[key] = volume, q.join_drive(made[key][1], options)
        except PveError:
            for _old, new in made.values():
                self.free(q.split_drive(new)[0])
            raise
        for key, (old, new) in made.items():
            vm.config[key] = new
            self.free(old)

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
