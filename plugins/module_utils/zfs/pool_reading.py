# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Everything that is asked of a host about its pools and disks. Only by programs, so that they may run elsewhere."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Optional

from ansible_collections.hospital.continuity.plugins.module_utils.command import CommandTimedOut, ProgramMissing
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import (
    CommandLine,
    Dependant,
    Property,
    parsed_properties,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.disks import (
    COLUMNS,
    Device,
    Disk,
    Signature,
    parsed_devices,
    parsed_signatures,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.errors import ZfsError
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout import BY_ID, NORMAL
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout_status import (
    Changed,
    PoolStatus,
    Vdev,
    begun_scrub,
    from_json,
    from_text,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.pool import PROPERTIES
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.pool_import import (
    Waiting,
    last_host,
    parsed_label,
    parsed_waiting,
)

_ASKED = ("health", "capacity", "readonly", "ashift", *(row.name for row in PROPERTIES))
# Names of one disk, the one that says most of it first.
_PREFERRED = ("scsi-3", "nvme-eui.", "nvme-uuid.", "wwn-", "scsi-", "ata-", "nvme-", "dm-uuid-mpath-", "")


class PoolReading:
    def __init__(self, command_line: CommandLine) -> None:
        self._zfs = command_line
        self._version: tuple[int, int] = (0, 0)
        # What was read last, and how much had been written then: nothing else changes in one run.
        self._pools: tuple[int, dict[str, PoolStatus]] = (-1, {})
        # Pools that did not answer: nobody waits for them twice.
        self._hangs = False
        self._silent: dict[str, PoolStatus] = {}

    @property
    def version(self) -> tuple[int, int]:
        if self._version == (0, 0):
            self._version = self._zfs.version()
        return self._version

    # -- pools ------------------------------------------------------------------------------------------------------

    def pools(self) -> dict[str, PoolStatus]:
        """The imported pools, read again after each write. OpenZFS 2.3 has JSON; what was before is read from text."""
        if self._pools[0] != self._zfs.writes:
            self._pools = (self._zfs.writes, self._read_pools())
        return self._pools[1]

    def _read_pools(self) -> dict[str, PoolStatus]:
        pools: dict[str, PoolStatus] = {}
        try:
            if not self._hangs:
                pools = self._status()
        except CommandTimedOut:
            self._hangs = True
        if self._hangs:
            # One that hangs shall not hide the others.
            pools = self._one_by_one()
        return {name: self._with_names(pool) for name, pool in pools.items()}

    def _one_by_one(self) -> dict[str, PoolStatus]:
        pools: dict[str, PoolStatus] = {}
        for name, pool in self._zfs.pools().items():
            if name in self._silent:
                continue
            try:
                pools.update(self._status(name))
            except CommandTimedOut as problem:
                self._silent[name] = PoolStatus(name, pool.health, unread=problem.message)
        return {**pools, **self._silent}

    def _status(self, *names: str) -> dict[str, PoolStatus]:
        if self.version >= (2, 3):
            return from_json(self._zfs.read(("zpool", "status", "-j", "--json-int", *names)))
        for _attempt in range(2):
            with contextlib.suppress(Changed):
                return self._status_text(names)
        return self._status_text(names)

    def _status_text(self, names: Sequence[str]) -> dict[str, PoolStatus]:
        return from_text(*(self._zfs.read(("zpool", "status", flag, *names)) for flag in ("-p", "-pP", "-pg")))

    def _with_names(self, pool: PoolStatus) -> PoolStatus:
        """The pool with disks that were imported as sdX by their lasting names."""
        # Where a missing disk was, another one may be now.
        unnamed = [leaf for leaf in pool.leaves if leaf.path and not leaf.path.startswith(BY_ID) and not _missing(leaf)]
        if not unnamed:
            return pool
        names = {leaf.guid: self._by_id(leaf) for leaf in unnamed}
        return replace(
            pool,
            vdevs={which: tuple(_named(vdev, names) for vdev in vdevs) for which, vdevs in pool.vdevs.items()},
        )

    def _by_id(self, leaf: Vdev) -> str:
        if not leaf.path.startswith("/dev/"):
            return leaf.name
        done = self._zfs.attempt(("udevadm", "info", "--query=symlink", f"--name={leaf.path}"))
        links = [word[len("disk/by-id/") :] for word in done.output.split() if word.startswith("disk/by-id/")]
        # A vdev that has a whole disk is named without its partition.
        whole = not leaf.path.endswith(leaf.name)
        links = [re.sub(r"-part\d+$", "", link) if whole else link for link in links]
        links.sort(key=lambda link: (min(n for n, head in enumerate(_PREFERRED) if link.startswith(head)), link))
        return links[0] if links else leaf.name

    def properties(self, names: Sequence[str]) -> dict[str, dict[str, Property]]:
        if not names:
            return {}
        argv = ("zpool", "get", "-Hp", "-o", "name,property,value,source", ",".join(_ASKED), *names)
        return parsed_properties(self._zfs.read(argv))

    def ashift(self, pool: PoolStatus, told: str) -> int:
        """What the vdevs have; the pool's own property may have been set to anything later. 0: cannot be read."""
        vdevs = pool.of_class(NORMAL)
        if self.version >= (2, 2) and vdevs:
            argv = ("zpool", "get", "-Hp", "-o", "name,property,value,source", "ashift", pool.name, vdevs[0].guid)
            done = self._zfs.attempt(argv)
            for values in parsed_properties(done.output).values():
                if done.status == 0 and values["ashift"].value.isdigit() and values["ashift"].value != "0":
                    return int(values["ashift"].value)
        return int(told) if told.isdigit() else 0

    def contents(self, name: str) -> tuple[tuple[Dependant, ...], int]:
        """What is in a pool, its root dataset included, and how many bytes it uses."""
        rows = [
            line.split("\t") for line in self._zfs.read(("zfs", "list", "-Hp", "-o", "name,used", name)).splitlines()
        ]
        below = self._zfs.dependants(name)
        used = int(rows[0][1]) if rows and rows[0][1].isdigit() else 0
        return (Dependant(name, "filesystem"), *below), used

    def unmounted(self, name: str) -> list[str]:
        """What of a pool should be mounted and is not, in sentences: a program that was stopped leaves some so."""
        columns = "name,mounted,canmount,mountpoint,keystatus"
        text = self._zfs.read(("zfs", "list", "-H", "-r", "-t", "filesystem", "-o", columns, name))
        rows = [line.split("\t") for line in text.splitlines()]
        return [
            f"{row[0]} is not mounted at {row[3]}" + (", its key is not loaded." if row[4] == "unavailable" else ".")
            for row in rows
            if len(row) == 5 and row[1] == "no" and row[2] == "on" and row[3] not in ("none", "legacy", "-")
        ]

    def created(self, name: str) -> int:
        text = self._zfs.read(("zfs", "get", "-Hp", "-o", "value", "creation", name)).strip()
        return int(text) if text.isdigit() else 0

    # -- pools that are not imported --------------------------------------------------------------------------------

    def waiting(self) -> list[Waiting]:
        """The pools on this host's disks that are not imported, with who had them last. Slow: it reads disks."""
        found = parsed_waiting(self._zfs.read(("zpool", "import")))
        if any(pool.state != "ONLINE" for pool in found):
            # Disks may still be coming: a pool that is imported without them has to be resilvered.
            self._zfs.attempt(("udevadm", "settle"))
            found = parsed_waiting(self._zfs.read(("zpool", "import")))
        if not found:
            return []
        hostid, hostname = self._hostid(), self._zfs.attempt(("uname", "-n")).output.strip()
        devices = parsed_devices(self._lsblk(()))
        guids = {pool.guid for pool in found}
        members = sorted({one.path for root in devices for one in root.walk() if one.uuid in guids})
        labels = [parsed_label(self._zfs.attempt(("zdb", "-l", path)).output) for path in members]
        return [replace(pool, last_host=last_host(labels, pool.guid, hostid, hostname)) for pool in found]

    def _hostid(self) -> int:
        """What ZFS writes into labels: the content of /etc/hostid, and nothing where there is none. The program hostid
        makes one up then."""
        text = self._zfs.attempt(("od", "-An", "-tx4", "/etc/hostid")).output.strip()
        try:
            return int(text, 16)
        except ValueError:
            return 0

    # -- disks ------------------------------------------------------------------------------------------------------

    def paths(self, names: Sequence[str]) -> dict[str, str]:
        """The device behind each name below /dev/disk/by-id; empty where there is none."""
        if not names:
            return {}
        links = [BY_ID + name for name in names]
        lines = self._zfs.read(("readlink", "--canonicalize-missing", "--", *links)).splitlines()
        if len(lines) != len(names):
            raise ZfsError("readlink did not answer for every disk.", hint="Is it GNU coreutils' readlink?")
        return {name: "" if line.startswith(BY_ID) else line for name, line in zip(names, lines)}

    def whole_disks(self, names: Collection[str]) -> dict[str, str]:
        """The same, where the name of the first partition stands for its disk."""
        wanted = sorted({re.sub(r"-part1$", "", name) for name in names})
        found = self.paths(wanted)
        return {name: found[re.sub(r"-part1$", "", name)] for name in names}

    def disks(self, names: Sequence[str]) -> dict[str, Disk]:
        """What is on disks and who uses them."""
        self._zfs.attempt(("udevadm", "settle"))
        paths = self.paths(names)
        there = sorted({path for path in paths.values() if path})
        devices = {one.path: one for one in parsed_devices(self._lsblk(there))} if there else {}
        signatures, unreadable = self._signatures(list(devices.values()))
        members = self._members()
        result = {}
        for name in names:
            device = devices.get(paths[name])
            inside = {one.path for one in device.walk()} if device else set()
            found = tuple(sign for sign in signatures if sign.path in inside)
            groups = tuple(self._volume_groups(found))
            why = unreadable.get(device.path, "") if device else ""
            one = Disk(name, device, found, members, groups, why)
            silent = [pool.name for pool in self.pools().values() if pool.unread]
            if silent and one.pool_guids:
                # It may be one of theirs.
                one = replace(one, unreadable=f"it has a label of ZFS, and pool {silent[0]} does not answer")
            result[name] = one
        return result

    def _lsblk(self, paths: Sequence[str]) -> str:
        done = self._zfs.attempt(("lsblk", "--json", "--bytes", "--output", COLUMNS, *paths))
        # One that is gone meanwhile makes it fail, and the others are shown all the same.
        if done.status != 0 and not done.output.strip():
            if paths and "not a block device" in done.errors:
                return ""
            raise ZfsError(f"lsblk answered: {done.errors.strip()}.", hint="util-linux 2.37 or later is needed.")
        return done.output

    def _signatures(self, devices: Sequence[Device]) -> tuple[list[Signature], dict[str, str]]:
        """What is on devices, and why one of them could not be looked at, by its path: that one is not blank."""
        every = sorted({one.path for root in devices for one in root.walk()})
        if not every:
            return [], {}
        done = self._zfs.attempt(("wipefs", "--no-act", "--json", *every))
        if done.status == 0:
            return parsed_signatures(done.output, devices), {}
        if len(devices) == 1:
            said = " ".join(done.errors.split()) or f"exit code {done.status}"
            return [], {devices[0].path: said.rstrip(".")}
        signatures: list[Signature] = []
        unreadable: dict[str, str] = {}
        for one in devices:
            found, why = self._signatures([one])
            signatures += found
            unreadable.update(why)
        return signatures, unreadable

    def _volume_groups(self, signatures: Iterable[Signature]) -> list[str]:
        """The volume groups of LVM that have a disk, whether or not a volume of theirs is active here."""
        result: list[str] = []
        for sign in signatures:
            if sign.type != "LVM2_member":
                continue
            try:
                done = self._zfs.attempt(("pvs", "--noheadings", "-o", "vg_name", sign.path))
            except ProgramMissing:
                continue
            result += [line.strip() for line in done.output.splitlines() if line.strip()]
        return result

    def _members(self) -> Mapping[str, str]:
        """The devices of imported pools, by path."""
        leaves = {
            leaf.path: name
            for name, pool in self.pools().items()
            for leaf in pool.leaves
            if leaf.path and not _missing(leaf)
        }
        if not leaves:
            return {}
        listed = sorted(leaves)
        lines = self._zfs.read(("readlink", "--canonicalize-missing", "--", *listed)).splitlines()
        return {line: leaves[path] for path, line in zip(listed, lines)}

    def last_scrub(self, name: str) -> Optional[int]:
        """When a scrub was last begun, from the pool's history: a resilver hides it from zpool status."""
        return begun_scrub(self._zfs.attempt(("zpool", "history", name)).output)


def _missing(leaf: Vdev) -> bool:
    return leaf.name.isdigit() or leaf.state in ("UNAVAIL", "REMOVED")


def _named(vdev: Vdev, names: Mapping[str, str]) -> Vdev:
    if vdev.children:
        return replace(vdev, children=tuple(_named(child, names) for child in vdev.children))
    return replace(vdev, name=names.get(vdev.guid, vdev.name))
