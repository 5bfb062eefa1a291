# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Modules loaded and unloaded, the daemon coming and dying, devices vanishing and returning."""

from __future__ import annotations

import errno

from lab.scst.hardware import Device
from lab.scst.state import HANDLERS, MODULES, NEEDS, VIRTUAL, Attached, Daemon, Kernel, refuse

# The modules' sizes as lsmod printed them.
SIZES = {
    "scst": 3788800,
    "scst_tape": 12288,
    "scst_changer": 12288,
    "scst_disk": 28672,
    "scst_vdisk": 159744,
    "iscsi_scst": 151552,
    "isert_scst": 81920,
}
VERSION = (
    "SCST version: 3.11.0-pre\nSCST build date: \nSCST build number: \nSCST git commit sha1: \n"
    "SCST kver: 6.12.117+deb13-amd64\nSCST arch type: \nSCST config: TRACING\n"
)


def load(kernel: Kernel, module: str) -> None:
    """modprobe: what it needs first; again is nothing. LookupError for one there is not."""
    if module not in MODULES:
        raise LookupError(f"Module {module} not found in directory /lib/modules/6.12.117+deb13-amd64")
    if module in kernel.modules:
        return
    if module in NEEDS:
        load(kernel, NEEDS[module])
    kernel.modules.append(module)
    if module == "scst":
        _start(kernel)
    elif module == "iscsi_scst":
        kernel.say("iSCSI SCST Target - version 3.11.0-pre", "iscsi-scst")
        kernel.say("Registered iSCSI transport: iSCSI-TCP", "iscsi-scst")
        kernel.say("Target template iscsi registered successfully")
    elif module == "isert_scst":
        kernel.say("Registered iSCSI transport: iSER", "iscsi-scst")
    for name, kind in HANDLERS.get(module, {}).items():
        which = f"Virtual device handler {name}" if name in VIRTUAL else f'Device handler "{name}"'
        kernel.say(f"{which} for type {kind} registered successfully")


def _start(kernel: Kernel) -> None:
    kernel.last_result, kernel.relative_ids = 0, 0
    for device in kernel.hardware.present():
        attach(kernel, device)
    kernel.say("Target template copy_manager registered successfully")
    kernel.say("Target copy_manager_tgt for template copy_manager registered successfully")
    for line in VERSION.splitlines():
        kernel.say(line)


def users(kernel: Kernel, module: str) -> list[str]:
    """The loaded modules that need it."""
    return [other for other in kernel.modules if NEEDS.get(other) == module]


def unload(kernel: Kernel, module: str) -> None:
    """rmmod; LookupError where it is not loaded, EBUSY while something uses it."""
    if module not in kernel.modules:
        raise LookupError(f"Module {module} is not currently loaded")
    # A connected daemon holds iscsi_scst: lsmod showed it used.
    if users(kernel, module) or (module == "iscsi_scst" and kernel.daemon):
        raise refuse(errno.EBUSY)
    for device in kernel.devices.values():
        if device.handler in HANDLERS.get(module, {}):
            device.handler = ""
    kernel.modules.remove(module)
    if module == "scst":
        for hcil in list(kernel.devices):
            detach(kernel, hcil)
        kernel.attributes.clear()
        kernel.say("SCST unloaded")


def daemon_starts(kernel: Kernel, pid: int) -> None:
    """ENODEV without the module; EBUSY for a second one (the recordings are silent about both)."""
    if "iscsi_scst" not in kernel.modules:
        raise refuse(errno.ENODEV)
    if kernel.daemon:
        raise refuse(errno.EBUSY)
    kernel.daemon = Daemon(pid)


def daemon_dies(kernel: Kernel) -> None:
    """It takes every target along, with its sessions. Claimed devices stay claimed."""
    if kernel.daemon is None:
        return
    kernel.say("Releasing allocated resources", "iscsi-scst", kernel.daemon.pid)
    for name in list(kernel.targets):
        del kernel.targets[name]
        kernel.say(f"Target {name} for template iscsi unregistered successfully", thread=kernel.daemon.pid)
    kernel.daemon = None


def attach(kernel: Kernel, device: Device) -> None:
    """SCST takes note of every SCSI device there is; that claims nothing."""
    kernel.devices[device.hcil] = Attached(device.hcil, device.type)
    kernel.say(f"Attached to {_spelled(device.hcil)}, type {device.type}", thread=754)


def detach(kernel: Kernel, hcil: str) -> None:
    """The device is gone, and with it every LUN it was."""
    device = kernel.devices.pop(hcil)
    for target in kernel.targets.values():
        for group in target.all_groups():
            group.luns = {number: lun for number, lun in group.luns.items() if lun.device != hcil}
    kernel.say(f"Detached from {_spelled(hcil)}, type {device.type}", thread=370)


def _spelled(hcil: str) -> str:
    host, channel, target, lun = hcil.split(":")
    return f"scsi{host}, channel {channel}, id {target}, lun {lun}"


def vanish(kernel: Kernel, name: str) -> Device:
    device = kernel.hardware.find(name)
    if device.present:
        device = kernel.hardware.change(device, present=False)
        if device.hcil in kernel.devices:
            detach(kernel, device.hcil)
    return device


def come_back(kernel: Kernel, name: str, hcil: str = "") -> Device:
    """It comes back, under another H:C:I:L where one is given, and then with another /dev/sgN too."""
    device = kernel.hardware.find(name)
    if device.present:
        return device
    fields: dict[str, object] = {"present": True}
    if hcil and hcil != device.hcil:
        fields |= {"hcil": hcil, "generic": 1 + max(one.generic for one in kernel.hardware.devices)}
    device = kernel.hardware.change(device, **fields)
    if "scst" in kernel.modules:
        attach(kernel, device)
    return device
