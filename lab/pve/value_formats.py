# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Formats the recorded schema names but does not describe, added to those fakepve knows."""

from __future__ import annotations

import re
from collections.abc import Callable

from fakepve import formats

from lab.pve import calendar_events
from lab.pve.access_privileges import PRIVILEGES

BOOT_DISK = re.compile(r"^(ide[0-3]|sata[0-5]|scsi([0-9]|[12][0-9]|30)|virtio([0-9]|1[0-5])|efidisk0|tpmstate0)$")


def _bootdisk(text: str) -> str | None:
    return None if BOOT_DISK.match(text) else f"invalid boot disk '{text}'"


def _day_of_week(text: str) -> str | None:
    return None if text in ("mon", "tue", "wed", "thu", "fri", "sat", "sun") else f"invalid day '{text}'"


def _volume_group(text: str) -> str | None:
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9\-_.]*[A-Za-z0-9]", text):
        return None
    return f"lvm volume group name '{text}' contains illegal characters"


def _ha_resource(text: str) -> str | None:
    return None if re.fullmatch(r"(?:[a-z]+:)?\S+", text) else f"unable to parse HA resource or VM ID '{text}'"


def _ha_node(text: str) -> str | None:
    if re.fullmatch(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?::\d+)?", text):
        return None
    return "value does not look like a valid ha node specification"


def _content(text: str) -> str | None:
    """`none` is a content type of its own: a storage that holds nothing of PVE's."""
    return None if text in (*formats.CONTENT_TYPES, "none") else f"invalid content type '{text}'"


def _privilege(text: str) -> str | None:
    return None if text in PRIVILEGES else f"invalid privilege '{text}'"


ADDED: dict[str, Callable[[str], str | None]] = {
    "pve-calendar-event": calendar_events.problem,
    "pve-qm-bootdisk": _bootdisk,
    "pve-storage-content": _content,
    "pve-day-of-week": _day_of_week,
    "pve-storage-vgname": _volume_group,
    "pve-ha-resource-or-vm-id": _ha_resource,
    "pve-ha-node": _ha_node,
    "pve-priv": _privilege,
}


def register() -> None:
    """Let fakepve's checks know them."""
    formats.NAMED.update(ADDED)
