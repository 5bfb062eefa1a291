# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The programs that tell of disks and of the host, as far as the modules ask them."""

from __future__ import annotations

import json
from typing import Any

from lab.zfs.base import DOES_NOT_KNOW, Base, Failed, Unknown, flags_of
from lab.zfs.disks import LabDisk

# uname and od are asked one thing only; whatever else they are asked is for the real ones.
NAMES = ("lsblk", "wipefs", "readlink", "udevadm", "zdb", "pvs")
ONE_QUESTION = {"uname": "-n", "od": "-An -tx4 /etc/hostid"}


class DiskPrograms(Base):
    """One run of one of them, whose name is the first word."""

    def run(self, arguments: Any) -> int:
        name, *rest = arguments
        try:
            return int(getattr(self, f"run_{name}")(list(rest)) or 0)
        except Failed as end:
            return end.status
        except (Unknown, ValueError) as problem:
            self.complain(f"lab.zfs does not know: {' '.join(arguments)} ({problem})")
            return DOES_NOT_KNOW

    def run_lsblk(self, arguments: list[str]) -> int:
        flags, paths = flags_of(arguments, "", ["json", "bytes", "output="])
        if "--json" not in flags or "--bytes" not in flags:
            raise Unknown("lsblk without --json --bytes")
        columns = flags["--output"].lower().split(",")
        status, shown = 0, []
        wanted = [path.removeprefix("/dev/") for path in paths] or list(self.state.disks)
        for name in wanted:
            disk = self.state.disks.get(name)
            if disk is None or not disk.present:
                if paths:
                    self.complain(f"lsblk: /dev/{name}: not a block device")
                    status = 32 if status == 0 and not shown else 64
                continue
            shown.append(self._shown(name, disk, columns))
        if shown or not paths:
            self.say(json.dumps({"blockdevices": shown}, indent=3))
        return status

    def _shown(self, name: str, disk: LabDisk, columns: list[str]) -> dict[str, Any]:
        found = self._row(name, "disk", disk.size, disk, "")
        children = [
            self._row(f"{name}{partition}", "part", disk.size - 1024**2, disk, partition)
            for partition in sorted(disk.signatures)
            if partition
        ]
        if disk.holder[0]:
            holder = {"name": disk.holder[1], "kname": "dm-0", "type": disk.holder[0]}
            (children[0].setdefault("children", []) if children else children).append(holder)
        result = {column: found.get(column) for column in columns}
        if children:
            result["children"] = [
                {**{column: child.get(column) for column in columns}, **_below(child, columns)} for child in children
            ]
        return result

    def _row(self, name: str, sort: str, size: int, disk: LabDisk, partition: str) -> dict[str, Any]:
        signatures = disk.signatures.get(partition, [])
        table = next((kind for kind, _label in signatures if kind in ("gpt", "dos")), None)
        filesystem = next((one for one in signatures if one[0] not in ("gpt", "dos", "PMBR")), None)
        mounted = disk.mountpoint if partition == "" or partition == "1" else ""
        if "1" in disk.signatures and partition == "":
            mounted = ""
        pool = next((one for name_, one in self.state.pools.items() if filesystem and name_ == filesystem[1]), None)
        return {
            "name": name,
            "kname": name,
            "type": sort,
            "size": size,
            "ro": False,
            "fstype": filesystem[0] if filesystem else None,
            "label": (filesystem[1] or None) if filesystem else None,
            "uuid": str(pool.guid) if pool is not None and filesystem and filesystem[0] == "zfs_member" else None,
            "pttype": table,
            "mountpoints": [mounted or None],
        }

    def run_wipefs(self, arguments: list[str]) -> int:
        flags, paths = flags_of(arguments, "", ["no-act", "json", "all"])
        if "--all" in flags:
            for path in paths:
                disk, partition = self._device(path)
                found = self.state.disks[disk]
                if self._busy(disk):
                    raise self.fail(f"wipefs: error: {path}: probing initialization failed: Device or resource busy")
                if partition:
                    found.signatures[partition] = []
                else:
                    found.signatures.clear()
            return 0
        if "--json" not in flags:
            raise Unknown("wipefs without --json")
        rows = []
        for path in paths:
            disk, partition = self._device(path)
            if self.state.disks[disk].broken:
                raise self.fail(f"wipefs: error: {path}: probing initialization failed: Input/output error")
            rows += [
                {"device": f"{disk}{partition}", "offset": "0x200", "type": sort, "uuid": None, "label": label or None}
                for sort, label in self.state.disks[disk].signatures.get(partition, [])
            ]
        self.say(json.dumps({"signatures": rows}, indent=3))
        return 0

    def _device(self, path: str) -> tuple[str, str]:
        found = self.state.device(path)
        if found is None:
            raise self.fail(f"wipefs: error: {path}: probing initialization failed: No such file or directory")
        return found

    def _busy(self, disk: str) -> bool:
        pools = self.state.pools.values()
        taken = any(pool.imported and any(leaf.disk == disk for leaf in pool.leaves) for pool in pools)
        return bool(taken or self.state.disks[disk].mountpoint or self.state.disks[disk].holder[0])

    def run_readlink(self, arguments: list[str]) -> int:
        flags, paths = flags_of(arguments, "", ["canonicalize-missing"])
        if "--canonicalize-missing" not in flags:
            raise Unknown("readlink without --canonicalize-missing")
        for path in paths:
            found = self.state.device(path)
            self.say(f"/dev/{found[0]}{found[1]}" if found else path)
        return 0

    def run_udevadm(self, arguments: list[str]) -> int:
        if arguments == ["settle"]:
            for disk in self.state.disks.values():
                disk.present, disk.late = disk.present or disk.late, False
            return 0
        flags, words = flags_of(arguments[1:], "", ["query=", "name="])
        if arguments[:1] != ["info"] or words or flags.get("--query") != "symlink":
            raise Unknown("udevadm")
        found = self.state.device(flags["--name"])
        if found is None:
            raise self.fail("Unknown device")
        disk, partition = found
        behind = f"-part{partition}" if partition else ""
        self.say(" ".join(f"disk/by-id/{name}{behind}" for name in self.state.disks[disk].ids))
        return 0

    def run_od(self, arguments: list[str]) -> int:
        if not self.state.hostid:
            raise self.fail("od: /etc/hostid: No such file or directory")
        self.say(f" {self.state.hostid:08x}")
        return 0

    def run_uname(self, arguments: list[str]) -> int:
        self.say(self.state.hostname)
        return 0

    def run_pvs(self, arguments: list[str]) -> int:
        """The volume group of a physical volume; a blank one has none."""
        flags, paths = flags_of(arguments, "o:", ["noheadings"])
        if flags != {"--noheadings": "", "-o": "vg_name"}:
            raise Unknown("pvs")
        for path in paths:
            disk, _partition = self._device(path)
            self.say(f"  {self.state.disks[disk].group}")
        return 0

    def run_zdb(self, arguments: list[str]) -> int:
        """The part of a label that says whose pool it is."""
        _flags, (path,) = flags_of(arguments, "l")
        disk, _partition = self._device(path)
        for name, pool in self.state.pools.items():
            if any(leaf.disk == disk for leaf in pool.leaves):
                hostid = f"    hostid: {pool.hostid}\n" if pool.hostid else ""
                self.say(
                    f"------------------------------------\nLABEL 0 \n------------------------------------\n"
                    f"    version: 5000\n    name: '{name}'\n    state: {int(pool.exported)}\n    txg: 4\n"
                    f"    pool_guid: {pool.guid}\n    errata: 0\n{hostid}    hostname: '{pool.hostname}'"
                )
                return 0
        raise self.fail("failed to unpack label 0")


def _below(child: dict[str, Any], columns: list[str]) -> dict[str, Any]:
    if "children" not in child:
        return {}
    return {"children": [{column: one.get(column) for column in columns} for one in child["children"]]}
