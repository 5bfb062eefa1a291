# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Clones of QEMU guests, and templates to clone."""

from __future__ import annotations

import uuid
from typing import Any

from fakepve.model import PveError
from fakepve.routing import split_list

from lab.pve import qemu_values as q
from lab.pve.guests import Vm
from lab.pve.qemu_guests import NOT_CLONED, QemuGuests, no_config
from lab.pve.volumes import CAN_CLONE, FILE_TYPES, format_size, split_volid


class QemuClones(QemuGuests):
    """POST clone and template."""

    def endpoints_qemu_clones(self) -> list[tuple[str, str, Any]]:
        one = "/nodes/{node}/qemu/{vmid}"
        return [
            ("POST", one + "/clone", self._vm_clone),
            ("POST", one + "/template", self._vm_template),
        ]

    async def _vm_clone(self, v: dict[str, Any], user: str) -> Any:
        node, newid, pool = v["node"], int(v["newid"]), v.get("pool")
        storage, fmt = v.get("storage"), v.get("format")
        target = self.clone_target(v, user)
        if storage:
            self._check_clone_storage(storage, node, target)
        source = self.vm(v["vmid"])
        if source is None or source.node != node:
            raise PveError(500, no_config(v["vmid"], node))
        self.need_quorum()
        if source.lock:
            raise PveError(500, f"VM is locked ({source.lock})")
        full = bool(v["full"]) if v.get("full") is not None else not source.template
        old = self._cloned_state(source, v, full)
        if newid in self.by_vmid:
            raise PveError(500, f"unable to create VM {newid}: config file already exists")
        config, disks = self._divided(old)
        for key, value in disks.items():
            self._check_cloned_disk(key, value, storage, target, full, user)
        new = Vm(newid, node, {"lock": "clone"})
        self.enter(new)

        async def body() -> str | None:
            for key in sorted(disks):
                config[key] = self._copied(new, key, disks[key], storage, fmt, full)
            config["name"] = v.get("name") or f"Copy-of-VM-{source.config.get('name') or source.vmid}"
            if v.get("description"):
                config["description"] = str(v["description"]).rstrip()
            self._new_identity(config)
            new.config = config
            if pool:
                self._pool_join(pool, newid)
            if target:
                self.move(new, target)
            return None

        return await self.task(
            node,
            "qmclone",
            source.vmid,
            user,
            body,
            vm=new,
            log=[f"creating a clone of VM {source.vmid} with ID {newid}"],
            undo=lambda: self.leave(new),
        )

    def clone_target(self, v: dict[str, Any], user: str) -> str | None:
        """The node the clone goes to, None for the same; pool and privileges are checked on the way."""
        self.check_pool(v.get("pool"))
        if self.acl is not None:
            self.demand(user, int(v["newid"]), v.get("pool"), "VM.Allocate")
        target: str | None = v.get("target")
        if target in (None, v["node"]):
            return None
        if target not in self.nodes:
            raise PveError(500, f"no such cluster node '{target}'")
        return target

    def _check_clone_storage(self, storage: str, node: str, target: str | None) -> None:
        store = self.storage_for(storage, node)
        if "images" not in split_list(store.get("content")):
            raise q.bad(storage=f"storage '{storage}' does not support vm images")
        if target and not store.get("shared"):
            raise PveError(500, f"can't clone to non-shared storage '{storage}'")

    @staticmethod
    def _cloned_state(source: Vm, v: dict[str, Any], full: bool) -> dict[str, Any]:
        """The configuration that is cloned: the guest's, or a snapshot's."""
        if not full:
            for name in ("storage", "format"):
                if v.get(name):
                    raise PveError(500, f"parameter '{name}' not allowed for linked clones")
        snapname = v.get("snapname")
        if not snapname:
            return source.config
        if snapname not in source.snapshots:
            raise PveError(500, f"snapshot '{snapname}' does not exist")
        found: dict[str, Any] = source.snapshots[snapname]
        return found

    @staticmethod
    def _divided(old: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """(what is taken over, the drives that have to be copied); NICs get new MACs."""
        config: dict[str, Any] = {}
        disks: dict[str, str] = {}
        for key, value in old.items():
            if key in NOT_CLONED or q.UNUSED.match(key):
                continue
            if q.NET.match(key):
                config[key] = q.net_value(str(value), fresh_mac=True)
            elif q.DRIVE.match(key) and (not q.is_cdrom(str(value)) or q.is_cloudinit(str(value))):
                disks[key] = str(value)
            else:
                config[key] = value
        return config, disks

    def _check_cloned_disk(
        self, key: str, value: str, storage: str | None, target: str | None, full: bool, user: str
    ) -> None:
        volume = q.split_drive(value)[0]
        name = split_volid(volume)[0]
        if name is None:
            return
        kind = self.storage_for(name)
        clonable = "base-" in volume and (kind["type"] in CAN_CLONE or volume.endswith(".qcow2"))
        if not full and not clonable and not q.is_cloudinit(value):
            raise PveError(500, f"Linked clone feature is not supported for '{volume}' ({key})")
        destination = self.storage_for(storage) if storage else kind
        if target and not (kind.get("shared") and destination.get("shared")):
            raise PveError(500, f"can't clone VM to node '{target}' (VM uses local storage)")
        if self.acl is not None:
            self.require(user, "/storage/" + (storage or name), "Datastore.AllocateSpace")

    @staticmethod
    def _new_identity(config: dict[str, Any]) -> None:
        """A clone is another machine: its own SMBIOS UUID and generation id."""
        smbios = dict(part.partition("=")[::2] for part in str(config.get("smbios1", "")).split(",") if part)
        smbios["uuid"] = str(uuid.uuid4())
        config["smbios1"] = ",".join(f"{key}={smbios[key]}" for key in sorted(smbios))
        if config.get("vmgenid", "0") != "0":
            config["vmgenid"] = str(uuid.uuid4())

    def _copied(self, new: Vm, key: str, value: str, storage: str | None, fmt: str | None, full: bool) -> str:
        """The clone's drive: a copy, or a volume on top of the template's."""
        volume, options = q.split_drive(value)
        source, name = split_volid(volume)
        entry = self.volume(volume) or {"size": 0, "format": "raw"}
        size = int(entry["size"])
        destination = storage or str(source)
        kind = self.storage_for(destination)["type"]
        wanted = fmt or (entry.get("format") if destination == source else None)
        if kind not in FILE_TYPES:
            wanted = None
        if q.is_cloudinit(value):
            wanted = fmt or ("qcow2" if kind in FILE_TYPES else None)
            volid = self.allocate(destination, new.vmid, size, wanted, new.node, f"vm-{new.vmid}-cloudinit")
        else:
            volid = self.allocate(destination, new.vmid, size, wanted, new.node)
            if not full:
                made = self._volumes(destination)
                short = split_volid(volid)[1]
                made[short].update(base=name, parent=f"../{name}" if kind in FILE_TYPES else name)
                if kind in FILE_TYPES or kind in ("zfspool", "rbd"):
                    made[f"{name}/{short}"] = made.pop(short)
                    volid = f"{destination}:{name}/{short}"
        options["size"] = format_size(size)
        return q.join_drive(volid, options)

    async def _vm_template(self, v: dict[str, Any], user: str) -> Any:
        vm = self.find(v["node"], v["vmid"])
        if vm.lock:
            raise PveError(500, f"VM is locked ({vm.lock})")
        if vm.snapshots:
            raise PveError(500, "unable to create template, because VM contains snapshots")
        if vm.template and not v.get("disk"):
            raise PveError(500, "you can't convert a template to a template")
        if vm.running:
            raise PveError(500, "you can't convert a VM to template if VM is running")
        self.need_quorum()

        async def body() -> None:
            for key in [k for k in vm.config if q.DRIVE.match(k)]:
                value = str(vm.config[key])
                if not q.is_cdrom(value) and v.get("disk") in (None, key):
                    volume, options = q.split_drive(value)
                    vm.config[key] = q.join_drive(self.to_base(volume), options)
            vm.config["template"] = 1

        return await self.task(vm.node, "qmtemplate", vm.vmid, user, body, vm=vm)
