# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Volumes of guests: what a disk and a container's mount point have in common. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import ASSIGNED
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import size_text
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.family import Family, Options

GIB = 1024**3
# Storages round sizes up to their own units (LVM extents, ZFS blocks); a disk larger by less than this was not asked to
# shrink.
ROUNDING = 64 * 1024**2


def storage_of(volume: str) -> str | None:
    """The storage of a volume id; None for a path of the node and for an empty drive."""
    storage, colon, _name = volume.partition(":")
    return storage if colon and not volume.startswith("/") else None


def gibibytes(size: int) -> str:
    """Bytes as PVE allocates them: 32, 0.5."""
    return f"{size / GIB:.10f}".rstrip("0").rstrip(".")


@dataclass(frozen=True)
class Volumes(Family):
    """volume: the option that holds the volume id."""

    volume: str = "file"

    def settled_volume(self, slot: str, given: Options, now: Options) -> dict[str, Any]:
        """Raises InvalidInput where following would move, swap or shrink a disk."""
        result = dict(given)
        where = f"{self.option} {slot}"
        storage, held = given.get("storage"), now.get("storage")
        if storage is not None and storage != held:
            raise InvalidInput(
                f"{where} is on storage {held or now.get(self.volume)}, not {storage}, and disks are not moved here.",
                hint=f"Move it in PVE, or write storage: {held}." if held else "Leave storage out.",
            )
        volume = given.get(self.volume)
        if volume is not None and volume != now.get(self.volume):
            raise InvalidInput(
                f"{where} holds the volume {now.get(self.volume)}, not {volume}, and a disk is not exchanged in place.",
                hint="Take the other one out with state: detached first, or correct the volume.",
            )
        wanted, size = given.get("size"), now.get("size")
        if wanted is not None and size is not None:
            if wanted < size - ROUNDING:
                raise InvalidInput(
                    f"{where} is {size_text(size)} and cannot shrink to {size_text(wanted)}: that would destroy "
                    "what is on it.",
                    hint=f"Write size: {size_text(size)}, or make a smaller disk in another slot and copy the data.",
                )
            if wanted <= size:
                result["size"] = size
        for row in self.fields:
            if row.creating:
                result.pop(row.name, None)
        return result

    def of_clone(self, now: Options, storage: str | None) -> dict[str, Any]:
        result = super().of_clone(now, storage)
        if storage and "storage" in result:
            result["storage"] = storage
        return result

    def allocation(self, slot: str, wanted: Options) -> tuple[str, str] | None:
        """(storage, content type) that a new device needs; None where it needs no storage."""
        raise TypeError(f"{self.option} does not say what it needs")


def taken_volume(wanted: Options, option: str) -> str | None:
    """The volume id that the user named; None where PVE chooses."""
    value = wanted.get(option)
    return None if value in (None, ASSIGNED) else str(value)


def without(pairs: Mapping[str, str], *keys: str) -> dict[str, str]:
    return {key: value for key, value in pairs.items() if key not in keys}
