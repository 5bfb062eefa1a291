# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What PVE does to a running guest at once, and what it keeps for the next start. Pure; wire names.

From qemu-server's and pve-container's hotplug rules, so that a restart can be planned before the change is made. Where
the guest's kernel refuses in spite of the rules, PVE says so and what waits is seen in the pending configuration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_VM_LIVE = frozenset(
    {
        "balloon",
        "cpulimit",
        "cpuunits",
        "description",
        "hookscript",
        "hotplug",
        "migrate_downtime",
        "migrate_speed",
        "name",
        "onboot",
        "protection",
        "shares",
        "startup",
        "tags",
        "vmstatestorage",
        # cloud-init: the values are kept at once; the drive is written anew at the next start.
        "cicustom",
        "cipassword",
        "citype",
        "ciupgrade",
        "ciuser",
        "nameserver",
        "searchdomain",
        "sshkeys",
    }
)
_CONTAINER_LIVE = frozenset(
    {
        "cores",
        "cpulimit",
        "cpuunits",
        "description",
        "hookscript",
        "hostname",
        "memory",
        "onboot",
        "protection",
        "startup",
        "swap",
        "tags",
    }
)
# Deleting these from a running container waits although setting them does not.
_CONTAINER_DELETE_WAITS = frozenset({"memory"})
# A drive's options that the running machine has been started with.
_DRIVE_FIXED = ("aio", "cache", "discard", "iothread", "product", "queues", "ro", "ssd", "vendor")
_UNUSED = re.compile(r"unused\d+")
_PLUGGED_DRIVE = re.compile(r"(?:scsi|virtio)\d+")
_DRIVE = re.compile(r"(?:ide|sata|scsi|virtio|efidisk|tpmstate)\d+")


def hotplug_features(config: Mapping[str, object]) -> frozenset[str]:
    text = str(config.get("hotplug", "1"))
    if text == "0":
        return frozenset()
    return frozenset(re.split(r"[,; ]+", "network,disk,usb" if text == "1" else text))


def vm_waits(key: str, old: str | None, new: str | None, config: Mapping[str, object]) -> bool:
    """Whether a running VM takes the change of `key` (None: not set) only at its next start."""
    features = hotplug_features(config)
    if key in _VM_LIVE or key.startswith("ipconfig") or _UNUSED.fullmatch(key):
        return False
    if re.fullmatch(r"net\d+", key):
        return "network" not in features
    if key == "tablet":
        return "usb" not in features
    if key == "vcpus":
        return "cpu" not in features
    if key == "memory":
        return not ("memory" in features and str(config.get("numa", "0")) == "1")
    if _DRIVE.fullmatch(key):
        return _drive_waits(key, old, new, features)
    return True


def _drive_waits(key: str, old: str | None, new: str | None, features: frozenset[str]) -> bool:
    if old is not None and new is not None and "media=cdrom" in old and "media=cdrom" in new:
        return False
    if not _PLUGGED_DRIVE.fullmatch(key) or "disk" not in features:
        return True
    if old is None or new is None:
        return False
    before, after = (_options(text) for text in (old, new))
    return any(before.get(name) != after.get(name) for name in _DRIVE_FIXED)


def _options(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split(",") if "=" in part)


def container_waits(key: str, old: str | None, new: str | None, config: Mapping[str, object]) -> bool:
    """Whether a running container takes the change of `key` (None: not set) only at its next start."""
    if key in _CONTAINER_LIVE:
        return new is None and key in _CONTAINER_DELETE_WAITS
    if re.fullmatch(r"net\d+", key) or _UNUSED.fullmatch(key):
        return False
    if re.fullmatch(r"(?:mp|dev)\d+", key):
        return old is not None
    return True
