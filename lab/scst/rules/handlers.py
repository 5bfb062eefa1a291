# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""`mgmt` of a device handler: claiming devices and giving them up."""

from __future__ import annotations

import errno
import re

from lab.scst.state import VIRTUAL, Attached, Kernel, refuse

_HCIL = re.compile(r"\d+:\d+:\d+:\d+")


def command(kernel: Kernel, handler: str, text: str) -> None:
    action, *words = text.split() or [""]
    # The recordings are silent about devices of virtual handlers (files, volumes): the lab makes none.
    if action not in ("add_device", "del_device") or handler in VIRTUAL:
        kernel.error(f'Unknown action "{action}"')
        raise refuse(errno.EINVAL)
    if len(words) != 1 or not _HCIL.fullmatch(words[0]):
        if len(words) > 1:
            kernel.error("Too many parameters")
        kernel.error(f'Syntax error on "{action}"')
        raise refuse(errno.EINVAL)
    device = kernel.devices.get(words[0])
    if device is None:
        kernel.error(f"Device {words[0]} not found")
        raise refuse(errno.EINVAL)
    kind = kernel.handlers()[handler]
    if device.type != kind:
        kernel.error(f"Type {device.type} of device {device.hcil} differs from type {kind} of dev handler {handler}")
        raise refuse(errno.EINVAL)
    if action == "add_device":
        _claim(kernel, device, handler)
    else:
        _give_up(kernel, device, handler)


def _claim(kernel: Kernel, device: Attached, handler: str) -> None:
    if device.handler != handler:
        if device.type == 1:
            kernel.say("***WARNING***: Unit not ready: 2", "dev_tape")
            kernel.say(
                f"Device {device.hcil}: TST 0, TMF_ONLY 0, QUEUE ALG 0, QErr 0, SWP 0, TAS 0, D_SENSE 0, DPICZ 0, "
                "has_own_order_mgmt 1"
            )
        elif device.type == 8:
            kernel.say(f"Device {device.hcil} doesn't support MODE SENSE or control mode page")
            kernel.say(
                f"***WARNING***: Unable to get device's {device.hcil} control mode page, using existing "
                "values/defaults: TST 0, TMF_ONLY 0, QUEUE ALG 1, QErr 0, SWP 0, TAS 0, D_SENSE 0, DPICZ 0, "
                "has_own_order_mgmt 0"
            )
        device.handler, device.was_claimed = handler, True
    kernel.say(f"Device {device.hcil} assigned to dev handler {handler}")


def _give_up(kernel: Kernel, device: Attached, handler: str) -> None:
    """Its LUNs stay, and nobody can use them."""
    if device.handler != handler:
        kernel.error(f"Device {device.hcil} is not assigned to handler {handler}")
        raise refuse(errno.EINVAL)
    device.handler = ""
    kernel.say(f"Device {device.hcil} unassigned from dev handler {handler}")
