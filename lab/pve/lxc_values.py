# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""LXC options: how a value that was sent is kept, and which privilege it needs. Nothing here has state."""

from __future__ import annotations

import re
from typing import Any

from fakepve.model import PveError

from lab.pve.qemu_values import natural, random_mac, tags_value

MOUNT = re.compile(r"^(rootfs|mp\d+)$")
MOUNT_OR_UNUSED = re.compile(r"^(rootfs|mp\d+|unused\d+)$")
NET = re.compile(r"^net\d+$")
DEVICE = re.compile(r"^dev\d+$")
NEW_DISK = re.compile(r"^([^:\s/]+):(\d+(?:\.\d+)?)$")
REQUIRED = ("rootfs", "memory", "ostype")
# Options a running container takes at once.
LIVE = (
    "description", "onboot", "startup", "protection", "hostname", "hookscript", "cores", "tags", "lock", "cpulimit",
    "cpuunits", "memory", "swap",
)  # fmt: skip

__all__ = ["natural", "random_mac", "tags_value"]


def split_mount(text: str) -> tuple[str, dict[str, str]]:
    """(volume, options) of a mount point."""
    volume, options = "", {}
    for part in str(text).split(","):
        key, equals, value = part.partition("=")
        if not equals:
            volume = part
        elif key == "volume":
            volume = value
        else:
            options[key] = value
    return volume, options


def join_mount(volume: str, options: dict[str, str]) -> str:
    """The volume, then mp, then the other options by name."""
    keys = sorted(options, key=lambda key: (key != "mp", key))
    return ",".join([volume, *(f"{key}={options[key]}" for key in keys)])


def mount_kind(volume: str) -> str:
    if volume.startswith("/dev/"):
        return "device"
    return "bind" if volume.startswith("/") else "volume"


def net_value(text: str, fresh_mac: bool = False) -> str:
    """name and bridge first, then the options by name; a MAC and the type are added where missing."""
    options = dict(part.partition("=")[::2] for part in str(text).split(",") if part)
    if not options.get("bridge"):
        raise PveError(500, "bridge '' does not exist")
    if fresh_mac or not options.get("hwaddr"):
        options["hwaddr"] = random_mac()
    options["type"] = "veth"
    keys = sorted(options, key=lambda key: (key != "name", key != "bridge", key))
    return ",".join(f"{key}={options[key]}" for key in keys)


def kept(key: str, value: Any, update: bool) -> Any:
    """The value as the configuration keeps it; None if it is not kept."""
    if key == "description":
        text = str(value)
        return text.removesuffix("\n") + "\n" if text else None
    if key == "tags":
        return tags_value(value) if update else value
    if key in ("nameserver", "searchdomain"):
        return " ".join(re.split(r"[,\s;]+", str(value).strip()))
    if key == "cpuunits":
        return max(int(value), 2)
    if NET.match(key):
        return net_value(value)
    return value


def privileges(key: str) -> tuple[str, ...]:
    """The privileges, one of which setting the option needs."""
    if MOUNT_OR_UNUSED.match(key):
        return ("VM.Config.Disk",)
    if key in ("cores", "cpulimit", "cpuunits"):
        return ("VM.Config.CPU",)
    if key in ("memory", "swap"):
        return ("VM.Config.Memory",)
    if NET.match(key) or key in ("nameserver", "searchdomain", "hostname"):
        return ("VM.Config.Network",)
    return ("VM.Config.Options",)


def refused_to_tokens(key: str, value: Any, before: Any) -> str | None:
    """Why only the root@pam login may set this; None if others may."""
    if DEVICE.match(key):
        return "configuring device passthrough is only allowed for root@pam"
    if key == "hookscript":
        return "changing the hookscript is only allowed for root@pam"
    if key == "features":

        def others(text: Any) -> set[str]:
            return {part for part in str(text or "").split(",") if part and not part.startswith("nesting=")}

        if others(value) != others(before):
            return "changing feature flags (except nesting) is only allowed for root@pam"
    if MOUNT.match(key):
        kind = mount_kind(split_mount(str(value))[0])
        if kind != "volume":
            return f"mount point type {kind} is only allowed for root@pam"
    return None
