# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Drives of a VM: disks, CD-ROMs, the cloud-init drive, the EFI disk and the TPM state. Pure.

PVE API: the parameters ideN, sataN, scsiN, virtioN, efidisk0, tpmstate0 of /nodes/{node}/qemu and its config.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Boolean, Size
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.family import (
    ABSENT,
    DETACHED,
    PRESENT,
    Options,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest_values import Encoded, Ranged
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import boolean, text
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.volume import (
    Volumes,
    gibibytes,
    storage_of,
    taken_volume,
    without,
)

_BUS = re.compile(r"^([a-z]+)\d+$")
_FIXED_SIZE = {"efidisk0": "1", "tpmstate0": "4"}
# The options that only some buses have; the others are for ide, sata, scsi and virtio alike.
_ONLY: dict[str, tuple[str, ...]] = {
    "efitype": ("efidisk",),
    "ms_cert": ("efidisk",),
    "pre_enrolled_keys": ("efidisk",),
    "version": ("tpmstate",),
    "model": ("ide",),
    "iothread": ("scsi", "virtio"),
    "ro": ("scsi", "virtio"),
    "ssd": ("ide", "sata", "scsi"),
    "wwn": ("ide", "sata", "scsi"),
    "product": ("scsi",),
    "queues": ("scsi",),
    "scsiblock": ("scsi",),
    "vendor": ("scsi",),
}
_EVERYWHERE = ("slot", "state", "storage", "size", "file", "format", "import_from")
_DRIVES = ("ide", "sata", "scsi", "virtio")
_ALIASES = {
    "volume": "file",
    **{f"{unit}_{way}_length": f"{unit}_{way}_max_length" for unit in ("bps", "iops") for way in ("rd", "wr")},
}
EMPTY = ("none", "cdrom")


def _limits() -> tuple[Field, ...]:
    """Limits of throughput and operations, for reading, writing and both, sustained and in bursts."""
    rows = []
    for way in ("", "_rd", "_wr"):
        rows += [
            Field(f"bps{way}", Ranged(least=0), type="int"),
            Field(f"bps{way}_max_length", Ranged(least=1), type="int"),
            Field(f"iops{way}", Ranged(least=0), type="int"),
            Field(f"iops{way}_max", Ranged(least=0), type="int"),
            Field(f"iops{way}_max_length", Ranged(least=1), type="int"),
            Field(f"mbps{way}", Ranged(least=0), type="float"),
            Field(f"mbps{way}_max", Ranged(least=0), type="float"),
        ]
    return tuple(rows)


FIELDS: tuple[Field, ...] = (
    text("slot"),
    Field("state", choices=(PRESENT, DETACHED, ABSENT)),
    text("storage", kept=True),
    Field("size", Size(unit="G"), type="str", kept=True),
    text("file", assigned=True),
    Field("media", choices=("disk", "cdrom", "cloudinit"), default="disk", kept=True),
    Field("format", choices=("raw", "qcow2", "vmdk"), creating=True),
    text("import_from", wire="-", creating=True),
    Field("aio", choices=("native", "threads", "io_uring")),
    boolean("backup", default=True),
    Field("cache", choices=("none", "writethrough", "writeback", "unsafe", "directsync"), default="none"),
    boolean("detect_zeroes", default=True),
    Field("discard", choices=("ignore", "on"), default="ignore"),
    Field("efitype", choices=("2m", "4m"), default="2m", kept=True),
    boolean("iothread", default=False),
    *_limits(),
    Field("model", Encoded()),
    Field("ms_cert", wire="ms-cert", choices=("2011", "2023", "2023w", "2023k"), default="2011", kept=True),
    Field("pre_enrolled_keys", Boolean(), type="bool", wire="pre-enrolled-keys", default=False, kept=True),
    text("product"),
    Field("queues", Ranged(least=2), type="int"),
    boolean("replicate", default=True),
    Field("rerror", choices=("ignore", "report", "stop")),
    boolean("ro", default=False),
    boolean("scsiblock", default=False),
    Field("serial", Encoded()),
    boolean("shared", default=False),
    boolean("snapshot", default=False),
    boolean("ssd", default=False),
    text("vendor"),
    Field("version", choices=("v1.2", "v2.0"), default="v1.2", kept=True),
    Field("werror", choices=("enospc", "ignore", "report", "stop")),
    text("wwn"),
)


@dataclass(frozen=True)
class Disks(Volumes):
    @property
    def described_slots(self) -> str:
        return "ide0 to ide3, sata0 to sata5, scsi0 to scsi30, virtio0 to virtio15, efidisk0 and tpmstate0"

    def pairs(self, raw: str) -> dict[str, str]:
        return {_ALIASES.get(key, key): value for key, value in super().pairs(raw).items()}

    def interpreted(self, slot: str, state: dict[str, Any], pairs: Mapping[str, str]) -> dict[str, Any]:
        volume = pairs.get("file", "")
        if pairs.get("media") == "cdrom":
            if "cloudinit" in volume.partition(":")[2]:
                return {**without(state, "size"), "media": "cloudinit", "storage": storage_of(volume)}
            return without(state, "size")
        storage = storage_of(volume)
        return {**state, "storage": storage} if storage else state

    def joined(self, slot: str, wanted: Options, pairs: dict[str, str], raw: str | None) -> str:
        media = wanted.get("media")
        for key in ("file", "size"):
            pairs.pop(key, None)
        pairs.pop("media", None)
        if media in ("cdrom", "cloudinit"):
            pairs["media"] = "cdrom"
        if raw is not None:
            held = self.pairs(raw)
            if "size" in held and media != "cdrom":
                pairs["size"] = held["size"]
            file = taken_volume(wanted, "file") if media == "cdrom" else None
            return self.written(file or held["file"], pairs)
        return self._new(slot, wanted, pairs)

    def _new(self, slot: str, wanted: Options, pairs: dict[str, str]) -> str:
        file, media = taken_volume(wanted, "file"), wanted.get("media")
        if wanted.get("format") is not None:
            pairs["format"] = wanted["format"]
        if file is not None:
            return self.written(file, pairs)
        if media == "cdrom":
            return self.written("none", pairs)
        if media == "cloudinit":
            return self.written(f"{wanted['storage']}:cloudinit", without(pairs, "media"))
        if wanted.get("import_from") is not None:
            return self.written(f"{wanted['storage']}:0", {**pairs, "import-from": wanted["import_from"]})
        return self.written(f"{wanted['storage']}:{_FIXED_SIZE.get(slot) or gibibytes(wanted['size'])}", pairs)

    def check(self, slot: str, given: Options) -> None:
        if slot.startswith("unused"):
            if given.get("state") != ABSENT and set(given) - {"slot", "state", "storage", "file"}:
                raise InvalidInput(
                    f"disks: {slot} is where PVE keeps a detached disk; it can only be absent.",
                    hint="Use the slot of a bus, with file: to attach its volume.",
                )
            return
        match = _BUS.match(slot)
        bus = match.group(1) if match else ""
        for name in given:
            if name not in _EVERYWHERE and bus not in _ONLY.get(name, _DRIVES):
                raise InvalidInput(
                    f"disks {slot}: {name} is not for {bus}.",
                    hint=f"It is for {' and '.join(_ONLY.get(name, _DRIVES))}; leave it out.",
                )
        media = given.get("media")
        if media == "cdrom" and (given.get("storage") or given.get("size") is not None):
            raise InvalidInput(
                f"disks {slot}: a CD-ROM has no storage and size.",
                hint="Write file: with the ISO's volume id (local:iso/debian.iso), or file: none.",
            )
        if media == "cdrom" and bus == "virtio":
            raise InvalidInput(f"disks {slot}: virtio has no CD-ROM drive.", hint="Use an ide, sata or scsi slot.")
        if str(given.get("file") or "") in EMPTY and media != "cdrom":
            raise InvalidInput(f"disks {slot}: only a CD-ROM can be empty.", hint="Add media: cdrom.")

    def check_new(self, slot: str, given: Options) -> None:
        if given.get("file") is not None or given.get("media") == "cdrom":
            return
        if slot.startswith("unused"):
            raise InvalidInput(f"disks: {slot} is made by PVE when a disk is detached.", hint="Use the slot of a bus.")
        needs = ["storage"]
        if given.get("media") != "cloudinit" and given.get("import_from") is None and slot not in _FIXED_SIZE:
            needs.append("size")
        lacking = [name for name in needs if given.get(name) is None]
        if lacking:
            raise InvalidInput(
                f"disks {slot} does not exist and cannot be made without {' and '.join(lacking)}.",
                hint="Give storage and size, or file with an existing volume.",
            )

    def completed(self, slot: str, given: Options) -> dict[str, Any]:
        empty = given.get("media") == "cdrom" and given.get("file") is None
        return {**given, "file": "none"} if empty else dict(given)

    def settled(self, slot: str, given: Options, now: Options) -> dict[str, Any]:
        media, held = given.get("media", "disk"), now.get("media", "disk")
        if slot.startswith("unused"):
            return dict(now)
        if "media" in given or "file" in given:
            self._same_medium(slot, given, media, held)
        if held == "cdrom":
            return {name: value for name, value in given.items() if not self.rows[name].creating}
        settled = self.settled_volume(slot, given, now)
        if slot in _FIXED_SIZE or held == "cloudinit":
            # PVE gives these their own size, whatever was asked for.
            settled.pop("size", None)
        return settled

    @staticmethod
    def _same_medium(slot: str, given: Options, media: str, held: str) -> None:
        if media != held and not (held == "cloudinit" and "media" not in given):
            word = {"disk": "a disk", "cdrom": "a CD-ROM drive", "cloudinit": "the cloud-init drive"}
            raise InvalidInput(
                f"disks {slot} is {word[held]} and does not become {word[media]} in place.",
                hint="Take it out first (state: detached or absent), or use another slot.",
            )

    def allocation(self, slot: str, wanted: Options) -> tuple[str, str] | None:
        file = taken_volume(wanted, "file")
        if file is not None:
            storage = storage_of(file)
            if storage is None:
                return None
            return storage, "iso" if ":iso/" in file else "images"
        return (str(wanted["storage"]), "images") if wanted.get("storage") else None


def holds_data(options: Options) -> bool:
    """Whether taking the drive out takes data away."""
    return bool(options.get("media", "disk") == "disk")


DISKS = Disks(
    option="disks",
    slots=r"ide[0-3]|sata[0-5]|scsi(?:[12]?\d|30)|virtio(?:\d|1[0-5])|efidisk0|tpmstate0|unused\d{1,3}",
    fields=FIELDS,
    bare="file",
    volume="file",
    handled=("storage", "size", "file", "media"),
)
