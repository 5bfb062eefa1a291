# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Backups: vzdump in its task, the archives it leaves, and the configuration in them."""

from __future__ import annotations

import asyncio
import copy
import re
import time
from typing import Any
from urllib.parse import quote

from fakepve.model import PveError
from fakepve.routing import split_list

from lab.pve import lxc_values as lv
from lab.pve import qemu_values as q
from lab.pve.access import Access
from lab.pve.guests import Guest, Vm
from lab.pve.tasks import Failed, refused
from lab.pve.volumes import parse_size, split_volid

ROOT_ONLY = ("dumpdir", "job-id", "script", "tmpdir")
SUFFIXES = {"0": "", "1": ".lzo", "lzo": ".lzo", "gzip": ".gz", "zstd": ".zst"}
# An archive is as large as this part of the guest's disks.
PACKED = 8
# What is of the moment and not in an archive.
NOT_SAVED = ("lock", "digest", "snapshots", "parent")


def stamp(moment: float) -> str:
    return time.strftime("%Y_%m_%d-%H_%M_%S", time.localtime(moment))


class Backups(Access):
    """POST /nodes/{node}/vzdump and GET …/vzdump/extractconfig.

    `backup_secs`: how many of PVE's seconds one guest takes. A node makes one backup at a time.
    """

    backup_secs: float
    dumping: dict[str, asyncio.Lock]

    def endpoints_backups(self) -> list[tuple[str, str, Any]]:
        return [
            ("POST", "/nodes/{node}/vzdump", self._vzdump),
            ("GET", "/nodes/{node}/vzdump/extractconfig", self._extract_config),
        ]

    def _space(self, store: dict[str, Any]) -> tuple[int, int, int]:
        total, used, _avail = super()._space(store)
        used += sum(int(entry["size"]) for entry in store["volumes"].values() if entry["content"] == "backup")
        return total, used, max(total - used, 0)

    def used_of(self, name: str) -> int:
        return self._space(self.storages[name])[1]

    # ------------------------------------------------------------- vzdump

    async def _vzdump(self, v: dict[str, Any], user: str) -> Any:
        node, name = v["node"], str(v.get("storage") or "local")
        wanted = split_list(v.get("vmid"))
        for key in ROOT_ONLY:
            if v.get(key) is not None and user != "root@pam":
                raise refused(**{key: "Only root may set this option."})
        if not wanted and not v.get("all") and not v.get("pool"):
            raise refused(vmid="property is missing")
        self.require(user, "/storage/" + name, "Datastore.AllocateSpace")
        for vmid in wanted:
            self.require(user, f"/vms/{vmid}", "VM.Backup")
        vmids = [int(vmid) for vmid in wanted] or self._chosen(node, v)

        async def body() -> str:
            async with self.dumping.setdefault(node, asyncio.Lock()):
                return await self._dumped(node, name, vmids, v)

        return await self.task(node, "vzdump", wanted[0] if len(wanted) == 1 else "", user, body)

    def _chosen(self, node: str, v: dict[str, Any]) -> list[int]:
        out = {int(vmid) for vmid in split_list(v.get("exclude"))}
        members = self.pools.get(v["pool"], ()) if v.get("pool") else self.by_vmid
        return [vmid for vmid in sorted(members) if self.by_vmid[vmid].node == node and vmid not in out]

    async def _dumped(self, node: str, name: str, vmids: list[int], v: dict[str, Any]) -> str:
        mode = f"--mode {v['mode']} " if v.get("mode") else ""
        told = " ".join(map(str, vmids))
        lines = [f"INFO: starting new backup job: vzdump {told} {mode}--storage {name} --node {node}"]
        store = self.storages.get(name)
        if store is None:
            raise Failed(f"could not get storage information for '{name}': storage '{name}' does not exist", lines)
        if "backup" not in split_list(store.get("content")):
            raise Failed(f"can't use storage '{name}' for backups - wrong content type", lines)
        try:
            self._active_store(name, node)
        except PveError as error:
            raise Failed(f"could not activate storage '{name}': {error.message}", lines) from None
        broken = False
        for vmid in vmids:
            guest = self.guest(vmid)
            if guest is not None and guest.node != node:
                lines.append(f"INFO: skip external VMs: {vmid}")
                continue
            began = time.time()
            try:
                lines += await self._back_up_one(vmid, guest, name, v)
            except Failed as problem:
                lines += problem.lines
                moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(began))
                lines += [f"ERROR: Backup of VM {vmid} failed - {problem}", f"INFO: Failed at {moment}"]
                broken = True
        if broken:
            raise Failed("job errors", [*lines, "INFO: Backup job finished with errors"])
        return "\n".join([*lines, "INFO: Backup job finished successfully"])

    async def _back_up_one(self, vmid: int, guest: Guest | None, name: str, v: dict[str, Any]) -> list[str]:
        if guest is None:
            raise Failed(f"unable to find VM '{vmid}'", [])
        began = time.time()
        mode = str(v.get("mode") or "snapshot") if guest.running else "stop"
        lines = [
            f"INFO: Starting Backup of VM {vmid} ({guest.kind})",
            f"INFO: Backup started at {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(began))}",
            f"INFO: status = {guest.status}",
            f"INFO: backup mode: {mode}",
            f"INFO: ionice priority: {v.get('ionice', 7)}",
            f"INFO: {'VM' if isinstance(guest, Vm) else 'CT'} Name: {guest.name}",
        ]
        if guest.lock:
            raise Failed(f"{'VM' if isinstance(guest, Vm) else 'CT'} is locked ({guest.lock})", lines)
        disks = self.saved_disks(guest)
        for key, (volume, size) in disks.items():
            lines.append(f"INFO: include disk '{key}' '{volume}' {size}")
            if self.volume(volume) is None:
                raise Failed(f"volume '{volume}' does not exist", lines)
        size = max(sum(parsed for _volume, parsed in disks.values()) // PACKED, 4096)
        if self._space(self.storages[name])[2] < size:
            raise Failed("job failed with err -28 - No space left on device", lines)
        guest.lock = "backup"
        try:
            await self.pause(self.backup_secs)
        finally:
            guest.lock = None
        volume = self.keep_archive(guest, name, size, v)
        seconds = int(time.time() - began)
        return [
            *lines,
            f"INFO: creating vzdump archive '{self._volume_path(name, volume, 'backup')}'",
            f"INFO: Finished Backup of VM {vmid} (00:{seconds // 60:02}:{seconds % 60:02})",
        ]

    def saved_disks(self, guest: Guest) -> dict[str, tuple[str, int]]:
        """The volumes of a guest that a backup holds, by drive, with their sizes."""
        out: dict[str, tuple[str, int]] = {}
        for key, value in guest.config.items():
            if isinstance(guest, Vm):
                volume, options = q.split_drive(str(value)) if q.DRIVE.match(key) else ("", {})
                if not volume or q.is_cdrom(str(value)) or options.get("backup") == "0":
                    continue
            else:
                volume, options = lv.split_mount(str(value)) if lv.MOUNT.match(key) else ("", {})
                if not volume or (key != "rootfs" and options.get("backup") != "1"):
                    continue
            if split_volid(volume)[0] is not None:
                entry = self.volume(volume) or {}
                out[key] = volume, int(entry.get("size") or parse_size(options.get("size", "0")) or 0)
        return out

    def keep_archive(self, guest: Guest, name: str, size: int, v: dict[str, Any]) -> str:
        """The archive is in the books from now on; older ones go where it is asked for."""
        volumes = self.storages[name]["volumes"]
        moment = time.time()
        form = ("vma" if isinstance(guest, Vm) else "tar") + SUFFIXES[str(v.get("compress") or "0")]
        while (volume := f"backup/vzdump-{guest.kind}-{guest.vmid}-{stamp(moment)}.{form}") in volumes:
            moment += 1
        saved = {key: value for key, value in guest.config.items() if key not in NOT_SAVED}
        entry: dict[str, Any] = {
            "content": "backup",
            "format": form,
            "size": size,
            "ctime": int(moment),
            "vmid": guest.vmid,
            "saved": copy.deepcopy(saved),
            "disks": self.saved_disks(guest),
        }
        if not self.storages[name].get("shared"):
            entry["node"] = guest.node
        if v.get("protected"):
            entry["protected"] = 1
        notes = str(v.get("notes-template") or "")
        words = {"cluster": self.cluster_name, "guestname": guest.name, "node": guest.node, "vmid": str(guest.vmid)}
        for word, text in words.items():
            notes = notes.replace("{{" + word + "}}", text)
        if notes:
            entry["notes"] = notes.replace("\\n", "\n")
        volumes[volume] = entry
        if v.get("remove", 1):
            self._prune(name, guest, str(v.get("prune-backups") or self.storages[name].get("prune-backups") or ""))
        return volume

    def _prune(self, name: str, guest: Guest, keep: str) -> None:
        """keep-last alone; with anything else in it all are kept."""
        found = re.fullmatch(r"keep-last=(\d+)", keep)
        if not found:
            return
        volumes = self.storages[name]["volumes"]
        mine = [
            (entry["ctime"], volume)
            for volume, entry in volumes.items()
            if entry["content"] == "backup" and entry.get("vmid") == guest.vmid and not entry.get("protected")
        ]
        for _moment, volume in sorted(mine, reverse=True)[int(found[1]) :]:
            del volumes[volume]

    # ------------------------------------------------------- what is in one

    def archive_for(self, volid: str, node: str, user: str) -> dict[str, Any]:
        """The books' entry of an archive that the node can read, or PVE's error."""
        name = split_volid(volid)[0]
        entry = self.volume(volid)
        if name is None or entry is None or entry["content"] != "backup" or entry.get("node") not in (None, node):
            raise PveError(500, f"volume '{volid}' does not exist")
        self._active_store(name, node)
        self._check_access(user, name, "backup", entry["vmid"], volid)
        return entry

    async def _extract_config(self, v: dict[str, Any], user: str) -> Any:
        saved = self.archive_for(v["volume"], v["node"], user)["saved"]
        text = str(saved.get("description") or "").removesuffix("\n")
        lines = [f"#{quote(line, safe=' /,.()-_@!=')}" for line in text.split("\n")] if text else []
        lines += [f"{key}: {value}" for key, value in sorted(saved.items()) if key != "description"]
        return "\n".join([*lines, ""])
