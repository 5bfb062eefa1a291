# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What is in a backup, and the marks that restored guests bear in their description. Pure.

A mark is one line of text, so that a run which was killed is gone on with by the next, and people read where a guest
came from. It is written by the very request that restores.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import as_bytes
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.cluster import LXC, QEMU

ORIGIN, UNFINISHED, STAND_IN = "origin", "unfinished", "stand-in"
# The list of resources shows tags, so that stand-ins are found without reading every guest.
TAG = "hc-stand-in"
_BY = "restored by hospital.continuity from"
_MARK = re.compile(
    r"^(?:Guest (?P<vmid>\d+) |Stands in for guest (?P<stands>\d+), which (?P<ran>ran|did not run), )"
    + _BY
    + r" (?P<volid>\S+)(?P<rest>, not finished)?$"
)
_VM_DISK = re.compile(r"^(?:ide|sata|scsi|virtio)\d+$|^efidisk0$|^tpmstate0$")
_MOUNT = re.compile(r"^(?:rootfs|mp\d+)$")
_NIC = re.compile(r"^net\d+$")
_SIZE = re.compile(r"(?:^|,)size=(\d+(?:\.\d+)?[KMGT]?)")
_TOOLS = ("vzdump#", "qmdump#")


@dataclass(frozen=True)
class Mark:
    """sort: what it marks.  vmid: the guest whose backup it is.  ran: whether that one ran, of a stand-in."""

    sort: str
    vmid: int
    volid: str
    ran: bool = False

    @property
    def line(self) -> str:
        if self.sort == STAND_IN:
            which = "ran" if self.ran else "did not run"
            return f"Stands in for guest {self.vmid}, which {which}, {_BY} {self.volid}"
        return f"Guest {self.vmid} {_BY} {self.volid}" + (", not finished" if self.sort == UNFINISHED else "")


@dataclass(frozen=True)
class Disk:
    slot: str
    storage: str
    size: int = 0


@dataclass(frozen=True)
class Saved:
    """A guest's configuration as its backup holds it."""

    kind: str = QEMU
    description: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def disks(self) -> tuple[Disk, ...]:
        return tuple(
            Disk(slot, _storage_of(value), _size_of(value))
            for slot, value in sorted(self.options.items())
            if holds_data(self.kind, slot, value)
        )


def holds_data(kind: str, slot: str, value: str) -> bool:
    """Whether a backup holds this disk's content."""
    text = str(value)
    if kind == LXC:
        mounted = bool(_MOUNT.match(slot)) and not text.startswith(("/", "volume=/"))
        return mounted and (slot == "rootfs" or bool(re.search(r"(?:^|,)backup=1(?:,|$)", text)))
    if not _VM_DISK.match(slot) or "media=cdrom" in text or not _storage_of(text):
        return False
    return not re.search(r"(?:^|,)backup=(?:0|no|off)(?:,|$)", text)


def _storage_of(value: str) -> str:
    first = str(value).partition(",")[0].removeprefix("file=").removeprefix("volume=")
    storage, colon, _name = first.partition(":")
    return storage if colon and not first.startswith("/") else ""


def _size_of(value: str) -> int:
    found = _SIZE.search(str(value))
    return as_bytes(found[1]) if found else 0


def saved_of(kind: str, text: str) -> Saved:
    """GET /nodes/{node}/vzdump/extractconfig: a configuration file, its description as comments before it."""
    described, options = [], {}
    for line in str(text or "").splitlines():
        if line.startswith("["):
            break  # snapshots, which are not restored
        if line.startswith("#"):
            if not line[1:].startswith(_TOOLS):
                described.append(unquote(line[1:]))
            continue
        key, colon, value = line.partition(": ")
        if colon:
            options[key.strip()] = value.strip()
    return Saved(kind, unmarked("\n".join(described)), options)


def mark_of(config: Mapping[str, Any] | None) -> Mark | None:
    """The mark in a guest's description."""
    for line in str((config or {}).get("description") or "").splitlines():
        found = _MARK.match(line.strip())
        if found:
            stands = found["stands"]
            sort = STAND_IN if stands else UNFINISHED if found["rest"] else ORIGIN
            return Mark(sort, int(stands or found["vmid"]), found["volid"], ran=found["ran"] == "ran")
    return None


def unmarked(description: str) -> str:
    """The description without a mark in it: a restored guest may have been backed up again."""
    return "\n".join(line for line in description.splitlines() if not _MARK.match(line.strip())).strip("\n")


def marked(description: str, mark: Mark) -> str:
    return "\n".join(filter(None, [unmarked(description), mark.line]))


def nics_of(config: Mapping[str, Any]) -> dict[str, str]:
    return {slot: str(value) for slot, value in sorted(config.items()) if _NIC.match(slot)}


def unplugged(value: str) -> str:
    """A network card that is there and whose cable is out."""
    parts = [part for part in value.split(",") if not part.startswith("link_down=")]
    return ",".join([*parts, "link_down=1"])
