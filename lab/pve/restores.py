# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Restoring an archive as a new guest, or over one that is there.

Over one that is there the old disks go before the new ones are made, as in Proxmox VE: what fails then has lost both.
"""

from __future__ import annotations

import copy
import uuid
from typing import Any

from fakepve.model import PveError, TaskError
from fakepve.routing import split_list

from lab.pve import lxc_values as lv
from lab.pve import qemu_values as q
from lab.pve.backups import Backups
from lab.pve.guests import Ct, Guest, Vm
from lab.pve.lxc_guests import CREATE_ONLY as CT_ONLY
from lab.pve.qemu_guests import CREATE_ONLY as VM_ONLY
from lab.pve.volumes import FILE_TYPES, format_size, split_volid


class Restores(Backups):
    """POST /nodes/{node}/qemu with `archive`, POST /nodes/{node}/lxc with `restore`."""

    restore_secs: float

    async def restore_guest(self, kind: str, volid: str, v: dict[str, Any], user: str) -> Any:
        node, vmid = v["node"], int(v["vmid"])
        word = "VM" if kind == "qemu" else "CT"
        conflicting = [key for key in v if kind == "qemu" and q.DRIVE.match(key)]
        if conflicting:
            raise q.bad(**dict.fromkeys(conflicting, "option conflicts with option 'archive'"))
        self.need_quorum()
        entry = self.archive_for(volid, node, user)
        if kind == "lxc" and not volid.partition(":")[2].startswith("backup/vzdump-lxc-"):
            raise PveError(500, f"unable to restore CT {vmid} - not a container's archive")
        old = self._overwritten(vmid, word, v)
        if old is None:
            self.check_may_create(v, user)
        else:
            self.demand(user, vmid, None, "VM.Backup")
        storages = self._storages_of(entry, kind, v)
        for name in sorted(set(storages.values())):
            content = split_list(self.storage_for(name, node).get("content"))
            if ("images" if kind == "qemu" else "rootdir") not in content:
                raise q.bad(storage=f"storage '{name}' does not support {'vm images' if kind == 'qemu' else 'rootdir'}")
            self.require(user, "/storage/" + name, "Datastore.AllocateSpace")
        guest: Guest = old or (Vm if kind == "qemu" else Ct)(vmid, node, {})
        guest.lock = "create"
        if old is None:
            self.enter(guest)

        def undo() -> None:
            guest.lock = None
            if old is None:
                self.leave(guest)

        async def body() -> str:
            await self.pause(self.restore_secs)
            try:
                config = self._restored(guest, entry, storages, v)
            except PveError as error:
                undo()
                raise TaskError(f"unable to restore {word} {vmid} - {error.message}") from None
            guest.config = config
            guest.pending = {}
            if v.get("pool"):
                self._pool_join(v["pool"], vmid)
            return f"restored from '{volid}'"

        upid = await self.task(
            node, "qmrestore" if kind == "qemu" else "vzrestore", vmid, user, body, vm=guest, undo=undo
        )
        if v.get("start") and self.guest(vmid) is guest:
            await self.start_guest(guest, user)
        return upid

    def _overwritten(self, vmid: int, word: str, v: dict[str, Any]) -> Guest | None:
        """The guest that is there and may be written over; None where the vmid is free."""
        old = self.guest(vmid)
        if old is None:
            return None
        there = "VM" if isinstance(old, Vm) else "CT"
        if not v.get("force") or there != word or old.node != v["node"]:
            raise PveError(500, f"unable to restore {word} {vmid} - {there} {vmid} already exists on node '{old.node}'")
        if old.lock:
            raise PveError(500, f"unable to restore {word} {vmid} - {word} is locked ({old.lock})")
        if old.config.get("protection"):
            raise PveError(500, f"unable to restore {word} {vmid} - protection mode enabled")
        if old.running:
            raise PveError(500, f"unable to restore {word} {vmid} - {'vm' if word == 'VM' else 'container'} is running")
        return old

    @staticmethod
    def _storages_of(entry: dict[str, Any], kind: str, v: dict[str, Any]) -> dict[str, str]:
        """The storage each of the archive's disks goes to. A container's go to `local` where nothing is said."""
        given = v.get("storage") or ("local" if kind == "lxc" else None)
        return {key: given or str(split_volid(volume)[0]) for key, (volume, _size) in entry["disks"].items()}

    def _restored(
        self, guest: Guest, entry: dict[str, Any], storages: dict[str, str], v: dict[str, Any]
    ) -> dict[str, Any]:
        for key, (volume, _size) in self.saved_disks(guest).items():
            if key in entry["disks"]:
                self.free(volume)
                guest.config.pop(key, None)
        config: dict[str, Any] = copy.deepcopy(entry["saved"])
        made: list[str] = []
        try:
            for key, (volume, size) in sorted(entry["disks"].items()):
                config[key] = self._restored_disk(guest, key, volume, size, storages[key], str(config[key]))
                made.append(str(config[key]).partition(",")[0])
        except PveError:
            for volid in made:
                self.free(volid)
            raise
        fixed = VM_ONLY if isinstance(guest, Vm) else CT_ONLY
        table: Any = q if isinstance(guest, Vm) else lv
        for key, value in v.items():
            if key not in fixed and value is not None:
                config[key] = table.kept(key, value, update=False)
        self._identify(guest, config, unique=bool(v.get("unique")), given=set(v))
        return config

    def _restored_disk(self, guest: Guest, key: str, volume: str, size: int, storage: str, value: str) -> str:
        files = self.storages[storage]["type"] in FILE_TYPES
        if isinstance(guest, Ct):
            _volume, options = lv.split_mount(value)
            volid = self.allocate(storage, guest.vmid, size, None, guest.node, content="rootdir")
            options["size"] = format_size(size)
            return lv.join_mount(volid, options)
        _volume, options = q.split_drive(value)
        suffix = volume.rpartition(".")[2]
        fmt = suffix if files and suffix in ("qcow2", "vmdk") else None
        volid = self.allocate(storage, guest.vmid, size, fmt, guest.node)
        options["size"] = format_size(size)
        return q.join_drive(volid, options)

    @staticmethod
    def _identify(guest: Guest, config: dict[str, Any], *, unique: bool, given: set[str]) -> None:
        """A VM gets a generation id of its own; with `unique` also MACs and an SMBIOS UUID."""
        table: Any = q if isinstance(guest, Vm) else lv
        if isinstance(guest, Vm) and str(config.get("vmgenid", "0")) != "0":
            config["vmgenid"] = str(uuid.uuid4())
        if not unique:
            return
        for key in [key for key in config if table.NET.match(key) and key not in given]:
            config[key] = table.net_value(str(config[key]), fresh_mac=True)
        if config.get("smbios1"):
            config["smbios1"] = f"uuid={uuid.uuid4()}"
