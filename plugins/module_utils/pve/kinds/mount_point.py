# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The root file system and mount points of a container. Pure.

PVE API: the parameters rootfs and mpN of /nodes/{node}/lxc and its config.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Size, Unordered
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.family import (
    ABSENT,
    DETACHED,
    PRESENT,
    Options,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import boolean, text
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.volume import (
    Volumes,
    gibibytes,
    storage_of,
    taken_volume,
)

FIELDS: tuple[Field, ...] = (
    text("slot"),
    Field("state", choices=(PRESENT, DETACHED, ABSENT)),
    text("storage", kept=True),
    Field("size", Size(unit="G"), type="str", kept=True),
    text("volume", assigned=True),
    text("mp", kept=True),
    boolean("acl"),
    boolean("backup", default=False),
    boolean("keepattrs", default=False),
    Field("mountoptions", Unordered(joined_by=";"), type="list", elements="str"),
    boolean("quota", default=False),
    boolean("replicate", default=True),
    boolean("ro", default=False),
    boolean("shared", default=False),
)


@dataclass(frozen=True)
class MountPoints(Volumes):
    @property
    def described_slots(self) -> str:
        return "rootfs and mp0 to mp255"

    def interpreted(self, slot: str, state: dict[str, Any], pairs: Mapping[str, str]) -> dict[str, Any]:
        storage = storage_of(pairs.get("volume", ""))
        return {**state, "storage": storage} if storage else state

    def joined(self, slot: str, wanted: Options, pairs: dict[str, str], raw: str | None) -> str:
        for key in ("volume", "size"):
            pairs.pop(key, None)
        if raw is not None:
            held = self.pairs(raw)
            if "size" in held:
                pairs["size"] = held["size"]
            return self.written(held["volume"], pairs)
        volume = taken_volume(wanted, "volume")
        return self.written(volume or f"{wanted['storage']}:{gibibytes(wanted['size'])}", pairs)

    def check(self, slot: str, given: Options) -> None:
        if slot == "rootfs":
            if given.get("state") not in (None, PRESENT):
                raise InvalidInput("disks rootfs: a container cannot be without it.", hint="Leave its state out.")
            for name in ("mp", "backup", "keepattrs"):
                if name in given:
                    raise InvalidInput(f"disks rootfs: {name} is for mount points.", hint="Leave it out.")
        if (
            slot.startswith("unused")
            and given.get("state") != ABSENT
            and set(given) - {"slot", "state", "storage", "volume"}
        ):
            raise InvalidInput(
                f"disks: {slot} is where PVE keeps a detached volume; it can only be absent.",
                hint="Use rootfs or mp0 to mp255, with volume: to attach it.",
            )

    def check_new(self, slot: str, given: Options) -> None:
        if slot.startswith("unused"):
            raise InvalidInput(f"disks: {slot} is made by PVE when a volume is detached.", hint="Use mp0 to mp255.")
        needs = [] if given.get("volume") is not None else ["storage", "size"]
        if slot != "rootfs":
            needs.append("mp")
        lacking = [name for name in needs if given.get(name) is None]
        if lacking:
            raise InvalidInput(
                f"disks {slot} does not exist and cannot be made without {' and '.join(lacking)}.",
                hint="Give storage and size, or volume with an existing volume or a directory of the node.",
            )

    def settled(self, slot: str, given: Options, now: Options) -> dict[str, Any]:
        return dict(now) if slot.startswith("unused") else self.settled_volume(slot, given, now)

    def allocation(self, slot: str, wanted: Options) -> tuple[str, str] | None:
        volume = taken_volume(wanted, "volume")
        storage = storage_of(volume) if volume is not None else wanted.get("storage")
        return (str(storage), "rootdir") if storage else None


MOUNT_POINTS = MountPoints(
    option="disks",
    slots=r"rootfs|mp(?:\d{1,2}|1\d\d|2[0-4]\d|25[0-5])|unused\d{1,3}",
    fields=FIELDS,
    bare="volume",
    handled=("storage", "size", "volume"),
    volume="volume",
)
