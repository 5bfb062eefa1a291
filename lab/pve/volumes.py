# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Guests' volumes: names, sizes, allocation and freeing, as PVE::Storage does it."""

from __future__ import annotations

import re
import time
from typing import Any

from fakepve.model import PveError

from lab.pve.tasks import Tasks

UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
FILE_TYPES = ("dir", "nfs", "cifs", "btrfs", "cephfs")
EXTENSIONS = ("raw", "qcow2", "vmdk", "subvol")
# What a linked clone can be made of.
CAN_CLONE = ("lvmthin", "zfspool", "rbd", "zfs", "btrfs")
DISK_NUMBER = re.compile(r"(?:^|/)(?:vm|base|subvol|basevol)-\d+-disk-(\d+)(?:\.\w+)?$")
NUMBERED_DRIVE = re.compile(r"^(ide|sata|scsi|virtio|efidisk|tpmstate|unused|mp)\d+$")


def parse_size(text: str) -> int | None:
    """Bytes of '8G', '512M', '1.5G'; a bare number is bytes."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)", str(text).strip())
    return int(float(found.group(1)) * UNITS[found.group(2)]) if found else None


def format_size(size: int) -> str:
    """PVE's spelling: the largest unit that divides it; below a kilobyte boundary it rounds to K."""
    if size % 1024:
        return str(size) if size < 1024 else f"{round(size / 1024)}K"
    for unit in "TGMK":
        if size and size % UNITS[unit] == 0:
            return f"{size // UNITS[unit]}{unit}"
    return str(size)


def split_volid(volid: str) -> tuple[str | None, str]:
    """(storage, volume name); a path or a keyword has no storage."""
    if volid.startswith("/") or ":" not in volid:
        return None, volid
    storage, _sep, name = volid.partition(":")
    return storage, name


class Volumes(Tasks):
    """Allocates and frees volumes in the storages' books."""

    def _volumes(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.storages[name].setdefault("volumes", {})
        return found

    def volume(self, volid: str) -> dict[str, Any] | None:
        """The books' entry of a volume id."""
        storage, name = split_volid(volid)
        if storage is None or storage not in self.storages:
            return None
        return self._volumes(storage).get(name)

    def storage_for(self, name: str, node: str | None = None) -> dict[str, Any]:
        """The storage, if it exists and the node may use it."""
        store: dict[str, Any] | None = self.storages.get(name)
        if store is None:
            raise PveError(500, f"storage '{name}' does not exist")
        if node is not None:
            self._check_enabled(name, node)
        return store

    def free_name(self, storage: str, vmid: int) -> str:
        """vm-<vmid>-disk-<n> with the lowest free n."""
        taken = set()
        for name, entry in self._volumes(storage).items():
            if entry.get("vmid") == vmid:
                found = DISK_NUMBER.search(name)
                if found:
                    taken.add(int(found.group(1)))
        number = 0
        while number in taken:
            number += 1
        return f"vm-{vmid}-disk-{number}"

    def allocate(
        self,
        storage: str,
        vmid: int,
        size: int,
        fmt: str | None,
        node: str,
        name: str | None = None,
        content: str = "images",
    ) -> str:
        """Make a volume of `size` bytes and return its id."""
        store = self.storage_for(storage)
        kind = store["type"]
        stem = name or self.free_name(storage, vmid)
        if kind in FILE_TYPES:
            fmt = fmt or store.get("format") or "raw"
            if fmt not in EXTENSIONS:
                raise PveError(500, f"unsupported format '{fmt}'")
            volname = f"{vmid}/{stem}.{fmt}"
        else:
            if kind == "zfspool" and content == "rootdir":
                fmt, stem = "subvol", stem.replace("vm-", "subvol-", 1)
            elif fmt not in (None, "raw") and not (kind == "lvm" and fmt == "qcow2"):
                raise PveError(500, f"unsupported format '{fmt}'")
            fmt, volname = fmt or "raw", stem + (".qcow2" if fmt == "qcow2" else "")
        if volname in self._volumes(storage):
            raise PveError(500, f"disk image '{self._volume_path(storage, volname, 'images')}' already exists")
        total = store.get("total")
        if total is not None and self._space(store)[1] + size > total:
            raise PveError(500, f"unable to allocate on storage '{storage}': No space left on device")
        entry = {"content": content, "format": fmt, "size": size, "vmid": vmid, "ctime": int(time.time()), "used": 0}
        if not store.get("shared"):
            entry["node"] = node
        self._volumes(storage)[volname] = entry
        store["used"] = store.get("used", 0) + size
        return f"{storage}:{volname}"

    def granular(self, storage: str, size: int) -> int:
        """The size a volume really gets: LVM has extents of 4 MiB, a zvol blocks."""
        grain = {"lvm": 4 * UNITS["M"], "lvmthin": 4 * UNITS["M"], "zfspool": UNITS["M"]}.get(
            self.storage_for(storage)["type"], 1
        )
        return -(-size // grain) * grain

    def free(self, volid: str) -> None:
        """The volume is gone."""
        storage, name = split_volid(volid)
        if storage is None or storage not in self.storages:
            return
        entry = self._volumes(storage).pop(name, None)
        if entry:
            self.storages[storage]["used"] = max(self.storages[storage].get("used", 0) - int(entry["size"]), 0)

    def _space(self, store: dict[str, Any]) -> tuple[int, int, int]:
        used = int(store.get("used", 0))
        total = int(store.get("total", 100 * UNITS["G"]))
        return total, used, max(total - used, 0)

    def to_base(self, volid: str) -> str:
        """A template's disk: vm-100-disk-0 becomes base-100-disk-0."""
        storage, name = split_volid(volid)
        new = re.sub(r"(^|/)vm-(\d+)-disk", r"\1base-\2-disk", name).replace("subvol-", "basevol-")
        if storage is None or new == name:
            return volid
        volumes = self._volumes(storage)
        if name in volumes:
            volumes[new] = volumes.pop(name)
        return f"{storage}:{new}"

    def linked_to(self, volid: str) -> bool:
        """True if a linked clone still needs this base volume."""
        storage, name = split_volid(volid)
        if storage is None or storage not in self.storages or "base" not in name:
            return False
        return any(entry.get("base") == name for entry in self._volumes(storage).values())

    def adopt_volume(self, vmid: int, key: str, value: str, node: str) -> None:
        """Enter a volume that a configuration names into the books."""
        if not (key == "rootfs" or NUMBERED_DRIVE.match(key)):
            return
        first = value.split(",", 1)[0].removeprefix("file=").removeprefix("volume=")
        storage, name = split_volid(first)
        if storage is None or storage not in self.storages or name in self._volumes(storage):
            return
        if not re.search(rf"-{vmid}-", name):
            return
        found = re.search(r"(?:^|,)size=([\d.]+[KMGT]?)", value)
        size = (parse_size(found.group(1)) if found else None) or 0
        suffix = name.rsplit(".", 1)[-1]
        self._volumes(storage)[name] = {
            "content": "rootdir" if key == "rootfs" or key.startswith("mp") else "images",
            "format": suffix if suffix in EXTENSIONS else "raw",
            "size": size,
            "vmid": vmid,
            "ctime": int(time.time()),
            "used": 0,
            **({} if self.storages[storage].get("shared") else {"node": node}),
        }
